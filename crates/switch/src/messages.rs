//! What came from the network, and whose it is.

use call::Silence;
use sabotage::Fault;
use sip::{
    Branch, ForClient, ForServer, Message, Method, Path, Reply, ServerId, Start, Tag, TransactionEvent, Transmit, Tx,
};

use crate::{
    journal::CallKey,
    output::{Event, Output},
    switch::Switch,
};

/// The longest message that is looked at, in bytes.
pub const LONGEST_MESSAGE: usize = 65_000;

impl Switch {
    /// A datagram that came this way, or one message that was cut from a stream.
    pub fn handle_message(&mut self, path: Path, bytes: &[u8]) {
        if bytes.len() > LONGEST_MESSAGE {
            return self.turn_away("a message that is too long", path);
        }
        let message = Message::parse(bytes);
        let is_known = self.knows(path.remote.ip());
        let Ok(message) = message else {
            if !is_known {
                self.turn_away("a datagram", path);
            }
            return;
        };
        let call = self.by_call_id.get(message.call_id()).copied();
        if !is_known && call.is_none() {
            return self.turn_away("a datagram", path);
        }
        // One that an earlier process left is taken up first.
        if let Some(key) = call
            && self.is_left(key)
        {
            return self.hear_later(key, path, bytes);
        }
        match message.start() {
            Start::Response(_) => self.handle_response(path, &message, call),
            Start::Request(_) => self.handle_request(path, &message, call),
        }
        self.handle_transaction_events();
    }

    /// A datagram that was too long to be read.
    pub fn handle_too_long(&mut self, path: Path) {
        self.turn_away("a message that is too long", path);
    }

    fn handle_response(&mut self, path: Path, message: &Message<'_>, call: Option<CallKey>) {
        if message.vias() > 1 || message.fault().is_some() {
            return; // it was meant for somebody behind us, and nobody is (RFC 3261 §8.1.3.3)
        }
        if self.is_of_another_call(message) {
            return;
        }
        match self.transactions.handle_response(self.now, message) {
            ForClient::Provisional(tx) | ForClient::Final(tx) => {
                if self.handle_trunk_response(&tx, message) {
                    return;
                }
                self.leave_window(&tx);
                // Two leftovers may have one Call-ID: a call whose end was not written, and its phone that answered when it was forgotten.
                let owner = self.ways.owner_of(&tx).or(call);
                if message.status() >= Some(200) {
                    self.ways.answered(&tx);
                }
                let Some(key) = owner else { return };
                self.trunk_has_spoken(key);
                let response = message.response();
                self.with_call(key, |live, now| live.call.handle_response(&response, now));
            }
            ForClient::Answer => {
                let response = message.response();
                self.ways.answered(&response.tx());
                self.leave_window(&response.tx());
                if let Some(key) = call {
                    self.trunk_has_spoken(key);
                    self.with_call(key, |live, now| live.call.handle_answer(&response, now));
                } else {
                    self.end_stray(path, &response);
                }
            }
            ForClient::Absorbed | ForClient::Stray => {}
        }
    }

    /// Whether a response has the branch of a call's request and the Call-ID of another call, or of none: it is to no request of ours,
    /// and must neither end the one nor speak for the other.
    fn is_of_another_call(&self, message: &Message<'_>) -> bool {
        let tx = Tx {
            branch: Branch::new(message.branch()),
            method: message.method().clone(),
        };
        let Some(owner) = self.ways.owner_of(&tx) else {
            return false;
        };
        // Two leftovers may have one Call-ID: a call whose end was not written, and its phone that answered when it was forgotten.
        let live = self.live.get(&owner);
        live.is_none_or(|live| live.call.record().dialog.call_id.as_str() != message.call_id())
    }

    fn handle_request(&mut self, path: Path, message: &Message<'_>, call: Option<CallKey>) {
        // Also one that comes again: whoever sends one a thousand times is not answered as often. An ACK is answered by nobody.
        if call.is_none() && *message.method() != Method::Ack && !self.admission.spend(self.now) {
            return self.turn_away("a request too many", path);
        }
        match self.transactions.handle_request(self.now, path, message) {
            ForServer::Absorbed | ForServer::StrayAck => {}
            ForServer::New => self.handle_new_request(path, message, call),
            // There is nothing to take back: an INVITE inside a call was answered at once, any other refused.
            ForServer::Cancelled(_) => self.answer_without_call(path, message, &Reply::status(200)),
            ForServer::UnknownCancel => self.answer_without_call(path, message, &Reply::status(481)),
            ForServer::Acked(server) => {
                if let Some(key) = self.unacked.remove(&server) {
                    let request = message.request();
                    self.with_call(key, |live, _| live.call.handle_ack(&request));
                }
            }
        }
    }

