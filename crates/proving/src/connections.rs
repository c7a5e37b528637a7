//! Trunks by TCP and TLS whose connections are cut, stalled and split: once DisconnectPhoneCall has answered, no phone of the call
//! may be up for long after the last of it.

mod lane;
mod proxy;
mod trouble;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use crate::{ProvingError, phones::Facts, report::Report, server::Records};
use lane::Lane;
use trouble::Troubles;

/// How often a long run says how far it is.
const TELL: Duration = Duration::from_secs(20);

#[derive(Clone, Debug)]
pub struct ConnectionsRun {
    pub onhook: PathBuf,
    pub seed: u64,
    pub calls: u64,
    /// Calls of one round, of one server.
    pub at_once: u64,
    /// Servers that the rounds are shared out to.
    pub side_by_side: u64,
    pub t1: Duration,
    /// Else TCP.
    pub tls: bool,
}

/// How far all lanes are.
#[derive(Default)]
struct Progress {
    calls: AtomicU64,
    left: AtomicU64,
}

/// What a lane has found.
#[derive(Default)]
struct Tally {
    rounds: u64,
    placed: u64,
    not_placed: u64,
    hung_up: u64,
    not_hung_up: u64,
    /// What was said instead of success, and how often.
    refusals: BTreeMap<String, u32>,
    left: u64,
    left_at_the_end: u64,
    /// From the last trouble of a round, or the hang-up, to the last phone down.
    longest: Duration,
    troubles: Troubles,
    opened: u64,
    ended: u64,
    leaked: i64,
    records: Records,
    facts: Facts,
}

impl ConnectionsRun {
    /// # Errors
    /// When the run could not be made; what it found is in the report.
    pub async fn run(&self) -> Result<Report, ProvingError> {
        let started = Instant::now();
        let progress = Arc::new(Progress::default());
        let mut lanes = JoinSet::new();
        for number in 0..self.side_by_side.max(1) {
            let (run, progress) = (self.clone(), Arc::clone(&progress));
            lanes.spawn(async move { Lane::open(&run, number).await?.run(&progress).await });
        }
        let mut tell = interval(TELL);
        tell.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tell.reset();
        let mut tallies = Vec::new();
        loop {
            tokio::select! {
                lane = lanes.join_next() => match lane {
                    None => break,
                    Some(Ok(tally)) => tallies.push(tally?),
                    Some(Err(_)) => return Err(ProvingError::Stuck("a lane has panicked")),
                },
                _ = tell.tick() => eprintln!(
                    "proving: {} of {} calls, {} phones left",
                    progress.calls.load(Relaxed), self.calls, progress.left.load(Relaxed)
                ),
            }
        }
        Ok(self.report(&tallies, started.elapsed()))
    }

    fn report(&self, tallies: &[Tally], took: Duration) -> Report {
        let sum = |of: fn(&Tally) -> u64| tallies.iter().map(of).sum::<u64>();
        let mut report = Report::new(format!(
            "{} calls by {}, {} a round, {} servers, T1 {} ms, seed {}",
            self.calls,
            if self.tls { "TLS" } else { "TCP" },
            self.at_once,
            self.side_by_side,
            self.t1.as_millis(),
            self.seed
        ));
        let placed = sum(|tally| tally.placed);
        report.tell("calls placed", placed);
        report.tell("of these, calls that rang a phone", sum(|tally| tally.facts.rang));
        report.none("calls refused", sum(|tally| tally.not_placed));
        report.tell("hang-ups answered with success", sum(|tally| tally.hung_up));
        report.none("hang-ups answered otherwise", sum(|tally| tally.not_hung_up));
        for (refusal, count) in added_up(tallies.iter().flat_map(|tally| tally.refusals.clone())) {
            report.tell(&format!("  answered: {refusal}"), count);
        }
        report.tell("rounds", sum(|tally| tally.rounds));
        let ended = sum(|tally| tally.ended);
        report.tell("connections", sum(|tally| tally.opened));
        report.hold("of these, ended by the proxy", ended, ended > 0);
        report.tell(
            "times that all connections of a leg were ended",
            sum(|tally| tally.troubles.ends),
        );
        report.tell("stalls", sum(|tally| tally.troubles.stalls));
        report.tell(
            "times that connections were refused",
            sum(|tally| tally.troubles.refusals),
        );
        report.tell(
            "times that they ended behind each request",
            sum(|tally| tally.troubles.ends_behind_requests),
        );
        let up = sum(|tally| tally.troubles.up);
        report.hold("phones ringing or off-hook at these", up, up > 0);
        report.none("phones up 2·64·T1 after the last of both", sum(|tally| tally.left));
        let longest = tallies.iter().map(|tally| tally.longest).max().unwrap_or_default();
        report.tell(
            "longest from there to the last phone down",
            format!("{} ms", longest.as_millis()),
        );
        let unconfirmed = sum(|tally| tally.records.unconfirmed.into());
        let share = 100.0 * unconfirmed as f64 / placed.max(1) as f64;
        report.tell("ended, but not confirmed", format!("{unconfirmed} ({share:.2} %)"));
        for (kind, count) in added_up(
            tallies
                .iter()
                .flat_map(|tally| tally.records.unconfirmed_because.clone()),
        ) {
            report.tell(&format!("  of these: {kind}"), count);
        }
        report.none("second BYE transactions", sum(|tally| tally.facts.double_byes));
        report.none(
            "INVITEs after the hang-up",
            sum(|tally| tally.facts.invites_after_hang_up),
        );
        let leaked: i64 = tallies.iter().map(|tally| tally.leaked.abs()).sum();
        report.hold("grants leaked", leaked, leaked == 0);
        report.none(
            "calls that had not ended after 400·T1",
            sum(|tally| tally.records.open.into()),
        );
        let records = sum(|tally| tally.records.ended.into());
        report.hold("calls with a record", records, records >= placed);
        report.none("phones up at the end", sum(|tally| tally.left_at_the_end));
        let rate = placed as f64 / took.as_secs_f64();
        report.tell("time", format!("{:.0} s ({rate:.0}/s)", took.as_secs_f64()));
        report
    }
}

fn added_up(counts: impl Iterator<Item = (String, u32)>) -> BTreeMap<String, u32> {
    counts.fold(BTreeMap::new(), |mut all, (kind, count)| {
        *all.entry(kind).or_default() += count;
        all
    })
}
