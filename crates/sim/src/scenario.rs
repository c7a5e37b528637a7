//! What a run is about, drawn from its tape before it starts: the network, the phones, the journal, the crashes.

use std::fmt;

use sip::{Refresher, SHORTEST_INTERVAL, SessionExpires};

use crate::{message::Asks, tape::Tape};

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
    pub(crate) phones: Vec<Script>,
    pub(crate) proxy: Option<ProxyScript>,
    /// When DisconnectPhoneCall is asked for.
    pub(crate) hang_ups: Vec<Millis>,
    pub(crate) ring_limit: Millis,
    pub(crate) max_duration: Millis,
    /// Whether our side asks for session timers (RFC 4028).
    pub(crate) session_timers: bool,
    /// How long the message plays.
    pub(crate) message: Millis,
    pub(crate) sound_fails: bool,
    pub(crate) disk: Disk,
    pub(crate) crashes: Vec<Crash>,
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
    /// From when on nothing is heard of it.
    pub(crate) vanishes_at: Option<Millis>,
    /// BYEs that are refused with a 503 before one is taken.
    pub(crate) refuses_byes: u64,
    pub(crate) usable_sdp: bool,
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
    /// Saves of a thousand that fail.
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
    /// Just before the machine's output of this number is acted on.
    Output(u64),
}

impl Scenario {
    pub(crate) fn draw(tape: &mut Tape) -> Self {
        let network = Network::draw(tape);
        let forks = tape.chance(400);
        let phones = if forks { 1 + tape.between(1, 3) } else { 1 };
        let phones = (0..phones).map(|_| Script::draw(tape, forks)).collect();
        let proxy = forks.then(|| ProxyScript {
            asks: challenge(tape, 200),
            cancels_others: !tape.chance(400),
            early_487: tape.chance(300),
        });
        let hang_ups = tape.pick(&[0, 1, 1, 1, 2, 3]);
        let hang_ups = (0..hang_ups)
            .map(|_| tape.wait(&[20_000, 120_000, 60_000, 3000, 300]))
            .collect();
        let ring_limit = tape.pick(&[30_000, 60_000, 120_000, 5_000]);
        let max_duration = tape.pick(&[1_800_000, 10_000]);
        let session_timers = tape.chance(500);
        let message = 1 + tape.wait(&[60_000, 2_000, 20_000, 600_000]);
        let sound_fails = tape.chance(20);
        // A journal that refuses a record and a crash that needs it are two faults at once, and no program survives both.
        let refuses = tape.chance(150);
        let disk = Disk {
            delay: tape.pick(&[5, 50, 1, 2000]),
            fails: if refuses { tape.below(500) } else { 0 },
        };
        let crashes = if refuses { 0 } else { tape.pick(&[0, 0, 1, 1, 2, 3]) };
        let crashes = (0..crashes).map(|_| Crash::draw(tape)).collect();
        Self {
            network,
            phones,
            proxy,
            hang_ups,
            ring_limit,
            max_duration,
            session_timers,
            message,
            sound_fails,
            disk,
            crashes,
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            network,
            phones,
            proxy,
            hang_ups,
            ring_limit,
            max_duration,
            session_timers,
            message,
            sound_fails,
            disk,
            crashes,
        } = self;
        write!(f, "{network:?}")?;
        for phone in phones {
            write!(f, "\n    {phone:?}")?;
        }
        if let Some(proxy) = proxy {
            write!(f, "\n    {proxy:?}")?;
        }
        write!(f, "\n    {disk:?}, crashes {crashes:?}, hang-ups {hang_ups:?}")?;
        write!(f, "\n    ring limit {ring_limit}, longest call {max_duration}, ")?;
        if *session_timers {
            write!(f, "session timers, ")?;
        }
        write!(f, "message {message}{}", if *sound_fails { ", fails" } else { "" })
    }
}

impl Network {
    fn draw(tape: &mut Tape) -> Self {
        let lossy = tape.chance(700);
        let loss = |tape: &mut Tape| if lossy { tape.below(301) } else { 0 };
        Self {
            lost_out: loss(tape),
            lost_back: loss(tape),
            twice: tape.pick(&[0, 50, 200]),
            delay: 1 + tape.pick(&[1, 20, 200]),
            late: tape.pick(&[0, 0, 100]),
        }
    }
}

impl Script {
    fn draw(tape: &mut Tape, forked: bool) -> Self {
        use Outcome::{Answer, Refuse, RingOn};
        let later = |tape: &mut Tape, permille| tape.chance(permille).then(|| tape.wait(&SOON_OR_LATER));
        Self {
            outcome: tape.pick(&[
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
            rings_for: tape.wait(&[3000, 300, 20_000, 1, 70_000]),
            tries: !tape.chance(300),
            rings_after: tape.wait(&[1, 50, 2000]),
            asks_invite: if forked { Asks::Nothing } else { challenge(tape, 250) },
            asks_bye: challenge(tape, 250),
            hangs_up_after: later(tape, 200),
            reinvites_after: later(tape, 200),
            session: tape.chance(600).then(|| SessionExpires {
                interval: tape.pick(&[SHORTEST_INTERVAL, 120]),
                refresher: Some(tape.pick(&[Refresher::Uac, Refresher::Uas])),
            }),
            updates: !tape.chance(400),
            vanishes_at: later(tape, 60),
            refuses_byes: if tape.chance(60) { tape.between(1, 3) } else { 0 },
            usable_sdp: !tape.chance(30),
        }
    }
}

impl Crash {
    fn draw(tape: &mut Tape) -> Self {
        let at = if tape.chance(600) {
            CrashAt::Output(tape.between(1, 16))
        } else {
            CrashAt::Time(tape.wait(&[120_000, 20_000, 3000, 300]))
        };
        Self {
            at,
            down: 1 + tape.wait(&[100, 2000, 20_000, 90_000]),
        }
    }
}

fn challenge(tape: &mut Tape, permille: u64) -> Asks {
    if tape.chance(permille) {
        tape.pick(&[
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
