//! What there is in a run at all: which calls, trunks, families of faults and crashes. A run is made simpler by taking these out first.

use std::{collections::BTreeSet, fmt, str::FromStr};

use crate::lanes::Lane;

/// Calls of one run, at most.
pub const MOST_CALLS: u64 = 200;
/// And trunks.
const MOST_TRUNKS: u64 = 3;
/// And crashes.
pub(crate) const MOST_CRASHES: u32 = 5;

/// What takes part, by the numbers that names are made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    pub calls: Vec<u32>,
    pub trunks: Vec<u32>,
    pub families: BTreeSet<Family>,
    pub crashes: Vec<u32>,
}

/// Faults of one kind. A run has those that were drawn for it and no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Datagrams are lost, doubled, slow, and now and then a second late.
    Loss,
    Doubles,
    Delays,
    Late,
    /// The disk is slow; it refuses entries; for a while it stalls, is full for new calls, is locked by another program; a flush fails.
    SlowDisk,
    Refusals,
    Stalls,
    FullDisk,
    LockedDisk,
    FailedFlush,
    /// The clock on the wall is set.
    Clocks,
    /// What comes in is not handed over one by one and at once.
    Gathering,
    /// Trunks are names, which are found late, not at all, elsewhere, or by an address that we cannot speak to.
    Names,
    /// Trunks are asked whether they are there; they are registered with; and nobody is there for a while.
    KeepAlive,
    Registrars,
    Outages,
    /// A trunk is reached by TCP or TLS; connections fail, break and hang.
    Streams,
    BrokenStreams,
    /// Phones name places where their trunk is not.
    Contacts,
    /// Faults stop at some moment, but for one trunk that is away for ever.
    Calm,
    /// Bounds are small enough to be met.
    SmallBounds,
    /// Clients leave before they have an answer; sound fails.
    Leaving,
    Sound,
    /// Proxies fork.
    Forks,
    /// What phones do besides ringing and answering.
    Refusers,
    Challenges,
    HangUps,
    Reinvites,
    Sessions,
    Vanishing,
    BusyByes,
    BadSdp,
    Hands,
    /// Answers come that belong to another request, or to none.
    Mismatches,
    /// What comes is no message, or one of those that are read wrong (RFC 4475).
    Junk,
    /// Somebody sends requests that belong to no call, too many to be answered.
    Floods,
    /// Challenges that never end; session timers that two ends do not agree about.
    EndlessDigest,
    SessionQuarrels,
    /// A proxy forks to another one, which forks again.
    DeepForks,
    /// Registrars that grant what nobody asked for, are busy, silent, or never content.
    FickleRegistrars,
    /// Phones name places that nobody may send us to or that are never found, and routers on the way there.
    Elsewhere,
    /// Phones ask, repeat and refuse what nobody expects.
    Liberties,
    /// What comes on a connection is no message, where one should begin.
    GarbledStreams,
}

impl Family {
    pub const ALL: &[Self] = &[
        Self::Loss,
        Self::Doubles,
        Self::Delays,
        Self::Late,
        Self::SlowDisk,
        Self::Refusals,
        Self::Stalls,
        Self::FullDisk,
        Self::LockedDisk,
        Self::FailedFlush,
        Self::Clocks,
        Self::Gathering,
        Self::Names,
        Self::KeepAlive,
        Self::Registrars,
        Self::Outages,
        Self::Streams,
        Self::BrokenStreams,
        Self::Contacts,
        Self::Calm,
        Self::SmallBounds,
        Self::Leaving,
        Self::Sound,
        Self::Forks,
        Self::Refusers,
        Self::Challenges,
        Self::HangUps,
        Self::Reinvites,
        Self::Sessions,
        Self::Vanishing,
        Self::BusyByes,
        Self::BadSdp,
        Self::Hands,
        Self::Mismatches,
        Self::Junk,
        Self::Floods,
        Self::EndlessDigest,
        Self::SessionQuarrels,
        Self::DeepForks,
        Self::FickleRegistrars,
        Self::Elsewhere,
        Self::Liberties,
        Self::GarbledStreams,
    ];

    /// As it stands in a written run, and in the names of its lanes.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Doubles => "doubles",
            Self::Delays => "delays",
            Self::Late => "late",
            Self::SlowDisk => "slow-disk",
            Self::Refusals => "refusals",
            Self::Stalls => "stalls",
            Self::FullDisk => "full-disk",
            Self::LockedDisk => "locked-disk",
            Self::FailedFlush => "failed-flush",
            Self::Clocks => "clocks",
            Self::Gathering => "gathering",
            Self::Names => "names",
            Self::KeepAlive => "keep-alive",
            Self::Registrars => "registrars",
            Self::Outages => "outages",
            Self::Streams => "streams",
            Self::BrokenStreams => "broken-streams",
            Self::Contacts => "contacts",
            Self::Calm => "calm",
            Self::SmallBounds => "small-bounds",
            Self::Leaving => "leaving",
            Self::Sound => "sound",
            Self::Forks => "forks",
            Self::Refusers => "refusers",
            Self::Challenges => "challenges",
            Self::HangUps => "hang-ups",
            Self::Reinvites => "reinvites",
            Self::Sessions => "sessions",
            Self::Vanishing => "vanishing",
            Self::BusyByes => "busy-byes",
            Self::BadSdp => "bad-sdp",
            Self::Hands => "hands",
            Self::Mismatches => "mismatches",
            Self::Junk => "junk",
            Self::Floods => "floods",
            Self::EndlessDigest => "endless-digest",
            Self::SessionQuarrels => "session-quarrels",
            Self::DeepForks => "deep-forks",
            Self::FickleRegistrars => "fickle-registrars",
            Self::Elsewhere => "elsewhere",
            Self::Liberties => "liberties",
            Self::GarbledStreams => "garbled-streams",
        }
    }
}

impl Parts {
    /// One to three calls in half of the runs, a few more in most others, and up to [`MOST_CALLS`] in one of eight; all families in
    /// one of four, else about half of them.
    pub(crate) fn draw(lane: &mut Lane) -> Self {
        let calls = match lane.below(8) {
            0..4 => lane.between(1, 4),
            4..7 => lane.between(4, 29),
            _ => lane.between(29, MOST_CALLS + 1),
        };
        let trunks = lane.pick(&[1, 1, 1, 2, MOST_TRUNKS]);
        let all = lane.chance(250);
        let families = Family::ALL
            .iter()
            .copied()
            .filter(|_| lane.chance(500) || all)
            .collect();
        let crashes = lane.pick(&[0, 0, 0, 1, 1, 2, 3, MOST_CRASHES]);
        Self {
            calls: (1..=calls as u32).collect(),
            trunks: (1..=trunks as u32).collect(),
            families,
            crashes: (1..=crashes).collect(),
        }
    }

    /// So many calls over one trunk, with every family and no crash.
    #[must_use]
    pub fn of_calls(calls: u32) -> Self {
        Self {
            calls: (1..=calls).collect(),
            trunks: vec![1],
            families: Family::ALL.iter().copied().collect(),
            crashes: Vec::new(),
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Family {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|family| family.name() == text).ok_or(())
    }
}
