//! What a run is about, drawn from its lanes before it starts: the network, the trunks, the journal, the crashes; and for each call its
//! phones and its client.

mod call;
mod calm;
mod odds;
mod trunk;

use std::fmt;

pub(crate) use call::{CallScript, Hand, Outcome, Script};
pub(crate) use calm::Calm;
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
    pub(crate) calls: Vec<CallScript>,
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
    /// Entries that the journal writes at once.
    pub(crate) batch: usize,
    /// Messages that wait on a connection whose peer reads nothing.
    pub(crate) queue: usize,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Disk {
    pub(crate) delay: Millis,
    /// Entries of a thousand that are refused.
    pub(crate) fails: u64,
}

/// The process is killed, and comes back `down` later.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crash {
    pub(crate) at: CrashAt,
    pub(crate) down: Millis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CrashAt {
    Time(Millis),
    /// Just before the switch's output of this number is acted on, of those that something is done about.
    Output(u64),
}

impl Scenario {
    pub(crate) fn draw(lanes: &mut Lanes) -> Self {
        let parts = lanes.parts.clone();
        let odds = Odds::draw(lanes);
        let calls = parts.calls.iter().map(|name| CallScript::draw(*name, lanes, &odds));
        let calls: Vec<_> = calls.collect();
        let trunks = parts.trunks.iter();
        let trunks = trunks.map(|number| TrunkScript::draw(*number, lanes, &odds)).collect();
        // A journal that refuses a record and a crash that needs it are two faults at once, and no program survives both.
        let refuses = odds.has(Family::Refusals) && parts.crashes.is_empty();
        let slow = LaneName::run(Family::SlowDisk.name());
        let disk = Disk {
            delay: if odds.has(Family::SlowDisk) {
                lanes.lane(slow).pick(&[5, 50, 1, 2000])
            } else {
                5
            },
            fails: if refuses {
                odds.permille(Family::Refusals, 500)
            } else {
                0
            },
        };
        let most_outputs = 4 + 16 * calls.len() as u64;
        let crashes = parts.crashes.iter();
        let crashes = crashes
            .map(|number| Crash::draw(*number, lanes, most_outputs))
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
        }
        let house = lanes.lane(LaneName::run("house"));
        Self {
            network,
            trunks,
            stream_troubles: odds.permille(Family::BrokenStreams, 600),
            calls,
            ring_limit: house.pick(&[30_000, 60_000, 120_000, 5_000]),
            max_duration: house.pick(&[1_800_000, 10_000]),
            session_timers: house.chance(500),
            patience: house.pick(&[0, 4000]),
            gathers,
            bounds,
            disk,
            crashes,
            calm,
        }
    }

    /// One that harms nobody, whatever the lanes say: calls do not meet, but for the network's losses, which are each call's own.
    pub(crate) fn share_nothing(&mut self) {
        self.gathers = Some(0);
        for trunk in &mut self.trunks {
            *trunk = TrunkScript::plain(trunk.number);
        }
        self.bounds = Bounds::WIDE;
        self.disk.fails = 0;
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
            calls,
            ring_limit,
            max_duration,
            session_timers,
            patience,
            gathers,
            bounds,
            disk,
            crashes,
            calm,
        } = self;
        write!(f, "{network:?}\n    {disk:?}, crashes {crashes:?}, {calm:?}")?;
        write!(
            f,
            "\n    ring limit {ring_limit}, longest call {max_duration}, patience {patience}, turns gather {gathers:?}, \
             connections with a fault {stream_troubles}"
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
    const WIDE: Self = Self {
        calls_per_trunk: PLENTY as u32,
        window: 24,
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
        }
    }
}

impl Crash {
    fn draw(number: u32, lanes: &mut Lanes, most_outputs: u64) -> Self {
        let lane = lanes.lane(LaneName::of("crash", number));
        let at = if lane.chance(600) {
            CrashAt::Output(lane.between(1, most_outputs))
        } else {
            CrashAt::Time(lane.wait(&[120_000, 20_000, 3000, 300]))
        };
        Self {
            at,
            down: 1 + lane.wait(&[100, 2000, 20_000, 90_000]),
        }
    }
}
