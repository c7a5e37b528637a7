//! One client hangs up call after call while many are up.
//!
//! Programs take turns every few calls: when each hung up its hundreds in one go, the machine's own ups and downs between two such goes
//! were larger than any difference between the programs.

use std::time::{Duration, Instant};

use proving::server::Setting;

use super::crowd::FIRST;
use crate::{
    BenchError,
    client::{Client, Held},
    figures::{Figures, percentile},
    lab::{Lab, Layout, Program, milliseconds, until},
    measures, process,
};

/// Calls that a program hangs up before the other has its turn.
const TURN: usize = 20;
/// Of the calls that are held, so many are hung up: 1 of these.
const PART: usize = 3;

/// A program, the calls it holds, and the client that hangs them up.
struct OneClient {
    lab: Lab,
    client: Client,
    held: Vec<Held>,
    /// In turns of its own: on the wall, and CPU of the server's, in seconds.
    took: Duration,
    cpu: f64,
    answers: Vec<f64>,
    byes: Vec<f64>,
}

pub(crate) async fn turns(programs: &[Program], calls: usize, figures: &mut Figures) -> Result<(), BenchError> {
    let mut all = Vec::new();
    for (nth, program) in (0..).zip(programs) {
        let layout = Layout {
            rtp_ports: Setting::rtp_ports(nth, programs.len() as u64),
            ..Layout::default()
        };
        let lab = Lab::open(program, layout).await?;
        let held = lab.place(8, 0..FIRST + calls)?;
        all.push(OneClient {
            client: Client::connect(lab.access())?,
            lab,
            held,
            took: Duration::ZERO,
            cpu: 0.0,
            answers: Vec::new(),
            byes: Vec::new(),
        });
    }
    let turns = (calls / PART).div_ceil(TURN);
    for _ in 0..turns {
        for one in &mut all {
            one.hang_up()?;
        }
        // Each is the first as often as the last.
        all.reverse();
    }
    if turns % 2 == 1 {
        all.reverse();
    }
    for (nth, one) in all.into_iter().enumerate() {
        let count = one.answers.len() as f64;
        figures.add(nth, measures::HANG_UPS_1, count / one.took.as_secs_f64());
        figures.add(nth, measures::CPU_HANG_UP_1, one.cpu * 1e3 / count);
        figures.add(nth, measures::BYE_1, percentile(&one.byes, 99));
        one.lab.close().await?;
    }
    Ok(())
}

impl OneClient {
    fn hang_up(&mut self) -> Result<(), BenchError> {
        let calls: Vec<Held> = self.held.drain(..TURN.min(self.held.len())).collect();
        let mut asked = Vec::with_capacity(calls.len());
        let (cpu, begun) = (process::cpu(self.lab.pid())?, Instant::now());
        for held in &calls {
            asked.push((held.phone, self.client.disconnect(held)?));
        }
        self.took += begun.elapsed();
        self.cpu += process::cpu(self.lab.pid())? - cpu;
        let left = self.held.len();
        until(
            || self.lab.farm.facts().up == left,
            "phones stayed up, or went down by themselves",
        )?;
        for (phone, asked) in asked {
            self.answers.push(milliseconds(asked.took));
            self.byes.push(self.lab.to_bye(phone, asked)?);
        }
        Ok(())
    }
}
