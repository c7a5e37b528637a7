//! What all phones have in common: whose message this is, what is due when, and who looks on.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, HashMap},
    net::SocketAddr,
    sync::Arc,
    time::Instant,
};

use super::{
    Habits,
    call::{Alarm, Doings, PhoneCall},
    line::Line,
    message::Message,
    way::{Home, Way},
    witness::{Seen, Witness},
};

pub(super) struct Exchange {
    /// Where phones say that they are: in turn, by their number.
    homes: Vec<Home>,
    sound: SocketAddr,
    pub(super) habits: Habits,
    pub(super) line: Line,
    pub(super) calls: HashMap<Arc<str>, PhoneCall>,
    pub(super) by_number: HashMap<String, Vec<Arc<str>>>,
    agenda: BinaryHeap<Reverse<Entry>>,
    entries: u64,
    pub(super) witness: Witness,
}

struct Entry {
    due: Instant,
    /// What was entered first is done first.
    number: u64,
    todo: Todo,
}

enum Todo {
    /// A packet reaches the phones.
    Deliver(Vec<u8>, Way),
    /// A packet leaves the line at the server's end.
    Send(Vec<u8>, Way),
    Wake(Arc<str>, Way, Alarm),
}

impl Exchange {
    pub(super) fn new(homes: Vec<Home>, sound: SocketAddr, habits: Habits, line: Line) -> Self {
        Self {
            homes,
            sound,
            habits,
            line,
            calls: HashMap::new(),
            by_number: HashMap::new(),
            agenda: BinaryHeap::new(),
            entries: 0,
            witness: Witness::default(),
        }
    }

    fn enter(&mut self, due: Instant, todo: Todo) {
        self.entries += 1;
        let number = self.entries;
        self.agenda.push(Reverse(Entry { due, number, todo }));
    }

    pub(super) fn arrive(&mut self, packet: &[u8], from: Way, seen: &Seen, now: Instant) {
        if let Some(message) = Message::parse(packet) {
            self.witness.see(&message, seen, self.habits.t1 * 64, now);
        }
        for delay in self.line.fates().into_iter().flatten() {
            self.enter(now + delay, Todo::Deliver(packet.to_owned(), from));
        }
    }

    /// Does what is due; returns what is to be sent, and when to come again.
    pub(super) fn catch_up(&mut self, now: Instant) -> (Vec<(Vec<u8>, Way)>, Option<Instant>) {
        let mut out = Vec::new();
        while self.agenda.peek().is_some_and(|Reverse(entry)| entry.due <= now) {
            let Some(Reverse(entry)) = self.agenda.pop() else { break };
            match entry.todo {
                Todo::Send(packet, to) => out.push((packet, to)),
                Todo::Deliver(packet, from) => self.deliver(&packet, from, now),
                Todo::Wake(call_id, server, Alarm::Forget) => self.forget(&call_id, server, now),
                Todo::Wake(call_id, server, alarm) => {
                    let mut doings = Doings::default();
                    if let Some(call) = self.calls.get_mut(&call_id) {
                        call.wake(alarm, now, &mut doings);
                    }
                    self.carry_out(doings, &call_id, server, now);
                }
            }
        }
        (out, self.agenda.peek().map(|Reverse(entry)| entry.due))
    }

    fn deliver(&mut self, packet: &[u8], server: Way, now: Instant) {
        let Some(message) = Message::parse(packet) else { return };
        let Some(call_id) = message.header("Call-ID").map(Arc::<str>::from) else {
            return;
        };
        let mut doings = Doings::default();
        if let Some(call) = self.calls.get_mut(&call_id) {
            call.take(&message, now, &mut doings);
        } else {
            match message.method() {
                Some("INVITE") => self.invited(message, &call_id, &mut doings),
                Some("ACK") | None => {}
                Some(_) => doings
                    .send
                    .push(message.response("481 Call Does Not Exist", "", "", "")),
            }
        }
        self.carry_out(doings, &call_id, server, now);
    }

    fn invited(&mut self, invite: Message, call_id: &Arc<str>, doings: &mut Doings) {
        let Some(number) = invite.number().map(str::to_owned) else {
            return;
        };
        self.witness.facts.rang += 1;
        let turn = number.parse::<usize>().unwrap_or_default();
        let home = self.homes[turn % self.homes.len()];
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {} RTP/AVP 0\r\n",
            self.sound.port()
        );
        let call = PhoneCall::ring(invite, number.clone(), &self.habits, home, sdp, doings);
        self.by_number.entry(number).or_default().push(Arc::clone(call_id));
        self.calls.insert(Arc::clone(call_id), call);
        doings.later.push((self.habits.t1 * 600, Alarm::Forget));
    }

    /// Whatever was asked about this call has been, long ago.
    fn forget(&mut self, call_id: &Arc<str>, server: Way, now: Instant) {
        let Some(call) = self.calls.get(call_id) else { return };
        if call.up() > 0 {
            let again = Todo::Wake(Arc::clone(call_id), server, Alarm::Forget);
            self.enter(now + self.habits.t1 * 600, again);
        } else {
            self.by_number.remove(&call.number);
            self.calls.remove(call_id);
        }
    }

    fn carry_out(&mut self, doings: Doings, call_id: &Arc<str>, server: Way, now: Instant) {
        for text in doings.send {
            for delay in self.line.fates().into_iter().flatten() {
                self.enter(now + delay, Todo::Send(text.clone().into_bytes(), server));
            }
        }
        for (after, alarm) in doings.later {
            self.enter(now + after, Todo::Wake(Arc::clone(call_id), server, alarm));
        }
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.due, self.number).cmp(&(other.due, other.number))
    }
}
