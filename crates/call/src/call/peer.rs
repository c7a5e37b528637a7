//! What the far end asks for inside the dialog.

use sip::{
    ALLOW, APPLICATION_SDP, Method, Moment, Reply, Request,
    sdp::{self, LocalMedia},
};

use super::{Call, state::State};
use crate::{
    output::Save,
    record::{EndCause, Wish},
};

impl Call {
    /// A request of the peer inside the dialog, and our answer to it; ACK and CANCEL have none here. What the answer says is so
    /// once the outputs are done that stand before it.
    pub fn handle_request(&mut self, request: &Request, now: Moment) -> Option<Reply> {
        if matches!(request.method, Method::Ack | Method::Cancel) {
            return None; // ACK ends a transaction below; there is nothing to CANCEL here
        }
        let reply = self.reply_in_fork(request);
        Some(reply.unwrap_or_else(|| self.reply_in_dialog(request, now)))
    }

    fn reply_in_dialog(&mut self, request: &Request, now: Moment) -> Reply {
        if !self.was_answered() || !self.record.dialog.owns(request) {
            return Reply::status(481);
        }
        if !self.record.dialog.advance_remote(&request.cseq) {
            return Reply::status(500); // RFC 3261 §12.2.2
        }
        match request.method {
            Method::Bye => self.handle_bye(),
            _ if self.end().is_some() => Reply::status(481),
            Method::Invite | Method::Update => self.handle_reoffer(request, now),
            Method::Options => Reply::status(200).with("Allow", ALLOW).with("Accept", APPLICATION_SDP),
            Method::Info => Reply::status(200),
            // We never subscribed to anything (RFC 6665 §4.1.3).
            Method::Notify => Reply::status(481),
            Method::Ack | Method::Cancel | Method::Register | Method::Other(_) => {
                Reply::status(405).with("Allow", ALLOW)
            }
        }
    }

    /// Our 200 to a re-INVITE was never ACKed: the session should end (RFC 3261 §13.3.1.4).
    pub fn handle_never_acked(&mut self, now: Moment) {
        if self.established().is_some() {
            self.wish(Wish::NoAck, now);
        }
    }

    fn handle_bye(&mut self) -> Reply {
        match self.state {
            // The answer is still on its way to the disk, and the far end has hung up already.
            State::Answered(_) => {
                self.acknowledge();
                self.finish(EndCause::RemoteHangup, true);
            }
            // A BYE of ours may be crossing this one: the far end is on-hook, whatever becomes of ours (RFC 5407 §3.2.1).
            State::Confirmed(_) | State::Terminating { .. } => self.finish(EndCause::RemoteHangup, true),
            // It has crossed the end: the far end is told that all is well.
            State::Ended { .. } => {}
            State::Placing | State::Calling { .. } | State::Early | State::Cancelling(_) => {
                return Reply::status(481);
            }
        }
        Reply::status(200)
    }

    /// re-INVITE or UPDATE: moves the stream, holds it, takes it back, or only refreshes the session or the target.
    fn handle_reoffer(&mut self, request: &Request, now: Moment) -> Reply {
        let offers = request.method == Method::Invite || !request.body.is_empty();
        let established = match &self.state {
            State::Confirmed(established) if !(offers && established.is_offering()) => established,
            // An offer of ours is not settled yet (RFC 3261 §14.2, RFC 3311 §5.2).
            State::Confirmed(_) | State::Answered(_) => return Reply::status(491),
            // A dialog that we have said BYE to takes nothing but BYE.
            State::Terminating { .. }
            | State::Ended { .. }
            | State::Placing
            | State::Calling { .. }
            | State::Early
            | State::Cancelling(_) => return Reply::status(481),
        };
        let terms = match established.session.as_ref().map(|session| session.terms(request)) {
            None => None,
            Some(Ok(terms)) => terms,
            Some(Err(too_small)) => return too_small,
        };
        let mut reply = Reply::status(200)
            .with("Contact", format!("<{}>", self.around.local.contact))
            .with("Allow", ALLOW);
        // One more with every description that differs from the one before (RFC 3264 §8).
        let media = LocalMedia {
            version: self.around.media.version + 1,
            ..self.around.media.clone()
        };
        if !request.body.is_empty() {
            let Ok((answer, agreed)) = sdp::answer(&media, &request.body, Some(established.agreed.codec)) else {
                return Reply::status(488); // the session stays as it was (RFC 3261 §14.2)
            };
            self.change_media(agreed);
            reply.body = Some((APPLICATION_SDP, self.describe(media, answer)));
        } else if request.method == Method::Invite {
            // An INVITE without an offer asks for ours; the answer comes in its ACK (RFC 3261 §14.2).
            let offer = sdp::offer(&media);
            reply.body = Some((APPLICATION_SDP, self.describe(media, offer)));
            if let Some(established) = self.established_mut() {
                established.offered = true;
            }
        }
        self.retarget(request.contact.as_deref());
        if let Some(terms) = terms {
            self.agree(terms, now);
            reply = terms.print(reply);
        }
        reply
    }

    /// What we say of our end of the stream from now on.
    fn describe(&mut self, media: LocalMedia, description: String) -> String {
        self.around.media = media;
        if let Some(established) = self.established_mut() {
            established.description.clone_from(&description);
        }
        description
    }

    /// Target refresh (RFC 3261 §12.2): a BYE after a crash must find the peer where it is now.
    pub(super) fn retarget(&mut self, contact: Option<&str>) {
        let target = &mut self.record.dialog.remote_target;
        if let Some(contact) = contact.filter(|contact| contact != target) {
            contact.clone_into(target);
            self.save(Save::Answer);
        }
    }

    /// The ACK to our 200 of a re-INVITE; carries the answer when the re-INVITE carried no offer.
    ///
    /// An answer that is missing or cannot be used leaves the session as it was.
    pub fn handle_ack(&mut self, request: &Request) {
        if !self.record.dialog.owns(request) {
            return;
        }
        let Some(established) = self.established_mut() else {
            return;
        };
        if std::mem::take(&mut established.offered)
            && let Ok(agreed) = sdp::accept(&self.around.media, &request.body)
        {
            self.change_media(agreed);
        }
    }
}
