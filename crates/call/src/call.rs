//! One call's life as a state machine without I/O.
//!
//! A [`Call`] has four kinds of methods: getters; commands of the house (`disconnect`, `media_finished`, …); `handle_*`
//! for what happened outside; and `poll_*` for what is to be done. The order of calling them is: one command or
//! input, then [`Call::poll_output`] until it is empty, then wait no longer than [`Call::poll_timeout`] says.
//!
//! States stand in [`Phase`] in the order a call lives. `invite` holds what happens up to the answer, `peer` what the far
//! end may ask for after it, `session` what tells that it is still there, `ending` the wish to end and CANCEL, `bye` what
//! ends an answered call, `fork` the phones that have answered beside it.

mod bye;
mod ending;
mod fork;
mod invite;
mod peer;
mod session;

use std::{collections::VecDeque, time::Duration};

use crate::{
    dialog::{Dialog, Local},
    record::{End, EndCause, Phase, RECORD_VERSION, Record, Wish},
    timer::{Timer, TimerTable},
};
use bye::Bye;
use ending::Overtaken;
pub use ending::Silence;
use fork::Fork;
use session::Session;
use sip::{
    BranchKey, CallIdHeader, Moment, Outgoing, Path, Reply, Response, Tag, Tx,
    digest::{Authenticator, Authorization, Credentials},
    sdp::{Agreed, Codec, LocalMedia, SdpError},
};

/// Everything a new call is made of. Randomness comes from the caller (promise 1).
#[derive(Clone, Debug)]
pub struct Placement {
    /// Name of the trunk, for the record.
    pub trunk: String,
    /// Whom to ring: the Request-URI and the `To`.
    pub request_uri: String,
    /// `From` without a tag, such as `<sip:onhook@example.org>`.
    pub from: String,
    /// `Route` values to load before any answer: an outbound proxy (RFC 3261 §8.1.1.1).
    pub routes: Vec<String>,
    /// The SIP URI where the INVITE is sent.
    pub destination: String,
    /// The way it takes, if that is known already: a CANCEL goes the same, after a crash, too (RFC 3261 §9.1).
    pub path: Option<Path>,
    /// Globally unique.
    pub call_id: CallIdHeader,
    /// At least 32 random bits (RFC 3261 §19.3).
    pub local_tag: Tag,
}

/// What the machine needs besides the record; given again to [`Call::take_up`].
#[derive(Clone, Debug)]
pub struct Surroundings {
    pub local: Local,
    pub media: LocalMedia,
    pub credentials: Option<Credentials>,
    pub key: BranchKey,
    pub limits: Limits,
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From INVITE to answer.
    pub ring: Duration,
    /// From answer to our BYE.
    pub max_duration: Duration,
    /// The session interval to ask for (RFC 4028), at least 90 s; `None` for no session timers.
    pub session_expires: Option<Duration>,
    /// SIP's T1 (RFC 3261 §17.1.1.1): a transaction lasts 64 of them.
    pub t1: Duration,
}

impl Limits {
    /// How long a transaction tries (Timer B and F, RFC 3261 App. A).
    #[must_use]
    pub fn transaction(&self) -> Duration {
        self.t1 * 64
    }

    /// When a transaction must have come to its end: a little later, because the peer may start counting later.
    pub(crate) fn patience(&self) -> Duration {
        self.transaction() + self.t1 * 4
    }
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Journal the record as it is now.
    Save(Save),
    /// Send a request. Nothing that follows may overtake it.
    Send(Outgoing),
    /// Take up the transaction of an INVITE that an earlier process sent: nothing is sent, what comes back is matched.
    Resume(Outgoing),
    /// End a client transaction that has been given up.
    Stop(Tx),
    /// Answer the peer's request that was handed in with this number.
    Reply(u64, Reply),
    Media(MediaCommand),
}

/// Why the record is written; three of them the machine waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Save {
    /// Before every INVITE, also one repeated with credentials. [`Call::handle_saved`] lets it leave (promise 3).
    Intent,
    /// Before the ACK, which [`Call::handle_saved`] lets leave; later, when the dialog has gone on: the peer has moved its
    /// target, or a refresh has taken CSeq numbers.
    Answer,
    /// Before the ACK of this answer of another fork, counted from 0. It may come when the call has ended.
    Fork(u32),
    /// The call is to end, or has ended while phones of other forks are still being hung up. What was asked for may be
    /// confirmed once this is durable; the BYE does not wait.
    Wish,
    /// The call is over, and so is every other fork. Said again if one answers after it.
    End,
}

