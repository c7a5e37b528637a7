//! How fast the server is, and what a call costs it: set-ups, queries and hang-ups a second, CPU for each, memory of a held call.
//!
//! Machines are shared and their speed changes by the minute: so two programs take turns in one run, and what counts is the ratio of
//! their medians. The load is made by this same process on the same cores: rates are what is left beside it, CPU is the server's own.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
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

/// How long calls are held and nothing is asked.
const HOLD: Duration = Duration::from_secs(2);
/// What `/proc` counts CPU in (USER_HZ, proc(5)).
const TICKS_A_SECOND: f64 = 100.0;
/// Queries for each call that is up.
const QUERIES: u64 = 3;

#[derive(Clone, Debug)]
pub struct SpeedRun {
    pub onhook: PathBuf,
    /// The program that it takes turns with.
    pub against: Option<PathBuf>,
    pub seed: u64,
    /// Held at the same time.
    pub calls: u64,
    /// EWS clients, each with one connection and one request at a time.
    pub clients: u64,
    /// How often each program has its turn.
    pub rounds: u64,
}

/// What one turn of one program came to.
#[derive(Clone, Copy, Debug, Default)]
struct Turn {
    values: [f64; MEASURES.len()],
}

const MEASURES: [(&str, &str); 9] = [
    ("set-ups", "a second"),
    ("CPU for a set-up", "ms"),
    ("memory of a held call", "KiB"),
    ("CPU while calls are held", "% of a core"),
    ("queries", "a second"),
    ("CPU for a query", "ms"),
    ("hang-ups", "a second"),
    ("CPU for a hang-up", "ms"),
    ("hang-up, one at a time, in the middle", "ms"),
];

impl SpeedRun {
    /// # Errors
    /// When the run could not be made; what it measured is in the report.
    pub async fn run(&self) -> Result<Report, ProvingError> {
        let programs: Vec<&PathBuf> = [&self.onhook].into_iter().chain(&self.against).collect();
        let mut turns: Vec<Vec<Turn>> = vec![Vec::new(); programs.len()];
        for _ in 0..self.rounds {
            for (program, turns) in programs.iter().zip(&mut turns) {
                turns.push(self.turn(program).await?);
            }
        }
        let mut report = Report::new(format!(
            "{} calls, {} clients, the median of {} turns{}",
            self.calls,
            self.clients,
            self.rounds,
            if self.against.is_some() {
                ", and of the other program"
            } else {
                ""
            }
        ));
        for (nth, (what, unit)) in MEASURES.iter().enumerate() {
            let medians: Vec<f64> = turns.iter().map(|turns| median(turns, nth)).collect();
            let told = match medians[..] {
                [own, other] => format!("{own:.3} {unit}; {other:.3}; ratio {:.2}", own / other),
                _ => format!("{:.3} {unit}", medians[0]),
            };
            report.tell(what, told);
        }
        Ok(report)
    }

    async fn turn(&self, onhook: &Path) -> Result<Turn, ProvingError> {
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
        let mut values = Vec::new();

        // What the first calls bring with them is none of theirs.
        let first = self.place(&serving.access, 0..8).await?;
        wait(|| phones.all_acked() == 8, "not every phone was ACKed").await?;
        let memory = memory(pid)?;
        let begun = Begun::now(pid)?;
        let ids = self.place(&serving.access, 8..self.calls).await?;
        wait(|| phones.all_acked() as u64 == self.calls, "not every phone was ACKed").await?;
        values.extend(begun.per(self.calls - 8, pid)?);
        values.push((self::memory(pid)? - memory) / (self.calls - 8) as f64);

        // The listener is looked for in the first seconds of a call.
        sleep(HOLD * 3).await;
        let begun = Begun::now(pid)?;
        sleep(HOLD).await;
        values.push(begun.share(pid)?);

        let begun = Begun::now(pid)?;
        self.ask(&serving.access, &ids).await?;
        values.extend(begun.per(QUERIES * ids.len() as u64, pid)?);

        let begun = Begun::now(pid)?;
        self.hang_up(&serving.access, &ids).await?;
        wait(|| phones.all_up() == first.len(), "phones stayed up").await?;
        values.extend(begun.per(ids.len() as u64, pid)?);

        values.push(one_at_a_time(&serving.access, &phones).await?);
        serving.kill().await?;
        let values = values
            .try_into()
            .map_err(|_| ProvingError::Stuck("a measure is missing"))?;
        Ok(Turn { values })
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

/// From the request to the answer, which comes when the phone has confirmed.
async fn one_at_a_time(access: &Access, phones: &Phones) -> Result<f64, ProvingError> {
    let mut client = Client::new(access.clone());
    let mut times = Vec::new();
    for nth in 0..100_u64 {
        let number = (90_000_000 + nth).to_string();
        let id = client.play(&number).await?;
        wait(|| phones.up(&number) == 1, "a phone was not answered").await?;
        // Until its answer is on the disk, and ACKed.
        while client.information(&id).await?.state != ews::PhoneCallState::Connected {}
        let begun = Instant::now();
        client.disconnect(&id).await?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// The clock on the wall and the server's CPU when something began.
struct Begun {
    at: Instant,
    cpu: f64,
}

impl Begun {
    fn now(pid: u32) -> Result<Self, ProvingError> {
        Ok(Self {
            at: Instant::now(),
            cpu: cpu(pid)?,
        })
    }

    /// How many were done a second, and the milliseconds of CPU for one.
    fn per(&self, done: u64, pid: u32) -> Result<[f64; 2], ProvingError> {
        let (took, used) = (self.at.elapsed().as_secs_f64(), cpu(pid)? - self.cpu);
        Ok([done as f64 / took, used * 1e3 / done as f64])
    }

    /// The share of one core, of a hundred.
    fn share(&self, pid: u32) -> Result<f64, ProvingError> {
        Ok((cpu(pid)? - self.cpu) * 100.0 / self.at.elapsed().as_secs_f64())
    }
}

/// Seconds of CPU that a process has used.
fn cpu(pid: u32) -> Result<f64, ProvingError> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: Vec<f64> = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|it| it.parse().ok())
        .collect();
    Ok(ticks.iter().sum::<f64>() / TICKS_A_SECOND)
}

/// KiB of memory that a process has.
fn memory(pid: u32) -> Result<f64, ProvingError> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line
        .and_then(|line| line.split_whitespace().next())
        .and_then(|kib| kib.parse().ok());
    kib.ok_or(ProvingError::Stuck("the server's memory cannot be read"))
}

fn median(turns: &[Turn], nth: usize) -> f64 {
    let mut values: Vec<f64> = turns.iter().map(|turn| turn.values[nth]).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
