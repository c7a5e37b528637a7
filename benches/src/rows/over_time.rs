//! What time brings: a restart with many calls up, many calls that came and went, and as many as there are files for.

use std::time::{Duration, SystemTime};

use proving::server::Site;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::crowd::FIRST;
use crate::{
    BenchError,
    client::Client,
    farm::{Farm, PHONES, RECEIVE_BUFFER},
    figures::Figures,
    lab::{Lab, Layout, Program, pass, seconds, setting, until},
    measures, process,
};

/// Calls that are up at a time, of those that come and go.
const BATCH: usize = 2000;
/// How long what a phone has said may come again: an ended call is gone after that (64·T1, and a little).
const LINGER: Duration = Duration::from_secs(35);
/// Open files of a server, for [`held_at_once`].
const FILES: u64 = 20_000;

/// A store with records of calls that ended long ago, of which each restart has a copy.
pub(crate) struct OldStore {
    farm: Farm,
    site: Site,
}

impl OldStore {
    pub(crate) async fn fill(program: &Program, records: u64) -> Result<Self, BenchError> {
        let farm = Farm::switch_on(RECEIVE_BUFFER)?;
        let site = Site::furnish(setting(&program.onhook, &Layout::default()), farm.address()).await?;
        // The first server makes the key by which its successors know its branches.
        site.serve(None).await?.kill().await?;
        if records > 0 {
            site.add_old_records(records)?;
        }
        Ok(Self { farm, site })
    }

    /// Kills the server with calls up, and times the BYEs of the next one.
    pub(crate) async fn restart(&self, calls: usize, figures: &mut Figures) -> Result<(), BenchError> {
        let (farm, site) = (&self.farm, self.site.another()?);
        let serving = site.serve(None).await?;
        let acked = farm.facts().acked + calls;
        crate::client::place(&serving.access, 8, 0..calls)?;
        until(|| farm.facts().acked >= acked, "not every phone was ACKed")?;
        serving.kill().await?;

        let started = SystemTime::now();
        let serving = site.serve(None).await?;
        until(|| farm.facts().up == 0, "phones stayed up after the restart")?;
        let byes = farm.byes_since(started);
        let (first, last) = byes.ok_or(BenchError::Stuck("phones went down without a BYE"))?;
        if farm.facts().double_byes > 0 {
            return Err(BenchError::Stuck("a phone was hung up twice"));
        }
        figures.add(0, measures::RESTART_FIRST, seconds(started, first));
        figures.add(0, measures::RESTART_LAST, seconds(started, last));
        serving.kill().await?;
        Ok(())
    }
}

/// So many calls come and go.
pub(crate) async fn churn(program: &Program, calls: usize, figures: &mut Figures) -> Result<(), BenchError> {
    let lab = Lab::open(program, Layout::default()).await?;
    let first = lab.place(1, 0..FIRST)?;
    lab.hang_up(1, &first)?;
    let before = process::memory(lab.pid())?;
    let mut left = calls;
    while left > 0 {
        let batch = BATCH.min(left).min(PHONES);
        let held = lab.place(8, 0..batch)?;
        lab.hang_up(8, &held)?;
        left -= batch;
    }
    let more = |after: f64| (after / before - 1.0) * 100.0;
    figures.add(0, measures::MEMORY_AT_ONCE, more(process::memory(lab.pid())?));
    pass(LINGER);
    figures.add(0, measures::MEMORY_CHURN, more(process::memory(lab.pid())?));
    lab.close().await
}

/// As many calls as a server takes that may have [`FILES`] open.
pub(crate) async fn held_at_once(
    program: &Program,
    nth: usize,
    most: usize,
    figures: &mut Figures,
) -> Result<(), BenchError> {
    let before = getrlimit(Resource::Nofile);
    let limit = before.maximum.map_or(FILES, |maximum| maximum.min(FILES));
    let few = Rlimit {
        current: Some(limit),
        maximum: before.maximum,
    };
    setrlimit(Resource::Nofile, few)?;
    let lab = Lab::open(program, Layout::default()).await;
    setrlimit(Resource::Nofile, before)?;
    let lab = lab?;
    let mut client = Client::connect(lab.access())?;
    let mut held = 0;
    while held < most {
        match client.play(held) {
            Ok(_) => held += 1,
            // The first one that it does not take.
            Err(BenchError::Answer(_)) => break,
            Err(error) => return Err(error),
        }
    }
    until(|| lab.farm.facts().acked == held, "not every phone was ACKed")?;
    figures.add(nth, measures::HELD_AT_ONCE, held as f64);
    lab.close().await
}
