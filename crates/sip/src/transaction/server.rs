//! Requests of peers, until they can come no more (RFC 3261 §17.2, RFC 6026 §7.1).

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ForServer, ServerId, Shared, TransactionEvent,
    key::{Key, is_old},
    wheel::{Due, Repeat, Whose, earlier},
};
use crate::{message::Message, method::Method, moment::Moment, transport::Path};

/// All server transactions of one node.
#[derive(Debug, Default)]
pub(super) struct Servers {
    by_key: BTreeMap<Key, ServerId>,
    by_ack: BTreeMap<Key, ServerId>,
    all: BTreeMap<ServerId, Server>,
    /// Those whose peer has what it asked for: they are forgotten first.
    settled: BTreeSet<ServerId>,
    bytes: usize,
}

#[derive(Debug)]
struct Server {
    key: Key,
    invite: bool,
    path: Path,
    state: State,
    /// The last response: what the request is answered with when it comes again, and what timer G repeats.
    reply: Box<[u8]>,
    /// Timer G, or the repetition of a 2xx.
    repeat: Option<Repeat>,
    /// Timer H, I, J or L.
    end: Option<Moment>,
}

/// The states of figures 7 and 8 of RFC 3261, and of figure 3 of RFC 6026. Trying is Proceeding without a response.
#[derive(Debug, PartialEq, Eq)]
enum State {
    Proceeding,
    Completed,
    Confirmed,
    Accepted { acked: bool, ack: Option<Key> },
}

impl Server {
    fn next(&self) -> Option<Due> {
        let (repeat, end) = match self.state {
            State::Proceeding => return None,
            State::Completed if self.invite => ("G", "H"),
            State::Completed => ("G", "J"),
            State::Confirmed => ("G", "I"),
            State::Accepted { .. } => ("2xx", "L"),
        };
        earlier(self.repeat.map(|next| (next.at, repeat)), self.end.map(|at| (at, end)))
    }

    fn bytes(&self) -> usize {
        let ack = match &self.state {
            State::Accepted { ack: Some(ack), .. } => ack.len(),
            State::Accepted { ack: None, .. } | State::Proceeding | State::Completed | State::Confirmed => 0,
        };
        self.key.len() + self.reply.len() + ack
    }

    fn is_settled(&self) -> bool {
        match self.state {
            State::Proceeding | State::Accepted { acked: false, .. } => false,
            State::Completed => !self.invite,
            State::Confirmed | State::Accepted { acked: true, .. } => true,
        }
    }
}

impl Servers {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn handle_request(
        &mut self,
        now: Moment,
        path: Path,
        message: &Message<'_>,
        shared: &mut Shared,
    ) -> ForServer {
        if *message.method() == Method::Ack {
            return self.handle_ack(now, message, shared);
        }
        if let Some(server) = self
            .by_key
            .get(&Key::of_request(message))
            .and_then(|id| self.all.get(id))
        {
            // After a 2xx the INVITE is not answered again: the 2xx is repeated by itself (RFC 6026 §7.1).
            if matches!(server.state, State::Proceeding | State::Completed) && !server.reply.is_empty() {
                shared.transmit(path, server.reply.to_vec());
            }
            return ForServer::Absorbed;
        }
        if *message.method() != Method::Cancel {
            return ForServer::New;
        }
        let invite = self.by_key.get(&Key::of_invite(message));
        invite.map_or(ForServer::UnknownCancel, |id| ForServer::Cancelled(*id))
    }

    /// The ACK of a refusal has the branch of its INVITE (§17.2.1). That of a 2xx belongs to the dialog; a peer that
    /// gives it the INVITE's branch is understood as well.
    fn handle_ack(&mut self, now: Moment, message: &Message<'_>, shared: &mut Shared) -> ForServer {
        let by_key = self.by_key.get(&Key::of_invite(message));
        let Some(id) = by_key.or_else(|| self.by_ack.get(&Key::of_ack(message))).copied() else {
            return ForServer::StrayAck;
        };
        let (timers, mut seen) = (shared.timers, ForServer::StrayAck);
        self.change(id, shared, |server| match &mut server.state {
            State::Proceeding => {}
            State::Completed if is_old(message) && !has_tag_of(message, &server.reply) => {}
            State::Completed => {
                server.state = State::Confirmed;
                server.reply = Box::default();
                server.repeat = None;
                let stays = if server.path.transport.is_stream() {
                    now
                } else {
                    now + timers.t4
                };
                server.end = Some(stays);
                seen = ForServer::Absorbed;
            }
            State::Confirmed | State::Accepted { acked: true, .. } => seen = ForServer::Absorbed,
            State::Accepted { acked, .. } => {
                *acked = true;
                server.reply = Box::default();
                server.repeat = None;
                seen = ForServer::Acked(id);
            }
        });
        self.end_if_due(now, id, shared);
        seen
    }

