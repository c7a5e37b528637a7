//! Requests of ours, until nothing can come back any more (RFC 3261 §17.1, RFC 6026 §7.2).

use std::{collections::BTreeMap, time::Duration};

use sabotage::Fault;

use super::{
    ForClient, Shared, TransactionEvent, ack,
    key::Key,
    wheel::{ClientId, Due, Repeat, Whose, earlier},
};
use crate::{fields::Tx, message::Message, method::Method, moment::Moment, transport::Path};

/// All client transactions of one node.
#[derive(Debug, Default)]
pub(super) struct Clients {
    by_key: BTreeMap<Key, ClientId>,
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

/// What still comes is absorbed.
#[derive(Debug)]
struct Finished {
    key: Key,
    state: Absorbs,
    /// Timer D, K or M.
    end: Moment,
}

#[derive(Debug)]
enum Absorbs {
    /// A refused INVITE, Completed.
    Refused(Box<Refused>),
    /// A 2xx to an INVITE: Accepted.
    Answered,
    /// Any other request, Completed.
    Done,
}

/// What a refusal that comes again is answered with, and on which path.
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
        let letter = match self.state {
            Absorbs::Refused(_) => "D",
            Absorbs::Answered => "M",
            Absorbs::Done => "K",
        };
        (self.end, letter)
    }

    fn bytes(&self) -> usize {
        match &self.state {
            Absorbs::Refused(refused) => refused.ack.len(),
            Absorbs::Answered | Absorbs::Done => 0,
        }
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
        let lasts = match timers.t1x64() {
            lasts if invite && shared.is_sabotaged(Fault::TimerBLong) => lasts * 2,
            lasts if !invite && shared.is_sabotaged(Fault::TimerFShort) => lasts / 2,
            lasts => lasts,
        };
        let waiting = Waiting {
            tx,
            path,
            bytes: if keeps { bytes.as_slice().into() } else { Box::default() },
            proceeding: false,
            repeat: (!stream && !shared.is_sabotaged(Fault::NeverRepeated)).then(|| Repeat::new(now, timers.t1)),
            end: Some(now + lasts),
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
        let key = Key::of_tx(&waiting.tx);
        if let Some(id) = self.by_key.get(&key).copied() {
            self.end_waiting(id, shared);
            self.end_finished(id, shared);
        }
        let bounds = shared.bounds;
        if self.waiting.len() >= bounds.waiting || self.bytes + waiting.bytes.len() > bounds.client_bytes {
            shared.event(TransactionEvent::Unreachable(waiting.tx));
            return false;
        }
        let id = ClientId(shared.number());
        self.bytes += waiting.bytes.len();
        self.by_key.insert(key, id);
        shared.wheel.turn(Whose::Client(id), None, waiting.next());
        self.waiting.insert(id, waiting);
        true
    }

    /// Ends a transaction that waits.
    pub(super) fn stop(&mut self, tx: &Tx, shared: &mut Shared) {
        if let Some(id) = self.by_key.get(&Key::of_tx(tx)).copied() {
            self.end_waiting(id, shared);
        }
    }

    pub(super) fn unreachable(&mut self, path: &Path, shared: &mut Shared) {
        let on_path = self.waiting.iter().filter(|(_, waiting)| waiting.path == *path);
        for id in on_path.map(|(id, _)| *id).collect::<Vec<_>>() {
            if let Some(tx) = self.end_waiting(id, shared) {
                shared.event(TransactionEvent::ConnectionLost(tx));
            }
        }
    }

    pub(super) fn is_waiting(&self, tx: &Tx) -> bool {
        self.by_key
            .get(&Key::of_tx(tx))
            .is_some_and(|id| self.waiting.contains_key(id))
    }

    pub(super) fn handle_response(&mut self, now: Moment, message: &Message<'_>, shared: &mut Shared) -> ForClient {
        let status = message.status().unwrap_or_default();
        let invite = *message.method() == Method::Invite;
        let answer = invite && (200..=299).contains(&status);
        let key = Key::of_response(message);
        let Some(id) = self.by_key.get(&key).copied().filter(|_| (100..=699).contains(&status)) else {
            return if answer { ForClient::Answer } else { ForClient::Stray };
        };
        if status < 200 {
            let tx = self.proceed(id, shared);
            return tx.map_or(ForClient::Absorbed, ForClient::Provisional);
        }
        let Some(waiting) = self.take(id, shared) else {
            if answer {
                return ForClient::Answer;
            }
            if invite {
                self.acknowledge_again(id, message, shared);
            }
            return ForClient::Absorbed;
        };
        let state = if answer {
            Absorbs::Answered
        } else if invite {
            Absorbs::Refused(Box::new(refuse(&waiting, message, shared)))
        } else {
            Absorbs::Done
        };
        self.finish(now, id, key, waiting.path, state, shared);
        let tx = waiting.tx;
        if answer {
            ForClient::Answer
        } else {
            ForClient::Final(tx)
        }
    }

    /// The timer of a transaction is due. What it sets next is counted from then, however late it is.
    pub(super) fn handle_timeout(&mut self, at: Moment, id: ClientId, shared: &mut Shared) {
        let Some(waiting) = self.waiting.get_mut(&id) else {
            self.end_finished(id, shared);
            return;
        };
        if waiting.end.is_some_and(|end| end <= at) {
            if let Some(tx) = self.end_waiting(id, shared) {
                shared.event(TransactionEvent::TimedOut(tx));
            }
            return;
        }
        let before = waiting.next();
        if let Some(repeat) = waiting.repeat {
            waiting.repeat = Some(match (waiting.is_invite(), waiting.proceeding) {
                (false, _) if shared.is_sabotaged(Fault::PausesStandStill) => Repeat::new(at, shared.timers.t1),
                (false, _) if shared.is_sabotaged(Fault::PausesWithoutEnd) => repeat.next(Duration::MAX),
                (true, _) => repeat.next(Duration::MAX),
                (false, false) => repeat.next(shared.timers.t2),
                (false, true) => Repeat::new(at, shared.timers.t2),
            });
            let mut path = waiting.path;
            if shared.is_sabotaged(Fault::RepeatElsewhere) {
                path.remote.set_port(path.remote.port() + 2);
            }
            shared.transmit(path, waiting.bytes.to_vec());
        }
        shared.wheel.turn(Whose::Client(id), before, waiting.next());
    }

    /// Which timer of a transaction is due next.
    pub(super) fn next(&self, id: ClientId) -> Option<Due> {
        let waiting = self.waiting.get(&id).and_then(Waiting::next);
        waiting.or_else(|| self.finished.get(&id).map(Finished::next))
    }

    /// A provisional response: an INVITE is repeated no more and waits as long as it takes (§17.1.1.2); anything else
    /// is repeated every T2 from its next repetition on (§17.1.2.2). Nothing where there is a final one already.
    fn proceed(&mut self, id: ClientId, shared: &mut Shared) -> Option<Tx> {
        let waiting = self.waiting.get_mut(&id)?;
        let before = waiting.next();
        waiting.proceeding = true;
        if waiting.is_invite() {
            (waiting.repeat, waiting.end) = (None, None);
        }
        shared.wheel.turn(Whose::Client(id), before, waiting.next());
        Some(waiting.tx.clone())
    }

    /// A refusal came again, or that of another fork: its ACK leaves again (§17.1.1.2).
    fn acknowledge_again(&self, id: ClientId, message: &Message<'_>, shared: &mut Shared) {
        let to = message.header("To").unwrap_or_default();
        if let Some(finished) = self.finished.get(&id)
            && let Absorbs::Refused(refused) = &finished.state
            && let Some(ack) = ack::print(&refused.ack, &to)
            && !shared.is_sabotaged(Fault::NoSecondRefusalAck)
        {
            shared.transmit(refused.path, ack);
        }
    }

    /// What waited absorbs now, where anything can come again. Timers D and K are zero on streams.
    fn finish(&mut self, now: Moment, id: ClientId, key: Key, path: Path, state: Absorbs, shared: &mut Shared) {
        let lasts = match state {
            Absorbs::Answered => shared.timers.t1x64(),
            _ if path.transport.is_stream() => {
                self.by_key.remove(&key);
                return;
            }
            Absorbs::Refused(_) => shared.timers.t1x64(),
            Absorbs::Done => shared.timers.t4,
        };
        // The oldest give way: what comes again is then a stray, and no peer repeats for ever.
        if self.finished.len() >= shared.bounds.finished
            && let Some(oldest) = self.finished.first_key_value().map(|(id, _)| *id)
        {
            self.end_finished(oldest, shared);
        }
        let end = now + lasts;
        let finished = Finished { key, state, end };
        self.bytes += finished.bytes();
        shared.wheel.turn(Whose::Client(id), None, Some(finished.next()));
        self.finished.insert(id, finished);
    }

    fn take(&mut self, id: ClientId, shared: &mut Shared) -> Option<Waiting> {
        let waiting = self.waiting.remove(&id)?;
        self.bytes -= waiting.bytes.len();
        shared.wheel.turn(Whose::Client(id), waiting.next(), None);
        Some(waiting)
    }

    fn end_waiting(&mut self, id: ClientId, shared: &mut Shared) -> Option<Tx> {
        let waiting = self.take(id, shared)?;
        self.by_key.remove(&Key::of_tx(&waiting.tx));
        Some(waiting.tx)
    }

    fn end_finished(&mut self, id: ClientId, shared: &mut Shared) {
        if let Some(finished) = self.finished.remove(&id) {
            self.bytes -= finished.bytes();
            self.by_key.remove(&finished.key);
            shared.wheel.turn(Whose::Client(id), Some(finished.next()), None);
        }
    }
}

/// ACKs a refusal, and tells what to keep for when it comes again.
fn refuse(invite: &Waiting, message: &Message<'_>, shared: &mut Shared) -> Refused {
    let (path, to) = (invite.path, message.header("To").unwrap_or_default());
    let ack = ack::print(&invite.bytes, &to);
    let kept = ack.as_deref().unwrap_or_default().into();
    if let Some(ack) = ack
        && !shared.is_sabotaged(Fault::NoRefusalAck)
    {
        shared.transmit(path, ack);
    }
    Refused { path, ack: kept }
}
