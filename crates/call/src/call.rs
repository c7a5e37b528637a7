//! One call's life as a state machine without I/O.
//!
//! A [`Call`] has four kinds of methods: getters; commands of the house (`disconnect`, `media_finished`, …); `handle_*`
//! for what happened outside; and `poll_*` for what is to be done. The order of calling them is: one command or
//! input, then [`Call::poll_output`] until it is empty, then wait no longer than [`Call::poll_timeout`] says.
//!
//! States stand in `state` in the order a call lives. `invite` holds what happens up to the answer, `established` what an
//! answered call has agreed on, `peer` what the far end may ask for then, `session` what tells that it is still there, `ending`
//! the wish to end and CANCEL, `bye` what ends an answered call, `fork` the phones that have answered beside it.

mod bye;
mod ending;
mod established;
mod fork;
mod invite;
mod peer;
mod session;
mod state;

use std::collections::VecDeque;

use sabotage::Fault;
use sip::{
    Method, Moment, Outgoing, Request, Response,
    digest::{Authenticator, Authorization},
    sdp::Codec,
};

use crate::{
    dialog::Dialog,
    output::{Event, Output, Save},
    placement::{Placement, Surroundings},
    record::{End, EndCause, Phase, RECORD_VERSION, Record, Wish},
    timer::{Timer, TimerTable},
};
pub use bye::Stray;
pub use ending::Silence;
use fork::Forks;
use session::Interval;
use state::{Refusal, State};

/// One call, from intent to end.
#[derive(Debug)]
pub struct Call {
    /// Its phase and its forks are those that were saved last.
    record: Record,
    state: State,
    around: Surroundings,
    timers: TimerTable,
    outputs: VecDeque<Output>,
    /// Challenges met by the INVITE.
    challenged: Authenticator,
    last_invite: InviteSent,
    /// The session interval that INVITEs ask for; nothing without session timers (RFC 4028).
    asked: Option<Interval>,
    /// Dialogs that other branches of the call opened: each is ended at once (RFC 3261 §13.2.2.4).
    forks: Forks,
    /// Whether the phone was ever said to ring.
    has_rung: bool,
    /// Whether the last ACK of the answer could not be sent: it leaves before the BYE does.
    is_ack_lost: bool,
}

