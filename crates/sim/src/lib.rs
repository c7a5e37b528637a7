//! The switch that ships (`crates/switch`) against a model of everything around it, on a virtual clock.
//!
//! A run is one to two hundred calls over one to three trunks: placed, rung, answered or not, hung up, over a network that loses, delays, doubles and reorders
//! datagrams, with phones and forking proxies that use every liberty the RFCs give, a disk that takes its time, stalls, is full or locked, or
//! refuses, a clock on the wall that is set, and a process that may be killed before and after anything that the switch wants done, and the next ones, too. What goes in and out are bytes, read
//! and printed on the far side by code that shares nothing with ours. At every step the rules in `watch` are checked, by what is
//! seen from outside. A run depends on its lanes of decisions alone, the lanes on its seed; see [`run()`] and
//! [`shrink()`].
//!
//! Not modelled: sound.

use std::collections::BTreeMap;

mod asks;
mod digest;
mod house;
mod junk;
mod ladder;
mod lanes;
mod message;
mod mismatches;
mod names;
mod network;
mod parts;
mod phone;
mod proxy;
mod sabotage;
mod scenario;
mod shrink;
mod strangers;
mod streams;
mod tape;
mod trunks;
mod watch;
mod wire;
mod world;
mod written_run;

pub use lanes::{Decisions, Lanes, SplitMix64};
pub use parts::{Family, MOST_CALLS, Parts};
pub use sabotage::{Sabotage, ShellFault, UnknownSabotage};
pub use scenario::{Kill, Side};
pub use shrink::shrink;
pub use watch::{Excuse, Situation, Violation};
pub use world::Outcome;
pub use written_run::{Unreadable, WrittenRun};

/// What is not on the lanes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    pub sabotage: Sabotage,
    /// Nothing that calls share can come between them: no crash, no queue at the disk.
    pub share_nothing: bool,
    /// How what comes in is gathered into turns, whatever the lanes say.
    pub gathers: Option<Option<u64>>,
    /// Where processes are killed, and nowhere else, when there is any.
    pub kills: [Option<Kill>; 2],
    /// Turns before anything is due are made in between.
    pub looks_in_early: bool,
}

/// What happened in one run or in many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub runs: u64,
    pub calls: u64,
    /// PlayOnPhones, and those that were refused.
    pub placed: u64,
    pub not_placed: u64,
    /// DisconnectPhoneCalls.
    pub hang_ups: u64,
    /// Of those, how many were told that the disk does not say so.
    pub not_promised: u64,
    pub crashes: u64,
    /// Calls that a crash left, and those that nobody takes up any more, since three processes died of them.
    pub left: u64,
    pub left_alone: u64,
    /// Entries that the journal refused.
    pub refused: u64,
    /// 2xx that reached us, repeated ones too.
    pub answers: u64,
    /// 2xx for a call that nobody remembered.
    pub strays: u64,
    /// Calls that ended without the word of the far end.
    pub unconfirmed: u64,
    /// Times that all had to be at rest after the faults had stopped.
    pub calmed: u64,
    /// Trunks that were found to be down, and registrations.
    pub trunks_down: u64,
    pub registered: u64,
    /// Connections that failed, broke or hung: a reason for the bound to run from then on.
    pub broken_ways: u64,
    /// Phones that went on-hook after a `NoError`, and how long after, in milliseconds: in all, and the longest.
    pub hung_up: u64,
    pub waited: u64,
    pub longest: u64,
    /// Of those, how many took longer than 64·T1.
    pub slow: u64,
    /// Rare situations, and how often each was met.
    pub met: BTreeMap<Situation, u64>,
    /// How often each reason counted why a phone was not on-hook in time.
    pub excused: BTreeMap<Excuse, u64>,
    /// How often faults of these kinds happened, of those that are counted.
    pub faults: BTreeMap<Family, u64>,
    /// Requests of strangers that were answered.
    pub strangers_answered: u64,
    /// Of all that went in and came out, of all runs in whatever order.
    pub digest: u64,
}

impl Tally {
    pub(crate) fn took(&mut self, took: u64) {
        self.hung_up += 1;
        self.waited += took;
        self.longest = self.longest.max(took);
        self.slow += u64::from(took > scenario::TRANSACTION);
    }

    /// A fault of this kind happened.
    pub(crate) fn fault(&mut self, family: Family) {
        *self.faults.entry(family).or_default() += 1;
    }

    pub(crate) fn excused(&mut self, excuse: Excuse) {
        *self.excused.entry(excuse).or_default() += 1;
    }

    /// Adds what other runs came to.
    pub fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.calls += other.calls;
        self.placed += other.placed;
        self.not_placed += other.not_placed;
        self.hang_ups += other.hang_ups;
        self.not_promised += other.not_promised;
        self.crashes += other.crashes;
        self.left += other.left;
        self.left_alone += other.left_alone;
        self.refused += other.refused;
        self.answers += other.answers;
        self.strays += other.strays;
        self.unconfirmed += other.unconfirmed;
        for (excuse, times) in &other.excused {
            *self.excused.entry(*excuse).or_default() += times;
        }
        for (situation, times) in &other.met {
            *self.met.entry(*situation).or_default() += times;
        }
        for (family, times) in &other.faults {
            *self.faults.entry(*family).or_default() += times;
        }
        self.strangers_answered += other.strangers_answered;
        self.calmed += other.calmed;
        self.trunks_down += other.trunks_down;
        self.registered += other.registered;
        self.broken_ways += other.broken_ways;
        self.hung_up += other.hung_up;
        self.waited += other.waited;
        self.longest = self.longest.max(other.longest);
        self.slow += other.slow;
        self.digest = self.digest.wrapping_add(other.digest);
    }
}

/// Plays a run to its end, or to the first rule that is broken.
#[must_use]
pub fn run(lanes: Lanes, settings: Settings) -> Outcome {
    world::World::new(lanes, settings, ladder::Ladder::default()).run()
}

/// The same, and draws it.
#[must_use]
pub fn draw(lanes: Lanes, settings: Settings) -> Outcome {
    world::World::new(lanes, settings, ladder::Ladder::drawn()).run()
}
