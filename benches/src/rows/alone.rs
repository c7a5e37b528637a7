//! One request at a time: nobody else asks, so it takes as long as its way through the server does. Programs take turns call by call.

use std::{
    fs::File,
    io::{Seek as _, Write as _},
    time::{Duration, Instant},
};

use proving::{random::Random, server::Setting};

use crate::{
    BenchError,
    client::Client,
    figures::{Figures, median, percentile},
    lab::{Lab, Layout, Program, milliseconds, pass, until},
    measures, process,
};

/// After each request, in milliseconds: until the server has done what nobody waits for, and sleeps. Drawn, since the server has a
/// rhythm, too.
const QUIET: std::ops::Range<u64> = 4..24;

struct Alone {
    lab: Lab,
    client: Client,
    random: Random,
    times: Times,
}

/// What each request took, in milliseconds.
#[derive(Default)]
struct Times {
    set_up: Vec<f64>,
    query: Vec<f64>,
    bye: Vec<f64>,
    /// Until the answer, which comes when the phone has confirmed or `disconnect_wait` is over.
    hang_up: Vec<f64>,
    /// Of the server's threads.
    wake_ups: Vec<f64>,
    /// A page written over and flushed.
    flush: Vec<f64>,
}

/// `waits` is whether DisconnectPhoneCall waits for the far end.
pub(crate) async fn alone(
    programs: &[Program],
    calls: usize,
    waits: bool,
    figures: &mut Figures,
) -> Result<(), BenchError> {
    let mut all = Vec::new();
    for (nth, program) in (0..).zip(programs) {
        let layout = Layout {
            rtp_ports: Setting::rtp_ports(nth, programs.len() as u64),
            disconnect_wait: if waits {
                Setting::DISCONNECT_WAIT
            } else {
                Duration::ZERO
            },
            ..Layout::default()
        };
        let lab = Lab::open(program, layout).await?;
        all.push(Alone {
            client: Client::connect(lab.access())?,
            lab,
            random: Random::new(nth),
            times: Times::default(),
        });
    }
    let mut file = tempfile::tempfile()?;
    for phone in 0..calls {
        for one in &mut all {
            one.call(phone)?;
            one.times.flush.push(flush(&mut file)?);
        }
        // Each is the first as often as the last.
        all.reverse();
    }
    if calls % 2 == 1 {
        all.reverse();
    }
    for (nth, one) in all.into_iter().enumerate() {
        let mut add = |measure, value| figures.add(nth, measure, value);
        let times = &one.times;
        if waits {
            add(measures::ALONE_SET_UP, median(&times.set_up));
            add(measures::ALONE_QUERY, median(&times.query));
            add(measures::ALONE_BYE_P50, median(&times.bye));
            add(measures::ALONE_BYE_P99, percentile(&times.bye, 99));
            add(measures::ALONE_ANSWER, median(&times.hang_up));
            add(measures::ALONE_WAKE_UPS, median(&times.wake_ups));
        } else {
            add(measures::ALONE_UNWAITED, median(&times.hang_up));
            add(measures::ALONE_FLUSH, median(&times.flush));
            add(
                measures::ALONE_OVER_FLUSH,
                median(&times.hang_up) - median(&times.flush),
            );
        }
        one.lab.close().await?;
    }
    Ok(())
}

impl Alone {
    /// One call from its order to its end.
    fn call(&mut self, phone: usize) -> Result<(), BenchError> {
        let acked = self.lab.farm.facts().acked;
        let (held, asked) = self.client.play(phone)?;
        self.times.set_up.push(milliseconds(asked.took));
        until(|| self.lab.farm.facts().acked > acked, "a phone was not ACKed")?;
        self.be_quiet();

        let (is_connected, asked) = self.client.is_connected(&held)?;
        self.times.query.push(milliseconds(asked.took));
        if !is_connected {
            return Err(BenchError::Stuck("an answered call does not read Connected"));
        }
        self.be_quiet();

        let wake_ups = process::wake_ups(self.lab.pid())?;
        let asked = self.client.disconnect(&held)?;
        self.times.hang_up.push(milliseconds(asked.took));
        until(|| self.lab.farm.facts().up == 0, "a phone stayed up")?;
        self.times.bye.push(self.lab.to_bye(phone, asked)?);
        self.be_quiet();
        self.times.wake_ups.push(process::wake_ups(self.lab.pid())? - wake_ups);
        Ok(())
    }

    fn be_quiet(&mut self) {
        pass(Duration::from_millis(self.random.within(QUIET)));
    }
}

/// Milliseconds that the disk of the servers' stores needs to make a page durable.
fn flush(file: &mut File) -> Result<f64, BenchError> {
    let begun = Instant::now();
    file.rewind()?;
    file.write_all(&[0; 4096])?;
    file.sync_data()?;
    Ok(milliseconds(begun.elapsed()))
}