/// The last INVITE or re-INVITE: the ACK of its 2xx carries the same credentials (RFC 3261 §22.1).
#[derive(Debug, Default)]
struct InviteSent {
    /// Of its `CSeq`.
    number: u32,
    authorizations: Vec<Authorization>,
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
        let mut call = Self::with(record, State::Placing, around);
        // The first INVITE's CSeq and Via belong to the intent: a crash right after it must be able to CANCEL.
        call.next_invite();
        call.save(Save::Intent);
        call
    }

    fn with(record: Record, state: State, around: Surroundings) -> Self {
        Self {
            forks: Forks::left(&record.forks),
            asked: around.limits.session_expires.map(Interval::asking),
            record,
            state,
            around,
            timers: TimerTable::default(),
            outputs: VecDeque::new(),
            challenged: Authenticator::default(),
            last_invite: InviteSent::default(),
            has_rung: false,
            is_ack_lost: false,
        }
    }

    /// The record as it stands; its phase and its forks as they were when [`Self::poll_output`] last said to save it.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Where the call stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.state.phase()
    }

    /// How the call ended, once it has.
    #[must_use]
    pub fn end(&self) -> Option<&End> {
        self.ended().map(|(end, _)| end)
    }

    /// The final response that refused or ended the INVITE, if there was one: status and reason phrase.
    #[must_use]
    pub fn refusal(&self) -> Option<(u16, &str)> {
        let (_, refusal) = self.ended()?;
        refusal.as_ref().map(|(status, reason)| (*status, reason.as_str()))
    }

    fn ended(&self) -> Option<(&End, &Option<Refusal>)> {
        let State::Ended { end, refusal } = &self.state else {
            return None;
        };
        Some((end, refusal))
    }

    /// Whether the call is to end, or has.
    #[must_use]
    pub fn is_unwanted(&self) -> bool {
        self.record.wish.is_some()
    }

    /// Whether the phone was ever said to ring.
    #[must_use]
    pub fn has_rung(&self) -> bool {
        self.has_rung
    }

    /// Whether the call was answered.
    #[must_use]
    pub fn was_answered(&self) -> bool {
        self.record.dialog.remote_tag.is_some()
    }

    /// The codec in use.
    #[must_use]
    pub fn codec(&self) -> Option<Codec> {
        self.established().map(|established| established.agreed.codec)
    }

    /// Whether it has ended and no phone of any fork is left to be hung up.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.end().is_some() && self.forks.are_over()
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        let Some(output) = self.outputs.pop_front() else {
            // An empty queue keeps its room, and most calls have nothing to say most of the time.
            self.outputs = VecDeque::new();
            return None;
        };
        if matches!(output, Output::Save(_)) {
            self.record.phase = self.state.phase();
            if !self.is_sabotaged(Fault::ForkUnrecorded) {
                self.record.forks = self.forks.records();
            }
        }
        Some(output)
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

    /// A response to a request of this call, other than a 2xx to the INVITE.
    pub fn handle_response(&mut self, response: &Response, now: Moment) {
        match response.cseq.method {
            Method::Invite => self.handle_invite_response(response, now),
            Method::Update => self.handle_refresh_response(response, now),
            Method::Bye => self.handle_bye_response(response, now),
            // Whatever CANCEL is answered with, the INVITE's own final response decides (RFC 3261 §9.1).
            Method::Cancel => self.handle_cancel_response(response.status),
            Method::Ack | Method::Options | Method::Register | Method::Info | Method::Notify | Method::Other(_) => {}
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
        match (save, &self.state) {
            (Save::Intent, State::Placing) => self.finish(EndCause::NotJournaled, true),
            (Save::Answer, State::Answered(_)) => {
                self.wish(Wish::NotJournaled, now);
                self.answer_saved(now);
            }
            // The phone is hung up all the same.
            (Save::Fork(number), _) => self.fork_saved(number, now),
            (Save::Intent | Save::Answer | Save::Wish | Save::End, _) => {}
        }
    }

    /// Whether a request belongs to this call's dialog, or to one that another fork opened.
    #[must_use]
    pub fn owns(&self, request: &Request) -> bool {
        self.record.dialog.owns(request) || self.forks.own(request)
    }

    fn is_sabotaged(&self, fault: Fault) -> bool {
        self.around.sabotage.is(fault)
    }

    fn save(&mut self, save: Save) {
        self.outputs.push_back(Output::Save(save));
    }

    fn send(&mut self, outgoing: Outgoing) {
        self.outputs.push_back(Output::Send(outgoing));
    }

    fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn finish(&mut self, cause: EndCause, confirmed: bool) {
        self.finish_refused(cause, confirmed, None);
    }

    /// The one way into [`Phase::Ended`].
    fn finish_refused(&mut self, cause: EndCause, confirmed: bool, refusal: Option<Refusal>) {
        if self.end().is_some() {
            return;
        }
        self.stop_media();
        self.stop_refresh();
        self.timers.stop_all();
        // What we wanted first is the cause, whatever the far end then said to it.
        let cause = self.record.wish.map_or(cause, EndCause::Wished);
        let confirmed = confirmed && !self.forks.given_up;
        let end = End { cause, confirmed };
        self.tell(Event::Ended(end.clone()));
        // The call's own BYE no longer matters; those of the forks run on.
        self.state = State::Ended { end, refusal };
        self.schedule_byes();
        // As long as a phone may be up, the next process must find it.
        if self.forks.are_over() {
            self.save(Save::End);
            self.tell(Event::Drained);
        } else {
            self.save(Save::Wish);
        }
    }
}
