//! Every decision of a run, on a tape.
//!
//! A seed makes the tape, and the tape makes the run: nothing else is random. Whatever a decision decides, zero is the
//! choice that harms nobody (not lost, no delay, no crash). So a run is made simpler by putting zeros on its tape.

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

/// Decisions made, and where the next ones come from.
#[derive(Clone, Debug)]
pub struct Tape {
    values: Vec<u32>,
    at: usize,
    /// A replayed tape has none: behind its end there are zeros.
    fresh: Option<SplitMix64>,
}

impl Tape {
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        Self {
            values: Vec::new(),
            at: 0,
            fresh: Some(SplitMix64::new(seed)),
        }
    }

    #[must_use]
    pub fn replay(values: Vec<u32>) -> Self {
        Self {
            values,
            at: 0,
            fresh: None,
        }
    }

    /// What was decided.
    #[must_use]
    pub fn into_values(mut self) -> Vec<u32> {
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
    pub fn below(&mut self, choices: u64) -> u64 {
        (u64::from(self.next_value()) * choices) >> 32
    }

    /// True `permille` times out of a thousand.
    pub fn chance(&mut self, permille: u64) -> bool {
        self.below(1000) >= 1000 - permille
    }

    /// One of `from..to`, `from` being harmless.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from)
    }

    /// One of a list whose first entry is harmless.
    pub fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize]
    }

    /// A moment within `scales` of very different length, so that short and long waits are as likely.
    pub fn wait(&mut self, scales: &[u64]) -> u64 {
        let scale = self.pick(scales);
        self.below(scale)
    }
}
