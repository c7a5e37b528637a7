//! One call as the phone sees it, from its INVITE to its end: a task that owns the dialog and the sound.

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use call::{Dialog, Local};
use sip::{ALLOW, APPLICATION_SDP, CSeq, Method, Reply};
use tokio::{
    sync::{mpsc, oneshot},
    time::{sleep, timeout},
};

use super::{
    Behaviour, Shared,
    event::{Direction, Ending, What},
    line::{Incoming, InviteProgress},
    sound::Sound,
};
pub(super) struct Leg {
    pub(super) shared: Arc<Shared>,
    pub(super) number: u32,
    pub(super) invite: Incoming,
    pub(super) dialog: Dialog,
    pub(super) local: Local,
    pub(super) inbox: mpsc::Receiver<Incoming>,
}

impl Leg {
    /// Takes the call through its life.
    pub(super) async fn run(mut self) {
        self.introduce().await;
        let mut sound = None;
        let why = self.live(&mut sound).await;
        let heard = sound.and_then(Sound::finish).map(Arc::new);
        self.tell(What::Ended { why, heard }).await;
    }

    async fn introduce(&self) {
        let request = &self.invite.request;
        self.received(&self.invite).await;
        self.tell(What::Invited {
            from: sip::uri::addr_spec(&request.from).to_owned(),
            number: user_part(&request.request_uri).to_owned(),
            call_id: request.call_id.as_str().to_owned(),
            source: self.invite.path.remote,
            transport: self.invite.path.transport,
        })
        .await;
    }

    async fn live(&mut self, sound: &mut Option<Sound>) -> Ending {
        match self.shared.options.behaviour {
            Behaviour::Busy => return self.refuse(486).await,
            Behaviour::Decline => return self.refuse(603).await,
            Behaviour::Answer | Behaviour::NoAnswer => {}
        }
        let Some(sound) = self.open_sound().map(|opened| sound.insert(opened)) else {
            return self.refuse(500).await;
        };
        // A caller without an offer gets ours in the 200 and answers it in its ACK (RFC 3261 §13.2.1).
        let late = self.invite.request.body.is_empty();
        let description = if late {
            Ok(sound.offer())
        } else {
            sound.answer(&self.invite.request.body)
        };
        let Ok(description) = description else {
            return self.refuse(488).await;
        };
        let ringing = Reply::status(180).with("Contact", self.contact());
        self.reply(&self.invite, &ringing).await;
        self.tell(What::Ringing).await;
        if let Some(ending) = self.ring().await {
            return ending;
        }
        // The ear is open before the caller can know of it.
        if sound.listen().is_err() {
            return self.refuse(500).await;
        }
        let answer = self.with_description(description);
        self.reply(&self.invite, &answer).await;
        self.tell(What::Answered { codec: sound.codec() }).await;
        self.talk(sound, late).await
    }

    fn open_sound(&self) -> Option<Sound> {
        let options = &self.shared.options;
        // "SIP/2.0/UDP 192.0.2.1:5060": where the caller reaches us with SIP, it reaches us with RTP.
        let sent_by = self.local.via.rsplit(' ').next()?;
        let address = sent_by
            .parse()
            .map_or(self.shared.address, |address: SocketAddr| address.ip());
        let ports = &self.shared.ports;
        Sound::new(
            ports,
            address,
            u64::from(self.number),
            &options.codecs,
            options.max_heard,
        )
        .ok()
    }

    /// Rings until it is time to answer; `Some` if the call ended before.
    async fn ring(&mut self) -> Option<Ending> {
        let shared = Arc::clone(&self.shared);
        let patience = match shared.options.behaviour {
            Behaviour::NoAnswer => Duration::MAX,
            _ => shared.options.ring,
        };
        let mut patience = pin!(sleep(patience));
        loop {
            tokio::select! {
                () = &mut patience => return None,
                () = shared.closing.cancelled() => return Some(self.refuse(480).await),
                progress = self.invite.next() => match progress {
                    Some(InviteProgress::Cancelled) => {
                        self.tell(What::Message(Direction::Received, "CANCEL".to_owned())).await;
                        self.refuse(487).await;
                        return Some(Ending::Cancelled);
                    }
                    Some(_) => {}
                    None => return Some(Ending::Cancelled),
                },
                Some(request) = self.inbox.recv() => {
                    self.received(&request).await;
                    if request.request.method == Method::Bye {
                        // The caller may end an early dialog like that (RFC 3261 §15).
                        self.reply(&request, &Reply::status(200)).await;
                        self.refuse(487).await;
                        return Some(Ending::CallerHungUp);
                    }
                    self.reply(&request, &self.plain_answer(&request.request.method)).await;
                }
            }
        }
    }

    /// The call is up, until either side hangs up.
    async fn talk(&mut self, sound: &mut Sound, late: bool) -> Ending {
        let shared = Arc::clone(&self.shared);
        let mut enough = pin!(sleep(shared.options.hang_up_after.unwrap_or(Duration::MAX)));
        let (mut acked, mut leaving, mut settled, mut heard) = (false, false, false, false);
        loop {
            // No BYE before the ACK (RFC 3261 §15).
            if acked && leaving {
                return Ending::HungUp(self.hang_up().await);
            }
            tokio::select! {
                progress = self.invite.next(), if !settled => match progress {
                    Some(InviteProgress::Acked(ack)) => {
                        acked = true;
                        self.tell(What::Message(Direction::Received, "ACK".to_owned())).await;
                        self.tell(What::Acked).await;
                        if late && (sound.accept(&ack.body).is_err() || sound.listen().is_err()) {
                            leaving = true;
                        }
                    }
                    Some(InviteProgress::NeverAcked) => {
                        self.hang_up().await;
                        return Ending::NeverAcked;
                    }
                    // A CANCEL that crossed our 200 has no effect (RFC 3261 §9.2).
                    Some(InviteProgress::Cancelled) => {
                        self.tell(What::Message(Direction::Received, "CANCEL".to_owned())).await;
                    }
                    None => settled = true,
                },
                Some(request) = self.inbox.recv() => {
                    if self.answer_in_dialog(request, sound).await {
                        return Ending::CallerHungUp;
                    }
                }
                () = sound.first_sound(), if acked && !heard => {
                    heard = true;
                    self.tell(What::Heard).await;
                }
                () = shared.closing.cancelled(), if !leaving => leaving = true,
                () = &mut enough, if !leaving => leaving = true,
            }
        }
    }

