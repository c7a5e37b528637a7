//! `kill -9` at any moment: after the restart no phone may be up, and nobody may have to do anything for it.

mod round;

use std::{path::PathBuf, time::Duration};

use tokio::task::JoinSet;

use crate::{ProvingError, report::Report};
use round::Lane;

/// Both sides of every entry that the journal is given, and a panic in each of the threads and tasks that keep, write and play
/// calls (onhook's feature `crash-points`).
pub const POINTS: [&str; 13] = [
    "before-intent",
    "after-intent",
    "before-answer",
    "after-answer",
    "before-fork",
    "after-fork",
    "before-wish",
    "after-wish",
    "before-end",
    "after-end",
    "panic-owner",
    "panic-journal",
    "panic-pacer",
];

#[derive(Clone, Debug)]
pub struct CrashRun {
    pub onhook: PathBuf,
    pub seed: u64,
    /// Kills at random moments.
    pub kills: u64,
    /// Kills at each of [`POINTS`].
    pub kills_at_each_point: u64,
    /// Calls that are up, or nearly, at the kill.
    pub at_once: u64,
    /// How long there is no server after a kill.
    pub down: Duration,
    /// Servers, each with phones of its own, that the kills are shared out to: most of a round is waiting.
    pub side_by_side: u64,
    /// How long phones that missed the bar are waited for. A server that has not hung up by then is given up.
    pub patience: Duration,
}

#[derive(Default)]
struct Tally {
    kills: u64,
    up_at_the_kill: u64,
    left: u64,
    kills_with_phones_left: u64,
    longest: Duration,
    longest_start: Duration,
    ids: u64,
    ids_unknown: u64,
    not_reached: u64,
    /// How often the server died at each of [`POINTS`].
    reached: [u64; POINTS.len()],
    /// Calls with a phone that stayed up however long it was waited for.
    left_for_good: Vec<String>,
    invites_after_restart: u64,
    invites_after_hang_up: u64,
    double_byes: u64,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.kills += other.kills;
        self.up_at_the_kill += other.up_at_the_kill;
        self.left += other.left;
        self.kills_with_phones_left += other.kills_with_phones_left;
        self.longest = self.longest.max(other.longest);
        self.longest_start = self.longest_start.max(other.longest_start);
        self.ids += other.ids;
        self.ids_unknown += other.ids_unknown;
        self.not_reached += other.not_reached;
        for (reached, more) in self.reached.iter_mut().zip(other.reached) {
            *reached += more;
        }
        self.left_for_good.extend_from_slice(&other.left_for_good);
        self.invites_after_restart += other.invites_after_restart;
        self.invites_after_hang_up += other.invites_after_hang_up;
        self.double_byes += other.double_byes;
    }
}

impl CrashRun {
    /// # Errors
    /// When the run could not be made; what it found is in the report.
    pub async fn run(&self) -> Result<Report, ProvingError> {
        let mut lanes = JoinSet::new();
        for lane in 0..self.side_by_side.max(1) {
            let run = self.clone();
            lanes.spawn(async move { Lane::open(&run, lane).await?.run().await });
        }
        let mut tally = Tally::default();
        while let Some(lane) = lanes.join_next().await {
            tally.add(&lane.map_err(std::io::Error::other)??);
        }
        Ok(self.report(&tally))
    }

    fn report(&self, tally: &Tally) -> Report {
        let mut report = Report::new(format!(
            "kill -9: {} at random and {} at each of {} points, {} calls each, {} side by side, restarted after {} ms, seed {}",
            self.kills,
            self.kills_at_each_point,
            POINTS.len(),
            self.at_once,
            self.side_by_side,
            self.down.as_millis(),
            self.seed
        ));
        report.tell("kills", tally.kills);
        report.tell("of these, points that were not reached", tally.not_reached);
        for (point, reached) in POINTS.iter().zip(tally.reached) {
            if self.kills_at_each_point > 0 && reached == 0 {
                report.hold("never reached (is onhook/crash-points in the binary?)", point, false);
            }
        }
        report.hold(
            "phones ringing or off-hook at the kills",
            tally.up_at_the_kill,
            tally.up_at_the_kill > 0,
        );
        report.none("phones up 2 s after the restart", tally.left);
        report.none("kills that left one", tally.kills_with_phones_left);
        for call in &tally.left_for_good {
            report.hold("up for good", call, false);
        }
        report.tell(
            "longest from ready to the last phone down",
            format!("{} ms", tally.longest.as_millis()),
        );
        report.tell("longest start", format!("{} ms", tally.longest_start.as_millis()));
        report.tell("ids from before a kill that were asked about", tally.ids);
        report.none("of these, unknown after it", tally.ids_unknown);
        report.none("INVITEs sent by a restarted server", tally.invites_after_restart);
        report.none("INVITEs after the hang-up", tally.invites_after_hang_up);
        report.none("second BYE transactions", tally.double_byes);
        report
    }
}
