//! One server that is killed again and again, and its phones.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use ews::PhoneCallId;
use tokio::{task::JoinSet, time::sleep};

use super::{CrashRun, POINTS, Tally};
use crate::{
    ProvingError,
    client::{Access, Client},
    phones::{FORKING, Habits, NUMBERS, Phones, Quality, RECEIVE_BUFFER, Transport},
    random::Random,
    server::{Serving, Setting, Site},
};

/// The bar: no phone is up any more this long after the restarted server is ready.
const BAR: Duration = Duration::from_secs(2);
const RING: Duration = Duration::from_millis(300);
/// In this time after a round's calls were asked for the kill comes.
const ROUND: Duration = Duration::from_millis(800);
/// Half of a round's calls are not hung up before the kill.
const HANG_UP_WITHIN: Duration = Duration::from_millis(1600);
/// A crash point that is not reached in this time is not going to be.
const REACHED: Duration = Duration::from_secs(6);
const POLL: Duration = Duration::from_millis(5);
const T1: Duration = Duration::from_millis(500);

pub(super) struct Lane {
    run: CrashRun,
    /// Which of [`CrashRun::side_by_side`] this is.
    number: u64,
    /// As it was furnished; nobody serves from here.
    unused: Site,
    site: Site,
    phones: Arc<Phones>,
    tally: Tally,
    random: Random,
    next_number: u64,
}

impl Lane {
    pub(super) async fn open(run: &CrashRun, number: u64) -> Result<Self, ProvingError> {
        let seed = run.seed.wrapping_add(number << 32);
        let habits = Habits {
            seed,
            t1: T1,
            rings_up_to: RING,
            hang_up: 10,
            hang_up_within: RING,
            fork: 10,
            challenge: 10,
            take_sound: 50,
            receive_buffer: RECEIVE_BUFFER,
        };
        let phones = Arc::new(Phones::switch_on(habits, Quality::default()).await?);
        let setting = Setting {
            onhook: run.onhook.clone(),
            t1: T1,
            max_live: 1000,
            rtp_ports: Setting::rtp_ports(number, run.side_by_side),
            disconnect_wait: Setting::DISCONNECT_WAIT,
            transport: Transport::Udp,
            certificates: None,
        };
        let unused = Site::furnish(setting, phones.address()).await?;
        Ok(Self {
            run: run.clone(),
            number,
            site: unused.another()?,
            unused,
            phones,
            tally: Tally::default(),
            random: Random::new(seed),
            next_number: NUMBERS,
        })
    }

    /// This lane's part of so many.
    fn share(&self, all: u64) -> u64 {
        let lanes = self.run.side_by_side.max(1);
        all / lanes + u64::from(self.number < all % lanes)
    }

    pub(super) async fn run(mut self) -> Result<Tally, ProvingError> {
        let mut serving = self.site.serve(None).await?;
        log_in(&serving.access).await;
        for _ in 0..self.share(self.run.kills) {
            let moment = self.random.up_to(ROUND);
            let (callers, known) = self.place(&serving.access, Duration::ZERO, false);
            sleep(moment).await;
            serving.kill().await?;
            serving = self.recover(callers, &known).await?;
            if !self.tally.left_for_good.is_empty() {
                return Ok(self.found());
            }
        }
        for (point, name) in POINTS.iter().enumerate() {
            for _ in 0..self.share(self.run.kills_at_each_point) {
                serving.kill().await?;
                // In a store of its own: the calls that are still being ended would come to the point before any new one.
                self.site = self.unused.another()?;
                serving = self.die_at(point, name).await?;
                if !self.tally.left_for_good.is_empty() {
                    return Ok(self.found());
                }
            }
            if self.tally.reached.iter().all(|reached| *reached == 0) {
                // Every call passes the first of them: there are none in this binary.
                return Ok(self.found());
            }
        }
        Ok(self.found())
    }

    fn found(self) -> Tally {
        let facts = self.phones.facts();
        Tally {
            invites_after_restart: facts.invites_after_restart,
            invites_after_hang_up: facts.invites_after_hang_up,
            double_byes: facts.double_byes,
            ..self.tally
        }
    }

