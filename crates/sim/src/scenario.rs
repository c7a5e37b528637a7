//! What a run is about, drawn from its lanes before it starts: the network, the trunks, the journal, the crashes; and for each call its
//! phones and its client.

mod call;
mod calm;
mod clock;
mod crash;
mod disk;
mod flood;
mod liberties;
mod odds;
mod trunk;

use std::fmt;

pub(crate) use call::{CallScript, Hand, Outcome, ProxyScript, Quarrel, Script};
pub(crate) use calm::Calm;
use clock::ClockSet;
use crash::Crash;
pub(crate) use crash::CrashAt;
pub use crash::{Kill, Side};
pub(crate) use disk::{Disk, LOCK_PATIENCE};
pub(crate) use flood::{FloodScript, Stranger};
pub(crate) use liberties::{Elsewhere, Liberties, Liberty, Route};
pub(crate) use odds::Odds;
pub(crate) use trunk::{NameScript, RegistrarScript, TrunkScript};

use crate::{
    lanes::{LaneName, Lanes},
    parts::Family,
};

/// Milliseconds.
pub(crate) type Millis = u64;

pub(crate) const T1: Millis = 500;
/// The longest pause between repeats of everything but INVITE (RFC 3261 App. A).
pub(crate) const T2: Millis = 4000;
/// Timers B, F, H and the like: the life of a transaction.
pub(crate) const TRANSACTION: Millis = 64 * T1;
/// Within this after a `NoError` every phone is on-hook.
pub(crate) const BOUND: Millis = 2 * TRANSACTION;
/// Of anything, where no bound is to be met.
const PLENTY: usize = 10_000;

#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) network: Network,
    pub(crate) trunks: Vec<TrunkScript>,
    /// Connections of a thousand that have a fault.
    pub(crate) stream_troubles: u64,
    /// And of those of a thousand, whose bytes are no messages from some moment on.
    pub(crate) garbled: u64,
    pub(crate) calls: Vec<CallScript>,
    /// Messages of peers of a thousand beside which comes one that is nobody's, and one that is no message.
    pub(crate) mismatches: u64,
    pub(crate) junk: u64,
    pub(crate) floods: Vec<FloodScript>,
    pub(crate) ring_limit: Millis,
    pub(crate) max_duration: Millis,
    /// Whether our side asks for session timers (RFC 4028).
    pub(crate) session_timers: bool,
    /// How long a disconnect waits for the far end.
    pub(crate) patience: Millis,
    /// What comes in is handed over in one turn, so long after the first of it; without, each input has a turn of its own.
    pub(crate) gathers: Option<Millis>,
    pub(crate) bounds: Bounds,
    pub(crate) disk: Disk,
    pub(crate) clock: Vec<ClockSet>,
    pub(crate) crashes: Vec<Crash>,
    /// When faults stop.
    pub(crate) calm: Option<Calm>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Network {
    /// Lost of a thousand datagrams, to the peers and back.
    pub(crate) lost_out: u64,
    pub(crate) lost_back: u64,
    pub(crate) twice: u64,
    pub(crate) delay: Millis,
    /// Datagrams of a thousand that take up to a second.
    pub(crate) late: u64,
}

/// What may be met with, by design.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Calls of one trunk.
    pub(crate) calls_per_trunk: u32,
    /// INVITEs of one next hop that nothing has come back to.
    pub(crate) window: usize,
    /// Leftovers that are taken up within a T1.
    pub(crate) leftovers: usize,
    /// Entries that the journal writes at once.
    pub(crate) batch: usize,
    /// Messages that wait on a connection whose peer reads nothing.
    pub(crate) queue: usize,
}

impl Scenario {
    pub(crate) fn draw(lanes: &mut Lanes) -> Self {
        let parts = lanes.parts.clone();
        let odds = Odds::draw(lanes);
        let calls = parts.calls.iter().map(|name| CallScript::draw(*name, lanes, &odds));
        let calls: Vec<_> = calls.collect();
        let trunks = parts.trunks.iter();
        let trunks = trunks.map(|number| TrunkScript::draw(*number, lanes, &odds)).collect();
        let mut disk = Disk::draw(lanes, &odds);
        let most_outputs = 8 + 32 * calls.len() as u64;
        let crashes = parts.crashes.iter().enumerate();
        let crashes = crashes
            .map(|(process, number)| Crash::draw(process, *number, lanes, most_outputs))
            .collect();
        let gathers = LaneName::run(Family::Gathering.name());
        let gathers = if odds.has(Family::Gathering) {
            lanes.lane(gathers).pick(&[Some(0), None, Some(5), Some(200)])
        } else {
            Some(0)
        };
        let network = Network::draw(lanes, &odds);
        let bounds = Bounds::draw(lanes, &odds);
        let calm = Calm::draw(lanes, &odds);
        let mut trunks: Vec<_> = trunks;
        let mut crashes: Vec<_> = crashes;
        if let Some(calm) = &calm {
            calm.ends(&mut trunks, &mut crashes);
            disk.is_sound_from(calm.at);
        }
        let floods = FloodScript::draw(lanes, &odds);
        let clock = ClockSet::draw(lanes, &odds);
        let house = lanes.lane(LaneName::run("house"));
        Self {
            network,
            trunks,
            stream_troubles: odds.permille(Family::BrokenStreams, 600),
            garbled: odds.permille(Family::GarbledStreams, 500),
            calls,
            mismatches: odds.permille(Family::Mismatches, 300),
            junk: odds.permille(Family::Junk, 100),
            floods,
            ring_limit: house.pick(&[30_000, 60_000, 120_000, 5_000]),
            max_duration: house.pick(&[1_800_000, 10_000]),
            session_timers: house.chance(500),
            patience: house.pick(&[0, 4000]),
            gathers,
            bounds,
            disk,
            clock,
            crashes,
            calm,
        }
    }

