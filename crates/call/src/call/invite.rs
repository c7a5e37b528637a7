//! From the intent to the answer: INVITE, its responses, its ACK.

use sabotage::Fault;
use sip::{ALLOW, CSeq, Method, Moment, Outgoing, Response, Tx, digest::Subject, sdp};

use super::{
    Call, InviteSent,
    state::{Cancel, State},
};
use crate::{
    dialog::{Dialog, Header},
    output::{Event, Save},
    record::EndCause,
    timer::Timer,
};

impl Call {
    /// The transaction of the last INVITE.
    pub(super) fn invite_tx(&self) -> Tx {
        let cseq = self.record.invite();
        Tx {
            branch: self.around.key.branch(&self.record.dialog.call_id, &cseq, None),
            method: cseq.method,
        }
    }

    /// Takes the next CSeq and Via for an INVITE.
    pub(super) fn next_invite(&mut self) {
        let record = &mut self.record;
        record.dialog.local_cseq += 1;
        record.invite_cseq = record.dialog.local_cseq;
        let branch = self.around.key.branch(&record.dialog.call_id, &record.invite(), None);
        record.invite_via = format!("{};branch={branch};rport", self.around.local.via);
    }

    /// The intent is durable: now, and only now, the INVITE may leave (promise 3).
    pub(super) fn intent_saved(&mut self, now: Moment) {
        // A hang-up that came first has ended the call already, and no INVITE ever leaves (promise 5).
        if !matches!(self.state, State::Placing) {
            return;
        }
        self.state = State::Calling { trying: false };
        // Credentials do not buy the phone more time to ring.
        if self.timers.due(Timer::NoAnswer).is_none() && !self.is_sabotaged(Fault::RingsForEver) {
            self.timers.set(Timer::NoAnswer, now + self.around.limits.ring);
        }
        let invite = self.invite();
        self.send(invite);
    }

    pub(super) fn invite(&self) -> Outgoing {
        let contact = format!("<{}>", self.around.local.contact);
        let session = self.asked.map(|asked| asked.headers(None));
        let mut headers: Vec<Header<'_>> = vec![("Contact", &contact), ("Allow", ALLOW)];
        headers.extend(session.iter().flatten().map(|(name, value)| (*name, value.as_str())));
        headers.extend(self.last_invite.headers(self.record.invite_cseq));
        let record = &self.record;
        let body = sdp::offer(&self.around.media);
        Outgoing {
            tx: self.invite_tx(),
            destination: record.destination.clone(),
            path: record.path,
            bytes: record
                .dialog
                .print(&record.invite(), &record.invite_via, &headers, Some(&body)),
        }
    }

    /// A provisional or a refusing response to the INVITE. Answers (2xx) go to [`Self::handle_answer`].
    pub(super) fn handle_invite_response(&mut self, response: &Response, now: Moment) {
        if response.cseq.number != self.record.invite_cseq {
            return self.handle_refresh_response(response, now); // or of an INVITE that was repeated
        }
        match response.status {
            100..200 => self.handle_provisional(response.status, now),
            401 | 407 if !self.is_unwanted() => self.handle_invite_challenge(response),
            422 if !self.is_unwanted() => self.handle_too_small(response),
            _ => self.handle_refusal(response),
        }
    }

    fn handle_provisional(&mut self, status: u16, now: Moment) {
        match &mut self.state {
            State::Calling { trying } => {
                *trying = true;
                // A 199 says that somebody rings no more, also to whom the 180 before it is lost (RFC 6228 §4).
                if status > 100 && status != 199 {
                    self.state = State::Early;
                    self.has_rung = true;
                    self.tell(Event::Ringing);
                }
            }
            State::Cancelling(Cancel::Held) => self.send_cancel(Cancel::Sent, now),
            State::Cancelling(_)
            | State::Early
            | State::Placing
            | State::Answered(_)
            | State::Confirmed(_)
            | State::Terminating { .. }
            | State::Ended { .. } => {}
        }
    }

    fn handle_invite_challenge(&mut self, response: &Response) {
        if !self.awaits_answer() {
            return;
        }
        let challenges = &response.challenges;
        if self.around.credentials.is_none() || self.challenged.challenged(challenges).is_err() {
            return self.handle_refusal(response);
        }
        self.repeat_invite();
    }

    /// 422: somebody on the way wants a longer session interval (RFC 4028 §7.3).
    fn handle_too_small(&mut self, response: &Response) {
        if !self.awaits_answer() {
            return;
        }
        let min_se = response.session.min_se;
        if self.asked.as_mut().is_some_and(|asked| asked.raise(min_se)) {
            self.repeat_invite();
        } else {
            self.handle_refusal(response);
        }
    }

    /// The INVITE again, in the form that a refusal has asked for.
    fn repeat_invite(&mut self) {
        self.next_invite();
        let number = self.record.invite_cseq;
        let cnonce = self.around.key.cnonce(&self.record.dialog.call_id, number);
        let body = sdp::offer(&self.around.media);
        let subject = Subject {
            method: &Method::Invite,
            uri: &self.record.dialog.request_uri(),
            body: body.as_bytes(),
            cnonce: &cnonce,
        };
        let authorizations = match &self.around.credentials {
            Some(credentials) => self.challenged.authorize(credentials, subject),
            None => Vec::new(),
        };
        self.last_invite = InviteSent { number, authorizations };
        if let State::Early = std::mem::replace(&mut self.state, State::Placing) {
            self.tell(Event::Reconnecting);
        }
        // A new transaction: a crash must find its CSeq and Via, or could not CANCEL it (promise 3).
        self.save(Save::Intent);
    }

