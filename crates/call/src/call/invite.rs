//! From the intent to the answer: INVITE, its responses, its ACK.

use super::{Call, MediaCommand, Output, Save};
use crate::{
    digest::Subject,
    message::{ALLOW, CSeq, Method, Outgoing, Response, Tx},
    moment::Moment,
    record::{EndCause, Phase, Wish},
    sdp,
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
        if self.record.phase != Phase::Placing {
            return;
        }
        self.record.phase = Phase::Calling { trying: false };
        self.timers.set(Timer::NoAnswer, now + self.around.limits.ring);
        let invite = self.invite();
        self.send(invite);
    }

    fn invite(&self) -> Outgoing {
        let contact = format!("<{}>", self.around.local.contact);
        let mut headers = vec![("Contact", contact.as_str()), ("Allow", ALLOW)];
        headers.extend(
            self.invite_authorizations
                .iter()
                .map(|header| (header.name, header.value.as_str())),
        );
        let record = &self.record;
        Outgoing {
            tx: self.invite_tx(),
            destination: record.destination.clone(),
            text: record
                .dialog
                .print(&record.invite(), &record.invite_via, &headers, Some(&self.offer)),
        }
    }

    /// A provisional or a refusing response to the INVITE. Answers (2xx) go to [`Self::handle_answer`].
    pub(super) fn handle_invite_response(&mut self, response: &Response, now: Moment) {
        if response.cseq.number != self.record.invite_cseq {
            return; // of an INVITE that was repeated with credentials
        }
        match response.status {
            100..200 => self.handle_provisional(response.status, now),
            401 | 407 if self.record.wish.is_none() => self.handle_invite_challenge(response),
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
            Phase::Early
            | Phase::Cancelling { sent: true }
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
        let Some(credentials) = self.around.credentials.clone() else {
            return self.finish_refused(response, true);
        };
        if self.invite_auth.challenged(&response.challenges).is_err() {
            return self.finish_refused(response, true);
        }
        self.next_invite();
        let cnonce = self
            .around
            .key
            .cnonce(&self.record.dialog.call_id, self.record.invite_cseq);
        let subject = Subject {
            method: &Method::Invite,
            uri: self.record.dialog.request_uri(),
            body: self.offer.as_bytes(),
            cnonce: &cnonce,
        };
        self.invite_authorizations = self.invite_auth.authorize(&credentials, subject);
        self.record.phase = Phase::Calling { trying: false };
        let invite = self.invite();
        self.send(invite);
    }

    /// No redirect is followed and no other trunk is tried: a refusal ends the call (promise 5).
    fn handle_refusal(&mut self, response: &Response) {
        if self.awaits_answer() {
            self.finish_refused(response, matches!(response.status, 401 | 407));
        }
    }

    fn finish_refused(&mut self, response: &Response, unauthorized: bool) {
        let (status, reason) = (response.status, response.reason.clone());
        self.refusal = Some((status, reason.clone()));
        let cause = if unauthorized {
            EndCause::Unauthorized { status, reason }
        } else {
            EndCause::Rejected { status, reason }
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
    pub fn handle_answer(&mut self, response: &Response, now: Moment) {
        if response.to_tag.is_none() || response.cseq.method != Method::Invite {
            return; // no dialog can come of it (RFC 3261 §12.1.2)
        }
        if self.awaits_answer() {
            return self.answered(response, now);
        }
        if self.record.dialog.remote_tag == response.to_tag {
            // Repeated because our ACK was lost, or has not left yet (RFC 3261 §13.2.2.4).
            if self.record.phase != Phase::Answered {
                self.acknowledge();
            }
            return;
        }
        self.end_fork(response, now);
    }

    fn answered(&mut self, response: &Response, now: Moment) {
        self.timers.stop(Timer::NoAnswer);
        self.timers.stop(Timer::GiveUp);
        self.record.dialog.confirm(response);
        if self.record.wish.is_some() {
            // The 200 has crossed our CANCEL, or the wish to send one (RFC 3261 §9.1): ACK, then BYE.
            self.acknowledge();
            self.send_bye(now);
            return;
        }
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
        self.record.phase = Phase::Confirmed;
        self.timers
            .set(Timer::MaxDuration, now + self.around.limits.max_duration);
        let body = self.answer.take().map(|response| response.body).unwrap_or_default();
        match sdp::accept(&self.around.media, &body) {
            Ok(agreed) => {
                self.agreed = Some(agreed);
                self.outputs.push_back(Output::Media(MediaCommand::Start(agreed)));
            }
            Err(_) => self.wish(Wish::MediaRefused, now),
        }
    }

    pub(super) fn acknowledge(&mut self) {
        let ack = self.ack_of(&self.record.dialog);
        self.send(ack);
    }

    /// The ACK of a 2xx: the INVITE's CSeq number and credentials, a branch of its own (RFC 3261 §13.2.2.4).
    pub(super) fn ack_of(&self, dialog: &crate::Dialog) -> Outgoing {
        let headers: Vec<_> = self
            .invite_authorizations
            .iter()
            .map(|header| (header.name, header.value.as_str()))
            .collect();
        let cseq = CSeq {
            number: self.record.invite_cseq,
            method: Method::Ack,
        };
        dialog.request(cseq, &headers, None, &self.around.local, &self.around.key)
    }
}
