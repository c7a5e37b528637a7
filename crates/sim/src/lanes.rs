//! Where every decision of a run comes from: lanes, each under a name of its own.
//!
//! What one phone does, what one call's datagrams meet, what one fault is like: each is decided on a lane that is made from the seed and
//! its own name. So a call taken out, or a decision that is new, leaves all others as they were. Whatever a decision decides, zero is
//! the choice that harms nobody (not lost, no delay, no crash), and past the end of a lane that was written down there are zeros. So a
//! run is made simpler by taking parts out and by putting zeros on its lanes.

use std::{collections::BTreeMap, fmt};

use crate::{parts::Parts, tape::Tape};

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers from the same seed on every machine.
#[derive(Clone, Debug)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next_number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// What is decided on a lane, and of which call (or trunk, or crash) and which phone of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LaneName {
    of: u32,
    phone: u32,
    what: &'static str,
}

impl LaneName {
    /// Of the whole run.
    pub(crate) const fn run(what: &'static str) -> Self {
        Self::of(what, 0)
    }

    /// Of one call, trunk or crash, which count from 1.
    pub(crate) const fn of(what: &'static str, of: u32) -> Self {
        Self { of, phone: 0, what }
    }

    /// Of one phone, which counts from 1, of one call.
    pub(crate) const fn phone(what: &'static str, of: u32, phone: u32) -> Self {
        Self { of, phone, what }
    }

    /// What this lane begins with when the run has this seed.
    fn seed(self, seed: u64) -> u64 {
        SplitMix64::new(seed).next_number() ^ SplitMix64::new(self.hash()).next_number()
    }

    /// Its number on a [`Tape`]; two lanes may share one.
    pub(crate) fn number(self) -> u8 {
        (SplitMix64::new(self.hash()).next_number() >> 56) as u8
    }

    fn hash(self) -> u64 {
        let mut hash = 0xCBF2_9CE4_8422_2325;
        let numbers = self.of.to_le_bytes().into_iter().chain(self.phone.to_le_bytes());
        for byte in self.what.bytes().chain(numbers) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3); // FNV-1a
        }
        hash
    }
}

/// As it stands in a written run: `disk`, `call 3`, `phone 3.1`.
impl fmt::Display for LaneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { of, phone, what } = self;
        match (of, phone) {
            (0, _) => write!(f, "{what}"),
            (_, 0) => write!(f, "{what} {of}"),
            (_, _) => write!(f, "{what} {of}.{phone}"),
        }
    }
}

/// What was decided in a run: what there is in it, and the values on its lanes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decisions {
    pub parts: Parts,
    pub lanes: BTreeMap<String, Vec<u32>>,
}

/// All lanes of a run.
#[derive(Clone, Debug)]
pub struct Lanes {
    pub(crate) parts: Parts,
    from: From,
    lanes: BTreeMap<LaneName, Lane>,
}

#[derive(Clone, Debug)]
enum From {
    Seed(u64),
    Tape(Tape),
    Written(BTreeMap<String, Vec<u32>>),
}

impl Lanes {
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        let mut lane = Lane::fresh(LaneName::run("parts").seed(seed));
        Self::with_parts(seed, Parts::draw(&mut lane))
    }

    /// The same with other parts: what is in both is decided alike.
    #[must_use]
    pub fn with_parts(seed: u64, parts: Parts) -> Self {
        Self {
            parts,
            from: From::Seed(seed),
            lanes: BTreeMap::new(),
        }
    }

    /// Any bytes are a run, of one to three calls: `tape` says how.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let tape = Tape::read(bytes);
        Self {
            parts: tape.parts(),
            from: From::Tape(tape),
            lanes: BTreeMap::new(),
        }
    }

    #[must_use]
    pub fn replay(decisions: Decisions) -> Self {
        Self {
            parts: decisions.parts,
            from: From::Written(decisions.lanes),
            lanes: BTreeMap::new(),
        }
    }

    #[must_use]
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// This call of it alone.
    #[must_use]
    pub fn alone(mut self, call: usize) -> Self {
        self.parts.calls = vec![self.parts.calls[call]];
        self
    }

    pub(crate) fn lane(&mut self, name: LaneName) -> &mut Lane {
        self.lanes.entry(name).or_insert_with(|| match &mut self.from {
            From::Seed(seed) => Lane::fresh(name.seed(*seed)),
            From::Tape(tape) => match tape.seed() {
                0 => Lane::replay(tape.values(name)),
                seed => Lane {
                    instead: tape.said(name).collect(),
                    ..Lane::fresh(name.seed(seed))
                },
            },
            From::Written(written) => Lane::replay(written.remove(&name.to_string()).unwrap_or_default()),
        })
    }

    /// What was decided.
    #[must_use]
    pub fn into_decisions(self) -> Decisions {
        let lanes = self
            .lanes
            .into_iter()
            .map(|(name, lane)| (name.to_string(), lane.into_values()));
        Decisions {
            parts: self.parts,
            lanes: lanes.filter(|(_, values)| !values.is_empty()).collect(),
        }
    }
}

/// Decisions made, and where the next ones come from.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    values: Vec<u32>,
    at: usize,
    /// A replayed lane has none: behind its end there are zeros.
    fresh: Option<SplitMix64>,
    /// Decisions that are other ones, by their places.
    instead: BTreeMap<usize, u32>,
}

impl Lane {
    fn fresh(seed: u64) -> Self {
        Self {
            values: Vec::new(),
            at: 0,
            fresh: Some(SplitMix64::new(seed)),
            instead: BTreeMap::new(),
        }
    }

    fn replay(values: Vec<u32>) -> Self {
        Self {
            values,
            at: 0,
            fresh: None,
            instead: BTreeMap::new(),
        }
    }

    /// Without the zeros at its end, which are there anyway.
    fn into_values(mut self) -> Vec<u32> {
        self.values.truncate(self.at);
        while self.values.pop_if(|value| *value == 0).is_some() {}
        self.values
    }

    fn next_value(&mut self) -> u32 {
        if let Some(fresh) = &mut self.fresh {
            let drawn = (fresh.next_number() >> 32) as u32;
            self.values.push(self.instead.remove(&self.at).unwrap_or(drawn));
        }
        let value = self.values.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        value
    }

    /// One of `0..choices`.
    pub(crate) fn below(&mut self, choices: u64) -> u64 {
        (u64::from(self.next_value()) * choices) >> 32
    }

    /// True `permille` times out of a thousand.
    pub(crate) fn chance(&mut self, permille: u64) -> bool {
        self.below(1000) >= 1000 - permille.min(1000)
    }

    /// One of `from..to`, `from` being harmless.
    pub(crate) fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from)
    }

    /// One of a list whose first entry is harmless.
    pub(crate) fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize]
    }

    /// A moment within `scales` of very different length, so that short and long waits are as likely.
    pub(crate) fn wait(&mut self, scales: &[u64]) -> u64 {
        let scale = self.pick(scales);
        self.below(scale)
    }
}
