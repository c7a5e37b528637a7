//! A restart with many calls up: how soon the first BYE leaves, and how soon the last.

use std::{
    ops::Range,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use crate::{
    ProvingError,
    client::{Access, Client},
    phones::{Habits, NUMBERS, Phones, Quality, Transport, wait},
    report::Report,
    server::{Setting, Site},
};

const SIDE_BY_SIDE: u64 = 50;
/// Calls that are placed at one server.
const MOST_AT_ONE: u64 = 5000;
const FIRST_BYE: Duration = Duration::from_secs(1);
const LAST_BYE: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
pub struct RestartRun {
    pub onhook: PathBuf,
    pub seed: u64,
    pub calls: u64,
    /// Records of calls that ended long ago, in the store at the restart.
    pub old_records: u64,
}

impl RestartRun {
    /// # Errors
    /// When the run could not be made; what it found is in the report.
    pub async fn run(&self) -> Result<Report, ProvingError> {
        let t1 = Duration::from_millis(500);
        let habits = Habits::answering_at_once(self.seed, t1);
        let phones = Phones::switch_on(habits, Quality::default()).await?;
        let setting = Setting {
            onhook: self.onhook.clone(),
            t1,
            max_live: usize::try_from(self.calls).unwrap_or(usize::MAX),
            rtp_ports: Setting::rtp_ports(0, 1),
            disconnect_wait: Setting::DISCONNECT_WAIT,
            transport: Transport::Udp,
            certificates: None,
        };
        let unused = Site::furnish(setting, phones.address()).await?;
        // The first server makes the key by which its successors know its branches.
        unused.serve(None).await?.kill().await?;
        let site = unused.another()?;
        let mut up = 0;
        while up < self.calls {
            let more = MOST_AT_ONE.min(self.calls - up);
            // A server has two sockets a call, and may have only so many: further calls are those of another one, and
            // their journal is laid to the first one's.
            let other = if up == 0 { None } else { Some(unused.another()?) };
            let serving = other.as_ref().unwrap_or(&site).serve(None).await?;
            place(&serving.access, up..up + more).await?;
            up += more;
            wait(|| phones.all_acked() as u64 == up, "not every phone was ACKed").await?;
            serving.kill().await?;
            if let Some(other) = other {
                site.take_over_calls(&other)?;
            }
        }

        if self.old_records > 0 {
            site.add_old_records(self.old_records)?;
        }
        phones.server_starts();
        let serving = site.serve(None).await?;
        let ready = serving.started.elapsed();
        wait(|| phones.all_up() == 0, "phones stayed up after the restart").await?;
        let down = serving.started.elapsed();
        let facts = phones.facts();
        let after = |at: Option<Instant>| at.map_or(Duration::MAX, |at| at.duration_since(serving.started));
        let (first, last) = (after(facts.first_bye), after(facts.last_bye));

        let mut report = Report::new(format!(
            "restart with {} calls up and {} old records, times from the start of the process",
            self.calls, self.old_records
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

async fn place(access: &Access, calls: Range<u64>) -> Result<(), ProvingError> {
    let next = Arc::new(AtomicU64::new(calls.start));
    let mut callers = JoinSet::new();
    for _ in 0..SIDE_BY_SIDE {
        let (next, end, mut client) = (Arc::clone(&next), calls.end, Client::new(access.clone()));
        callers.spawn(async move {
            loop {
                let nth = next.fetch_add(1, Relaxed);
                if nth >= end {
                    return Ok::<_, ProvingError>(());
                }
                client.play(&(NUMBERS + nth).to_string()).await?;
            }
        });
    }
    for placed in callers.join_all().await {
        placed?;
    }
    Ok(())
}
