//! One request at a time: nobody else asks, so it takes as long as its way through the server does.

use std::{
    fs::File,
    io::{Seek as _, Write as _},
    ops::Range,
    path::Path,
    time::{Duration, Instant},
};

use ews::PhoneCallState;
use tokio::time::sleep;

use super::{
    figures::{Figures, median, percentile},
    process,
};
use crate::{
    ProvingError,
    client::Client,
    phones::{Habits, NUMBERS, Phones, Quality, Transport, wait},
    random::Random,
    server::{Serving, Setting, Site},
};

/// After each request: until the server has done what nobody waits for, and sleeps. Drawn, since the server has a rhythm, too.
const QUIET: Range<u64> = 4..24;

/// A server with phones and a client of its own.
pub(super) struct Alone {
    phones: Phones,
    serving: Serving,
    client: Client,
    random: Random,
    /// On the disk of the servers' stores.
    file: File,
    _site: Site,
}

/// What each request took, in milliseconds.
#[derive(Default)]
pub(super) struct Times {
    set_up: Vec<f64>,
    query: Vec<f64>,
    /// From the request to the BYE at the phone.
    bye: Vec<f64>,
    /// From the request to the answer, which comes when the phone has confirmed.
    hang_up: Vec<f64>,
    /// Of the server's threads, for a hang-up.
    wake_ups: Vec<f64>,
    /// A page written over and flushed, beside the servers.
    flush: Vec<f64>,
}

impl Alone {
    /// For the `nth` of `all` servers that are there at the same time.
    pub(super) fn setting(onhook: &Path, nth: u64, all: u64, disconnect_wait: Duration) -> Setting {
        Setting {
            onhook: onhook.to_owned(),
            t1: Duration::from_millis(500),
            max_live: 100,
            rtp_ports: Setting::rtp_ports(nth, all),
            disconnect_wait,
            transport: Transport::Udp,
            certificates: None,
        }
    }

    pub(super) async fn start(setting: Setting, seed: u64) -> Result<Self, ProvingError> {
        let habits = Habits::answering_at_once(seed, setting.t1);
        let phones = Phones::switch_on(habits, Quality::default()).await?;
        let site = Site::furnish(setting, phones.address()).await?;
        let serving = site.serve(None).await?;
        let client = Client::new(serving.access.clone());
        Ok(Self {
            phones,
            serving,
            client,
            random: Random::new(seed),
            file: tempfile::tempfile()?,
            _site: site,
        })
    }

    /// One call from its order to its end.
    pub(super) async fn call(&mut self, nth: u64, times: &mut Times) -> Result<(), ProvingError> {
        // Below those at which two phones answer.
        let number = (NUMBERS + nth).to_string();
        let begun = Instant::now();
        let id = self.client.play(&number).await?;
        times.set_up.push(milliseconds(begun.elapsed()));
        wait(|| self.phones.all_acked() == 1, "a phone was not ACKed").await?;
        self.be_quiet().await;

        let begun = Instant::now();
        let information = self.client.information(&id).await?;
        times.query.push(milliseconds(begun.elapsed()));
        if information.state != PhoneCallState::Connected {
            return Err(ProvingError::Stuck("an answered call does not read Connected"));
        }
        self.be_quiet().await;

        let wake_ups = process::wake_ups(self.serving.pid())?;
        let begun = Instant::now();
        self.client.disconnect(&id).await?;
        times.hang_up.push(milliseconds(begun.elapsed()));
        wait(|| self.phones.all_up() == 0, "a phone stayed up").await?;
        let bye = self.phones.byed_at(&number);
        let bye = bye.ok_or(ProvingError::Stuck("a phone went down without a BYE"))?;
        times.bye.push(milliseconds(bye.saturating_duration_since(begun)));
        self.be_quiet().await;
        times.wake_ups.push(process::wake_ups(self.serving.pid())? - wake_ups);
        self.flush(times)
    }

    fn flush(&mut self, times: &mut Times) -> Result<(), ProvingError> {
        let begun = Instant::now();
        self.file.rewind()?;
        self.file.write_all(&[0; 4096])?;
        self.file.sync_data()?;
        times.flush.push(milliseconds(begun.elapsed()));
        Ok(())
    }

    async fn be_quiet(&mut self) {
        sleep(Duration::from_millis(self.random.within(QUIET))).await;
    }

    pub(super) async fn stop(self) -> Result<(), ProvingError> {
        self.serving.kill().await
    }
}

impl Times {
    pub(super) fn tell(&self, program: usize, figures: &mut Figures) {
        let mut add = |what, value| figures.add(program, what, "ms", value);
        add("one set-up at a time, p50", median(&self.set_up));
        add("one query at a time, p50", median(&self.query));
        add("one hang-up at a time, to its BYE, p50", median(&self.bye));
        add("the same, p99", percentile(&self.bye, 99));
        add("one hang-up at a time, to its answer, p50", median(&self.hang_up));
        add("and p99 of that", percentile(&self.hang_up, 99));
        add("a flush of the disk, p50", median(&self.flush));
        figures.add(
            program,
            "wake-ups of threads",
            "for one hang-up",
            median(&self.wake_ups),
        );
    }

    /// Of servers that wait for no phone to confirm.
    pub(super) fn tell_without_wait(&self, program: usize, figures: &mut Figures) {
        let mut add = |what, value| figures.add(program, what, "ms", value);
        add("to its answer without disconnect_wait, p50", median(&self.hang_up));
        add("a flush of the disk beside it, p50", median(&self.flush));
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