    /// Answers a request inside the dialog; `true` for a BYE.
    async fn answer_in_dialog(&mut self, request: Incoming, sound: &mut Sound) -> bool {
        self.received(&request).await;
        if !self.dialog.advance_remote(&request.request.cseq) {
            self.reply(&request, &Reply::status(500)).await;
            return false;
        }
        let reply = match &request.request.method {
            Method::Bye => Reply::status(200),
            Method::Invite | Method::Update => {
                if let Some(contact) = &request.request.contact {
                    self.dialog.remote_target.clone_from(contact); // RFC 3261 §12.2.2
                }
                self.renegotiate(&request, sound)
            }
            method => self.plain_answer(method),
        };
        let changed = reply.body.is_some();
        self.reply(&request, &reply).await;
        if changed && let Some(codec) = sound.codec() {
            let listening = sound.is_listening();
            self.tell(What::Changed { codec, listening }).await;
        }
        request.request.method == Method::Bye
    }

    /// The answer to a re-INVITE or UPDATE. A refused one leaves everything as it was (RFC 3261 §14.1).
    fn renegotiate(&self, request: &Incoming, sound: &mut Sound) -> Reply {
        let body = &request.request.body;
        match (body.is_empty(), &request.request.method) {
            (true, Method::Invite) => self.with_description(sound.offer()),
            (true, _) => Reply::status(200).with("Contact", self.contact()),
            (false, _) => match sound.answer(body) {
                Ok(description) => self.with_description(description),
                Err(_) => Reply::status(488),
            },
        }
    }

    /// What other methods get.
    fn plain_answer(&self, method: &Method) -> Reply {
        match method {
            Method::Options | Method::Info => Reply::status(200).with("Allow", ALLOW),
            Method::Notify => Reply::status(489),
            // While it rings, or after a 200 that is not ACKed yet (RFC 3261 §14.2).
            Method::Invite | Method::Update => Reply::status(500).with("Retry-After", "3"),
            _ => Reply::status(405).with("Allow", ALLOW),
        }
    }

    /// Sends BYE and waits for its answer.
    async fn hang_up(&mut self) -> Option<u16> {
        self.dialog.local_cseq += 1;
        let cseq = CSeq {
            number: self.dialog.local_cseq,
            method: Method::Bye,
        };
        let bye = self
            .dialog
            .request(cseq, &[], None, &self.local, &self.shared.branch_key);
        self.tell(What::Message(
            Direction::Sent,
            format!("BYE {}", self.dialog.request_uri()),
        ))
        .await;
        let answered = self.shared.line.ask(bye);
        // Timer F, and a little: the transaction itself tells when nothing comes.
        let limit = self.shared.options.timers.t1 * 72;
        timeout(limit, self.bye_answered(answered)).await.ok().flatten()
    }

    async fn bye_answered(&mut self, mut answered: oneshot::Receiver<u16>) -> Option<u16> {
        loop {
            tokio::select! {
                status = &mut answered => {
                    let status = status.ok()?;
                    let line = status_line(status, "BYE");
                    self.tell(What::Message(Direction::Received, line)).await;
                    return Some(status);
                }
                // BYEs may cross.
                Some(request) = self.inbox.recv() => {
                    self.received(&request).await;
                    let status = if request.request.method == Method::Bye {
                        200
                    } else {
                        481
                    };
                    self.reply(&request, &Reply::status(status)).await;
                }
            }
        }
    }

    async fn refuse(&self, status: u16) -> Ending {
        self.reply(&self.invite, &Reply::status(status)).await;
        Ending::Refused(status)
    }

    fn with_description(&self, description: String) -> Reply {
        let mut reply = Reply::status(200).with("Contact", self.contact()).with("Allow", ALLOW);
        reply.body = Some((APPLICATION_SDP, description));
        reply
    }

    fn contact(&self) -> String {
        format!("<{}>", self.local.contact)
    }

    async fn reply(&self, to: &Incoming, reply: &Reply) {
        to.reply(reply);
        let line = status_line(reply.status, to.request.method.as_str());
        self.tell(What::Message(Direction::Sent, line)).await;
    }

    async fn received(&self, request: &Incoming) {
        let request = &request.request;
        let line = match request.method {
            Method::Invite => format!("INVITE {}", request.request_uri),
            ref method => method.to_string(),
        };
        self.tell(What::Message(Direction::Received, line)).await;
    }

    async fn tell(&self, what: What) {
        self.shared.tell(self.number, what).await;
    }
}

fn status_line(status: u16, method: &str) -> String {
    let reason = match status {
        180 => "Ringing",
        200 => "OK",
        405 => "Method Not Allowed",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        500 => "Server Internal Error",
        603 => "Decline",
        _ => "",
    };
    format!("{status} {reason} ({method})")
}

/// The user part of a SIP URI, without its parameters; the host where there is none.
fn user_part(uri: &str) -> &str {
    let rest = uri.split_once(':').map_or(uri, |(_, rest)| rest);
    let user = rest.split_once('@').map_or(rest, |(user, _)| user);
    user.split(';').next().unwrap_or(user)
}
