//! What a run is about, drawn from its tape before it starts: the network, the journal, the crashes; and for each call its
//! phones and its client.

use std::fmt;

use sip::{Refresher, SHORTEST_INTERVAL, SessionExpires};

use crate::{
    message::Asks,
    tape::{Lane, Tape},
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

/// Moments within a call at which things like to go wrong.
const SOON_OR_LATER: [Millis; 5] = [1, 300, 3000, 20_000, 120_000];

#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) network: Network,
    pub(crate) calls: Vec<CallScript>,
    pub(crate) ring_limit: Millis,
    pub(crate) max_duration: Millis,
    /// Whether our side asks for session timers (RFC 4028).
    pub(crate) session_timers: bool,
    /// How long a disconnect waits for the far end.
    pub(crate) patience: Millis,
    /// What comes in is handed over in one turn, so long after the first of it; without, each input has a turn of its own.
    pub(crate) gathers: Option<Millis>,
    /// The trunk is configured by a name, which takes so long to be found.
    pub(crate) named: Option<Millis>,
    pub(crate) disk: Disk,
    pub(crate) crashes: Vec<Crash>,
}

#[derive(Clone, Debug)]
pub(crate) struct CallScript {
    /// What its Call-ID, its tag and its id are made from.
    pub(crate) name: u32,
    /// When PlayOnPhone is asked for.
    pub(crate) placed_at: Millis,
    pub(crate) phones: Vec<Script>,
    pub(crate) proxy: Option<ProxyScript>,
    /// How long after that DisconnectPhoneCall is asked for.
    pub(crate) hang_ups: Vec<Millis>,
    /// How long the client of PlayOnPhone waits for its answer, when it does not wait for ever.
    pub(crate) leaves_after: Option<Millis>,
    /// How long the message plays.
    pub(crate) message: Millis,
    pub(crate) sound_fails: bool,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answer,
    Refuse(u16),
    RingOn,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Script {
    pub(crate) outcome: Outcome,
    pub(crate) rings_for: Millis,
    /// Whether the INVITE is answered with a 100 at once, and how long until the 180.
    pub(crate) tries: bool,
    pub(crate) rings_after: Millis,
    pub(crate) asks_invite: Asks,
    pub(crate) asks_bye: Asks,
    pub(crate) hangs_up_after: Option<Millis>,
    pub(crate) reinvites_after: Option<Millis>,
    /// What its 2xx says of session timers, if it was asked, and whether it takes and sends UPDATE.
    pub(crate) session: Option<SessionExpires>,
    pub(crate) updates: bool,
    /// How long after the call is placed nothing is heard of it any more.
    pub(crate) vanishes_after: Option<Millis>,
    /// BYEs that are refused with a 503 before one is taken.
    pub(crate) refuses_byes: u64,
    pub(crate) usable_sdp: bool,
    /// How it writes: compact names, folded lines, odd case and spaces.
    pub(crate) hand: Hand,
}

/// How a peer writes its messages; all of it is valid (RFC 3261 §7.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hand {
    Plain,
    Compact,
    /// Folded lines, names in capitals, spaces before and after the colon.
    Baroque,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct ProxyScript {
    pub(crate) asks: Asks,
    /// Whether the other phones are cancelled when one answers.
    pub(crate) cancels_others: bool,
    /// Whether a CANCEL is followed by a 487 before the phones have said theirs.
    pub(crate) early_487: bool,
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
    pub(crate) fn draw(tape: &mut Tape) -> Self {
        let calls: Vec<_> = tape
            .calls
            .iter_mut()
            .map(|(name, lane)| CallScript::draw(*name, lane))
            .collect();
        let lane = &mut tape.run;
        let network = Network::draw(lane);
        let ring_limit = lane.pick(&[30_000, 60_000, 120_000, 5_000]);
        let max_duration = lane.pick(&[1_800_000, 10_000]);
        let session_timers = lane.chance(500);
        let patience = lane.pick(&[0, 4000]);
        let gathers = lane.pick(&[Some(0), None, Some(5), Some(200)]);
        let named = lane.chance(200).then(|| 1 + lane.wait(&[3, 100, 3000]));
        // A journal that refuses a record and a crash that needs it are two faults at once, and no program survives both.
        let refuses = lane.chance(150);
        let disk = Disk {
            delay: lane.pick(&[5, 50, 1, 2000]),
            fails: if refuses { lane.below(500) } else { 0 },
        };
        let crashes = if refuses { 0 } else { lane.pick(&[0, 0, 1, 1, 2, 3]) };
        let crashes = (0..crashes).map(|_| Crash::draw(lane, calls.len() as u64)).collect();
        Self {
            network,
            calls,
            ring_limit,
            max_duration,
            session_timers,
            patience,
            gathers,
            named,
            disk,
            crashes,
        }
    }

    /// One that harms nobody, whatever the tape says: calls do not meet, but for the network's losses, which are each call's own.
    pub(crate) fn share_nothing(&mut self) {
        self.gathers = Some(0);
        self.named = None;
        self.disk.fails = 0;
        self.crashes.clear();
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            network,
            calls,
            ring_limit,
            max_duration,
            session_timers,
            patience,
            gathers,
            named,
            disk,
            crashes,
        } = self;
        write!(f, "{network:?}\n    {disk:?}, crashes {crashes:?}")?;
        write!(
            f,
            "\n    ring limit {ring_limit}, longest call {max_duration}, patience {patience}"
        )?;
        write!(f, ", turns gather {gathers:?}, name found after {named:?}")?;
        if *session_timers {
            write!(f, ", session timers")?;
        }
        for call in calls {
            write!(
                f,
                "\n    call {} at {}: hang-ups {:?}, client leaves {:?}, message {}{}",
                call.name,
                call.placed_at,
                call.hang_ups,
                call.leaves_after,
                call.message,
                if call.sound_fails { ", fails" } else { "" }
            )?;
            for phone in &call.phones {
                write!(f, "\n      {phone:?}")?;
            }
            if let Some(proxy) = &call.proxy {
                write!(f, "\n      {proxy:?}")?;
            }
        }
        Ok(())
    }
}

