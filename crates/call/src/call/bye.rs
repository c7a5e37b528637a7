//! BYE, through challenges and repetitions, for the call's own dialog and for those that other forks opened (`fork`).
//!
//! A BYE that was refused or met silence is sent again as a new transaction, since only a phone that has heard it is
//! surely on-hook. RFC 3261 §15.1.1 would allow to forget the dialog at once.

use sabotage::Fault;
use sip::{
    BranchKey, CSeq, Challenge, Method, Moment, Outgoing, Response, Tx,
    digest::{Authenticator, Subject},
};

use super::{
    Call,
    ending::{CSEQS_OF_A_PROCESS, Silence},
    state::State,
};
use crate::{
    dialog::{Dialog, Header},
    output::Save,
    placement::{Limits, Surroundings},
    record::{EndCause, Phase, RECORD_VERSION, Record, Wish},
    timer::Timer,
};

/// Transactions' lengths that BYE is tried for before a call is given up as unconfirmed.
const BYE_TRANSACTIONS: u32 = 3;

/// T1s between a BYE that was refused or met silence and the next one.
const PAUSE: u32 = 8;

/// `CSeq` numbers that may have been used in a dialog that nobody remembers: those of ten processes.
const STRAY_CSEQS: u32 = 10 * CSEQS_OF_A_PROCESS;

/// A BYE on its way.
#[derive(Debug)]
pub(super) struct Bye {
    tx: Tx,
    auth: Authenticator,
    sent: Moment,
    /// When to send another one: soon after a refusal, or when the transaction should long have been over.
    again: Moment,
    /// When to stop trying.
    until: Moment,
    /// It could not be sent, or its connection is gone; whether there was more time for that reason.
    is_lost: bool,
    had_more_time: bool,
}

/// Which phone a BYE is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phone {
    /// That of the fork at this place.
    OfFork(usize),
    /// The call's own.
    Own,
}

/// What came back for a BYE.
enum Fate<'a> {
    Confirmed,
    Challenged(&'a [Challenge]),
    /// Refused, or never answered.
    Missed,
}

impl Bye {
    pub(super) fn sent(tx: Tx, limits: &Limits, now: Moment) -> Self {
        Self {
            tx,
            auth: Authenticator::default(),
            sent: now,
            again: now + limits.patience(),
            until: now + limits.transaction() * BYE_TRANSACTIONS,
            is_lost: false,
            had_more_time: false,
        }
    }

    fn is_sent_again(&mut self, tx: Tx, limits: &Limits, now: Moment) {
        self.tx = tx;
        self.sent = now;
        self.again = now + limits.patience();
        self.is_lost = false;
    }

    /// Whether it was tried for as long as it is. A process that was stopped has tried nothing meanwhile: what should have been over long ago is tried
    /// for a transaction more. So is, once, what was lost at last, as those before it may have been: its phone may want to challenge the next.
    fn is_tried_enough(&mut self, limits: &Limits, now: Moment) -> bool {
        let is_stale = now > self.sent + limits.patience() + limits.t1 * PAUSE;
        let is_lost = now >= self.until && self.is_lost && !self.had_more_time;
        self.had_more_time |= is_lost;
        if is_stale || is_lost {
            self.until = self.until.max(now + limits.transaction());
        }
        now >= self.until
    }

    /// The BYE again with credentials, or nothing when that is of no use.
    fn authorize(&mut self, challenges: &[Challenge], dialog: &mut Dialog, around: &Surroundings) -> Option<Outgoing> {
        let credentials = around.credentials.as_ref()?;
        if around.sabotage.is(Fault::NoCredentials) {
            return None;
        }
        if around.sabotage.is(Fault::BranchUsedTwice) {
            dialog.local_cseq -= 1;
        }
        self.auth.challenged(challenges).ok()?;
        let cnonce = around.key.cnonce(&dialog.call_id, dialog.local_cseq);
        let subject = Subject {
            method: &Method::Bye,
            uri: &dialog.request_uri(),
            body: &[],
            cnonce: &cnonce,
        };
        let authorizations = self.auth.authorize(credentials, subject);
        let headers: Vec<Header<'_>> = authorizations
            .iter()
            .map(|header| (header.name, header.value.as_str()))
            .collect();
        Some(next_bye(dialog, &headers, around))
    }
}

