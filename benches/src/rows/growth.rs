//! What a call costs when few and when many are up.

use std::time::Duration;

use crate::{
    BenchError,
    figures::{Figures, percentile},
    lab::{HungUp, Lab, Layout, Program, pass},
    measures,
    process::{self, Begun},
};

/// Calls that come and go beside those that stay, and how often.
const BATCH: usize = 100;
const BATCHES: usize = 10;
const SETTLE: Duration = Duration::from_secs(3);
const HOLD: Duration = Duration::from_secs(1);

/// What each cost is with so many calls up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Costs {
    pub(crate) up: usize,
    /// A second, with eight clients.
    pub(crate) hang_ups: f64,
    /// In milliseconds.
    pub(crate) bye_p99: f64,
    /// Of the server's for a call from its order to its end, in milliseconds.
    pub(crate) cpu: f64,
    /// KiB of a held call: the process's.
    pub(crate) memory: f64,
    /// Percent of a core, for all that are held.
    pub(crate) holding: f64,
}

pub(crate) async fn growth(
    program: &Program,
    nth: usize,
    numbers: &[usize],
    figures: &mut Figures,
) -> Result<Vec<Costs>, BenchError> {
    let mut all = Vec::new();
    for &up in numbers {
        all.push(with_up(program, up).await?);
    }
    let few = all.iter().find(|costs| costs.up == 100);
    if let (Some(few), Some(most)) = (few, all.last()) {
        figures.add(nth, measures::MANY_UP_RATE, most.hang_ups / few.hang_ups);
        figures.add(nth, measures::MANY_UP_BYE, most.bye_p99 / few.bye_p99);
    }
    Ok(all)
}

async fn with_up(program: &Program, up: usize) -> Result<Costs, BenchError> {
    let lab = Lab::open(program, Layout::default()).await?;
    let pid = lab.pid();
    // What the first calls bring with them is there, and goes again.
    let first = lab.place(8, 0..BATCH)?;
    lab.hang_up(8, &first)?;
    let before = process::memory(pid)?;
    lab.place(8, BATCH..BATCH + up)?;
    pass(SETTLE);
    let memory = (process::memory(pid)? - before) / up as f64;
    let begun = Begun::now(pid)?;
    pass(HOLD);
    let holding = begun.share()?;

    let begun = Begun::now(pid)?;
    let (mut took, mut byes) = (0.0, Vec::new());
    for batch in 0..BATCHES {
        let first = BATCH + up + batch * BATCH;
        let calls = lab.place(8, first..first + BATCH)?;
        let HungUp { rate, byes: more, .. } = lab.hang_up(8, &calls)?;
        took += BATCH as f64 / rate;
        byes.extend(more);
    }
    let [_, cpu] = begun.per(BATCH * BATCHES)?;
    lab.close().await?;
    Ok(Costs {
        up,
        hang_ups: (BATCH * BATCHES) as f64 / took,
        bye_p99: percentile(&byes, 99),
        cpu,
        memory,
        holding,
    })
}
