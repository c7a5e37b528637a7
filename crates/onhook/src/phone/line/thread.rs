//! The thread that owns the phone's sockets and transactions.

use std::{
    collections::{HashMap, HashSet},
    sync::{Weak, atomic::AtomicBool},
    time::Instant,
};

use sip::{
    ForClient, ForServer, Message, Method, Moment, Path, Reply, ServerId, Start, Tag, Timers, TransactionEvent,
    Transactions, Transmit, Tx,
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    Ask, Command, Line, Open, UNANSWERED,
    incoming::{Incoming, InviteProgress, print},
    ways::Ways,
};
use crate::{
    net::{Arrival, NetEvent, SendError, Udp},
    panics::Vital,
    phone::fresh_tag,
};

/// What a peer can make happen to one INVITE: a CANCEL, then its ACK, or none.
const PROGRESS: usize = 4;

pub(super) struct Thread {
    began: Instant,
    transactions: Transactions,
    ways: Ways,
    incoming: mpsc::Sender<Incoming>,
    line: Weak<Open>,
    /// Requests of peers without a final response of ours.
    unanswered: HashSet<ServerId>,
    invites: HashMap<ServerId, Invite>,
    /// Who waits for the answers to requests of ours.
    asking: HashMap<Tx, oneshot::Sender<u16>>,
}

/// An INVITE, until its transaction is over.
struct Invite {
    tag: Tag,
    progress: mpsc::Sender<InviteProgress>,
}

impl Thread {
    pub(super) fn new(timers: Timers, ways: Ways, incoming: mpsc::Sender<Incoming>, line: &Line) -> Self {
        Self {
            began: Instant::now(),
            transactions: Transactions::new(timers),
            ways,
            incoming,
            line: line.downgrade(),
            unanswered: HashSet::new(),
            invites: HashMap::new(),
            asking: HashMap::new(),
        }
    }

    /// Lives until it is to close: what it was told before that is still sent.
    pub(super) fn run(
        mut self,
        mut udp: Udp,
        mut heard: mpsc::Receiver<NetEvent>,
        mut commands: mpsc::Receiver<Command>,
        closing: &CancellationToken,
    ) {
        let _vital = Vital("the phone");
        loop {
            let due = self.transactions.poll_timeout();
            udp.wait(due.map(|(at, _)| self.began + at.since_start()));
            let is_closing = closing.is_cancelled();
            let mut datagrams = Vec::new();
            // Of a datagram that came back nothing is concluded: anybody can say so, and the timers end what has no answer.
            udp.receive(&mut |path, arrival| {
                if let Arrival::Datagram(bytes) = arrival {
                    datagrams.push((path, bytes.to_vec()));
                }
            });
            for (path, bytes) in datagrams {
                self.hear(path, &bytes);
                self.flush(&mut udp);
            }
            // What comes meanwhile wakes it again.
            for _ in 0..heard.len() {
                if let Ok(event) = heard.try_recv() {
                    self.handle_event(event);
                    self.flush(&mut udp);
                }
            }
            for _ in 0..commands.len() {
                if let Ok(command) = commands.try_recv() {
                    self.obey(command);
                    self.flush(&mut udp);
                }
            }
            self.transactions.handle_timeout(self.now());
            self.flush(&mut udp);
            if is_closing {
                return;
            }
        }
    }

    fn now(&self) -> Moment {
        Moment::after_start(self.began.elapsed())
    }

