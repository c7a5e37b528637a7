//! One server, its phones, and the proxy between them: round after round of calls, each with its troubles.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use tokio::{
    net::TcpListener,
    sync::watch,
    task::JoinSet,
    time::{sleep, sleep_until},
};

use super::{
    ConnectionsRun, Progress, Tally,
    proxy::{Leg, Opens},
    trouble::trouble,
};
use crate::{
    ProvingError,
    certificates::Certificates,
    client::{Client, ClientError},
    loss::{all_ended, leaked_grants},
    phones::{Habits, NUMBERS, Passages, Phones, RECEIVE_BUFFER, StreamSetup, Transport},
    random::Random,
    server::{Serving, Setting, Site},
};

/// A round's calls are placed within so many T1, and hung up within so many more.
const T1_TO_PLACE: u32 = 30;
const T1_TO_HANG_UP: u32 = 90;
const T1_TO_RING: u32 = 30;
const POLL: Duration = Duration::from_millis(5);

pub(super) struct Lane {
    run: ConnectionsRun,
    number: u64,
    site: Site,
    serving: Serving,
    phones: Arc<Phones>,
    legs: Vec<Leg>,
    max_live: usize,
    random: Random,
    tally: Tally,
}

/// What became of one call.
enum Outcome {
    NotPlaced(ClientError),
    NotHungUp(ClientError),
    HungUp(Look),
}

/// What was seen of a call's phones after it was hung up.
enum Look {
    /// On-hook, so long after the last of the hang-up and the troubles.
    Down(Duration),
    /// So many are up when none may be any more.
    Left(usize),
}

impl Lane {
    pub(super) async fn open(run: &ConnectionsRun, number: u64) -> Result<Self, ProvingError> {
        let seed = run.seed.wrapping_add(number << 32);
        let habits = Habits {
            seed,
            t1: run.t1,
            rings_up_to: run.t1 * T1_TO_RING,
            hang_up: 10,
            hang_up_within: run.t1 * T1_TO_HANG_UP,
            fork: 5,
            challenge: 5,
            take_sound: 20,
            receive_buffer: RECEIVE_BUFFER,
        };
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let certificates = if run.tls {
            Some(Arc::new(Certificates::of(here)?))
        } else {
            None
        };
        let mut parts = (1..).map(|part| Random::part(seed, u64::MAX - part));
        let mut random = || parts.next().unwrap_or_else(|| Random::new(seed));
        let (listener, passages) = (TcpListener::bind((here, 0)).await?, Passages::default());
        let phones_at = listener.local_addr()?;
        // The trunk, and another place where phones say that they are.
        let trunk = Leg::open(Opens::Server, phones_at, passages.clone(), random())?;
        let elsewhere = Leg::open(Opens::Server, phones_at, passages.clone(), random())?;
        // Calls that nobody confirms live for up to 400·T1, which is some rounds.
        let max_live = usize::try_from(run.at_once * 8 + 20).unwrap_or(usize::MAX);
        let setting = Setting {
            onhook: run.onhook.clone(),
            t1: run.t1,
            max_live,
            rtp_ports: Setting::rtp_ports(number, run.side_by_side),
            // The sooner it promises, the longer it has to keep it.
            disconnect_wait: Setting::DISCONNECT_WAIT.min(run.t1 * 20),
            transport: if run.tls { Transport::Tls } else { Transport::Tcp },
            certificates: certificates.clone(),
        };
        let site = Site::furnish(setting, trunk.address).await?;
        let back = Leg::open(Opens::Phones, site.sip(), passages.clone(), random())?;
        let setup = StreamSetup {
            listener,
            homes: vec![trunk.address, elsewhere.address],
            server: back.address,
            certificates,
            passages,
        };
        let phones = Arc::new(Phones::on_streams(habits, setup).await?);
        let serving = site.serve(None).await?;
        Ok(Self {
            run: run.clone(),
            number,
            site,
            serving,
            phones,
            legs: vec![trunk, elsewhere, back],
            max_live,
            random: random(),
            tally: Tally::default(),
        })
    }