    /// Places a round's calls, each of which is hung up at some moment not before `earliest`.
    fn place(
        &mut self,
        access: &Access,
        earliest: Duration,
        forking: bool,
    ) -> (JoinSet<()>, Arc<Mutex<Vec<PhoneCallId>>>) {
        let known = Arc::new(Mutex::new(Vec::new()));
        let mut callers = JoinSet::new();
        for _ in 0..self.run.at_once {
            let number = self.next_number + if forking { FORKING } else { 0 };
            self.next_number += 1;
            let hang_up_after = earliest + self.random.up_to(HANG_UP_WITHIN);
            let (phones, known) = (Arc::clone(&self.phones), Arc::clone(&known));
            let mut client = Client::new(access.clone());
            callers.spawn(async move {
                let number = number.to_string();
                // Refused connections are what a kill looks like from here.
                let Ok(id) = client.play(&number).await else { return };
                known.lock().unwrap_or_else(PoisonError::into_inner).push(id.clone());
                sleep(hang_up_after).await;
                if client.disconnect(&id).await.is_ok() {
                    phones.hung_up(&number);
                }
            });
        }
        (callers, known)
    }

    /// Serves until the server dies at a point of [`POINTS`].
    async fn die_at(&mut self, number: usize, point: &str) -> Result<Serving, ProvingError> {
        let nth = 1 + self.random.within(0..self.run.at_once.div_ceil(2));
        self.phones.server_starts();
        let mut serving = self.site.serve(Some(&format!("{point}:{nth}"))).await?;
        self.phones.server_is_asked();
        log_in(&serving.access).await;
        let forking = point.ends_with("fork");
        let earliest = if forking || point.ends_with("answer") {
            RING * 2
        } else {
            Duration::ZERO
        };
        let (callers, known) = self.place(&serving.access, earliest, forking);
        if serving.ended(REACHED).await?.is_none() {
            self.tally.not_reached += 1;
            serving.kill().await?;
        } else {
            self.tally.reached[number] += 1;
        }
        self.recover(callers, &known).await
    }

    /// Starts the server that has died again, and looks at the phones.
    async fn recover(
        &mut self,
        mut callers: JoinSet<()>,
        known: &Mutex<Vec<PhoneCallId>>,
    ) -> Result<Serving, ProvingError> {
        callers.shutdown().await;
        let known = std::mem::take(&mut *known.lock().unwrap_or_else(PoisonError::into_inner));
        let tally = &mut self.tally;
        tally.kills += 1;
        tally.up_at_the_kill += self.phones.all_up() as u64;
        sleep(self.run.down).await;

        self.phones.server_starts();
        let serving = self.site.serve(None).await?;
        tally.longest_start = tally.longest_start.max(serving.started.elapsed());
        let ready = Instant::now();
        if !all_down(&self.phones, BAR).await {
            let late = self.phones.who_is_up();
            tally.left += late.len() as u64;
            tally.kills_with_phones_left += 1;
            eprintln!(
                "kill {} of lane {} leaves {} up; the first:",
                tally.kills,
                self.number,
                late.len()
            );
            for phone in late.iter().take(3) {
                eprintln!("    {phone}");
            }
            // So that the next kill finds none of them.
            if !all_down(&self.phones, self.run.patience).await {
                tally.left_for_good = self.phones.who_is_up();
            }
        }
        tally.longest = tally.longest.max(ready.elapsed());
        self.phones.server_is_asked();

        log_in(&serving.access).await;
        let mut client = Client::new(serving.access.clone());
        for id in known {
            tally.ids += 1;
            tally.ids_unknown += u64::from(client.information(&id).await.is_err());
        }
        Ok(serving)
    }
}

/// The first log-in takes a server a password's hash, which is long; the calls of a round are to be placed at once.
async fn log_in(access: &Access) {
    let nobodys = PhoneCallId("none".to_owned());
    let _ = Client::new(access.clone()).information(&nobodys).await;
}

async fn all_down(phones: &Phones, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    while phones.all_up() > 0 {
        if Instant::now() >= deadline {
            return false;
        }
        sleep(POLL).await;
    }
    true
}
