//! Server transactions: a peer's request, our replies, and what becomes of an INVITE (RFC 3261 §17.2, RFC 6026).
//!
//! The library repeats final responses, absorbs repeated requests and answers CANCEL; what to reply is decided above.

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rsipstack::{
    sip::{self as rsip, SipMessage},
    transaction::transaction::{Transaction, TransactionEvent, TransactionEventSender},
};
use sip::{Reply, Tag};
use tokio::sync::mpsc;

use super::{
    SipEvent,
    listen::Transport,
    refuse,
    shared::{Core, random_text},
    wire,
};

/// What a peer can make happen to one INVITE: a CANCEL, then its ACK, then the end.
const PROGRESS: usize = 4;

/// A request of a peer. Dropped without a final reply, it is answered with 500.
pub struct Incoming {
    pub request: sip::Request,
    /// Where it came from.
    pub source: SocketAddr,
    pub transport: Transport,
    replies: Replies,
    progress: mpsc::Receiver<InviteProgress>,
}

/// What becomes of an INVITE of a peer after it was delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InviteProgress {
    /// The peer has our final response. The ACK of a 2xx may carry the answer to our offer.
    Acked(Box<sip::Request>),
    /// The peer gave up; its CANCEL has been answered. Reply 487 now.
    Cancelled,
    /// Our 2xx was repeated for 64 × T1 and never ACKed: the dialog is to be ended with a BYE (RFC 3261 §13.3.1.4).
    NeverAcked,
    /// The transaction ended otherwise, such as a refusal that was never ACKed.
    Gone,
}

impl Incoming {
    /// Sends a provisional or the final response; after a final one nothing more leaves. Never blocks.
    ///
    /// `to_tag` goes into a To that has none. Without it, one tag is made up for this request (RFC 3261 §8.2.6.2).
    pub fn reply(&self, to_tag: Option<&Tag>, reply: &Reply) {
        self.replies.send(to_tag, reply);
    }

    /// What became of an INVITE, one step at a time; `None` after the last. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<InviteProgress> {
        self.progress.recv().await
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.replies.send(None, &Reply::status(500));
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("method", &self.request.method)
            .field("call_id", &self.request.call_id)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

struct Replies {
    request: rsip::Request,
    own_tag: Tag,
    server: Arc<str>,
    sender: TransactionEventSender,
    final_sent: AtomicBool,
}

impl Replies {
    fn send(&self, to_tag: Option<&Tag>, reply: &Reply) {
        let sent_before = if reply.status < 200 {
            self.final_sent.load(Ordering::Acquire)
        } else {
            self.final_sent.swap(true, Ordering::AcqRel)
        };
        if !sent_before {
            let response = wire::reply(&self.request, to_tag.unwrap_or(&self.own_tag), reply, &self.server);
            let _ = self.sender.send(TransactionEvent::Respond(response));
        }
    }
}

fn sound(message: &rsip::Request) -> Result<sip::Request, Reply> {
    match refuse::refusal(message) {
        None => wire::request(message).ok_or_else(|| Reply::status(400)),
        Some(refusal) => Err(refusal),
    }
}

/// Sees one server transaction through.
pub(super) async fn serve(core: &Arc<Core>, mut transaction: Transaction) {
    let connection = transaction.connection.clone();
    // Where it came from, also when the Via says otherwise (RFC 3581; received and rport say the same).
    transaction.destination = connection
        .as_ref()
        .and_then(|connection| connection.get_remote_addr().cloned());
    let from = transaction.destination.as_ref().and_then(|address| {
        let transport = connection.as_ref().map(|connection| connection.transport())?;
        Some((address.get_socketaddr().ok()?, wire::transport(transport)?))
    });
    let Some((source, transport)) = from else {
        return; // an address that no socket of ours has
    };
    let replies = Replies {
        request: transaction.original.clone(),
        own_tag: Tag::new(random_text()),
        server: core.user_agent.clone(),
        sender: transaction.tu_sender.clone(),
        final_sent: AtomicBool::new(false),
    };
    let request = match sound(&transaction.original) {
        Ok(request) => request,
        Err(refusal) => {
            replies.send(None, &refusal);
            while transaction.receive().await.is_some() {}
            return;
        }
    };
    let is_invite = transaction.original.method == rsip::Method::Invite;
    if is_invite {
        replies.send(None, &Reply::status(100)); // RFC 3261 §17.2.1
    }
    let (tell, progress) = mpsc::channel(PROGRESS);
    let incoming = Incoming {
        request,
        source,
        transport,
        replies,
        progress,
    };
    core.emit(SipEvent::Request(incoming)).await;

    let mut acked = false;
    while let Some(message) = transaction.receive().await {
        let SipMessage::Request(message) = message else {
            continue;
        };
        let step = match message.method {
            rsip::Method::Cancel => InviteProgress::Cancelled,
            rsip::Method::Ack if acked => continue,
            rsip::Method::Ack => match wire::request(&message) {
                Some(request) => {
                    acked = true;
                    InviteProgress::Acked(Box::new(request))
                }
                None => continue,
            },
            _ => continue,
        };
        let _ = tell.try_send(step);
    }
    if is_invite && !acked {
        let accepted = transaction
            .last_response
            .as_ref()
            .is_some_and(|response| response.status_code.kind() == rsip::StatusCodeKind::Successful);
        let end = if accepted && !core.closing.is_cancelled() {
            InviteProgress::NeverAcked
        } else {
            InviteProgress::Gone
        };
        let _ = tell.try_send(end);
    }
}