    fn handle_event(&mut self, event: NetEvent) {
        match event {
            NetEvent::Message { path, bytes } => self.hear(path, &bytes),
            NetEvent::Connected { id, path } => {
                let ask = self.ways.connected(id, path);
                self.send(ask);
            }
            NetEvent::ConnectFailed { id, why } => self.ways.failed(id, &why),
            NetEvent::Closed { path, .. } => {
                self.ways.closed(&path);
                self.transactions.unreachable(self.now(), &path);
            }
            NetEvent::Found { host, addresses } => {
                for ask in self.ways.found(&host, &addresses) {
                    self.send(Some(ask));
                }
            }
            NetEvent::NotFound { host, why } => {
                tracing::debug!(host, why, "a name that the phone needs is not found");
                self.ways.found(&host, &[]);
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Reply { id, status, bytes } => {
                if status >= 200 {
                    self.unanswered.remove(&id);
                }
                self.transactions.reply(self.now(), id, status, bytes);
            }
            Command::Ask(ask) => {
                let ask = self.ways.find(ask);
                self.send(ask);
            }
        }
    }

    fn send(&mut self, ask: Option<(Path, Ask)>) {
        if let Some((path, Ask { outgoing, answered })) = ask {
            self.asking.insert(outgoing.tx.clone(), answered);
            let (now, bytes) = (self.now(), outgoing.bytes);
            self.transactions.send(now, path, outgoing.tx, bytes);
        }
    }

    fn hear(&mut self, path: Path, bytes: &[u8]) {
        match Message::parse(bytes) {
            Ok(message) if matches!(message.start(), Start::Response(_)) => self.handle_response(&message),
            Ok(message) => self.handle_request(path, &message, bytes),
            Err(why) => tracing::debug!(%path, %why, "the phone was sent something else"),
        }
    }

    fn handle_response(&mut self, message: &Message<'_>) {
        if let ForClient::Final(tx) = self.transactions.handle_response(self.now(), message)
            && let (Some(answered), Some(status)) = (self.asking.remove(&tx), message.status())
        {
            // Its call may wait no longer.
            let _ = answered.send(status);
        }
    }

    fn handle_request(&mut self, path: Path, message: &Message<'_>, bytes: &[u8]) {
        match self.transactions.handle_request(self.now(), path, message) {
            ForServer::Absorbed | ForServer::StrayAck => {}
            ForServer::New => self.take(path, message, bytes),
            ForServer::Cancelled(id) => {
                let tag = self
                    .invites
                    .get(&id)
                    .map_or_else(fresh_tag, |invite| invite.tag.clone());
                self.answer(path, message, &tag, &Reply::status(200));
                self.tell(id, InviteProgress::Cancelled);
            }
            ForServer::UnknownCancel => self.answer(path, message, &fresh_tag(), &Reply::status(481)),
            ForServer::Acked(id) => self.tell(id, InviteProgress::Acked(Box::new(message.request()))),
        }
    }

    /// Hands a new request up.
    fn take(&mut self, path: Path, message: &Message<'_>, bytes: &[u8]) {
        let tag = fresh_tag();
        if let Some(fault) = message.fault() {
            return self.answer(path, message, &tag, fault);
        }
        if self.unanswered.len() >= UNANSWERED {
            return tracing::debug!(%path, "a request too many: the phone leaves it to be repeated");
        }
        let (now, line) = (self.now(), self.line.upgrade());
        let Some((line, id)) = line.zip(self.transactions.accept(now, path, message)) else {
            return;
        };
        let (tell, progress) = mpsc::channel(PROGRESS);
        self.unanswered.insert(id);
        if *message.method() == Method::Invite {
            let trying = print(message, &path, &tag, &Reply::status(100)); // RFC 3261 §17.2.1
            self.transactions.reply(now, id, 100, trying);
            let invite = Invite {
                tag: tag.clone(),
                progress: tell,
            };
            self.invites.insert(id, invite);
        }
        let incoming = Incoming {
            request: message.request(),
            path,
            tag,
            id,
            bytes: bytes.to_vec(),
            progress,
            line: Line(line),
            is_answered: AtomicBool::new(false),
        };
        // Dropped where nobody has room for it, and so answered with 500.
        let _ = self.incoming.try_send(incoming);
    }

    /// Answers what needs nobody's word.
    fn answer(&mut self, path: Path, message: &Message<'_>, tag: &Tag, reply: &Reply) {
        let now = self.now();
        if let Some(id) = self.transactions.accept(now, path, message) {
            let bytes = print(message, &path, tag, reply);
            self.transactions.reply(now, id, reply.status, bytes);
        }
    }

    fn tell(&self, id: ServerId, step: InviteProgress) {
        if let Some(invite) = self.invites.get(&id) {
            // Its call may be over.
            let _ = invite.progress.try_send(step);
        }
    }

    /// Sends what is to be sent and notes what is over.
    fn flush(&mut self, udp: &mut Udp) {
        loop {
            while let Some(Transmit { path, bytes }) = self.transactions.poll_transmit() {
                let sent = if path.transport.is_stream() {
                    self.ways.streams.send(&path, bytes)
                } else {
                    udp.send(&path, &bytes)
                };
                match sent {
                    // A repetition finds room; a connection without any is closed, and that is told.
                    Ok(()) | Err(SendError::Full) => {}
                    Err(error) => {
                        tracing::debug!(%path, %error, "the phone cannot send this way");
                        self.transactions.unreachable(self.now(), &path);
                    }
                }
            }
            match self.transactions.poll_event() {
                // Who waits learns by the drop that there is no answer.
                Some(
                    TransactionEvent::TimedOut(tx)
                    | TransactionEvent::Unreachable(tx)
                    | TransactionEvent::ConnectionLost(tx),
                ) => drop(self.asking.remove(&tx)),
                Some(TransactionEvent::NeverAcked(id)) => {
                    self.tell(id, InviteProgress::NeverAcked);
                    self.invites.remove(&id);
                }
                Some(TransactionEvent::Over(id)) => {
                    self.unanswered.remove(&id);
                    self.invites.remove(&id);
                }
                None => return,
            }
        }
    }
}
