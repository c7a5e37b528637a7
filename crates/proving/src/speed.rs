//! How fast the server is, and what a call costs it: set-ups, queries and hang-ups a second, CPU for each, memory of a held call; and
//! how long one request takes when it is alone.
//!
//! Machines are shared and their speed changes by the minute: so two programs take turns in one run, and what counts is the ratio of
//! what each pair of turns came to. The load is made by this same process on the same cores: rates are what is left beside it, CPU is
//! the server's own.

mod alone;
mod figures;
mod process;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use ews::PhoneCallId;
use tokio::{task::JoinSet, time::sleep};

use crate::{
    ProvingError,
    client::{Access, Client},
    phones::{Habits, Phones, Quality, wait},
    report::Report,
    server::{Setting, Site},
};
use alone::{Alone, Times};
use figures::Figures;
use process::Begun;

/// How long calls are held and nothing is asked.
const HOLD: Duration = Duration::from_secs(2);
/// Calls that are up before anything counts.
const FIRST: u64 = 8;
/// Queries for each call that is up.
const QUERIES: u64 = 3;

#[derive(Clone, Debug)]
pub struct SpeedRun {
    pub onhook: PathBuf,
    /// The program that it takes turns with.
    pub against: Option<PathBuf>,
    pub seed: u64,
    /// Held at the same time; with none, only requests that are alone are measured.
    pub calls: u64,
    /// Calls that come one at a time, in each round.
    pub alone: u64,
    /// EWS clients, each with one connection and one request at a time.
    pub clients: u64,
    /// How often each program has its turn.
    pub rounds: u64,
}