/// What the sound room should do for this call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaCommand {
    Start(Agreed),
    /// The peer moved the stream, put it on hold or took it back.
    Change(Agreed),
    Stop,
}

/// One call, from intent to end.
#[derive(Debug)]
pub struct Call {
    record: Record,
    around: Surroundings,
    timers: TimerTable,
    outputs: VecDeque<Output>,
    /// Challenges met by the INVITE.
    invite_auth: Authenticator,
    /// The credentials in the last INVITE: its ACK carries the same (RFC 3261 §22.1).
    invite_authorizations: Vec<Authorization>,
    /// What we said last about our end of the stream: the offer in the INVITE, later also an answer.
    description: String,
    /// The 2xx that waits for its ACK.
    answer: Option<Response>,
    /// What a CANCEL that found no INVITE has met since; see [`ending::Overtaken`].
    overtaken: Overtaken,
    bye: Option<Bye>,
    session: Option<Session>,
    /// Dialogs that other branches of the call opened: each is ended at once (RFC 3261 §13.2.2.4).
    forks: Vec<Fork>,
    /// How many other forks have answered so far.
    forks_answered: u32,
    /// The phone of another fork was given up.
    fork_given_up: bool,
    agreed: Option<Agreed>,
    /// Our 200 to a re-INVITE carried an offer; its answer comes in the ACK.
    offered: bool,
    ringing: bool,
    /// The last final response that says why the call did not come about.
    refusal: Option<(u16, String)>,
    /// Why the answer's session description cannot be used.
    unusable: Option<SdpError>,
}

impl Call {
    /// Makes a call and asks for its intent to be saved. Nothing leaves before [`Self::handle_saved`].
    #[must_use]
    pub fn place(placement: Placement, around: Surroundings) -> Self {
        let dialog = Dialog {
            call_id: placement.call_id,
            local: placement.from,
            local_tag: placement.local_tag,
            remote: format!("<{}>", placement.request_uri),
            remote_tag: None,
            local_cseq: 0,
            remote_cseq: None,
            route_set: placement.routes,
            remote_target: placement.request_uri.clone(),
        };
        let record = Record {
            version: RECORD_VERSION,
            trunk: placement.trunk,
            invite_via: String::new(),
            invite_cseq: 0,
            request_uri: placement.request_uri,
            destination: placement.destination,
            path: placement.path,
            dialog,
            phase: Phase::Placing,
            wish: None,
            forks: Vec::new(),
        };
        let mut call = Self::with(record, around);
        // The first INVITE's CSeq and Via belong to the intent: a crash right after it must be able to CANCEL.
        call.next_invite();
        call.save(Save::Intent);
        call
    }

    /// Takes up a call that an earlier process left behind, in order to end it: `record` is the last one saved.
    ///
    /// There is no second way to hang up: the same record prints the same CANCEL, ACK and BYE, and what comes back is
    /// handled as ever (promise 2). A call that has ended stays so.
    #[must_use]
    pub fn take_up(record: Record, around: Surroundings, now: Moment) -> Self {
        let mut call = Self::with(record, around);
        call.end_leftover(now);
        call
    }

    fn with(record: Record, around: Surroundings) -> Self {
        let forks: Vec<_> = (0..)
            .zip(&record.forks)
            .map(|(number, left)| Fork::left(number, left))
            .collect();
        Self {
            description: sip::sdp::offer(&around.media),
            session: around.limits.session_expires.map(Session::asking),
            record,
            around,
            timers: TimerTable::default(),
            outputs: VecDeque::new(),
            invite_auth: Authenticator::default(),
            invite_authorizations: Vec::new(),
            answer: None,
            overtaken: Overtaken::No,
            bye: None,
            forks_answered: forks.len() as u32,
            forks,
            fork_given_up: false,
            agreed: None,
            offered: false,
            ringing: false,
            refusal: None,
            unusable: None,
        }
    }

    /// The record as it stands; its forks as they were when it was last to be saved.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Where the call stands.
    #[must_use]
    pub fn phase(&self) -> &Phase {
        &self.record.phase
    }

