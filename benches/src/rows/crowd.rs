//! Many at a time: what a second brings, and what one of many costs.

use std::time::Duration;

use crate::{
    BenchError,
    client::{self, Held},
    figures::Figures,
    lab::{Lab, Layout, Program, pass},
    measures,
    process::{self, Begun},
};

/// Calls that are up before anything counts: what the first ones bring with them is none of theirs.
pub(crate) const FIRST: usize = 8;
/// How long calls are held until nothing of their beginning is left, and how long holding them is measured.
const SETTLE: Duration = Duration::from_secs(6);
const HOLD: Duration = Duration::from_secs(2);
/// Times that one client asks about each call; eight ask more often, since they are faster.
const ASKED_BY_ONE: usize = 2;
const ASKED_BY_EIGHT: usize = 6;

/// Sets calls up, holds them, asks about them, hangs them up.
pub(crate) async fn crowd(
    program: &Program,
    nth: usize,
    calls: usize,
    figures: &mut Figures,
) -> Result<(), BenchError> {
    let lab = Lab::open(program, Layout::default()).await?;
    let pid = lab.pid();

    let _first = lab.place(1, 0..FIRST)?;
    let before = (process::memory(pid)?, process::kernel_memory()?);
    let begun = Begun::now(pid)?;
    let held = lab.place(8, FIRST..FIRST + calls)?;
    let [rate, cpu] = begun.per(calls)?;
    figures.add(nth, measures::SET_UPS_8, rate);
    figures.add(nth, measures::CPU_SET_UP, cpu);

    pass(SETTLE);
    let more = process::memory(pid)? - before.0 + process::kernel_memory()? - before.1;
    figures.add(nth, measures::MEMORY_IDLE, more / calls as f64);
    let begun = Begun::now(pid)?;
    pass(HOLD);
    figures.add(nth, measures::HOLDING, begun.share()?);

    for (clients, times, rate_row, cpu_row) in [
        (1, ASKED_BY_ONE, measures::QUERIES_1, measures::CPU_QUERY_1),
        (8, ASKED_BY_EIGHT, measures::QUERIES_8, measures::CPU_QUERY_8),
    ] {
        let asked: Vec<Held> = held.iter().cycle().take(calls * times).cloned().collect();
        let begun = Begun::now(pid)?;
        let connected = client::each(lab.access(), clients, &asked, |client, held| {
            Ok(client.is_connected(held)?.0)
        })?;
        let [rate, cpu] = begun.per(asked.len())?;
        if connected.contains(&false) {
            return Err(BenchError::Stuck("a call that is up does not read Connected"));
        }
        figures.add(nth, rate_row, rate);
        figures.add(nth, cpu_row, cpu);
    }

    let (by_eight, by_many) = held.split_at(held.len() / 2);
    let hung_up = lab.hang_up(8, by_eight)?;
    figures.add(nth, measures::HANG_UPS_8, hung_up.rate);
    figures.add(nth, measures::CPU_HANG_UP_8, hung_up.cpu);
    figures.add(nth, measures::BYE_8, hung_up.bye_p99());
    figures.add(nth, measures::SLOWEST_8, hung_up.slowest());
    let hung_up = lab.hang_up(32, by_many)?;
    figures.add(nth, measures::HANG_UPS_32, hung_up.rate);
    figures.add(nth, measures::CPU_HANG_UP_32, hung_up.cpu);
    figures.add(nth, measures::BYE_32, hung_up.bye_p99());
    figures.add(nth, measures::SLOWEST_32, hung_up.slowest());
    lab.close().await
}
