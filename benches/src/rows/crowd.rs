//! Many at a time: what a second brings, and what one of many costs.

use std::time::Duration;

use crate::{
    BenchError,
    client::{self, Held},
    figures::Figures,
    lab::{Lab, Layout, Program, pass},
    measures as rows,
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
    figures.add(nth, rows::SET_UPS_8, rate);
    figures.add(nth, rows::CPU_SET_UP, cpu);

    pass(SETTLE);
    let more = process::memory(pid)? - before.0 + process::kernel_memory()? - before.1;
    figures.add(nth, rows::MEMORY_IDLE, more / calls as f64);
    let begun = Begun::now(pid)?;
    pass(HOLD);
    figures.add(nth, rows::HOLDING, begun.share()?);

    for (clients, times, rate_row, cpu_row) in [
        (1, ASKED_BY_ONE, rows::QUERIES_1, rows::CPU_QUERY_1),
        (8, ASKED_BY_EIGHT, rows::QUERIES_8, rows::CPU_QUERY_8),
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
    figures.add(nth, rows::HANG_UPS_8, hung_up.rate);
    figures.add(nth, rows::CPU_HANG_UP_8, hung_up.cpu);
    figures.add(nth, rows::BYE_8, hung_up.bye_p99());
    figures.add(nth, rows::SLOWEST_8, hung_up.slowest());
    let hung_up = lab.hang_up(32, by_many)?;
    figures.add(nth, rows::HANG_UPS_32, hung_up.rate);
    figures.add(nth, rows::CPU_HANG_UP_32, hung_up.cpu);
    figures.add(nth, rows::BYE_32, hung_up.bye_p99());
    figures.add(nth, rows::SLOWEST_32, hung_up.slowest());
    lab.close().await
}
