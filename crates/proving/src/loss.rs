//! Hang-ups over a line that loses packets: once DisconnectPhoneCall has answered, no phone of the call may be up for long.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    ProvingError,
    client::{Access, Client, ClientError},
    phones::{Habits, NUMBERS, Phones, Quality, RECEIVE_BUFFER, Transport, wait},
    random::Random,
    report::Report,
    server::{Records, Setting, Site},
};

/// The numbers that look for leaked grants, well above the others.
const LATER_NUMBERS: u64 = 90_000_000;
/// What counts as confirmed by too few, of a hundred calls.
const UNCONFIRMED: f64 = 2.0;
const POLL: Duration = Duration::from_millis(20);
/// A call with nothing in its way that has not rung in this time is not going to, and has ended: at T1 10 ms any has after 4 s.
const RINGS: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
pub struct LossRun {
    pub onhook: PathBuf,
    pub seed: u64,
    pub calls: u64,
    /// How many are placed, and hung up, side by side.
    pub at_once: u64,
    pub t1: Duration,
    /// From the answer to PlayOnPhone to DisconnectPhoneCall, at most.
    pub hang_up_within: Duration,
    pub quality: Quality,
}

#[derive(Default)]
struct Tally {
    next: AtomicU64,
    placed: AtomicU64,
    not_placed: AtomicU64,
    hung_up: AtomicU64,
    /// DisconnectPhoneCall that did not answer with success.
    not_hung_up: AtomicU64,
    still_up: AtomicU64,
    /// What was said instead of success, and how often.
    refusals: Mutex<BTreeMap<String, u64>>,
}

impl Tally {
    fn refused(&self, counter: &AtomicU64, error: &ClientError) {
        counter.fetch_add(1, Relaxed);
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        *refusals.entry(error.to_string()).or_default() += 1;
    }
}

impl LossRun {
    /// # Errors
    /// When the run could not be made; what it found is in the report.
    pub async fn run(&self) -> Result<Report, ProvingError> {
        let habits = Habits {
            seed: self.seed,
            t1: self.t1,
            rings_up_to: Duration::from_millis(500),
            hang_up: 25,
            hang_up_within: Duration::from_millis(500),
            fork: 5,
            challenge: 5,
            take_sound: 20,
            receive_buffer: RECEIVE_BUFFER,
        };
        let phones = Arc::new(Phones::switch_on(habits, self.quality).await?);
        let setting = Setting {
            onhook: self.onhook.clone(),
            t1: self.t1,
            max_live: usize::try_from(self.at_once * 4 + 100).unwrap_or(usize::MAX),
            rtp_ports: Setting::rtp_ports(0, 1),
            disconnect_wait: Setting::DISCONNECT_WAIT,
            transport: Transport::Udp,
            certificates: None,
        };
        let site = Site::furnish(setting.clone(), phones.address()).await?;
        let serving = site.serve(None).await?;

        let tally = Arc::new(Tally::default());
        let started = Instant::now();
        let mut callers = JoinSet::new();
        for _ in 0..self.at_once.min(self.calls) {
            callers.spawn(call_and_hang_up(
                self.clone(),
                serving.access.clone(),
                Arc::clone(&phones),
                Arc::clone(&tally),
            ));
        }
        callers.join_all().await;
        let took = started.elapsed();

        let facts = phones.facts();
        let records = all_ended(&site, self.t1).await?;
        let leaked = leaked_grants(&serving.access, &phones, setting.max_live).await?;
        all_ended(&site, self.t1).await?;

        let Quality {
            loss,
            duplicates,
            delay,
        } = self.quality;
        let mut report = Report::new(format!(
            "{} calls, {} at a time, hung up within {} ms, T1 {} ms, {loss} % lost, {duplicates} % doubled, held up to {} ms, seed {}",
            self.calls,
            self.at_once,
            self.hang_up_within.as_millis(),
            self.t1.as_millis(),
            delay.as_millis(),
            self.seed
        ));
        let of = |counter: &AtomicU64| counter.load(Relaxed);
        report.tell("calls placed", of(&tally.placed));
        report.tell("of these, calls that rang a phone", facts.rang);
        report.none("calls refused", of(&tally.not_placed));
        report.tell("hang-ups answered with success", of(&tally.hung_up));
        report.none("hang-ups answered otherwise", of(&tally.not_hung_up));
        for (refusal, count) in &*tally.refusals.lock().unwrap_or_else(PoisonError::into_inner) {
            report.tell(&format!("  answered: {refusal}"), count);
        }
        report.none("phones up 2·64·T1 after such an answer", of(&tally.still_up));
        let share = 100.0 * f64::from(records.unconfirmed) / f64::from(records.ended.max(1));
        report.hold(
            "ended, but not confirmed (< 2 % up to 30 % loss)",
            format!("{} ({share:.2} %)", records.unconfirmed),
            share < UNCONFIRMED || loss > 30,
        );
        for (kind, count) in &records.unconfirmed_because {
            report.tell(&format!("  of these: {kind}"), count);
        }
        report.none("second BYE transactions", facts.double_byes);
        report.none("INVITEs after the hang-up", facts.invites_after_hang_up);
        report.hold("grants leaked", leaked, leaked == 0);
        report.none("calls that had not ended after 400·T1", records.open.into());
        report.hold(
            "calls with a record",
            records.ended,
            u64::from(records.ended) >= of(&tally.placed),
        );
        report.none("phones up at the end", phones.all_up() as u64);
        report.tell("packets, both ways", format!("{} ({} lost)", facts.packets, facts.lost));
        let rate = of(&tally.placed) as f64 / took.as_secs_f64();
        report.tell("time", format!("{:.0} s ({rate:.0}/s)", took.as_secs_f64()));
        Ok(report)
    }
}

