//! One client hangs up call after call while many are up.
//!
//! Programs take turns every few calls: when each hung up its few hundred in one go, the machine's own ups and downs between two such
//! goes were larger than any difference between the programs.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use super::{
    SpeedRun,
    crowd::{FIRST, Held, place},
    figures::{Figures, median, percentile},
    process,
};
use crate::{
    ProvingError,
    client::Client,
    phones::{Phones, RECEIVE_BUFFER, wait},
    server::{Serving, Setting, Site},
};

/// Calls that a program hangs up before the other has its turn.
const TURN: usize = 20;

/// A program, the calls it holds, and the client that hangs them up.
struct OneClient {
    phones: Phones,
    serving: Serving,
    client: Client,
    held: Vec<Held>,
    /// In turns of its own: on the wall, and CPU of the server's.
    took: Duration,
    cpu: f64,
    /// Of each hang-up, in milliseconds.
    answers: Vec<f64>,
    byes: Vec<f64>,
    _site: Site,
}

impl SpeedRun {
    /// All calls that are held are hung up, by one client at each program.
    pub(super) async fn one_client(&self, programs: &[&Path], figures: &mut Figures) -> Result<(), ProvingError> {
        let mut all = Vec::new();
        for (nth, program) in (0..).zip(programs) {
            let ports = Setting::rtp_ports(nth, programs.len() as u64);
            let (phones, site, serving) = self.furnish(program, ports, RECEIVE_BUFFER).await?;
            // The last ones stay up.
            let held = place(&serving.access, 0..FIRST + self.calls).await?;
            wait(|| phones.all_acked() == held.len(), "not every phone was ACKed").await?;
            all.push(OneClient {
                client: Client::new(serving.access.clone()),
                phones,
                serving,
                held,
                took: Duration::ZERO,
                cpu: 0.0,
                answers: Vec::with_capacity(self.calls),
                byes: Vec::with_capacity(self.calls),
                _site: site,
            });
        }
        for begun in (0..self.calls).step_by(TURN) {
            for one in &mut all {
                one.hang_up(TURN.min(self.calls - begun)).await?;
            }
            // Each is the first as often as the last.
            all.reverse();
        }
        if self.calls.div_ceil(TURN) % 2 == 1 {
            all.reverse();
        }
        for (nth, one) in all.into_iter().enumerate() {
            one.end(nth, figures).await?;
        }
        Ok(())
    }
}

impl OneClient {
    async fn hang_up(&mut self, calls: usize) -> Result<(), ProvingError> {
        let (pid, mut hung_up) = (self.serving.pid(), Vec::with_capacity(calls));
        let (cpu, begun) = (process::cpu(pid)?, Instant::now());
        for held in self.held.drain(..calls) {
            let asked = Instant::now();
            self.client.disconnect(&held.id).await?;
            self.answers.push(asked.elapsed().as_secs_f64() * 1e3);
            hung_up.push((held.number, asked));
        }
        self.took += begun.elapsed();
        self.cpu += process::cpu(pid)? - cpu;
        let left = self.held.len();
        let stayed_up = "phones stayed up, or went down by themselves";
        wait(|| self.phones.all_up() == left, stayed_up).await?;
        for (number, asked) in hung_up {
            let bye = self.phones.byed_at(&number);
            let bye = bye.ok_or(ProvingError::Stuck("a phone went down without a BYE"))?;
            self.byes.push(bye.saturating_duration_since(asked).as_secs_f64() * 1e3);
        }
        Ok(())
    }

    async fn end(self, nth: usize, figures: &mut Figures) -> Result<(), ProvingError> {
        let count = self.answers.len() as f64;
        let mut add = |what, unit, value| figures.add(nth, what, unit, value);
        add("hang-ups, 1 client", "a second", count / self.took.as_secs_f64());
        add("CPU for one hang-up, 1 client", "ms", self.cpu * 1e3 / count);
        add("to its BYE, 1 client, p50", "ms", median(&self.byes));
        add("to its BYE, 1 client, p99", "ms", percentile(&self.byes, 99));
        add("to its answer, 1 client, p50", "ms", median(&self.answers));
        add("to its answer, 1 client, p99", "ms", percentile(&self.answers, 99));
        if self.phones.facts().double_byes > 0 {
            return Err(ProvingError::Stuck("a phone was hung up twice"));
        }
        self.serving.kill().await
    }
}