/// A 2xx of a call that nobody remembers.
#[derive(Debug)]
pub struct Stray {
    dialog: Dialog,
    answer: Response,
}

impl Stray {
    /// Nothing when the branch is not ours (a forged 2xx must not make us send anywhere), or when it does not say where its phone is.
    #[must_use]
    pub fn of(response: &Response, key: &BranchKey) -> Option<Self> {
        let (branch, call_id, cseq) = (&response.branch, &response.call_id, &response.cseq);
        if cseq.method != Method::Invite || !key.is_ours(branch, call_id, cseq) {
            return None;
        }
        Some(Self {
            dialog: Dialog::from_stray(response)?,
            answer: response.clone(),
        })
    }
}

impl Call {
    /// Makes a call that nobody remembers from the 2xx of its INVITE alone, in order to end it as any other: once this is
    /// saved, ACK and BYE, through challenges and silence (promise 2). `trunk` is for the record.
    #[must_use]
    pub fn stray(stray: Stray, trunk: String, around: Surroundings) -> Self {
        let Stray { mut dialog, answer } = stray;
        // The BYE of the call itself may have used the next numbers; gaps are legal (RFC 3261 §12.2.2).
        dialog.local_cseq = dialog.local_cseq.saturating_add(STRAY_CSEQS);
        let record = Record {
            version: RECORD_VERSION,
            trunk,
            invite_via: String::new(),
            invite_cseq: answer.cseq.number,
            request_uri: dialog.remote_target.clone(),
            destination: dialog.remote_target.clone(),
            path: None,
            dialog,
            phase: Phase::Answered,
            wish: Some(Wish::Drain),
            forks: Vec::new(),
        };
        let mut call = Self::with(record, State::Answered(Box::new(answer)), around);
        call.save(Save::Answer);
        call
    }

    /// Hangs up a call that was answered and ACKed.
    pub(super) fn send_bye(&mut self, now: Moment) {
        self.stop_media();
        for timer in [Timer::MaxDuration, Timer::Refresh, Timer::SessionExpires] {
            self.timers.stop(timer);
        }
        self.acknowledge_if_lost();
        let refresh = self.refresh_under_way().cloned();
        let outgoing = next_bye(&mut self.record.dialog, &[], &self.around);
        let bye = Bye::sent(outgoing.tx.clone(), &self.around.limits, now);
        self.state = State::Terminating { bye, refresh };
        if !self.is_sabotaged(Fault::NoBye) {
            self.send(outgoing);
        }
        self.schedule_byes();
    }

    pub(super) fn handle_bye_response(&mut self, response: &Response, now: Moment) {
        let fate = match response.status {
            ..200 => return,
            // With 481 and 408 the far end says that it knows the dialog no more (RFC 3261 §15.1.1, RFC 5057 §5.1).
            200..300 | 408 | 481 => Fate::Confirmed,
            401 | 407 => Fate::Challenged(&response.challenges),
            // Also what RFC 5057 §5.1 says ends a dialog (404, 502 and others): it may come from a proxy on the way.
            _ => Fate::Missed,
        };
        self.follow_bye(&response.tx(), fate, now);
    }

    pub(super) fn handle_bye_silence(&mut self, tx: &Tx, silence: Silence, now: Moment) {
        if let Some(phone) = self.phone_of_bye(tx)
            && let Some((bye, ..)) = self.bye_mut(phone)
        {
            bye.is_lost = matches!(silence, Silence::Unreachable | Silence::ConnectionLost);
        }
        self.follow_bye(tx, Fate::Missed, now);
    }

    fn phone_of_bye(&self, tx: &Tx) -> Option<Phone> {
        self.byes().find(|(_, bye)| bye.tx == *tx).map(|(phone, _)| phone)
    }

