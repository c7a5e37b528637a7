//! A restart with many calls up: how soon the first BYE leaves, and how soon the last.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::sleep};

use crate::{
    ProvingError,
    client::Client,
    phones::{Habits, Phones, Quality},
    report::Report,
    server::{Setting, Site},
};

const POLL: Duration = Duration::from_millis(5);
/// How long calls may take to be answered, and phones to be hung up.
const PATIENCE: Duration = Duration::from_secs(120);
const SIDE_BY_SIDE: u64 = 50;
const FIRST_BYE: Duration = Duration::from_secs(1);
const LAST_BYE: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
pub struct RestartRun {
    pub onhook: PathBuf,
    pub seed: u64,
    pub calls: u64,
}

impl RestartRun {
    /// # Errors
    /// When the run could not be made; what it found is in the report.
    pub async fn run(&self) -> Result<Report, ProvingError> {
        let t1 = Duration::from_millis(500);
        let habits = Habits {
            seed: self.seed,
            t1,
            rings_up_to: Duration::ZERO,
            hang_up: 0,
            hang_up_within: Duration::ZERO,
            fork: 0,
            challenge: 0,
            take_sound: 0,
        };
        let phones = Phones::switch_on(habits, Quality::default()).await?;
        let setting = Setting {
            onhook: self.onhook.clone(),
            t1,
            max_live: usize::try_from(self.calls).unwrap_or(usize::MAX),
        };
        let site = Site::furnish(setting, phones.address()).await?;
        let serving = site.serve(None).await?;
        let next = Arc::new(AtomicU64::new(0));
        let mut callers = JoinSet::new();
        for _ in 0..SIDE_BY_SIDE {
            let (next, calls, mut client) = (Arc::clone(&next), self.calls, Client::new(serving.access.clone()));
            callers.spawn(async move {
                loop {
                    let nth = next.fetch_add(1, Relaxed);
                    if nth >= calls {
                        return Ok::<_, ProvingError>(());
                    }
                    client.play(&(10_000_000 + nth).to_string()).await?;
                }
            });
        }
        for placed in callers.join_all().await {
            placed?;
        }
        wait(
            || phones.all_answered() as u64 == self.calls,
            "not every phone answered",
        )
        .await?;
        serving.kill().await?;

        phones.server_starts();
        let serving = site.serve(None).await?;
        let ready = serving.started.elapsed();
        wait(|| phones.all_up() == 0, "phones stayed up after the restart").await?;
        let down = serving.started.elapsed();
        let facts = phones.facts();
        let after = |at: Option<Instant>| at.map_or(Duration::MAX, |at| at.duration_since(serving.started));
        let (first, last) = (after(facts.first_bye), after(facts.last_bye));

        let mut report = Report::new(format!(
            "restart with {} calls up, times from the start of the process",
            self.calls
        ));
        let seconds = |duration: Duration| format!("{:.2} s", duration.as_secs_f64());
        report.tell("ready", seconds(ready));
        report.hold("first BYE (< 1 s)", seconds(first), first < FIRST_BYE);
        report.hold("last BYE (< 10 s)", seconds(last), last < LAST_BYE);
        report.tell("last phone on-hook", seconds(down));
        report.none("second BYE transactions", facts.double_byes);
        report.none("INVITEs sent by a restarted server", facts.invites_after_restart);
        Ok(report)
    }
}

async fn wait(until: impl Fn() -> bool, otherwise: &'static str) -> Result<(), ProvingError> {
    let deadline = Instant::now() + PATIENCE;
    while !until() {
        if Instant::now() >= deadline {
            return Err(ProvingError::Stuck(otherwise));
        }
        sleep(POLL).await;
    }
    Ok(())
}
