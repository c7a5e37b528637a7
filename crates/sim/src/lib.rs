//! The real call machine (`crates/call`) against a model of everything around it, on a virtual clock.
//!
//! A run is one call: placed, rung, answered or not, hung up, over a network that loses, delays, doubles and reorders,
//! with phones and a forking proxy that use every liberty the RFCs give, a journal that takes its time or fails, and a
//! process that may be killed before any of its outputs. Transactions are modelled after RFC 3261 §17 and RFC 6026. After
//! every step the rules in `watch` are checked. A run depends on its tape of decisions alone, the tape on its seed;
//! see [`run()`] and [`shrink()`].
//!
//! Not modelled: TCP and TLS, several calls at once, sound, phones that break the RFCs.

mod house;
mod ladder;
mod message;
mod phone;
mod proxy;
mod sabotage;
mod scenario;
mod shrink;
mod tape;
mod watch;
mod world;

pub use sabotage::Sabotage;
pub use shrink::shrink;
pub use tape::{SplitMix64, Tape};
pub use watch::Violation;
pub use world::Outcome;

/// What is not on the tape.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    pub sabotage: Sabotage,
}

/// What happened in one run or in many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub runs: u64,
    /// DisconnectPhoneCalls.
    pub hang_ups: u64,
    pub crashes: u64,
    /// 2xx that reached us, repeated ones too.
    pub answers: u64,
    /// 2xx for a call that nobody remembered.
    pub strays: u64,
    /// Calls that ended without the word of the far end.
    pub unconfirmed: u64,
    /// Phones that went on-hook after a `NoError`, and how long after, in milliseconds: in all, and the longest.
    pub hung_up: u64,
    pub waited: u64,
    pub longest: u64,
    /// Of those, how many took longer than 64·T1.
    pub slow: u64,
}

impl Tally {
    pub(crate) fn took(&mut self, took: u64) {
        self.hung_up += 1;
        self.waited += took;
        self.longest = self.longest.max(took);
        self.slow += u64::from(took > scenario::TRANSACTION);
    }

    /// Adds what other runs came to.
    pub fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.hang_ups += other.hang_ups;
        self.crashes += other.crashes;
        self.answers += other.answers;
        self.strays += other.strays;
        self.unconfirmed += other.unconfirmed;
        self.hung_up += other.hung_up;
        self.waited += other.waited;
        self.longest = self.longest.max(other.longest);
        self.slow += other.slow;
    }
}

/// Plays a tape to its end, or to the first rule that is broken.
#[must_use]
pub fn run(tape: Tape, settings: Settings) -> Outcome {
    world::World::new(tape, settings, ladder::Ladder::default()).run()
}

/// The same, and draws it.
#[must_use]
pub fn draw(tape: Tape, settings: Settings) -> Outcome {
    world::World::new(tape, settings, ladder::Ladder::drawn()).run()
}