    /// No redirect is followed and no other trunk is tried: a refusal ends the call (promise 5).
    fn handle_refusal(&mut self, response: &Response) {
        if !self.awaits_answer() {
            return;
        }
        let (status, reason) = (response.status, response.reason.clone());
        let refusal = (status, reason.clone());
        let cause = match status {
            401 | 407 => EndCause::Unauthorized { status, reason },
            _ => EndCause::Rejected { status, reason },
        };
        self.finish_refused(cause, true, Some(refusal));
    }

    /// Whether a final response to the INVITE still decides about this call.
    pub(super) fn awaits_answer(&self) -> bool {
        match self.state {
            State::Calling { .. } | State::Early | State::Cancelling(_) => true,
            State::Placing
            | State::Answered(_)
            | State::Confirmed(_)
            | State::Terminating { .. }
            | State::Ended { .. } => false,
        }
    }

    /// A 2xx to the INVITE: the first one, a repeated one, one of another fork, or one that comes late.
    ///
    /// One whose branch is not ours is passed over: a forged 2xx must not make us send anywhere.
    pub fn handle_answer(&mut self, response: &Response, now: Moment) {
        if self.handle_reinvite_answer(response, now) {
            return;
        }
        let (record, key) = (&self.record, &self.around.key);
        if response.to_tag.is_none() || response.cseq.method != Method::Invite {
            return; // no dialog can come of it (RFC 3261 §12.1.2)
        }
        if !key.is_ours(&response.branch, &record.dialog.call_id, &response.cseq) {
            return;
        }
        if self.is_sabotaged(Fault::LateAnswersLost) && self.end().is_some() {
            return;
        }
        // An INVITE whose challenge we have met may have been answered by another fork meanwhile: not our call.
        if response.cseq.number == record.invite_cseq && self.awaits_answer() {
            return self.answered(response);
        }
        if record.dialog.remote_tag != response.to_tag {
            return self.handle_fork(response);
        }
        // Repeated because our ACK was lost, or has not left yet (RFC 3261 §13.2.2.4).
        if !matches!(self.state, State::Answered(_)) && !self.is_sabotaged(Fault::NoSecondAck) {
            let ack = self.ack_of(&record.dialog, response.cseq.number);
            self.send(ack);
        }
    }

    /// The call's own answer. No ACK before it is durable: a crash in between must leave a phone that still asks for
    /// its ACK, not one that is up and that nobody knows (promise 3).
    fn answered(&mut self, response: &Response) {
        self.timers.stop(Timer::NoAnswer);
        self.timers.stop(Timer::GiveUp);
        self.timers.stop(Timer::AnotherCancel);
        self.record.dialog.confirm(response);
        if self.is_sabotaged(Fault::RouteForgotten) {
            self.record.dialog.route_set.clear();
        }
        self.adopt_fork();
        self.state = State::Answered(Box::new(response.clone()));
        self.tell(Event::Answered);
        self.save(Save::Answer);
    }

    /// The answer is durable: ACK it, and let the sound begin.
    pub(super) fn answer_saved(&mut self, now: Moment) {
        if !matches!(self.state, State::Answered(_)) {
            return;
        }
        self.acknowledge();
        if self.is_unwanted() {
            // The 200 has crossed our CANCEL, or the wish to send one (RFC 3261 §9.1).
            self.send_bye(now);
        } else {
            self.establish(now);
        }
    }

    pub(super) fn acknowledge(&mut self) {
        let ack = self.ack();
        self.is_ack_lost = false;
        if !self.is_sabotaged(Fault::NoAck) {
            self.send(ack);
        }
    }

    /// What is said first is heard first: an ACK that had no way, when its BYE has one.
    pub(super) fn acknowledge_if_lost(&mut self) {
        if self.is_ack_lost {
            self.acknowledge();
        }
    }

    pub(super) fn handle_ack_silence(&mut self, tx: &Tx) {
        self.is_ack_lost |= *tx == self.ack().tx;
    }

    fn ack(&self) -> Outgoing {
        self.ack_of(&self.record.dialog, self.record.invite_cseq)
    }

    /// The ACK of a 2xx: the INVITE's CSeq number and credentials, a branch of its own (RFC 3261 §13.2.2.4).
    pub(super) fn ack_of(&self, dialog: &Dialog, number: u32) -> Outgoing {
        let headers: Vec<_> = self.last_invite.headers(number).collect();
        let cseq = CSeq {
            number,
            method: Method::Ack,
        };
        dialog.request(cseq, &headers, None, &self.around.local, &self.around.key)
    }
}

impl InviteSent {
    fn headers(&self, number: u32) -> impl Iterator<Item = Header<'_>> {
        self.authorizations
            .iter()
            .filter(move |_| self.number == number)
            .map(|header| (header.name, header.value.as_str()))
    }
}