    /// How long this process is away after it was killed at this output of its.
    pub(crate) fn dies_at(&self, kill: Kill) -> Option<Millis> {
        let crash = self.crashes.iter().find(|crash| crash.at == CrashAt::Output(kill))?;
        Some(crash.down)
    }

    /// Processes are killed there, and at no other moment.
    pub(crate) fn kill(&mut self, kills: impl Iterator<Item = Kill>) {
        self.crashes = kills.map(Crash::of).collect();
    }

    /// One that harms nobody, whatever the lanes say: calls do not meet, but for the network's losses, which are each call's own.
    pub(crate) fn share_nothing(&mut self) {
        self.gathers = Some(0);
        for trunk in &mut self.trunks {
            *trunk = TrunkScript::plain(trunk.number);
        }
        self.bounds = Bounds::WIDE;
        (self.mismatches, self.junk) = (0, 0);
        self.floods.clear();
        self.disk.fails = 0;
        self.disk.troubles.clear();
        self.disk.flush_fails = None;
        self.clock.clear();
        self.crashes.clear();
        self.calm = None;
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            network,
            trunks,
            stream_troubles,
            garbled,
            calls,
            mismatches,
            junk,
            floods,
            ring_limit,
            max_duration,
            session_timers,
            patience,
            gathers,
            bounds,
            disk,
            clock,
            crashes,
            calm,
        } = self;
        write!(f, "{network:?}\n    {disk:?}, {clock:?}, crashes {crashes:?}, {calm:?}")?;
        write!(
            f,
            "\n    ring limit {ring_limit}, longest call {max_duration}, patience {patience}, turns gather {gathers:?}, \
             connections with a fault {stream_troubles} (garbled {garbled}), mismatches {mismatches}, junk {junk}"
        )?;
        if *session_timers {
            write!(f, ", session timers")?;
        }
        if *bounds != Bounds::WIDE {
            write!(f, "\n    {bounds:?}")?;
        }
        for trunk in trunks {
            write!(f, "\n    {trunk:?}")?;
        }
        for flood in floods {
            write!(f, "\n    {flood:?}")?;
        }
        for call in calls {
            write!(f, "{call}")?;
        }
        Ok(())
    }
}

impl Network {
    fn draw(lanes: &mut Lanes, odds: &Odds) -> Self {
        let mut value = |family: Family, values: &[u64], without| {
            if odds.has(family) {
                lanes.lane(LaneName::run(family.name())).pick(values)
            } else {
                without
            }
        };
        let twice = value(Family::Doubles, &[50, 200], 0);
        let delay = 1 + value(Family::Delays, &[20, 200], 1);
        let late = value(Family::Late, &[100, 300], 0);
        let lossy = odds.has(Family::Loss);
        let mut loss = || {
            if lossy {
                lanes.lane(LaneName::run("loss")).below(301)
            } else {
                0
            }
        };
        Self {
            lost_out: loss(),
            lost_back: loss(),
            twice,
            delay,
            late,
        }
    }
}

impl Bounds {
    pub(crate) const WIDE: Self = Self {
        calls_per_trunk: PLENTY as u32,
        window: 24,
        leftovers: 128,
        batch: PLENTY,
        queue: PLENTY,
    };

    /// Whether a call may be refused because of them.
    pub(crate) fn are_small(self) -> bool {
        self.calls_per_trunk < PLENTY as u32
    }

    fn draw(lanes: &mut Lanes, odds: &Odds) -> Self {
        if !odds.has(Family::SmallBounds) {
            return Self::WIDE;
        }
        let lane = lanes.lane(LaneName::run(Family::SmallBounds.name()));
        Self {
            calls_per_trunk: lane.pick(&[PLENTY as u32, PLENTY as u32, 1, 2, 7]),
            window: lane.pick(&[24, 1, 2, 3]),
            batch: lane.pick(&[PLENTY, 1]),
            queue: lane.pick(&[PLENTY, 2]),
            leftovers: lane.pick(&[128, 1, 2, 5]),
        }
    }
}
