//! Every decision of a run, on a tape of lanes: one for what all calls share, and one for each call.
//!
//! A seed makes the tape, and the tape makes the run: nothing else is random. What a call's network and phones do is decided on its
//! own lane, so that a call taken out leaves the others alone. Whatever a decision decides, zero is the choice that harms
//! nobody (not lost, no delay, no crash). So a run is made simpler by taking calls out and by putting zeros on its tape.

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

/// Calls that live at once, at most.
pub const MOST_CALLS: u64 = 20;

/// What was decided in a run: for all, and for each call, under the number that its names are made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Values {
    pub run: Vec<u32>,
    pub calls: Vec<(u32, Vec<u32>)>,
}

/// All decisions of a run, and where the next ones come from.
#[derive(Clone, Debug)]
pub struct Tape {
    pub(crate) run: Lane,
    pub(crate) calls: Vec<(u32, Lane)>,
}

impl Tape {
    /// One to three calls in half of the runs, else up to [`MOST_CALLS`].
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        let mut numbers = SplitMix64::new(seed);
        let few = numbers.next_number() & 1 == 0;
        let calls = 1 + numbers.next_number() % if few { 3 } else { MOST_CALLS };
        Self::with_calls(seed, calls)
    }

    /// The same with so many calls: the first of them are the same ones, whatever their number.
    #[must_use]
    pub fn with_calls(seed: u64, calls: u64) -> Self {
        let lane =
            |number: u64| Lane::fresh(SplitMix64::new(seed ^ number.wrapping_mul(0xD1B5_4A32_D192_ED03)).next_number());
        Self {
            run: lane(0),
            calls: (1..=calls).map(|call| (call as u32, lane(call))).collect(),
        }
    }

    #[must_use]
    pub fn replay(values: Values) -> Self {
        let calls = values.calls.into_iter();
        Self {
            run: Lane::replay(values.run),
            calls: calls.map(|(name, values)| (name, Lane::replay(values))).collect(),
        }
    }

    /// This call of it alone.
    #[must_use]
    pub fn alone(mut self, call: usize) -> Self {
        self.calls = vec![self.calls.swap_remove(call)];
        self
    }

    /// What was decided.
    #[must_use]
    pub fn into_values(self) -> Values {
        let calls = self.calls.into_iter();
        Values {
            run: self.run.into_values(),
            calls: calls.map(|(name, lane)| (name, lane.into_values())).collect(),
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
}

impl Lane {
    fn fresh(seed: u64) -> Self {
        Self {
            values: Vec::new(),
            at: 0,
            fresh: Some(SplitMix64::new(seed)),
        }
    }

    fn replay(values: Vec<u32>) -> Self {
        Self {
            values,
            at: 0,
            fresh: None,
        }
    }

    fn into_values(mut self) -> Vec<u32> {
        self.values.truncate(self.at);
        self.values
    }

    fn next_value(&mut self) -> u32 {
        if let Some(fresh) = &mut self.fresh {
            self.values.push((fresh.next_number() >> 32) as u32);
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
        self.below(1000) >= 1000 - permille
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
