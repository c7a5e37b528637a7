//! Rare situations: what the runs have to have met, or their rules are proven for the easy cases alone. Each is seen from outside.

use std::fmt;

use call::Save;
use sip::{Method, Path};

use super::Watch;
use crate::{house::What, message::Message, world::World};

/// What is rare, and dangerous.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Situation {
    AnswerCrossesCancel,
    AnswerOfForkAfterBye,
    ThreeForksAnswer,
    FiveForksAnswer,
    AnswerThroughTwoProxies,
    EarlyDialogEnds,
    AnswerAfterItsAck,
    AnswerToNobody,
    AnswerWhileLeft,
    ByesCross,
    ByeBeforeAck,
    ByeChallenged,
    ByeChallengedAfterCrash,
    CancelUnknown,
    RefusalAfterCancel,
    RefreshDuringBye,
    ByeDuringRefresh,
    HangUpBeforeInvite,
    HangUpBeforeAnyAnswer,
    HangUpBeforeAck,
    HangUpAfterEnd,
    HangUpWhileLeft,
    IntentRefused,
    AnswerRefused,
    WishRefused,
    CrashBeforePromise,
    CrashInRecovery,
    SavedThoughNobodyKnows,
    LostWithInviteOut,
    LostWithByeOut,
    FullQueueAtCancel,
    AwayAtBye,
    MovedSinceInvite,
    NeverDelivered,
}

impl Situation {
    /// All, and what they are.
    pub const ALL: [(Self, &str); 34] = [
        (Self::AnswerCrossesCancel, "a 2xx crosses the CANCEL"),
        (
            Self::AnswerOfForkAfterBye,
            "another fork's first 2xx comes after a BYE of ours",
        ),
        (Self::ThreeForksAnswer, "three forks of a call answer"),
        (Self::FiveForksAnswer, "five forks of a call answer"),
        (
            Self::AnswerThroughTwoProxies,
            "another fork's first 2xx comes through two proxies that stay on its way",
        ),
        (Self::EarlyDialogEnds, "a 199 says that a fork rings no more"),
        (Self::AnswerAfterItsAck, "a 2xx comes again after its ACK"),
        (Self::AnswerToNobody, "a 2xx comes for a call that nobody remembers"),
        (
            Self::AnswerWhileLeft,
            "a 2xx comes for a call that waits to be taken up",
        ),
        (Self::ByesCross, "the phone's BYE crosses ours"),
        (Self::ByeBeforeAck, "the phone's BYE comes before its 2xx was ACKed"),
        (Self::ByeChallenged, "a BYE is challenged"),
        (
            Self::ByeChallengedAfterCrash,
            "the BYE of a call that a crash left is challenged",
        ),
        (
            Self::CancelUnknown,
            "a CANCEL comes before its INVITE, and is answered with 481",
        ),
        (Self::RefusalAfterCancel, "a refusal other than 487 crosses the CANCEL"),
        (Self::RefreshDuringBye, "the phone's INVITE or UPDATE crosses our BYE"),
        (
            Self::ByeDuringRefresh,
            "a BYE leaves while our own INVITE or UPDATE inside the dialog is not answered",
        ),
        (Self::HangUpBeforeInvite, "a call is hung up before its INVITE has left"),
        (
            Self::HangUpBeforeAnyAnswer,
            "a call is hung up when nothing has come back to its INVITE",
        ),
        (Self::HangUpBeforeAck, "a call is hung up between 2xx and ACK"),
        (Self::HangUpAfterEnd, "a call that has ended is hung up"),
        (Self::HangUpWhileLeft, "a call that waits to be taken up is hung up"),
        (Self::IntentRefused, "the disk refuses an intent"),
        (Self::AnswerRefused, "the disk refuses an answer"),
        (Self::WishRefused, "the disk refuses a wish or an end"),
        (
            Self::CrashBeforePromise,
            "the process is killed while a hang-up is not answered",
        ),
        (
            Self::CrashInRecovery,
            "the process is killed while calls wait to be taken up",
        ),
        (
            Self::SavedThoughNobodyKnows,
            "a crash leaves something on the disk whose word never came",
        ),
        (
            Self::LostWithInviteOut,
            "a connection is lost with an INVITE on it that nothing has come back to",
        ),
        (Self::LostWithByeOut, "a connection is lost with a BYE on it"),
        (Self::FullQueueAtCancel, "a CANCEL meets a queue that is full"),
        (Self::AwayAtBye, "a BYE leaves for a trunk where nobody is"),
        (
            Self::MovedSinceInvite,
            "a BYE goes to where its trunk was not at the time of the INVITE",
        ),
        (Self::NeverDelivered, "a client is gone when its call has begun"),
    ];
}

