//! One run: the clock, what is on its way, and everyone who takes part.

mod event;

use std::{cmp::Reverse, collections::BinaryHeap, rc::Rc};

use crate::{
    Settings,
    digest::Digest,
    house::{House, Input},
    ladder::Ladder,
    lanes::{Decisions, Lane, LaneName, Lanes},
    message::{At, Message, Node},
    names::Names,
    network::{Purpose, Repeat},
    phone::{Leg, Phone},
    proxy::Proxy,
    scenario::{CrashAt, Millis, Scenario, Script, TrunkScript},
    strangers::Strangers,
    streams::Streams,
    trunks::Trunks,
    watch::{Violation, Watch},
};
pub(crate) use event::Event;
use event::Scheduled;

/// No run lasts longer; a call whose limits, phones and crashes are all the worst ones is over well before.
const HORIZON: Millis = 4_000_000;
/// Nor has more events for each call.
const MOST_EVENTS: u64 = 100_000;

/// What stands around one call.
pub(crate) struct Party {
    pub(crate) proxy: Proxy,
    pub(crate) behind: Proxy,
    pub(crate) phones: Vec<Phone>,
    pub(crate) repeats: Vec<Repeat>,
    /// 2xx of phones that are nowhere.
    pub(crate) phantoms: u64,
    /// The last arrival over each way between proxy and phones, where nothing overtakes.
    pub(crate) arrivals: Vec<(Node, Node, Millis)>,
}

pub(crate) struct World {
    pub(crate) lanes: Lanes,
    pub(crate) now: Millis,
    /// How far the clock on the wall was set, in seconds.
    pub(crate) clock_set_by: i64,
    queue: BinaryHeap<Reverse<Scheduled>>,
    order: u64,
    pub(crate) scenario: Rc<Scenario>,
    pub(crate) settings: Settings,
    pub(crate) house: House,
    pub(crate) streams: Streams,
    pub(crate) names: Names,
    pub(crate) trunks: Trunks,
    pub(crate) strangers: Strangers,
    /// Events that are not about trunks alone and are still to come.
    ahead: u64,
    /// Registrars have let go of the last process.
    pub(crate) has_left: bool,
    pub(crate) parties: Vec<Party>,
    pub(crate) watch: Watch,
    pub(crate) ladder: Ladder,
    pub(crate) digest: Digest,
}

/// What a run came to.
pub struct Outcome {
    pub violation: Option<Violation>,
    pub tally: crate::Tally,
    pub decisions: Decisions,
    pub ladder: String,
    /// Of everything that went into the switch and came out of it, in order.
    pub digest: u64,
    /// Of what was sent for each call, and when.
    pub sent: Vec<u64>,
    /// How many outputs of each process were acted on.
    pub outputs: Vec<u64>,
    /// How each call has ended, as far as it was told.
    pub ends: Vec<String>,
}