    fn handle_new_request(&mut self, path: Path, message: &Message<'_>, call: Option<CallKey>) {
        if let Some(fault) = message.fault() {
            let fault = fault.clone();
            return self.refuse(path, message, &fault);
        }
        let request = message.request();
        let owner = call.filter(|key| self.live.get(key).is_some_and(|live| live.call.owns(&request)));
        let Some(key) = owner else {
            return self.answer_stranger(path, message);
        };
        let Some(server) = self.transactions.accept(self.now, path, message) else {
            return; // too many are being answered: the peer repeats it
        };
        if request.method == Method::Invite {
            self.reply_to(server, path, message, &Reply::status(100)); // RFC 3261 §17.2.1
        }
        self.trunk_has_spoken(key);
        let Some(live) = self.live.get_mut(&key) else { return };
        let reply = live.call.handle_request(&request, self.now);
        if let (true, Some(reply)) = (self.is_sabotaged(Fault::EarlyReply), &reply) {
            self.reply_to(server, path, message, reply);
        }
        self.act(key);
        // A machine answers everything but ACK and CANCEL, which are no requests of their own below.
        let reply = reply.unwrap_or_else(|| Reply::status(500));
        if request.method == Method::Invite && (200..300).contains(&reply.status) {
            self.unacked.insert(server, key);
        }
        self.reply_to(server, path, message, &reply);
    }

    /// A request that belongs to no call; until voice mail exists, nothing else can be had from us. An INVITE is refused each
    /// time it comes, without a transaction (RFC 3261 §8.2.7): a refusal is not repeated then, and one that is forged costs
    /// its victim one answer instead of twelve.
    fn answer_stranger(&mut self, path: Path, message: &Message<'_>) {
        let Some(reply) = message.answer_outside_dialog() else {
            return;
        };
        if *message.method() == Method::Invite {
            self.refuse(path, message, &reply);
        } else {
            self.answer_without_call(path, message, &reply);
        }
    }

    fn answer_without_call(&mut self, path: Path, message: &Message<'_>, reply: &Reply) {
        if let Some(server) = self.transactions.accept(self.now, path, message) {
            self.reply_to(server, path, message, reply);
        }
    }

    /// Without a transaction; the tag is the same for the same request, so that repetitions are equal.
    fn refuse(&mut self, path: Path, message: &Message<'_>, reply: &Reply) {
        if *message.method() == Method::Ack {
            return;
        }
        let tag = Tag::new(self.names.of("stateless", 0));
        let mut bytes = Vec::new();
        message.print_reply(&mut bytes, path.remote, &tag, reply, &self.settings.user_agent);
        self.put(Output::Transmit(Transmit { path, bytes }));
    }

    fn reply_to(&mut self, server: ServerId, path: Path, message: &Message<'_>, reply: &Reply) {
        let tag = self.names.tag();
        let mut bytes = Vec::new();
        message.print_reply(&mut bytes, path.remote, &tag, reply, &self.settings.user_agent);
        self.transactions.reply(self.now, server, reply.status, bytes);
        self.transmit_due();
    }

    pub(crate) fn transmit_due(&mut self) {
        while let Some(transmit) = self.transactions.poll_transmit() {
            self.put(Output::Transmit(transmit));
        }
    }

    /// Sends what the transactions repeat, and follows up what will never be answered or ACKed.
    pub(crate) fn handle_transaction_events(&mut self) {
        loop {
            self.transmit_due();
            let Some(event) = self.transactions.poll_event() else {
                return;
            };
            match event {
                TransactionEvent::TimedOut(tx) => self.handle_silence(&tx, Silence::TimedOut),
                TransactionEvent::Unreachable(tx) => self.handle_silence(&tx, Silence::Unreachable),
                TransactionEvent::ConnectionLost(tx) => self.handle_silence(&tx, Silence::ConnectionLost),
                TransactionEvent::NeverAcked(server) => {
                    if let Some(key) = self.unacked.remove(&server) {
                        self.with_call(key, |live, now| live.call.handle_never_acked(now));
                    }
                }
                TransactionEvent::Over(server) => {
                    self.unacked.remove(&server);
                }
            }
        }
    }

    fn handle_silence(&mut self, tx: &Tx, silence: Silence) {
        if self.handle_trunk_silence(tx, silence) {
            return;
        }
        self.leave_window(tx);
        let Some(key) = self.ways.call_of(tx) else { return };
        let silence = match silence {
            Silence::TimedOut if self.is_nobody_there(key) => Silence::NobodyThere,
            silence => silence,
        };
        if matches!(silence, Silence::Unreachable | Silence::ConnectionLost) {
            self.tell(Event::Unreachable { key, why: None });
        }
        self.with_call(key, |live, now| live.call.handle_silence(tx, silence, now));
    }
}