impl SpeedRun {
    /// # Errors
    /// When the run could not be made; what it measured is in the report.
    pub async fn run(&self) -> Result<Report, ProvingError> {
        let programs: Vec<&PathBuf> = [&self.onhook].into_iter().chain(&self.against).collect();
        let mut figures = Figures::new(programs.len());
        for _ in 0..self.rounds {
            if self.calls > FIRST {
                for (nth, program) in programs.iter().enumerate() {
                    self.turn(program, nth, &mut figures).await?;
                }
            }
            self.alone(&programs, &mut figures).await?;
        }
        let mut report = Report::new(format!(
            "{} calls, {} clients; {} calls one at a time; the median of {} rounds, the least and the greatest{}",
            self.calls,
            self.clients,
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

    /// Many at a time, at one program.
    async fn turn(&self, onhook: &Path, program: usize, figures: &mut Figures) -> Result<(), ProvingError> {
        let t1 = Duration::from_millis(500);
        let habits = Habits::answering_at_once(self.seed, t1);
        let phones = Phones::switch_on(habits, Quality::default()).await?;
        let setting = Setting {
            onhook: onhook.to_owned(),
            t1,
            max_live: usize::try_from(self.calls).unwrap_or(usize::MAX) + 1,
            rtp_ports: Setting::rtp_ports(0, 1),
        };
        let site = Site::furnish(setting, phones.address()).await?;
        let serving = site.serve(None).await?;
        let pid = serving.pid();
        let mut add = |what, unit, value| figures.add(program, what, unit, value);

        // What the first calls bring with them is none of theirs.
        let first = self.place(&serving.access, 0..FIRST).await?;
        wait(|| phones.all_acked() as u64 == FIRST, "not every phone was ACKed").await?;
        let memory = process::memory(pid)?;
        let begun = Begun::now(pid)?;
        let ids = self.place(&serving.access, FIRST..self.calls).await?;
        wait(|| phones.all_acked() as u64 == self.calls, "not every phone was ACKed").await?;
        let [rate, cpu] = begun.per(self.calls - FIRST)?;
        add("set-ups", "a second", rate);
        add("CPU for a set-up", "ms", cpu);
        let more = process::memory(pid)? - memory;
        add("memory of a held call", "KiB", more / (self.calls - FIRST) as f64);

        // The listener is looked for in the first seconds of a call.
        sleep(HOLD * 3).await;
        let begun = Begun::now(pid)?;
        sleep(HOLD).await;
        add("CPU while calls are held", "% of a core", begun.share()?);

        let begun = Begun::now(pid)?;
        self.ask(&serving.access, &ids).await?;
        let [rate, cpu] = begun.per(QUERIES * ids.len() as u64)?;
        add("queries", "a second", rate);
        add("CPU for a query", "ms", cpu);

        let begun = Begun::now(pid)?;
        self.hang_up(&serving.access, &ids).await?;
        wait(|| phones.all_up() == first.len(), "phones stayed up").await?;
        let [rate, cpu] = begun.per(ids.len() as u64)?;
        add("hang-ups", "a second", rate);
        add("CPU for a hang-up", "ms", cpu);
        serving.kill().await
    }

    /// One at a time, at all programs by turns: what slows one of them down slows the other, too.
    async fn alone(&self, programs: &[&PathBuf], figures: &mut Figures) -> Result<(), ProvingError> {
        let mut servers = Vec::new();
        for (nth, program) in (0..).zip(programs) {
            servers.push((
                Alone::start(program, self.seed, nth, programs.len() as u64).await?,
                Times::default(),
            ));
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
            times.tell(nth, figures);
            server.stop().await?;
        }
        Ok(())
    }

    async fn place(&self, access: &Access, calls: std::ops::Range<u64>) -> Result<Vec<PhoneCallId>, ProvingError> {
        let next = Arc::new(AtomicU64::new(calls.start));
        let mut clients = JoinSet::new();
        for _ in 0..self.clients {
            let (next, end, mut client) = (next.clone(), calls.end, Client::new(access.clone()));
            clients.spawn(async move {
                let mut ids = Vec::new();
                loop {
                    let nth = next.fetch_add(1, Relaxed);
                    if nth >= end {
                        return Ok::<_, ProvingError>(ids);
                    }
                    ids.push(client.play(&(10_000_000 + nth).to_string()).await?);
                }
            });
        }
        let mut placed = Vec::new();
        for ids in clients.join_all().await {
            placed.extend(ids?);
        }
        Ok(placed)
    }

    async fn ask(&self, access: &Access, ids: &[PhoneCallId]) -> Result<(), ProvingError> {
        self.each(access, ids, QUERIES, |mut client, id| async move {
            client.information(&id).await?;
            Ok(client)
        })
        .await
    }

    async fn hang_up(&self, access: &Access, ids: &[PhoneCallId]) -> Result<(), ProvingError> {
        self.each(access, ids, 1, |mut client, id| async move {
            client.disconnect(&id).await?;
            Ok(client)
        })
        .await
    }

    /// Does the same for each of these calls, so many times.
    async fn each<F>(
        &self,
        access: &Access,
        ids: &[PhoneCallId],
        times: u64,
        act: fn(Client, PhoneCallId) -> F,
    ) -> Result<(), ProvingError>
    where
        F: Future<Output = Result<Client, ProvingError>> + Send + 'static,
    {
        let ids: Arc<[PhoneCallId]> = ids.into();
        let (next, all) = (Arc::new(AtomicU64::new(0)), ids.len() as u64 * times);
        let mut clients = JoinSet::new();
        for _ in 0..self.clients {
            let (next, ids, mut client) = (next.clone(), ids.clone(), Client::new(access.clone()));
            clients.spawn(async move {
                loop {
                    let nth = next.fetch_add(1, Relaxed);
                    if nth >= all {
                        return Ok::<_, ProvingError>(());
                    }
                    let id = ids[usize::try_from(nth).unwrap_or_default() % ids.len()].clone();
                    client = act(client, id).await?;
                }
            });
        }
        for asked in clients.join_all().await {
            asked?;
        }
        Ok(())
    }
}