    fn follow_bye(&mut self, tx: &Tx, fate: Fate<'_>, now: Moment) {
        let Some(phone) = self.phone_of_bye(tx) else {
            return;
        };
        let Some((bye, dialog, around)) = self.bye_mut(phone) else {
            return;
        };
        match fate {
            Fate::Confirmed => self.bye_over(phone, true),
            Fate::Challenged(challenges) => match bye.authorize(challenges, dialog, around) {
                Some(outgoing) => {
                    bye.is_sent_again(outgoing.tx.clone(), &around.limits, now);
                    self.send(outgoing);
                }
                None => self.bye_over(phone, false),
            },
            Fate::Missed if bye.is_tried_enough(&around.limits, now) || around.sabotage.is(Fault::OneByeOnly) => {
                self.give_up_bye(phone);
            }
            Fate::Missed => bye.again = now + around.limits.t1 * PAUSE,
        }
        self.schedule_byes();
    }

    /// Sends every BYE that is due once more, as a new transaction.
    pub(super) fn bye_again(&mut self, now: Moment) {
        let due: Vec<Phone> = self
            .byes()
            .filter(|(_, bye)| bye.again <= now)
            .map(|(phone, _)| phone)
            .collect();
        if due.contains(&Phone::Own) {
            self.acknowledge_if_lost();
        }
        let mut given_up = Vec::new();
        for phone in due {
            let Some((bye, dialog, around)) = self.bye_mut(phone) else {
                continue;
            };
            if bye.is_tried_enough(&around.limits, now) {
                given_up.push(phone);
                continue;
            }
            let outgoing = next_bye(dialog, &[], around);
            bye.auth = Authenticator::default();
            bye.is_sent_again(outgoing.tx.clone(), &around.limits, now);
            self.send(outgoing);
        }
        // The call's own stands first, and ends with those of its forks that end at the same time.
        for phone in given_up.into_iter().rev() {
            self.give_up_bye(phone);
        }
        self.schedule_byes();
    }

    /// One that was lost is followed by one more, though nothing is waited for.
    fn give_up_bye(&mut self, phone: Phone) {
        if let Some((bye, dialog, around)) = self.bye_mut(phone)
            && bye.is_lost
        {
            let last = next_bye(dialog, &[], around);
            self.send(last);
        }
        self.bye_over(phone, false);
    }

    /// The far end has confirmed a BYE, or never will.
    fn bye_over(&mut self, phone: Phone, confirmed: bool) {
        match phone {
            // Every BYE of the call's own dialog has a wish behind it, which is the cause that `finish` names.
            Phone::Own => self.finish(EndCause::RemoteHangup, confirmed),
            Phone::OfFork(at) => self.fork_over(at, confirmed),
        }
    }

    /// Every BYE under way: the call's own, then those of its forks.
    fn byes(&self) -> impl Iterator<Item = (Phone, &Bye)> {
        let own = match &self.state {
            State::Terminating { bye, .. } => Some((Phone::Own, bye)),
            State::Placing
            | State::Calling { .. }
            | State::Early
            | State::Cancelling(_)
            | State::Answered(_)
            | State::Confirmed(_)
            | State::Ended { .. } => None,
        };
        own.into_iter()
            .chain(self.forks.byes().map(|(at, bye)| (Phone::OfFork(at), bye)))
    }

    /// The BYE under way to a phone, its dialog, and what the next one is printed with.
    fn bye_mut(&mut self, phone: Phone) -> Option<(&mut Bye, &mut Dialog, &Surroundings)> {
        let (bye, dialog) = match (phone, &mut self.state) {
            (Phone::Own, State::Terminating { bye, .. }) => (bye, &mut self.record.dialog),
            (Phone::Own, _) => return None,
            (Phone::OfFork(at), _) => self.forks.bye_mut(at)?,
        };
        Some((bye, dialog, &self.around))
    }

    pub(super) fn schedule_byes(&mut self) {
        let due = self.byes().map(|(_, bye)| bye.again).min();
        match due {
            Some(due) => self.timers.set(Timer::AnotherBye, due),
            None => self.timers.stop(Timer::AnotherBye),
        }
    }
}

/// The BYE that is next in a dialog.
pub(super) fn next_bye(dialog: &mut Dialog, headers: &[Header<'_>], around: &Surroundings) -> Outgoing {
    if !around.sabotage.is(Fault::CseqStandsStill) {
        dialog.local_cseq = dialog.local_cseq.saturating_add(1);
    }
    let cseq = CSeq {
        number: dialog.local_cseq,
        method: Method::Bye,
    };
    dialog.request(cseq, headers, None, &around.local, &around.key)
}
