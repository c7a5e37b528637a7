//! One run: the clock, what is on its way, and everyone who takes part.

use std::{cmp::Reverse, collections::BinaryHeap, rc::Rc};

use sip::Tx;

use crate::{
    Settings,
    house::House,
    ladder::Ladder,
    message::{Message, Node},
    phone::{Act, Phone},
    proxy::Proxy,
    scenario::{CrashAt, Millis, Scenario, T1, T2, TRANSACTION},
    tape::Tape,
    watch::{Violation, Watch},
};

/// No run lasts longer; a call whose limits, phones and crashes are all the worst ones is over well before.
const HORIZON: Millis = 4_000_000;
/// Nor has more events.
const MOST_EVENTS: u64 = 100_000;

pub(crate) enum Event {
    Arrive {
        from: Node,
        to: Node,
        message: Rc<Message>,
    },
    /// A repeated message is due once more.
    Repeat(usize),
    Phone {
        phone: usize,
        leg: usize,
        act: Act,
    },
    Vanish(usize),
    HangUp,
    /// The machine wants to be woken, or dropped.
    Wake,
    /// The journal's oldest save is done.
    Journal(u32),
    Finished(u32),
    Crash,
    Restart,
}

struct Scheduled {
    at: Millis,
    order: u64,
    event: Event,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}
impl Eq for Scheduled {}
impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// Whose message is repeated, and so what its end means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Timers A and B, or E and F.
    HouseClient(Tx),
    /// Our 2xx to a re-INVITE.
    HouseAnswer(u32),
    /// A phone's 2xx, until it is ACKed.
    PhoneAnswer { phone: usize, leg: usize },
    /// A refusal, until it is ACKed (timers G and H).
    Refusal,
    /// A request of a phone.
    PhoneClient { phone: usize, leg: usize },
}

/// A message that is sent again until something stops it.
pub(crate) struct Repeat {
    from: Node,
    to: Node,
    message: Rc<Message>,
    interval: Millis,
    longest: Millis,
    until: Millis,
    pub(crate) purpose: Purpose,
    pub(crate) alive: bool,
}

impl Repeat {
    pub(crate) fn from(&self) -> Node {
        self.from
    }

    pub(crate) fn message(&self) -> &Message {
        &self.message
    }
}

pub(crate) struct World {
    pub(crate) tape: Tape,
    pub(crate) now: Millis,
    queue: BinaryHeap<Reverse<Scheduled>>,
    order: u64,
    /// The last arrival over each way between proxy and phones, where nothing overtakes.
    arrivals: Vec<(Node, Node, Millis)>,
    pub(crate) scenario: Rc<Scenario>,
    pub(crate) settings: Settings,
    pub(crate) house: House,
    pub(crate) proxy: Proxy,
    pub(crate) phones: Vec<Phone>,
    pub(crate) repeats: Vec<Repeat>,
    pub(crate) watch: Watch,
    pub(crate) ladder: Ladder,
}

/// What a run came to.
pub struct Outcome {
    pub violation: Option<Violation>,
    pub tally: crate::Tally,
    pub tape: Vec<u32>,
    pub ladder: String,
}

impl World {
    pub(crate) fn new(mut tape: Tape, settings: Settings, ladder: Ladder) -> Self {
        let scenario = Rc::new(Scenario::draw(&mut tape));
        let mut world = Self {
            tape,
            now: 0,
            queue: BinaryHeap::new(),
            order: 0,
            arrivals: Vec::new(),
            settings,
            house: House::default(),
            proxy: Proxy::default(),
            phones: scenario.phones.iter().map(|_| Phone::default()).collect(),
            repeats: Vec::new(),
            watch: Watch::default(),
            ladder,
            scenario: scenario.clone(),
        };
        for at in &scenario.hang_ups {
            world.after(*at, Event::HangUp);
        }
        for crash in &scenario.crashes {
            if let CrashAt::Time(at) = crash.at {
                world.after(at, Event::Crash);
            }
        }
        for (phone, script) in scenario.phones.iter().enumerate() {
            if let Some(at) = script.vanishes_at {
                world.after(at, Event::Vanish(phone));
            }
        }
        world
    }