impl World {
    pub(crate) fn new(mut lanes: Lanes, settings: Settings, ladder: Ladder) -> Self {
        let mut scenario = Scenario::draw(&mut lanes);
        if settings.share_nothing {
            scenario.share_nothing();
        }
        if let Some(gathers) = settings.gathers {
            scenario.gathers = gathers;
        }
        if settings.kills.iter().any(Option::is_some) {
            scenario.kill(settings.kills.into_iter().flatten());
        }
        let scenario = Rc::new(scenario);
        let parties = scenario.calls.iter().map(|call| Party {
            proxy: Proxy::default(),
            behind: Proxy::default(),
            phones: call.phones.iter().map(|_| Phone::default()).collect(),
            repeats: Vec::new(),
            phantoms: 0,
            arrivals: Vec::new(),
        });
        let mut world = Self {
            lanes,
            now: 0,
            clock_set_by: 0,
            queue: BinaryHeap::new(),
            order: 0,
            parties: parties.collect(),
            house: House::default(),
            streams: Streams::default(),
            names: Names::default(),
            trunks: Trunks::of(scenario.trunks.len()),
            strangers: Strangers::default(),
            ahead: 0,
            has_left: false,
            watch: Watch::new(&scenario),
            settings,
            ladder,
            digest: Digest::default(),
            scenario: scenario.clone(),
        };
        for (call, script) in scenario.calls.iter().enumerate() {
            world.after(script.placed_at, Event::Place(call));
            for (phone, of_phone) in script.phones.iter().enumerate() {
                if let Some(after) = of_phone.vanishes_after {
                    world.after(script.placed_at + after, Event::Vanish(At { call, phone }));
                }
            }
        }
        for (trunk, script) in scenario.trunks.iter().enumerate() {
            for (from, until) in &script.outages {
                world.after(*from, Event::Away(trunk, *until));
            }
        }
        for (flood, script) in scenario.floods.iter().enumerate() {
            world.after(script.at, Event::Flood(flood, 0));
        }
        for set in &scenario.clock {
            world.after(set.at, Event::ClockSet(set.by));
        }
        if let Some(by) = scenario.rests_by() {
            world.after(by, Event::Rest);
        }
        for crash in &scenario.crashes {
            if let CrashAt::Time(at) = crash.at {
                world.after(at, Event::Crash(crash.down));
            }
        }
        world
    }

    pub(crate) fn run(mut self) -> Outcome {
        self.ladder.note(0, || self.scenario.to_string());
        self.start();
        let most = MOST_EVENTS * self.parties.len().max(1) as u64;
        let mut events = 0;
        while self.watch.violation.is_none()
            && let Some(Reverse(next)) = self.queue.pop()
        {
            self.now = next.at;
            events += 1;
            self.ahead -= u64::from(!next.event.is_of_trunks());
            if self.now > HORIZON || events > most {
                let now = self.now;
                let why = self.pending();
                self.watch
                    .fail("comes to rest", || format!("at {now} ms things still happen; {why}"));
                break;
            }
            if self.settings.looks_in_early {
                self.look_in();
            }
            self.happen(next.event);
            if !self.has_left && self.is_at_rest() {
                self.leave_for_good();
            }
            // Also when it was killed right after: nobody starts it again.
            if self.has_left {
                break;
            }
        }
        if self.watch.violation.is_none() {
            self.check_rest();
        }
        let mut tally = std::mem::take(&mut self.watch.tally);
        tally.runs = 1;
        tally.digest = self.digest.value();
        tally.calls = self.parties.len() as u64;
        Outcome {
            tally,
            ladder: self.ladder.print(&self.scenario),
            digest: self.digest.value(),
            sent: self.watch.calls.iter().map(|call| call.sent.value()).collect(),
            outputs: self.house.outputs,
            ends: self.watch.calls.iter().map(|call| call.told_end()).collect(),
            violation: self.watch.violation,
            decisions: self.lanes.into_decisions(),
        }
    }

