//! Requests of ours, until nothing can come back any more (RFC 3261 §17.1, RFC 6026 §7.2).

use std::{collections::BTreeMap, time::Duration};

use super::{
    ForClient, Shared, TransactionEvent, ack,
    wheel::{ClientId, Due, Repeat, Whose, earlier},
};
use crate::{
    message::{Branch, Method, Tx},
    moment::Moment,
    received::Message,
    transport::Path,
};

/// All client transactions of one node.
#[derive(Debug, Default)]
pub(super) struct Clients {
    /// Branches are ours, so a tree by them is as good as hashing, and its order repeats.
    by_tx: BTreeMap<Tx, ClientId>,
    waiting: BTreeMap<ClientId, Waiting>,
    finished: BTreeMap<ClientId, Finished>,
    bytes: usize,
}

/// Calling, Trying or Proceeding: no final response yet.
#[derive(Debug)]
struct Waiting {
    tx: Tx,
    path: Path,
    /// What is sent again, or what the ACK of a refusal is printed from. Empty where neither can be.
    bytes: Box<[u8]>,
    proceeding: bool,
    /// Timer A of an INVITE, else E.
    repeat: Option<Repeat>,
    /// Timer B of an INVITE, else F.
    end: Option<Moment>,
}

/// Completed or Accepted: what still comes is absorbed.
#[derive(Debug)]
struct Finished {
    tx: Tx,
    end: Moment,
    refused: Option<Box<Refused>>,
}

/// What answers a refusal that comes again.
#[derive(Debug)]
struct Refused {
    path: Path,
    ack: Box<[u8]>,
}

impl Waiting {
    fn is_invite(&self) -> bool {
        self.tx.method == Method::Invite
    }

    fn next(&self) -> Option<Due> {
        let (repeat, end) = if self.is_invite() { ("A", "B") } else { ("E", "F") };
        earlier(self.repeat.map(|next| (next.at, repeat)), self.end.map(|at| (at, end)))
    }
}

impl Finished {
    fn next(&self) -> Due {
        let letter = match self.tx.method {
            Method::Invite if self.refused.is_some() => "D",
            Method::Invite => "M",
            _ => "K",
        };
        (self.end, letter)
    }
}

