//! How fast the server is, and what a call costs it: set-ups, queries and hang-ups a second, CPU for each, memory of a held call; and
//! how long one request takes when it is alone.
//!
//! Machines are shared and their speed changes by the minute: so two programs take turns in one run, and what counts is the ratio of
//! what each pair of turns came to. The load is made by this same process on the same cores: rates are what is left beside it, CPU is
//! the server's own.
//!
//! It stands here and not among the benchmarks of the crates, which measure a function in a loop: it drives the built server as the other
//! runs do, with their site, their client and their phones, and a measured call that is not over afterwards is a broken promise here, too.
//!
//! ```text
//! crowd       many at a time                       figures  medians, and ratios of pairs
//! one_client  one after the other, many held       process  what a process has used
//! alone       one at a time, programs by turns
//! ```

mod alone;
mod crowd;
mod figures;
mod one_client;
mod process;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{ProvingError, report::Report, server::Setting};
use alone::{Alone, Times};
use figures::Figures;

#[derive(Clone, Debug)]
pub struct SpeedRun {
    pub onhook: PathBuf,
    /// The program that it takes turns with.
    pub against: Option<PathBuf>,
    pub seed: u64,
    /// Held at the same time; with none, only requests that are alone are measured.
    pub calls: usize,
    /// Calls that come one at a time, in each round.
    pub alone: u64,
    /// How often each program has its turn.
    pub rounds: u64,
}

impl SpeedRun {
    /// # Errors
    /// When the run could not be made; what it measured is in the report.
    pub async fn run(&self) -> Result<Report, ProvingError> {
        let programs = [&self.onhook].into_iter().chain(&self.against);
        let programs: Vec<&Path> = programs.map(PathBuf::as_path).collect();
        let mut figures = Figures::new(programs.len());
        for _ in 0..self.rounds {
            if self.calls > 0 {
                for (nth, program) in programs.iter().enumerate() {
                    self.crowd(program, nth, &mut figures).await?;
                }
                self.one_client(&programs, &mut figures).await?;
            }
            self.alone(&programs, Setting::DISCONNECT_WAIT, &mut figures).await?;
            self.alone(&programs, Duration::ZERO, &mut figures).await?;
        }
        let mut report = Report::new(format!(
            "{} calls held, {} one at a time; the median of {} rounds, the least and the greatest{}",
            self.calls,
            self.alone,
            self.rounds,
            if self.against.is_some() {
                "; the other program; ratios of pairs of rounds"
            } else {
                ""
            }
        ));
        figures.tell(&mut report);
        Ok(report)
    }

    /// One at a time, at all programs by turns: what slows one of them down slows the other, too.
    async fn alone(
        &self,
        programs: &[&Path],
        disconnect_wait: Duration,
        figures: &mut Figures,
    ) -> Result<(), ProvingError> {
        let mut servers = Vec::new();
        for (nth, program) in (0..).zip(programs) {
            let setting = Alone::setting(program, nth, programs.len() as u64, disconnect_wait);
            servers.push((Alone::start(setting, self.seed + nth).await?, Times::default()));
        }
        for nth in 0..self.alone {
            for (server, times) in &mut servers {
                server.call(nth, times).await?;
            }
            // Each is the first as often as the last.
            servers.reverse();
        }
        if self.alone % 2 == 1 {
            servers.reverse();
        }
        for (nth, (server, times)) in servers.into_iter().enumerate() {
            if disconnect_wait.is_zero() {
                times.tell_without_wait(nth, figures);
            } else {
                times.tell(nth, figures);
            }
            server.stop().await?;
        }
        Ok(())
    }
}