impl Network {
    fn draw(lane: &mut Lane) -> Self {
        let lossy = lane.chance(700);
        let loss = |lane: &mut Lane| if lossy { lane.below(301) } else { 0 };
        Self {
            lost_out: loss(lane),
            lost_back: loss(lane),
            twice: lane.pick(&[0, 50, 200]),
            delay: 1 + lane.pick(&[1, 20, 200]),
            late: lane.pick(&[0, 0, 100]),
        }
    }
}

impl CallScript {
    fn draw(name: u32, lane: &mut Lane) -> Self {
        let placed_at = lane.wait(&[1, 1, 100, 5000, 60_000]);
        let forks = lane.chance(400);
        let phones = if forks { 1 + lane.between(1, 3) } else { 1 };
        let phones = (0..phones).map(|_| Script::draw(lane, forks)).collect();
        let proxy = forks.then(|| ProxyScript {
            asks: challenge(lane, 200),
            cancels_others: !lane.chance(400),
            early_487: lane.chance(300),
        });
        let hang_ups = lane.pick(&[0, 1, 1, 1, 2, 3]);
        Self {
            name,
            placed_at,
            phones,
            proxy,
            hang_ups: (0..hang_ups)
                .map(|_| lane.wait(&[20_000, 120_000, 60_000, 3000, 300]))
                .collect(),
            leaves_after: lane.chance(40).then(|| lane.wait(&[10, 100, 3000])),
            message: 1 + lane.wait(&[60_000, 2_000, 20_000, 600_000]),
            sound_fails: lane.chance(20),
        }
    }
}

impl Script {
    fn draw(lane: &mut Lane, forked: bool) -> Self {
        use Outcome::{Answer, Refuse, RingOn};
        let later = |lane: &mut Lane, permille| lane.chance(permille).then(|| lane.wait(&SOON_OR_LATER));
        Self {
            outcome: lane.pick(&[
                Answer,
                Answer,
                Answer,
                Answer,
                Answer,
                RingOn,
                Refuse(486),
                Refuse(603),
                Refuse(302),
            ]),
            rings_for: lane.wait(&[3000, 300, 20_000, 1, 70_000]),
            tries: !lane.chance(300),
            rings_after: lane.wait(&[1, 50, 2000]),
            asks_invite: if forked { Asks::Nothing } else { challenge(lane, 250) },
            asks_bye: challenge(lane, 250),
            hangs_up_after: later(lane, 200),
            reinvites_after: later(lane, 200),
            session: lane.chance(600).then(|| SessionExpires {
                interval: lane.pick(&[SHORTEST_INTERVAL, 120]),
                refresher: Some(lane.pick(&[Refresher::Uac, Refresher::Uas])),
            }),
            updates: !lane.chance(400),
            vanishes_after: later(lane, 100),
            refuses_byes: if lane.chance(60) { lane.between(1, 3) } else { 0 },
            usable_sdp: !lane.chance(30),
            hand: lane.pick(&[Hand::Plain, Hand::Plain, Hand::Compact, Hand::Baroque]),
        }
    }
}

impl Crash {
    fn draw(lane: &mut Lane, calls: u64) -> Self {
        let at = if lane.chance(600) {
            CrashAt::Output(lane.between(1, 4 + 16 * calls))
        } else {
            CrashAt::Time(lane.wait(&[120_000, 20_000, 3000, 300]))
        };
        Self {
            at,
            down: 1 + lane.wait(&[100, 2000, 20_000, 90_000]),
        }
    }
}

fn challenge(lane: &mut Lane, permille: u64) -> Asks {
    if lane.chance(permille) {
        lane.pick(&[
            Asks::Md5,
            Asks::Sha256,
            Asks::Both,
            Asks::Md5,
            Asks::Sha256,
            Asks::Both,
            Asks::Unknown,
        ])
    } else {
        Asks::Nothing
    }
}