    pub(super) async fn run(mut self, progress: &Progress) -> Result<Tally, ProvingError> {
        let lanes = self.run.side_by_side.max(1);
        let calls = self.run.calls / lanes + u64::from(self.number < self.run.calls % lanes);
        let mut begun = 0;
        while begun < calls {
            let of_this_round = self.run.at_once.clamp(1, calls - begun);
            let left = self.tally.left;
            self.round(begun, of_this_round).await;
            begun += of_this_round;
            progress.calls.fetch_add(of_this_round, Relaxed);
            progress.left.fetch_add(self.tally.left - left, Relaxed);
        }
        self.tally.facts = self.phones.facts();
        self.tally.records = all_ended(&self.site, self.run.t1).await?;
        self.tally.leaked = leaked_grants(&self.serving.access, &self.phones, self.max_live).await?;
        all_ended(&self.site, self.run.t1).await?;
        self.tally.left_at_the_end = self.phones.all_up() as u64;
        for leg in &self.legs {
            let (opened, ended) = leg.counts();
            self.tally.opened += opened;
            self.tally.ended += ended;
        }
        Ok(self.tally)
    }

    async fn round(&mut self, first: u64, calls: u64) {
        let t1 = self.run.t1;
        let (calm, calmed) = watch::channel(None);
        let mut callers = JoinSet::new();
        for nth in first..first + calls {
            // A kept connection may have been idle for too long when a round is a minute.
            let client = Client::new(self.serving.access.clone());
            let call = Call {
                number: (NUMBERS + nth).to_string(),
                place_after: self.random.up_to(t1 * T1_TO_PLACE),
                hang_up_after: self.random.up_to(t1 * T1_TO_HANG_UP),
                bound: t1 * 128,
                lane: self.number,
            };
            callers.spawn(call.run(client, Arc::clone(&self.phones), calmed.clone()));
        }
        let calm_at = trouble(&self.legs, &self.phones, t1, &mut self.random, &mut self.tally.troubles).await;
        calm.send_replace(Some(calm_at));
        let tally = &mut self.tally;
        tally.rounds += 1;
        for outcome in callers.join_all().await {
            let error = match outcome {
                Outcome::NotPlaced(error) => {
                    tally.not_placed += 1;
                    error
                }
                Outcome::NotHungUp(error) => {
                    tally.placed += 1;
                    tally.not_hung_up += 1;
                    error
                }
                Outcome::HungUp(look) => {
                    tally.placed += 1;
                    tally.hung_up += 1;
                    match look {
                        Look::Down(after) => tally.longest = tally.longest.max(after),
                        Look::Left(phones) => tally.left += phones as u64,
                    }
                    continue;
                }
            };
            *tally.refusals.entry(error.to_string()).or_default() += 1;
        }
    }
}

/// One call of a round.
struct Call {
    number: String,
    place_after: Duration,
    hang_up_after: Duration,
    bound: Duration,
    lane: u64,
}

impl Call {
    async fn run(self, mut client: Client, phones: Arc<Phones>, calm: watch::Receiver<Option<Instant>>) -> Outcome {
        let hang_up_at = Instant::now() + self.place_after + self.hang_up_after;
        sleep(self.place_after).await;
        let id = match client.play(&self.number).await {
            Ok(id) => id,
            Err(error) => return Outcome::NotPlaced(error),
        };
        sleep_until(hang_up_at.into()).await;
        if let Err(error) = client.disconnect(&id).await {
            return Outcome::NotHungUp(error);
        }
        phones.hung_up(&self.number);
        Outcome::HungUp(self.look(&phones, calm).await)
    }

    async fn look(&self, phones: &Phones, mut calm: watch::Receiver<Option<Instant>>) -> Look {
        let hung_up = Instant::now();
        let calm = calm.wait_for(Option::is_some).await.ok().and_then(|calm| *calm);
        let since = calm.map_or(hung_up, |calm| calm.max(hung_up));
        loop {
            let (up, now) = (phones.up(&self.number), Instant::now());
            let after = now.saturating_duration_since(since);
            if up == 0 {
                return Look::Down(after);
            }
            if after > self.bound {
                let (lane, number, after) = (self.lane, &self.number, after.as_millis());
                eprintln!("lane {lane}: {number} is up {after} ms after the last of both");
                let all = phones.who_is_up();
                for phone in all.iter().filter(|phone| phone.contains(number)) {
                    eprintln!("    {phone}");
                }
                return Look::Left(up);
            }
            sleep(POLL).await;
        }
    }
}
