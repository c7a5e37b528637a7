//! What the far end asks for inside the dialog.

use super::{Call, MediaCommand, Output};
use crate::{
    message::{ALLOW, APPLICATION_SDP, Method, Reply, Request},
    moment::Moment,
    record::{EndCause, Phase, Wish},
    sdp,
};

impl Call {
    /// Whether a request belongs to this call's dialog.
    #[must_use]
    pub fn owns(&self, request: &Request) -> bool {
        self.record.dialog.owns(request)
    }

    /// A request of the peer inside the dialog; `id` comes back with the [`Output::Reply`].
    pub fn handle_request(&mut self, id: u64, request: &Request) {
        let reply = match request.method {
            Method::Ack | Method::Cancel => return, // ACK ends a transaction below; there is nothing to CANCEL here
            _ if !self.record.dialog.advance_remote(&request.cseq) => Reply::status(500), // RFC 3261 §12.2.2
            Method::Bye => self.handle_bye(),
            Method::Invite | Method::Update => self.handle_reoffer(request),
            Method::Options => Reply::status(200).with("Allow", ALLOW).with("Accept", APPLICATION_SDP),
            Method::Info => Reply::status(200),
            // We never subscribed to anything (RFC 6665 §4.1.3).
            Method::Notify => Reply::status(481),
            Method::Register | Method::Other(_) => Reply::status(405).with("Allow", ALLOW),
        };
        self.outputs.push_back(Output::Reply(id, reply));
    }

    /// Our 200 to a re-INVITE was never ACKed: the session should end (RFC 3261 §13.3.1.4).
    pub fn handle_never_acked(&mut self, now: Moment) {
        self.wish(Wish::NoAck, now);
    }

    fn handle_bye(&mut self) -> Reply {
        match self.record.phase {
            // The answer is still on its way to the disk, and the far end has hung up already.
            Phase::Answered => {
                self.acknowledge();
                self.finish(EndCause::RemoteHangup, true);
            }
            Phase::Confirmed => self.finish(EndCause::RemoteHangup, true),
            // BYE crossing BYE: the far end is on-hook, whatever becomes of our own.
            Phase::Terminating => {
                if let Some(bye) = &mut self.bye {
                    bye.end();
                }
                self.finish(EndCause::RemoteHangup, true);
            }
            Phase::Placing | Phase::Calling { .. } | Phase::Early | Phase::Cancelling { .. } | Phase::Ended(_) => {}
        }
        Reply::status(200)
    }

    /// re-INVITE or UPDATE: moves the stream, holds it, takes it back, or only refreshes the target.
    fn handle_reoffer(&mut self, request: &Request) -> Reply {
        match self.record.phase {
            Phase::Confirmed => {}
            // Our own offer has not been answered for good yet (RFC 3261 §14.2, RFC 3311 §5.2).
            Phase::Answered => return Reply::status(491),
            // A dialog that we have said BYE to takes nothing but BYE.
            Phase::Terminating
            | Phase::Ended(_)
            | Phase::Placing
            | Phase::Calling { .. }
            | Phase::Early
            | Phase::Cancelling { .. } => return Reply::status(481),
        }
        let mut reply = Reply::status(200)
            .with("Contact", format!("<{}>", self.around.local.contact))
            .with("Allow", ALLOW);
        if request.body.is_empty() {
            if request.method == Method::Invite {
                // An INVITE without an offer asks for ours; the answer comes in its ACK (RFC 3261 §14.2).
                self.around.media.version += 1;
                reply.body = Some((APPLICATION_SDP, sdp::offer(&self.around.media)));
            }
        } else {
            let current = self.agreed.map(|agreed| agreed.codec);
            self.around.media.version += 1;
            match sdp::answer(&self.around.media, &request.body, current) {
                Ok((answer, agreed)) => {
                    self.change_media(agreed);
                    reply.body = Some((APPLICATION_SDP, answer));
                }
                // The session stays as it was (RFC 3261 §14.2).
                Err(_) => return Reply::status(488),
            }
        }
        if let Some(contact) = &request.contact {
            self.record.dialog.remote_target.clone_from(contact); // target refresh (RFC 3261 §12.2.2)
        }
        reply
    }

    /// The ACK to our 200 of a re-INVITE; carries the answer when the re-INVITE carried no offer.
    pub fn handle_ack(&mut self, request: &Request) {
        if self.record.phase == Phase::Confirmed
            && !request.body.is_empty()
            && let Ok(agreed) = sdp::accept(&self.around.media, &request.body)
        {
            self.change_media(agreed);
        }
    }

    fn change_media(&mut self, agreed: sdp::Agreed) {
        let command = match self.agreed.replace(agreed) {
            Some(before) if before == agreed => return,
            Some(_) => MediaCommand::Change(agreed),
            None => MediaCommand::Start(agreed),
        };
        self.outputs.push_back(Output::Media(command));
    }
}
