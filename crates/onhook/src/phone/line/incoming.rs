//! A request of a peer: what it says, our answers to it, and what becomes of an INVITE.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
};

use sip::{Message, Path, Reply, ServerId, Tag};
use tokio::sync::mpsc;

use super::{Command, Line, NAME};

/// A request of a peer. Dropped without a final reply, it is answered with 500.
pub(in crate::phone) struct Incoming {
    pub(in crate::phone) request: sip::Request,
    /// The way it came.
    pub(in crate::phone) path: Path,
    /// What stands in the To of our answers where the request has no tag there (RFC 3261 §8.2.6.2).
    pub(in crate::phone) tag: Tag,
    pub(super) id: ServerId,
    /// The request as it came, to print answers from.
    pub(super) bytes: Vec<u8>,
    pub(super) progress: mpsc::Receiver<InviteProgress>,
    pub(super) line: Line,
    pub(super) is_answered: AtomicBool,
}

/// What becomes of an INVITE of a peer after it was delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::phone) enum InviteProgress {
    /// The peer has our 2xx. Its ACK may carry the answer to our offer.
    Acked(Box<sip::Request>),
    /// The peer gave up; its CANCEL has been answered. Reply 487 now.
    Cancelled,
    /// Our 2xx was repeated for 64 × T1 and never ACKed: the dialog is to be ended with a BYE (RFC 3261 §13.3.1.4).
    NeverAcked,
}

impl Incoming {
    /// Sends a provisional or the final response; after a final one nothing more leaves. Never blocks.
    pub(in crate::phone) fn reply(&self, reply: &Reply) {
        let is_final = reply.status >= 200;
        let was_answered = if is_final {
            self.is_answered.swap(true, Ordering::AcqRel)
        } else {
            self.is_answered.load(Ordering::Acquire)
        };
        if !was_answered && let Ok(request) = Message::parse(&self.bytes) {
            self.line.tell(Command::Reply {
                id: self.id,
                status: reply.status,
                bytes: print(&request, &self.path, &self.tag, reply),
            });
        }
    }

    /// What became of an INVITE, one step at a time; `None` when nothing more can. Dropping the future loses nothing.
    pub(in crate::phone) async fn next(&mut self) -> Option<InviteProgress> {
        self.progress.recv().await
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.reply(&Reply::status(500));
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("method", &self.request.method)
            .field("call_id", &self.request.call_id)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

pub(super) fn print(request: &Message<'_>, path: &Path, tag: &Tag, reply: &Reply) -> Vec<u8> {
    let mut bytes = Vec::new();
    request.print_reply(&mut bytes, path.remote, tag, reply, NAME);
    bytes
}
