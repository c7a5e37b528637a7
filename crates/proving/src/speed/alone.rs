//! One request at a time: nobody else asks, so it takes as long as its way through the server does.

use std::{
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
    phones::{Habits, Phones, Quality, wait},
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
}

impl Alone {
    /// The `nth` of `all` servers that are there at the same time.
    pub(super) async fn start(onhook: &Path, seed: u64, nth: u64, all: u64) -> Result<Self, ProvingError> {
        let t1 = Duration::from_millis(500);
        let phones = Phones::switch_on(Habits::answering_at_once(seed, t1), Quality::default()).await?;
        let setting = Setting {
            onhook: onhook.to_owned(),
            t1,
            max_live: 100,
            rtp_ports: Setting::rtp_ports(nth, all),
        };
        let site = Site::furnish(setting, phones.address()).await?;
        let serving = site.serve(None).await?;
        let client = Client::new(serving.access.clone());
        Ok(Self {
            phones,
            serving,
            client,
            random: Random::part(seed, nth),
            _site: site,
        })
    }

    /// One call from its order to its end.
    pub(super) async fn call(&mut self, nth: u64, times: &mut Times) -> Result<(), ProvingError> {
        // Below those at which two phones answer.
        let number = (10_000_000 + nth).to_string();
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
        let bye = self.phones.facts().last_bye.filter(|bye| *bye >= begun);
        let bye = bye.ok_or(ProvingError::Stuck("a hang-up was answered before its BYE was sent"))?;
        times.bye.push(milliseconds(bye - begun));
        self.be_quiet().await;
        times.wake_ups.push(process::wake_ups(self.serving.pid())? - wake_ups);
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
        figures.add(
            program,
            "wake-ups of threads",
            "for one hang-up",
            median(&self.wake_ups),
        );
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