impl Clients {
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn finished(&self) -> usize {
        self.finished.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Sends a request; where there is no room for it, it does not leave and ends as unreachable.
    pub(super) fn send(&mut self, now: Moment, path: Path, tx: Tx, bytes: Vec<u8>, shared: &mut Shared) {
        let timers = shared.timers;
        let (stream, invite) = (path.transport.is_stream(), tx.method == Method::Invite);
        let keeps = !stream || invite;
        let waiting = Waiting {
            tx,
            path,
            bytes: if keeps { bytes.as_slice().into() } else { Box::default() },
            proceeding: false,
            repeat: (!stream).then(|| Repeat::new(now, timers.t1)),
            end: Some(now + timers.t1x64()),
        };
        if self.begin(waiting, shared) {
            shared.transmit(path, bytes);
        }
    }

    /// Waits for what comes back to an INVITE that has left before.
    pub(super) fn resume(&mut self, path: Path, tx: Tx, bytes: Vec<u8>, shared: &mut Shared) {
        let waiting = Waiting {
            tx,
            path,
            bytes: bytes.into(),
            proceeding: true,
            repeat: None,
            end: None,
        };
        self.begin(waiting, shared);
    }

    fn begin(&mut self, waiting: Waiting, shared: &mut Shared) -> bool {
        self.forget(&waiting.tx, shared);
        let bounds = shared.bounds;
        if self.waiting.len() >= bounds.waiting || self.bytes + waiting.bytes.len() > bounds.client_bytes {
            shared.event(TransactionEvent::Unreachable(waiting.tx));
            return false;
        }
        let id = ClientId(shared.number());
        self.bytes += waiting.bytes.len();
        self.by_tx.insert(waiting.tx.clone(), id);
        shared.wheel.turn(Whose::Client(id), None, waiting.next());
        self.waiting.insert(id, waiting);
        true
    }

    /// Ends a transaction that waits.
    pub(super) fn stop(&mut self, tx: &Tx, shared: &mut Shared) {
        if let Some(id) = self.by_tx.get(tx).copied()
            && let Some(waiting) = self.take(id, shared)
        {
            self.by_tx.remove(&waiting.tx);
        }
    }

    pub(super) fn unreachable(&mut self, path: &Path, shared: &mut Shared) {
        let on_path = self.waiting.iter().filter(|(_, waiting)| waiting.path == *path);
        let ids: Vec<ClientId> = on_path.map(|(id, _)| *id).collect();
        for waiting in ids
            .into_iter()
            .filter_map(|id| self.take(id, shared))
            .collect::<Vec<_>>()
        {
            self.by_tx.remove(&waiting.tx);
            shared.event(TransactionEvent::Unreachable(waiting.tx));
        }
    }

    pub(super) fn is_waiting(&self, tx: &Tx) -> bool {
        self.by_tx.get(tx).is_some_and(|id| self.waiting.contains_key(id))
    }

    pub(super) fn handle_response(&mut self, now: Moment, message: &Message<'_>, shared: &mut Shared) -> ForClient {
        let status = message.status().unwrap_or_default();
        let invite = *message.method() == Method::Invite;
        let tx = Tx {
            branch: Branch::new(message.branch()),
            method: message.method().clone(),
        };
        let id = self.by_tx.get(&tx).copied();
        match status {
            200..=299 if invite => {
                if let Some(id) = id {
                    self.finish(id, now + shared.timers.t1x64(), None, shared);
                }
                ForClient::Answer
            }
            100..=699 => match id {
                None => ForClient::Stray,
                Some(id) if !self.waiting.contains_key(&id) => {
                    if invite && status >= 300 {
                        self.acknowledge_again(id, message, shared);
                    }
                    ForClient::Absorbed
                }
                Some(id) if status < 200 => {
                    self.proceed(id, shared);
                    ForClient::Provisional(tx)
                }
                Some(id) if invite => {
                    self.refuse(now, id, message, shared);
                    ForClient::Final(tx)
                }
                Some(id) => {
                    self.finish(id, now + shared.timers.t4, None, shared);
                    ForClient::Final(tx)
                }
            },
            _ => ForClient::Stray,
        }
    }

    /// The timer of a transaction is due. What it sets next is counted from then, however late it is.
    pub(super) fn handle_timeout(&mut self, at: Moment, id: ClientId, shared: &mut Shared) {
        let Some(waiting) = self.waiting.get_mut(&id) else {
            if let Some(finished) = self.drop_finished(id, shared) {
                self.by_tx.remove(&finished.tx);
            }
            return;
        };
        let before = waiting.next();
        if waiting.end.is_some_and(|end| end <= at) {
            if let Some(waiting) = self.take(id, shared) {
                self.by_tx.remove(&waiting.tx);
                shared.event(TransactionEvent::TimedOut(waiting.tx));
            }
            return;
        }
        if let Some(repeat) = waiting.repeat {
            waiting.repeat = Some(match (waiting.is_invite(), waiting.proceeding) {
                (true, _) => repeat.next(Duration::MAX),
                (false, false) => repeat.next(shared.timers.t2),
                (false, true) => Repeat::new(at, shared.timers.t2),
            });
            shared.transmit(waiting.path, waiting.bytes.to_vec());
        }
        shared.wheel.turn(Whose::Client(id), before, waiting.next());
    }

    /// Which timer of a transaction is due next.
    pub(super) fn next(&self, id: ClientId) -> Option<Due> {
        let waiting = self.waiting.get(&id).and_then(Waiting::next);
        waiting.or_else(|| self.finished.get(&id).map(Finished::next))
    }

    /// A provisional response: an INVITE is repeated no more and waits as long as it takes (§17.1.1.2); anything else
    /// is repeated every T2 from its next repetition on (§17.1.2.2).
    fn proceed(&mut self, id: ClientId, shared: &mut Shared) {
        let Some(waiting) = self.waiting.get_mut(&id) else {
            return;
        };
        let before = waiting.next();
        waiting.proceeding = true;
        if waiting.is_invite() {
            (waiting.repeat, waiting.end) = (None, None);
        }
        shared.wheel.turn(Whose::Client(id), before, waiting.next());
    }

    fn refuse(&mut self, now: Moment, id: ClientId, message: &Message<'_>, shared: &mut Shared) {
        let Some(waiting) = self.waiting.get(&id) else {
            return;
        };
        let path = waiting.path;
        let to = message.header("To").unwrap_or_default();
        let refused = ack::print(&waiting.bytes, &to).map(|ack| {
            shared.transmit(path, ack.clone());
            Box::new(Refused { path, ack: ack.into() })
        });
        self.finish(id, now + shared.timers.t1x64(), refused, shared);
    }

    /// A refusal came again, or that of another fork: its ACK leaves again (§17.1.1.2).
    fn acknowledge_again(&self, id: ClientId, message: &Message<'_>, shared: &mut Shared) {
        let to = message.header("To").unwrap_or_default();
        if let Some(refused) = self.finished.get(&id).and_then(|finished| finished.refused.as_ref())
            && let Some(ack) = ack::print(&refused.ack, &to)
        {
            shared.transmit(refused.path, ack);
        }
    }

    /// Makes a waiting transaction one that absorbs until `end`; on a stream only after a 2xx to an INVITE is there
    /// anything to absorb (timers D and K are zero there).
    fn finish(&mut self, id: ClientId, end: Moment, refused: Option<Box<Refused>>, shared: &mut Shared) {
        let Some(waiting) = self.take(id, shared) else {
            return;
        };
        if waiting.path.transport.is_stream() && (refused.is_some() || !waiting.is_invite()) {
            self.by_tx.remove(&waiting.tx);
            return;
        }
        let finished = Finished {
            tx: waiting.tx,
            end,
            refused,
        };
        self.bytes += finished.refused.as_ref().map_or(0, |refused| refused.ack.len());
        shared.wheel.turn(Whose::Client(id), None, Some(finished.next()));
        self.finished.insert(id, finished);
        // The oldest that absorb give way: what comes again is then a stray, and no peer repeats for ever.
        if self.finished.len() > shared.bounds.finished
            && let Some(oldest) = self.finished.first_key_value().map(|(id, _)| *id)
            && let Some(oldest) = self.drop_finished(oldest, shared)
        {
            self.by_tx.remove(&oldest.tx);
        }
    }

    /// Ends whatever transaction has this name.
    fn forget(&mut self, tx: &Tx, shared: &mut Shared) {
        if let Some(id) = self.by_tx.remove(tx) {
            self.take(id, shared);
            self.drop_finished(id, shared);
        }
    }

    fn take(&mut self, id: ClientId, shared: &mut Shared) -> Option<Waiting> {
        let waiting = self.waiting.remove(&id)?;
        self.bytes -= waiting.bytes.len();
        shared.wheel.turn(Whose::Client(id), waiting.next(), None);
        Some(waiting)
    }

    fn drop_finished(&mut self, id: ClientId, shared: &mut Shared) -> Option<Finished> {
        let finished = self.finished.remove(&id)?;
        self.bytes -= finished.refused.as_ref().map_or(0, |refused| refused.ack.len());
        shared.wheel.turn(Whose::Client(id), Some(finished.next()), None);
        Some(finished)
    }
}