/// Places call after call, and hangs up each at some moment.
async fn call_and_hang_up(run: LossRun, access: Access, phones: Arc<Phones>, tally: Arc<Tally>) {
    let mut client = Client::new(access);
    let mut looks = JoinSet::new();
    loop {
        let nth = tally.next.fetch_add(1, Relaxed);
        if nth >= run.calls {
            break;
        }
        let number = (NUMBERS + nth).to_string();
        let id = match client.play(&number).await {
            Ok(id) => id,
            Err(error) => {
                tally.refused(&tally.not_placed, &error);
                continue;
            }
        };
        tally.placed.fetch_add(1, Relaxed);
        sleep(Random::part(run.seed, !nth).up_to(run.hang_up_within)).await;
        if let Err(error) = client.disconnect(&id).await {
            tally.refused(&tally.not_hung_up, &error);
            continue;
        }
        phones.hung_up(&number);
        tally.hung_up.fetch_add(1, Relaxed);
        let (phones, tally, bound) = (Arc::clone(&phones), Arc::clone(&tally), run.t1 * 128);
        looks.spawn(async move {
            sleep(bound).await;
            tally.still_up.fetch_add(phones.up(&number) as u64, Relaxed);
        });
        while looks.try_join_next().is_some() {}
    }
    looks.join_all().await;
}

/// Waits until the journal has no call left, but not much longer than the longest end takes.
pub(crate) async fn all_ended(site: &Site, t1: Duration) -> Result<Records, ProvingError> {
    let deadline = Instant::now() + t1 * 400 + Duration::from_secs(2);
    loop {
        let records = site.records()?;
        if records.open == 0 || Instant::now() > deadline {
            return Ok(records);
        }
        sleep(POLL).await;
    }
}

/// Places as many calls as there are grants: fewer mean that some were lost, more that some were given back twice.
pub(crate) async fn leaked_grants(access: &Access, phones: &Arc<Phones>, grants: usize) -> Result<i64, ProvingError> {
    phones.change_line(Quality::default());
    phones.change_habits(|habits| {
        habits.hang_up = 0;
        // Not even for want of an ACK: only the server ends these.
        habits.t1 = Duration::from_secs(60);
        habits.rings_up_to = Duration::ZERO;
        habits.take_sound = 0;
    });
    const SIDE_BY_SIDE: u64 = 20;
    // Each that does not ring is one more.
    const MOST_SILENT: u64 = 60;
    let numbers = Arc::new(AtomicU64::new(LATER_NUMBERS));
    let end = LATER_NUMBERS + grants as u64 + SIDE_BY_SIDE + MOST_SILENT;
    let mut callers = JoinSet::new();
    for _ in 0..SIDE_BY_SIDE {
        let (mut client, phones, numbers) = (Client::new(access.clone()), Arc::clone(phones), Arc::clone(&numbers));
        callers.spawn(async move {
            let mut ids = Vec::new();
            loop {
                let number = numbers.fetch_add(1, Relaxed);
                if number >= end {
                    break;
                }
                let number = number.to_string();
                let Ok(id) = client.play(&number).await else { break };
                // A call that times out, or waits for its place in vain, gives its grant back: none may be counted that is not up.
                if timeout(RINGS, wait(|| phones.up(&number) > 0, "")).await.is_ok() {
                    ids.push(id);
                }
            }
            (client, ids)
        });
    }
    let callers = callers.join_all().await;
    let placed: usize = callers.iter().map(|(_, ids)| ids.len()).sum();
    let mut enders = JoinSet::new();
    for (mut client, ids) in callers {
        enders.spawn(async move {
            for id in ids {
                client.disconnect(&id).await?;
            }
            Ok::<_, ProvingError>(())
        });
    }
    for ended in enders.join_all().await {
        ended?;
    }
    Ok(grants as i64 - placed as i64)
}