    /// Whether nothing will happen any more but that trunks are asked again and again.
    fn is_at_rest(&self) -> bool {
        self.ahead == 0 && self.scenario.trunks.iter().any(TrunkScript::is_tended) && self.house_rests()
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive { from, to, message } => self.deliver(from, to, message),
            Event::Dialled {
                incarnation,
                number,
                transport,
                remote,
                trouble,
            } => {
                if incarnation == self.house.incarnation && self.house.up {
                    self.dialled(number, transport, remote, trouble);
                }
            }
            Event::Segment { connection, bytes } => self.segment(connection, &bytes),
            Event::ArriveThere {
                connection,
                call,
                message,
            } => self.arrive_there(connection, call, &message),
            Event::Trouble(connection, trouble) => self.trouble(connection, trouble),
            Event::ConnectionEnds(connection) => self.connection_ends(connection),
            Event::Idle(connection) => self.idle(connection),
            Event::Repeat(call, repeat) => self.repeat(call, repeat),
            Event::Phone { at, leg, act } => self.phone_acts(at, leg, act),
            Event::Vanish(at) => self.phone_vanishes(at),
            Event::ProxyGivesUp(proxy, fork) => self.proxy_gives_up(proxy, fork),
            Event::Place(call) => self.place(call),
            Event::Leave(call) => self.client_leaves(call),
            Event::HangUp(call) => self.hang_up(call),
            Event::Wake => self.wake(),
            Event::Turn => self.turn(),
            Event::Journal(incarnation) => self.journal_done(incarnation),
            Event::Finished(incarnation, number) => self.sound_finished(incarnation, number),
            Event::LookedUp {
                incarnation,
                host,
                found,
                is_last,
            } => {
                if incarnation == self.house.incarnation {
                    self.looked_up(host, found, is_last);
                }
            }
            Event::TrunkAnswers {
                incarnation,
                trunk,
                path,
                answer,
                granted,
            } => {
                if incarnation == self.house.incarnation {
                    self.trunk_answers(trunk, path, answer, granted);
                }
            }
            Event::Refused(incarnation, trunk, quoted) => {
                if incarnation == self.house.incarnation {
                    self.hand_over(Input::Refused(trunk, quoted));
                }
            }
            Event::Bytes { path, bytes } => self.bytes_come(path, bytes),
            Event::Flood(flood, part) => self.flood(flood, part),
            Event::Rest => self.check_liveness(),
            Event::Away(trunk, until) => self.trunk_goes_away(trunk, until),
            Event::ClockSet(by) => self.set_clock(by),
            Event::Crash(down) => self.crash(down),
            Event::Restart => self.restart(),
            Event::Deadline(call) => self.check_hooks(call),
        }
    }

    pub(crate) fn deliver(&mut self, from: Node, to: Node, message: Rc<Message>) {
        match to {
            Node::House => self.house_hears(from, message),
            Node::Proxy(_) | Node::Behind(_) => self.proxy_hears(to, from, &message),
            Node::Phone(at) => self.phone_hears(at, from, &message),
        }
    }

    pub(crate) fn after(&mut self, wait: Millis, event: Event) {
        self.order += 1;
        self.ahead += u64::from(!event.is_of_trunks());
        self.queue.push(Reverse(Scheduled {
            at: self.now + wait,
            order: self.order,
            event,
        }));
    }

    /// What is decided about this call in this regard.
    pub(crate) fn lane(&mut self, what: &'static str, call: usize) -> &mut Lane {
        let name = self.scenario.calls[call].name;
        self.lanes.lane(LaneName::of(what, name))
    }

    pub(crate) fn phone(&mut self, at: At) -> &mut Phone {
        &mut self.parties[at.call].phones[at.phone]
    }

    pub(crate) fn leg(&mut self, at: At, leg: usize) -> &mut Leg {
        &mut self.phone(at).legs[leg]
    }

    pub(crate) fn script(&self, at: At) -> Script {
        self.scenario.calls[at.call].phones[at.phone]
    }

    pub(crate) fn stop_repeat(&mut self, call: usize, repeat: Option<usize>) {
        let repeats = &mut self.parties[call].repeats;
        if let Some(repeat) = repeat.and_then(|repeat| repeats.get_mut(repeat)) {
            repeat.alive = false;
        }
    }

    fn repeat(&mut self, call: usize, index: usize) {
        let now = self.now;
        let repeats = &mut self.parties[call].repeats;
        let Some(repeat) = repeats.get_mut(index).filter(|repeat| repeat.alive) else {
            return;
        };
        if let Some((wait, from, to, message)) = repeat.once_more(now) {
            if self.parties[call].repeats[index].leaves {
                self.send(from, to, &message);
            }
            return self.after(wait, Event::Repeat(call, index));
        }
        repeat.alive = false;
        match repeat.purpose.clone() {
            Purpose::PhoneAnswer { at, leg } => self.phone_never_acked(at, leg),
            Purpose::Refusal | Purpose::PhoneClient { .. } => {}
        }
    }
}