    /// How the call ended, once it has.
    #[must_use]
    pub fn end(&self) -> Option<&End> {
        match &self.record.phase {
            Phase::Ended(end) => Some(end),
            Phase::Placing
            | Phase::Calling { .. }
            | Phase::Early
            | Phase::Cancelling { .. }
            | Phase::Answered
            | Phase::Confirmed
            | Phase::Terminating => None,
        }
    }

    /// Whether the phone was ever said to ring.
    #[must_use]
    pub fn has_rung(&self) -> bool {
        self.ringing
    }

    /// The final response that refused or ended the INVITE, if there was one.
    #[must_use]
    pub fn refusal(&self) -> Option<(u16, &str)> {
        self.refusal.as_ref().map(|(status, reason)| (*status, reason.as_str()))
    }

    /// Why the answer's session description could not be used, if it could not ([`Wish::MediaRefused`]).
    #[must_use]
    pub fn unusable_answer(&self) -> Option<SdpError> {
        self.unusable
    }

    /// Whether the call was answered.
    #[must_use]
    pub fn was_answered(&self) -> bool {
        self.record.dialog.remote_tag.is_some()
    }

    /// The codec in use.
    #[must_use]
    pub fn codec(&self) -> Option<Codec> {
        self.agreed.map(|agreed| agreed.codec)
    }

    /// Whether nothing is left to be done, also for dialogs of other forks.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.end().is_some() && self.forks.iter().all(Fork::is_over) && self.outputs.is_empty()
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Self::handle_timeout`], and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Moment, Timer)> {
        self.timers.next()
    }

    /// Lets every timer that is due at `now` run out.
    pub fn handle_timeout(&mut self, now: Moment) {
        while let Some(timer) = self.timers.expire(now) {
            match timer {
                Timer::NoAnswer => self.wish(Wish::NoAnswer, now),
                Timer::MaxDuration => self.wish(Wish::MaxDuration, now),
                Timer::GiveUp => self.give_up_invite(now),
                Timer::AnotherCancel => self.cancel_again(),
                Timer::AnotherBye => self.bye_again(now),
                Timer::Refresh => self.refresh(now),
                Timer::SessionExpires => self.wish(Wish::SessionExpired, now),
            }
        }
    }

    /// The journal has taken a record for good.
    pub fn handle_saved(&mut self, save: Save, now: Moment) {
        match save {
            Save::Intent => self.intent_saved(now),
            Save::Answer => self.answer_saved(now),
            Save::Fork(number) => self.fork_saved(number, now),
            Save::Wish | Save::End => {}
        }
    }

    /// The journal could not take a record: a call that a crash would orphan is not made, or ended.
    pub fn handle_save_failed(&mut self, save: Save, now: Moment) {
        match save {
            Save::Intent => {
                if self.record.phase == Phase::Placing {
                    self.finish(EndCause::NotJournaled, true);
                }
            }
            Save::Answer => {
                if self.record.phase == Phase::Answered {
                    self.wish(Wish::NotJournaled, now);
                    self.answer_saved(now);
                }
            }
            // The phone is hung up all the same.
            Save::Fork(number) => self.fork_saved(number, now),
            Save::Wish | Save::End => {}
        }
    }

    fn save(&mut self, save: Save) {
        self.record.forks = self.forks.iter().filter_map(Fork::record).collect();
        self.outputs.push_back(Output::Save(save));
    }

    fn send(&mut self, outgoing: Outgoing) {
        self.outputs.push_back(Output::Send(outgoing));
    }

    /// The one way into [`Phase::Ended`].
    fn finish(&mut self, cause: EndCause, confirmed: bool) {
        if self.end().is_some() {
            return;
        }
        self.stop_media();
        self.stop_refresh();
        self.timers.stop_all();
        // The call's own BYE no longer matters; those of the forks run on.
        self.bye = None;
        self.schedule_byes();
        // What we wanted first is the cause, whatever the far end then said to it.
        let cause = self.record.wish.map_or(cause, EndCause::Wished);
        let confirmed = confirmed && !self.fork_given_up;
        self.record.phase = Phase::Ended(End { cause, confirmed });
        // As long as a phone may be up, the next process must find it.
        let over = self.forks.iter().all(Fork::is_over);
        self.save(if over { Save::End } else { Save::Wish });
    }

    fn stop_media(&mut self) {
        if self.agreed.take().is_some() {
            self.outputs.push_back(Output::Media(MediaCommand::Stop));
        }
    }
}