impl fmt::Display for Situation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = Self::ALL.iter().find(|(situation, _)| situation == self);
        f.write_str(words.map_or("", |(_, words)| words))
    }
}

impl Watch {
    pub(crate) fn meet(&mut self, situation: Situation) {
        *self.tally.met.entry(situation).or_default() += 1;
    }

    fn meet_if(&mut self, is_met: bool, situation: Situation) {
        if is_met {
            self.meet(situation);
        }
    }

    pub(super) fn meet_refusal(&mut self, save: Save) {
        self.meet(match save {
            Save::Intent => Situation::IntentRefused,
            Save::Answer | Save::Fork(_) => Situation::AnswerRefused,
            Save::Wish | Save::End => Situation::WishRefused,
        });
    }

    /// A peer's message is handed in; what was before it is still known.
    pub(super) fn meet_heard(&mut self, call: usize, message: &Message) {
        let watched = &self.calls[call];
        let is_left = watched.keys.iter().any(|key| self.left.contains(key));
        let was_cancelled = watched.requests.keys().any(|(_, method)| *method == Method::Cancel);
        let was_taken_up = watched.taken_up > 0;
        let tag = if message.is_request() {
            message.sender_tag()
        } else {
            message.to_tag()
        };
        let dialog = tag.and_then(|tag| watched.dialogs.get(tag));
        let (acks, byes) = dialog.map_or((0, 0), |dialog| (dialog.acks, dialog.byes));
        let awaits_ack = dialog.is_some_and(|dialog| dialog.awaits_ack);
        let has_bye_out = dialog.is_some_and(|dialog| dialog.bye.is_some());
        let answered = watched
            .dialogs
            .values()
            .filter(|dialog| dialog.acks > 0 || dialog.awaits_ack);
        let (answered, all_byes) = (
            answered.count(),
            watched.dialogs.values().map(|dialog| dialog.byes).sum::<u64>(),
        );
        match (message.is_request(), &message.method) {
            (true, Method::Bye) => {
                self.meet_if(has_bye_out, Situation::ByesCross);
                self.meet_if(awaits_ack, Situation::ByeBeforeAck);
            }
            (true, Method::Invite | Method::Update) => self.meet_if(has_bye_out, Situation::RefreshDuringBye),
            (false, Method::Invite) if message.is_answer() => {
                let is_new = acks == 0 && !awaits_ack;
                self.meet_if(is_left, Situation::AnswerWhileLeft);
                self.meet_if(acks > 0, Situation::AnswerAfterItsAck);
                self.meet_if(is_new && was_cancelled, Situation::AnswerCrossesCancel);
                self.meet_if(is_new && byes == 0 && all_byes > 0, Situation::AnswerOfForkAfterBye);
                self.meet_if(is_new && answered == 2, Situation::ThreeForksAnswer);
                self.meet_if(is_new && answered == 4, Situation::FiveForksAnswer);
                let is_by_two = message.route.as_deref().is_some_and(|route| route.contains(", "));
                self.meet_if(is_new && answered > 0 && is_by_two, Situation::AnswerThroughTwoProxies);
            }
            (false, Method::Invite) => {
                self.meet_if(message.status == 199, Situation::EarlyDialogEnds);
                let is_other = message.status >= 300 && message.status != 487;
                self.meet_if(was_cancelled && is_other, Situation::RefusalAfterCancel);
            }
            (false, Method::Cancel) => self.meet_if(message.status == 481, Situation::CancelUnknown),
            (false, Method::Bye) if matches!(message.status, 401 | 407) => {
                self.meet(Situation::ByeChallenged);
                self.meet_if(was_taken_up, Situation::ByeChallengedAfterCrash);
            }
            _ => {}
        }
        let watched = &mut self.calls[call];
        if !message.is_request() {
            if message.method == Method::Invite {
                watched.unheard = None;
            }
            watched
                .refresh
                .take_if(|branch| *branch == message.branch && message.status >= 200);
        }
    }