    pub(crate) fn run(mut self) -> Outcome {
        self.ladder.note(0, || self.scenario.to_string());
        self.place();
        let mut events = 0;
        while self.watch.violation.is_none()
            && let Some(Reverse(next)) = self.queue.pop()
        {
            self.now = next.at;
            events += 1;
            if self.now > HORIZON || events > MOST_EVENTS {
                let (now, phase) = (self.now, self.house.phase());
                self.watch
                    .fail("comes to rest", || format!("at {now} ms things still happen; {phase}"));
                break;
            }
            self.happen(next.event);
            self.check_hooks();
        }
        self.check_rest();
        let mut tally = std::mem::take(&mut self.watch.tally);
        tally.runs = 1;
        Outcome {
            violation: self.watch.violation,
            tally,
            ladder: self.ladder.print(self.phones.len(), self.scenario.proxy.is_some()),
            tape: self.tape.into_values(),
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive { from, to, message } => match to {
                Node::House => self.house_hears(from, &message),
                Node::Proxy => self.proxy_hears(from, &message),
                Node::Phone(phone) => self.phone_hears(phone, from, &message),
            },
            Event::Repeat(repeat) => self.repeat(repeat),
            Event::Phone { phone, leg, act } => self.phone_acts(phone, leg, act),
            Event::Vanish(phone) => self.phone_vanishes(phone),
            Event::HangUp => self.hang_up(),
            Event::Wake => self.wake(),
            Event::Journal(incarnation) => self.journal_done(incarnation),
            Event::Finished(incarnation) => self.message_finished(incarnation),
            Event::Crash => self.crash(),
            Event::Restart => self.restart(),
        }
    }

    pub(crate) fn after(&mut self, wait: Millis, event: Event) {
        self.order += 1;
        self.queue.push(Reverse(Scheduled {
            at: self.now + wait,
            order: self.order,
            event,
        }));
    }

    /// One datagram.
    pub(crate) fn send(&mut self, from: Node, to: Node, message: &Rc<Message>) {
        let network = self.scenario.network;
        let lost = match (from, to) {
            (Node::House, _) => network.lost_out,
            (_, Node::House) => network.lost_back,
            (Node::Proxy | Node::Phone(_), Node::Proxy | Node::Phone(_)) => return self.send_within(from, to, message),
        };
        if lost > 0 && self.tape.chance(lost) {
            self.ladder.message(self.now, from, to, None, message);
            return;
        }
        let copies = if network.twice > 0 && self.tape.chance(network.twice) {
            2
        } else {
            1
        };
        for _ in 0..copies {
            let mut delay = 1 + self.tape.below(network.delay);
            if network.late > 0 && self.tape.chance(network.late) {
                delay += self.tape.below(1000);
            }
            self.arrive(from, to, delay, message);
        }
    }

    /// Between proxy and phones, as over a stream: nothing is lost or overtaken.
    fn send_within(&mut self, from: Node, to: Node, message: &Rc<Message>) {
        let due = self.now + 1 + self.tape.below(self.scenario.network.delay);
        let way = self.arrivals.iter_mut().find(|way| (way.0, way.1) == (from, to));
        let due = match way {
            Some((_, _, last)) => {
                *last = due.max(*last);
                *last
            }
            None => {
                self.arrivals.push((from, to, due));
                due
            }
        };
        self.arrive(from, to, due - self.now, message);
    }

    fn arrive(&mut self, from: Node, to: Node, delay: Millis, message: &Rc<Message>) {
        self.ladder.message(self.now, from, to, Some(self.now + delay), message);
        let message = message.clone();
        self.after(delay, Event::Arrive { from, to, message });
    }

    /// Sends, and sends again after T1, 2·T1 and so on, but no longer than a transaction lasts. INVITE alone doubles
    /// without end (RFC 3261 §17.1.1.2).
    pub(crate) fn send_repeatedly(&mut self, from: Node, to: Node, message: Rc<Message>, purpose: Purpose) -> usize {
        self.send(from, to, &message);
        let is_invite = message.is_request() && message.method == sip::Method::Invite;
        self.repeats.push(Repeat {
            from,
            to,
            message,
            interval: T1,
            longest: if is_invite { Millis::MAX } else { T2 },
            until: self.now + TRANSACTION,
            purpose,
            alive: true,
        });
        let repeat = self.repeats.len() - 1;
        self.after(T1, Event::Repeat(repeat));
        repeat
    }

    pub(crate) fn stop_repeat(&mut self, repeat: Option<usize>) {
        if let Some(repeat) = repeat.and_then(|repeat| self.repeats.get_mut(repeat)) {
            repeat.alive = false;
        }
    }

    fn repeat(&mut self, index: usize) {
        let now = self.now;
        let Some(repeat) = self.repeats.get_mut(index).filter(|repeat| repeat.alive) else {
            return;
        };
        if now < repeat.until {
            repeat.interval = (repeat.interval * 2).min(repeat.longest);
            let wait = repeat.interval.min(repeat.until - now);
            let (from, to, message) = (repeat.from, repeat.to, repeat.message.clone());
            self.send(from, to, &message);
            return self.after(wait, Event::Repeat(index));
        }
        repeat.alive = false;
        match repeat.purpose.clone() {
            Purpose::HouseClient(tx) => self.house_unanswered(&tx),
            Purpose::HouseAnswer(incarnation) => self.house_never_acked(incarnation),
            Purpose::PhoneAnswer { phone, leg } => self.phone_never_acked(phone, leg),
            Purpose::Refusal | Purpose::PhoneClient { .. } => {}
        }
    }
}
