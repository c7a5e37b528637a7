//! A server with a farm of phones, and what is done with both in every row.

use std::{
    ops::{Range, RangeInclusive},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime},
};

use proving::{
    client::Access,
    phones::Transport,
    server::{Serving, Setting, Site},
};

use crate::{
    BenchError,
    client::{self, Asked, Held},
    farm::{Farm, RECEIVE_BUFFER},
    figures::percentile,
    process::Begun,
};

const T1: Duration = Duration::from_millis(500);
const POLL: Duration = Duration::from_millis(1);
/// Longer than calls may take to be answered, and phones to be hung up.
const PATIENCE: Duration = Duration::from_secs(120);

/// A program that is measured.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) onhook: PathBuf,
    pub(crate) name: String,
}

/// How a server is set up.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) rtp_ports: RangeInclusive<u16>,
    pub(crate) disconnect_wait: Duration,
    pub(crate) receive_buffer: usize,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            rtp_ports: Setting::rtp_ports(0, 1),
            disconnect_wait: Setting::DISCONNECT_WAIT,
            receive_buffer: RECEIVE_BUFFER,
        }
    }
}

pub(crate) fn setting(onhook: &Path, layout: &Layout) -> Setting {
    Setting {
        onhook: onhook.to_owned(),
        t1: T1,
        // A call has two.
        max_live: layout.rtp_ports.len().div_ceil(2),
        rtp_ports: layout.rtp_ports.clone(),
        disconnect_wait: layout.disconnect_wait,
        transport: Transport::Udp,
        certificates: None,
    }
}

/// What hanging many up came to.
pub(crate) struct HungUp {
    /// Hang-ups a second.
    pub(crate) rate: f64,
    /// Of the server's, for one, in milliseconds.
    pub(crate) cpu: f64,
    /// From each request to the BYE at its phone, and to its answer, in milliseconds.
    pub(crate) byes: Vec<f64>,
    pub(crate) answers: Vec<f64>,
}

impl HungUp {
    pub(crate) fn bye_p99(&self) -> f64 {
        percentile(&self.byes, 99)
    }

    pub(crate) fn slowest(&self) -> f64 {
        self.answers.iter().copied().fold(0.0, f64::max)
    }
}

pub(crate) struct Lab {
    pub(crate) farm: Farm,
    pub(crate) serving: Serving,
    _site: Site,
}

impl Lab {
    pub(crate) async fn open(program: &Program, layout: Layout) -> Result<Self, BenchError> {
        let farm = Farm::switch_on(layout.receive_buffer)?;
        let site = Site::furnish(setting(&program.onhook, &layout), farm.address()).await?;
        let serving = site.serve(None).await?;
        Ok(Self {
            farm,
            serving,
            _site: site,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.serving.pid()
    }

    pub(crate) const fn access(&self) -> &Access {
        &self.serving.access
    }

    /// Rings these phones, and waits until all have been ACKed.
    pub(crate) fn place(&self, clients: usize, phones: Range<usize>) -> Result<Vec<Held>, BenchError> {
        let acked = self.farm.facts().acked + phones.len();
        let held = client::place(self.access(), clients, phones)?;
        until(|| self.farm.facts().acked >= acked, "not every phone was ACKed")?;
        Ok(held)
    }

    /// Hangs all of these up. Each phone is down then, by one BYE, and no other is.
    pub(crate) fn hang_up(&self, clients: usize, calls: &[Held]) -> Result<HungUp, BenchError> {
        let left = self.farm.facts().up.checked_sub(calls.len());
        let left = left.ok_or(BenchError::Stuck("phones went down by themselves"))?;
        let begun = Begun::now(self.pid())?;
        let asked = client::hang_up(self.access(), clients, calls)?;
        until(|| self.farm.facts().up <= left, "phones stayed up")?;
        let [rate, cpu] = begun.per(calls.len())?;
        let byes = asked.iter().map(|(phone, asked)| self.to_bye(*phone, *asked));
        let byes = byes.collect::<Result<_, _>>()?;
        let facts = self.farm.facts();
        if facts.up != left || facts.double_byes > 0 {
            return Err(BenchError::Stuck(
                "a phone was hung up twice, or without being asked for",
            ));
        }
        let answers = asked.iter().map(|(_, asked)| milliseconds(asked.took)).collect();
        Ok(HungUp {
            rate,
            cpu,
            byes,
            answers,
        })
    }

    /// From a request to the BYE at its phone, in milliseconds.
    pub(crate) fn to_bye(&self, phone: usize, asked: Asked) -> Result<f64, BenchError> {
        let bye = self.farm.byed_at(phone);
        let bye = bye.ok_or(BenchError::Stuck("a phone went down without a BYE"))?;
        Ok(milliseconds(bye.duration_since(asked.at).unwrap_or_default()))
    }

    pub(crate) async fn close(self) -> Result<(), BenchError> {
        Ok(self.serving.kill().await?)
    }
}

/// Lets time pass. What a second costs is measured here, and what comes by itself is looked for now and then.
#[expect(clippy::disallowed_methods, reason = "nothing happens that could be awaited")]
pub(crate) fn pass(time: Duration) {
    thread::sleep(time);
}

/// Waits until something is so.
pub(crate) fn until(so: impl Fn() -> bool, otherwise: &'static str) -> Result<(), BenchError> {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        if Instant::now() >= deadline {
            return Err(BenchError::Stuck(otherwise));
        }
        pass(POLL);
    }
    Ok(())
}

pub(crate) const fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Seconds from one moment to another that is not before it.
pub(crate) fn seconds(from: SystemTime, to: SystemTime) -> f64 {
    to.duration_since(from).unwrap_or_default().as_secs_f64()
}