    /// DisconnectPhoneCall is handed in.
    pub(super) fn meet_hang_up(&mut self, call: usize) {
        let watched = &self.calls[call];
        let is_left = watched.keys.iter().any(|key| self.left.contains(key));
        let has_ended = watched.ended.is_some();
        let is_placed = !watched.keys.is_empty() && !has_ended && !is_left;
        let has_left = watched.requests.keys().any(|(_, method)| *method == Method::Invite);
        let (is_unheard, awaits_ack) = (
            watched.unheard.is_some(),
            watched.dialogs.values().any(|dialog| dialog.awaits_ack),
        );
        self.meet_if(is_left, Situation::HangUpWhileLeft);
        self.meet_if(has_ended, Situation::HangUpAfterEnd);
        self.meet_if(is_placed && !has_left, Situation::HangUpBeforeInvite);
        self.meet_if(is_placed && is_unheard, Situation::HangUpBeforeAnyAnswer);
        self.meet_if(is_placed && awaits_ack, Situation::HangUpBeforeAck);
    }

    /// This connection is gone.
    pub(super) fn meet_loss(&mut self, path: &Path) {
        let is_out = |watched: &super::CallWatch, branch: &str| {
            let bye = (branch.into(), Method::Bye);
            watched.requests.get(&bye) == Some(path)
        };
        let has_bye = |watched: &super::CallWatch| {
            let mut byes = watched.dialogs.values().filter_map(|dialog| dialog.bye.as_ref());
            byes.any(|(branch, _)| is_out(watched, branch))
        };
        let bye = self.calls.iter().any(has_bye);
        let invite = self
            .calls
            .iter()
            .any(|watched| watched.unheard == Some(*path) && watched.ended.is_none());
        self.meet_if(bye, Situation::LostWithByeOut);
        self.meet_if(invite, Situation::LostWithInviteOut);
    }
}

impl World {
    /// A message of ours leaves; what was before it is still known.
    pub(super) fn meet_leaving(&mut self, call: usize, message: &Message, path: &Path) {
        if !message.is_request() {
            return;
        }
        let is_inside = message.to_tag().is_some();
        let (is_away, trunk) = (self.is_away(path), self.trunk_at(path.remote));
        let watched = &mut self.watch.calls[call];
        let own = (message.branch.clone(), message.method.clone());
        if watched.requests.contains_key(&own) {
            return;
        }
        match message.method {
            Method::Invite if !is_inside => watched.unheard = Some(*path),
            Method::Invite | Method::Update => watched.refresh = Some(message.branch.clone()),
            Method::Bye => {
                let is_refreshing = watched.refresh.is_some();
                let mut invites = watched
                    .requests
                    .iter()
                    .filter(|((_, method), _)| *method == Method::Invite);
                let has_moved = invites.any(|(_, way)| way.remote.ip() != path.remote.ip());
                self.watch.meet_if(is_refreshing, Situation::ByeDuringRefresh);
                self.watch.meet_if(is_away, Situation::AwayAtBye);
                self.watch
                    .meet_if(has_moved && trunk.is_some(), Situation::MovedSinceInvite);
            }
            _ => {}
        }
    }

    /// The process is to be killed.
    pub(crate) fn meet_crash(&mut self) {
        let is_left = !self.watch.left.is_empty();
        let is_asked = self.is_asked(What::HangUp);
        self.watch.meet_if(is_left, Situation::CrashInRecovery);
        self.watch.meet_if(is_asked, Situation::CrashBeforePromise);
    }
}