    pub(super) fn accept(&mut self, path: Path, message: &Message<'_>, shared: &mut Shared) -> Option<ServerId> {
        let key = Key::of_request(message);
        if *message.method() == Method::Ack || self.by_key.contains_key(&key) {
            return None;
        }
        let bounds = shared.bounds;
        while self.all.len() >= bounds.servers || self.bytes + key.len() > bounds.server_bytes {
            let oldest = self.settled.first().copied()?;
            self.end(oldest, shared);
        }
        let id = ServerId(shared.number());
        self.bytes += key.len();
        self.by_key.insert(key.clone(), id);
        let server = Server {
            key,
            invite: *message.method() == Method::Invite,
            path,
            state: State::Proceeding,
            reply: Box::default(),
            repeat: None,
            end: None,
        };
        self.all.insert(id, server);
        Some(id)
    }

    pub(super) fn reply(&mut self, now: Moment, id: ServerId, status: u16, bytes: Vec<u8>, shared: &mut Shared) {
        let Some(server) = self.all.get(&id).filter(|server| server.state == State::Proceeding) else {
            return;
        };
        let (invite, path, timers) = (server.invite, server.path, shared.timers);
        let stream = path.transport.is_stream();
        let ack = (invite && (200..300).contains(&status))
            .then(|| Message::parse(&bytes).ok().map(|reply| Key::of_ack(&reply)));
        if let Some(Some(ack)) = &ack {
            self.by_ack.insert(ack.clone(), id);
        }
        self.change(id, shared, |server| {
            server.reply = bytes.as_slice().into();
            if status < 200 {
                return;
            }
            let ends = match ack {
                Some(ack) => {
                    server.state = State::Accepted { acked: false, ack };
                    server.repeat = Some(Repeat::new(now, timers.t1));
                    timers.t1x64()
                }
                None => {
                    server.state = State::Completed;
                    server.repeat = (invite && !stream).then(|| Repeat::new(now, timers.t1));
                    if stream && !invite {
                        Default::default()
                    } else {
                        timers.t1x64()
                    }
                }
            };
            server.end = Some(now + ends);
        });
        shared.transmit(path, bytes);
        self.end_if_due(now, id, shared);
    }

    /// The path is gone. A 2xx may still be ACKed on another one.
    pub(super) fn unreachable(&mut self, path: &Path, shared: &mut Shared) {
        let on_path = self.all.iter().filter(|(_, server)| server.path == *path);
        for id in on_path.map(|(id, _)| *id).collect::<Vec<_>>() {
            let mut waits = false;
            self.change(id, shared, |server| {
                if let State::Accepted { acked: false, .. } = server.state {
                    waits = true;
                    server.repeat = server.repeat.filter(|_| !path.transport.is_stream());
                }
            });
            if !waits {
                self.end(id, shared);
            }
        }
    }

    /// The timer of a transaction is due. What it sets next is counted from then, however late it is.
    pub(super) fn handle_timeout(&mut self, at: Moment, id: ServerId, shared: &mut Shared) {
        if self.end_if_due(at, id, shared) {
            return;
        }
        let longest = shared.timers.t2;
        let mut again = None;
        self.change(id, shared, |server| {
            server.repeat = server.repeat.map(|repeat| repeat.next(longest));
            again = Some((server.path, server.reply.to_vec()));
        });
        if let Some((path, bytes)) = again {
            shared.transmit(path, bytes);
        }
    }

    /// Which timer of a transaction is due next.
    pub(super) fn next(&self, id: ServerId) -> Option<Due> {
        self.all.get(&id).and_then(Server::next)
    }

    /// Changes a transaction, and with it whatever is derived from it: its place on the wheel, the bytes, who is settled.
    fn change(&mut self, id: ServerId, shared: &mut Shared, change: impl FnOnce(&mut Server)) {
        let Some(server) = self.all.get_mut(&id) else {
            return;
        };
        let (before, bytes) = (server.next(), server.bytes());
        change(server);
        self.bytes = self.bytes - bytes + server.bytes();
        shared.wheel.turn(Whose::Server(id), before, server.next());
        if server.is_settled() {
            self.settled.insert(id);
        }
    }

    fn end_if_due(&mut self, at: Moment, id: ServerId, shared: &mut Shared) -> bool {
        let due = self
            .all
            .get(&id)
            .is_some_and(|server| server.end.is_some_and(|end| end <= at));
        if due {
            self.end(id, shared);
        }
        due
    }

    fn end(&mut self, id: ServerId, shared: &mut Shared) {
        let Some(server) = self.all.remove(&id) else {
            return;
        };
        self.bytes -= server.bytes();
        self.settled.remove(&id);
        self.by_key.remove(&server.key);
        shared.wheel.turn(Whose::Server(id), server.next(), None);
        let mut event = TransactionEvent::Over(id);
        if let State::Accepted { acked, ack } = server.state {
            // The same INVITE by two ways is two transactions with one ACK: the younger has it.
            if let Some(ack) = ack.filter(|ack| self.by_ack.get(ack) == Some(&id)) {
                self.by_ack.remove(&ack);
            }
            if !acked {
                event = TransactionEvent::NeverAcked(id);
            }
        }
        shared.event(event);
    }
}

/// Whether an ACK has the To tag of our response (for peers of RFC 2543, §17.2.3).
fn has_tag_of(ack: &Message<'_>, reply: &[u8]) -> bool {
    Message::parse(reply).is_ok_and(|reply| reply.to_tag() == ack.to_tag())
}
