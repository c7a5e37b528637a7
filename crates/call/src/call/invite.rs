//! From the intent to the answer: INVITE, its responses, its ACK.

use super::{Call, MediaCommand, Output, Save, session::Session};
use crate::{
    dialog::Dialog,
    record::{EndCause, Phase, Wish},
    timer::Timer,
};
use sip::{ALLOW, CSeq, Method, Moment, Outgoing, Response, Tx, digest::Subject, sdp};

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
        if self.record.phase != Phase::Placing {
            return;
        }
        self.record.phase = Phase::Calling { trying: false };
        // Credentials do not buy the phone more time to ring.
        if self.timers.due(Timer::NoAnswer).is_none() {
            self.timers.set(Timer::NoAnswer, now + self.around.limits.ring);
        }
        let invite = self.invite();
        self.send(invite);
    }

    pub(super) fn invite(&self) -> Outgoing {
        let contact = format!("<{}>", self.around.local.contact);
        let session = self.session.as_ref().map(Session::headers);
        let mut headers = vec![("Contact", contact.as_str()), ("Allow", ALLOW)];
        headers.extend(session.iter().flatten().map(|(name, value)| (*name, value.as_str())));
        headers.extend(
            self.invite_authorizations
                .iter()
                .map(|header| (header.name, header.value.as_str())),
        );
        let record = &self.record;
        Outgoing {
            tx: self.invite_tx(),
            destination: record.destination.clone(),
            path: record.path,
            text: record
                .dialog
                .print(&record.invite(), &record.invite_via, &headers, Some(&self.description)),
        }
    }

    /// A provisional or a refusing response to the INVITE. Answers (2xx) go to [`Self::handle_answer`].
    pub(super) fn handle_invite_response(&mut self, response: &Response, now: Moment) {
        if response.cseq.number != self.record.invite_cseq {
            return self.handle_refresh_response(response, now); // or of an INVITE that was repeated
        }
        match response.status {
            100..200 => self.handle_provisional(response.status, now),
            401 | 407 if self.record.wish.is_none() => self.handle_invite_challenge(response),
            422 if self.record.wish.is_none() => self.handle_too_small(response),
            _ => self.handle_refusal(response),
        }
    }

    fn handle_provisional(&mut self, status: u16, now: Moment) {
        let rings = status > 100;
        match &mut self.record.phase {
            Phase::Calling { trying } => {
                *trying = true;
                if rings {
                    self.record.phase = Phase::Early;
                    self.ringing = true;
                }
            }
            Phase::Cancelling { sent: false } => self.send_cancel(now),
            Phase::Cancelling { sent: true }
            | Phase::Early
            | Phase::Placing
            | Phase::Answered
            | Phase::Confirmed
            | Phase::Terminating
            | Phase::Ended(_) => {}
        }
    }

    fn handle_invite_challenge(&mut self, response: &Response) {
        if !self.awaits_answer() {
            return;
        }
        let challenges = &response.challenges;
        if self.around.credentials.is_none() || self.invite_auth.challenged(challenges).is_err() {
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
        if self.session.as_mut().is_some_and(|session| session.raise(min_se)) {
            self.repeat_invite();
        } else {
            self.handle_refusal(response);
        }
    }

    /// The INVITE again, in the form that a refusal has asked for.
    fn repeat_invite(&mut self) {
        self.next_invite();
        let cnonce = self
            .around
            .key
            .cnonce(&self.record.dialog.call_id, self.record.invite_cseq);
        let subject = Subject {
            method: &Method::Invite,
            uri: &self.record.dialog.request_uri(),
            body: self.description.as_bytes(),
            cnonce: &cnonce,
        };
        if let Some(credentials) = &self.around.credentials {
            self.invite_authorizations = self.invite_auth.authorize(credentials, subject);
        }
        // A new transaction: a crash must find its CSeq and Via, or could not CANCEL it (promise 3).
        self.record.phase = Phase::Placing;
        self.save(Save::Intent);
    }

    /// No redirect is followed and no other trunk is tried: a refusal ends the call (promise 5).
    fn handle_refusal(&mut self, response: &Response) {
        if !self.awaits_answer() {
            return;
        }
        let (status, reason) = (response.status, response.reason.clone());
        self.refusal = Some((status, reason.clone()));
        let cause = match status {
            401 | 407 => EndCause::Unauthorized { status, reason },
            _ => EndCause::Rejected { status, reason },
        };
        self.finish(cause, true);
    }

    /// Whether a final response to the INVITE still decides about this call.
    pub(super) fn awaits_answer(&self) -> bool {
        match self.record.phase {
            Phase::Calling { .. } | Phase::Early | Phase::Cancelling { .. } => true,
            Phase::Placing | Phase::Answered | Phase::Confirmed | Phase::Terminating | Phase::Ended(_) => false,
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
        // An INVITE whose challenge we have met may have been answered by another fork meanwhile: not our call.
        if response.cseq.number == record.invite_cseq && self.awaits_answer() {
            return self.answered(response);
        }
        if record.dialog.remote_tag != response.to_tag {
            return self.handle_fork(response);
        }
        // Repeated because our ACK was lost, or has not left yet (RFC 3261 §13.2.2.4).
        if record.phase != Phase::Answered {
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
        self.adopt_fork();
        self.record.phase = Phase::Answered;
        self.answer = Some(response.clone());
        self.save(Save::Answer);
    }

    /// The answer is durable: ACK it, and let the sound begin.
    pub(super) fn answer_saved(&mut self, now: Moment) {
        if self.record.phase != Phase::Answered {
            return;
        }
        self.acknowledge();
        if self.record.wish.is_some() {
            // The 200 has crossed our CANCEL, or the wish to send one (RFC 3261 §9.1).
            return self.send_bye(now);
        }
        self.record.phase = Phase::Confirmed;
        self.timers
            .set(Timer::MaxDuration, now + self.around.limits.max_duration);
        let Some(answer) = self.answer.take() else { return };
        // The interval began when the answer came; what the disk took of it is little beside the lead that a BYE has.
        self.start_session(&answer, now);
        match sdp::accept(&self.around.media, &answer.body) {
            Ok(agreed) => {
                self.agreed = Some(agreed);
                self.outputs.push_back(Output::Media(MediaCommand::Start(agreed)));
            }
            Err(error) => {
                self.unusable = Some(error);
                self.wish(Wish::MediaRefused, now);
            }
        }
    }

    pub(super) fn acknowledge(&mut self) {
        let ack = self.ack_of(&self.record.dialog, self.record.invite_cseq);
        self.send(ack);
    }

    /// The ACK of a 2xx: the INVITE's CSeq number and credentials, a branch of its own (RFC 3261 §13.2.2.4).
    pub(super) fn ack_of(&self, dialog: &Dialog, number: u32) -> Outgoing {
        let headers: Vec<_> = self
            .invite_authorizations
            .iter()
            .filter(|_| number == self.record.invite_cseq)
            .chain(self.refresh_authorizations(number))
            .map(|header| (header.name, header.value.as_str()))
            .collect();
        let cseq = CSeq {
            number,
            method: Method::Ack,
        };
        dialog.request(cseq, &headers, None, &self.around.local, &self.around.key)
    }
}
