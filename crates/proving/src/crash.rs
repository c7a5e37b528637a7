//! `kill -9` at any moment: after the restart no phone may be up, and nobody may have to do anything for it.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use ews::PhoneCallId;
use tokio::{task::JoinSet, time::sleep};

use crate::{
    ProvingError,
    client::{Access, Client},
    phones::{Habits, Phones, Quality},
    random::Random,
    report::Report,
    server::{Serving, Setting, Site},
};

/// Both sides of every entry that the journal is given (onhook's feature `crash-points`).
pub const POINTS: [&str; 8] = [
    "before-intent",
    "after-intent",
    "before-answer",
    "after-answer",
    "before-wish",
    "after-wish",
    "before-end",
    "after-end",
];

/// The bar: no phone is up any more this long after the restarted server is ready.
const BAR: Duration = Duration::from_secs(2);
/// Phones that missed the bar are waited for, so that the next kill finds none of them.
const LATER: Duration = Duration::from_secs(70);
const RING: Duration = Duration::from_millis(300);
/// In this time after a round's calls were asked for the kill comes.
const ROUND: Duration = Duration::from_millis(800);
/// Half of a round's calls are not hung up before the kill.
const HANG_UP_WITHIN: Duration = Duration::from_millis(1600);
/// A crash point that is not reached in this time is not going to be.
const REACHED: Duration = Duration::from_secs(6);
const POLL: Duration = Duration::from_millis(5);
const T1: Duration = Duration::from_millis(500);

#[derive(Clone, Debug)]
pub struct CrashRun {
    pub onhook: PathBuf,
    pub seed: u64,
    /// Kills at random moments.
    pub kills: u64,
    /// Kills at each of [`POINTS`].
    pub kills_at_each_point: u64,
    /// Calls that are up, or nearly, at the kill.
    pub at_once: u64,
    /// How long there is no server after a kill.
    pub down: Duration,
}

#[derive(Default)]
struct Tally {
    kills: u64,
    up_at_the_kill: u64,
    left: u64,
    kills_with_phones_left: u64,
    longest: Duration,
    longest_start: Duration,
    ids: u64,
    ids_unknown: u64,
    not_reached: u64,
}

struct Round<'r> {
    run: &'r CrashRun,
    site: Site,
    phones: &'r Arc<Phones>,
    tally: Tally,
    random: Random,
    next_number: u64,
}

impl CrashRun {
    /// # Errors
    /// When the run could not be made; what it found is in the report.
    pub async fn run(&self) -> Result<Report, ProvingError> {
        let habits = Habits {
            seed: self.seed,
            t1: T1,
            rings_up_to: RING,
            hang_up: 10,
            hang_up_within: RING,
            fork: 10,
            challenge: 10,
            take_sound: 50,
        };
        let phones = Arc::new(Phones::switch_on(habits, Quality::default()).await?);
        let setting = Setting {
            onhook: self.onhook.clone(),
            t1: T1,
            max_live: 1000,
        };
        let site = Site::furnish(setting.clone(), phones.address()).await?;
        let mut round = Round {
            run: self,
            site,
            phones: &phones,
            tally: Tally::default(),
            random: Random::new(self.seed),
            next_number: 10_000_000,
        };
        let mut serving = round.site.serve(None).await?;
        log_in(&serving.access).await;
        for _ in 0..self.kills {
            let moment = round.random.up_to(ROUND);
            let (callers, known) = round.place(&serving.access, Duration::ZERO);
            sleep(moment).await;
            serving.kill().await?;
            serving = round.recover(callers, &known).await?;
        }
        for point in POINTS {
            for _ in 0..self.kills_at_each_point {
                serving.kill().await?;
                // In a store of its own: the calls that are still being ended would come to the point before any new one.
                round.site = Site::furnish(setting.clone(), phones.address()).await?;
                serving = round.die_at(point).await?;
            }
        }
        let facts = phones.facts();
        let Tally {
            kills,
            up_at_the_kill,
            left,
            kills_with_phones_left,
            longest,
            longest_start,
            ids,
            ids_unknown,
            not_reached,
        } = round.tally;
        let mut report = Report::new(format!(
            "kill -9: {} at random and {} at each of {} points, {} calls each, restarted after {} ms, seed {}",
            self.kills,
            self.kills_at_each_point,
            POINTS.len(),
            self.at_once,
            self.down.as_millis(),
            self.seed
        ));
        report.tell("kills", kills);
        report.tell("of these, points that were not reached", not_reached);
        report.tell("phones ringing or off-hook at the kills", up_at_the_kill);
        report.none("phones up 2 s after the restart", left);
        report.none("kills that left one", kills_with_phones_left);
        report.tell(
            "longest from ready to the last phone down",
            format!("{} ms", longest.as_millis()),
        );
        report.tell("longest start", format!("{} ms", longest_start.as_millis()));
        report.tell("ids from before a kill that were asked about", ids);
        report.none("of these, unknown after it", ids_unknown);
        report.none("INVITEs sent by a restarted server", facts.invites_after_restart);
        report.none("INVITEs after the hang-up", facts.invites_after_hang_up);
        report.none("second BYE transactions", facts.double_byes);
        Ok(report)
    }
}

impl Round<'_> {
    /// Places a round's calls, each of which is hung up at some moment not before `earliest`.
    fn place(&mut self, access: &Access, earliest: Duration) -> (JoinSet<()>, Arc<Mutex<Vec<PhoneCallId>>>) {
        let known = Arc::new(Mutex::new(Vec::new()));
        let mut callers = JoinSet::new();
        for _ in 0..self.run.at_once {
            let number = self.next_number;
            self.next_number += 1;
            let hang_up_after = earliest + self.random.up_to(HANG_UP_WITHIN);
            let (phones, known) = (Arc::clone(self.phones), Arc::clone(&known));
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

    async fn die_at(&mut self, point: &str) -> Result<Serving, ProvingError> {
        let nth = 1 + self.random.within(0..self.run.at_once.div_ceil(2));
        self.phones.server_starts();
        let mut serving = self.site.serve(Some(&format!("{point}:{nth}"))).await?;
        self.phones.server_is_asked();
        log_in(&serving.access).await;
        let earliest = if point.ends_with("answer") {
            RING * 2
        } else {
            Duration::ZERO
        };
        let (callers, known) = self.place(&serving.access, earliest);
        if serving.ended(REACHED).await?.is_none() {
            self.tally.not_reached += 1;
            serving.kill().await?;
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
        if !all_down(self.phones, BAR).await {
            tally.left += self.phones.all_up() as u64;
            tally.kills_with_phones_left += 1;
            if !all_down(self.phones, LATER).await {
                return Err(ProvingError::LeftUp(self.phones.who_is_up()));
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
