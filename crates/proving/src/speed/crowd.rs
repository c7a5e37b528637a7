//! Many at a time: what a second brings, and what one of many costs.

use std::{
    ops::{Range, RangeInclusive},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
    vec,
};

use ews::PhoneCallId;
use tokio::{task::JoinSet, time::sleep};

use super::{
    SpeedRun,
    figures::{Figures, percentile},
    process::{self, Begun},
};
use crate::{
    ProvingError,
    client::{Access, Client},
    phones::{Habits, NUMBERS, Phones, Quality, RECEIVE_BUFFER, Transport, wait},
    server::{Serving, Setting, Site},
};

const T1: Duration = Duration::from_millis(500);
/// How long calls are held and nothing is asked.
const HOLD: Duration = Duration::from_secs(2);
/// Calls that are up before anything counts: what the first ones bring with them is none of theirs.
pub(super) const FIRST: usize = 8;
/// Clients that place calls.
const CALLERS: usize = 8;
/// Clients that ask, and how often for each call that is up.
const ASKING: [(usize, usize); 2] = [(1, 1), (8, 3)];
/// Clients that hang up, and how many of a hundred calls.
const HANGING_UP: [(usize, usize); 2] = [(8, 50), (32, 50)];
/// What a small phone lets wait, in bytes.
const SMALL: usize = 64 * 1024;

/// A call that is up.
pub(super) struct Held {
    pub(super) number: String,
    pub(super) id: PhoneCallId,
}

/// A hang-up that was answered.
struct HungUp {
    number: String,
    asked: Instant,
    took: Duration,
}

impl SpeedRun {
    /// Sets calls up, holds them, asks about them, hangs them up.
    pub(super) async fn crowd(&self, onhook: &Path, program: usize, figures: &mut Figures) -> Result<(), ProvingError> {
        let ports = Setting::rtp_ports(0, 1);
        let (phones, _site, serving) = self.furnish(onhook, ports, RECEIVE_BUFFER).await?;
        let (pid, access) = (serving.pid(), &serving.access);
        let mut add = |what: String, unit, value| figures.add(program, what, unit, value);

        let first = place(access, 0..FIRST).await?;
        wait(|| phones.all_acked() == FIRST, "not every phone was ACKed").await?;
        let memory = process::memory(pid)?;
        let begun = Begun::now(pid)?;
        let mut held = place(access, FIRST..FIRST + self.calls).await?;
        let all = held.len();
        wait(|| phones.all_acked() == FIRST + all, "not every phone was ACKed").await?;
        let [rate, cpu] = begun.per(all)?;
        add(format!("set-ups, {CALLERS} clients"), "a second", rate);
        add("CPU for one of these".to_owned(), "ms", cpu);
        let more = process::memory(pid)? - memory;
        add("memory of a held call".to_owned(), "KiB", more / all as f64);

        // The listener is looked for in the first seconds of a call.
        sleep(HOLD * 3).await;
        let begun = Begun::now(pid)?;
        sleep(HOLD).await;
        add("CPU while they are held".to_owned(), "% of a core", begun.share()?);

        for (clients, times) in ASKING {
            let ids = held.iter().map(|call| call.id.clone());
            let ids: Vec<PhoneCallId> = ids.cycle().take(all * times).collect();
            let begun = Begun::now(pid)?;
            ask(access, clients, ids).await?;
            let [rate, cpu] = begun.per(all * times)?;
            add(format!("queries, {}", of(clients)), "a second", rate);
            add(format!("CPU for one of them, {}", of(clients)), "ms", cpu);
        }

        for (clients, part) in HANGING_UP {
            let calls = held.split_off(held.len().saturating_sub(all * part / 100));
            let (count, left) = (calls.len(), held.len() + first.len());
            let begun = Begun::now(pid)?;
            let hung_up = hang_up(access, clients, calls).await?;
            wait(
                || phones.all_up() == left,
                "phones stayed up, or went down by themselves",
            )
            .await?;
            let [rate, cpu] = begun.per(count)?;
            add(format!("hang-ups, {}", of(clients)), "a second", rate);
            add(format!("CPU for one hang-up, {}", of(clients)), "ms", cpu);
            let byes = hung_up.iter().filter_map(|call| {
                let bye = phones.byed_at(&call.number)?;
                Some(bye.saturating_duration_since(call.asked).as_secs_f64() * 1e3)
            });
            let byes: Vec<f64> = byes.collect();
            add(format!("to its BYE, {}, p99", of(clients)), "ms", percentile(&byes, 99));
            let slowest = hung_up.iter().map(|call| call.took).max().unwrap_or_default();
            let slowest = slowest.as_secs_f64() * 1e3;
            add(format!("to its answer, {}, the slowest", of(clients)), "ms", slowest);
        }
        if phones.facts().double_byes > 0 {
            return Err(ProvingError::Stuck("a phone was hung up twice"));
        }
        serving.kill().await?;

        let repeated = self.repeated_invites(onhook).await?;
        add(
            "INVITEs sent twice to small phones".to_owned(),
            "of a hundred",
            repeated,
        );
        Ok(())
    }

    /// How many INVITEs of a hundred are repeated towards phones that let little wait.
    async fn repeated_invites(&self, onhook: &Path) -> Result<f64, ProvingError> {
        let (phones, _site, serving) = self.furnish(onhook, Setting::rtp_ports(0, 1), SMALL).await?;
        place(&serving.access, 0..self.calls).await?;
        wait(|| phones.all_acked() == self.calls, "not every phone was ACKed").await?;
        let repeated = phones.facts().repeated_invites;
        serving.kill().await?;
        Ok(repeated as f64 * 100.0 / self.calls as f64)
    }

    pub(super) async fn furnish(
        &self,
        onhook: &Path,
        rtp_ports: RangeInclusive<u16>,
        receive_buffer: usize,
    ) -> Result<(Phones, Site, Serving), ProvingError> {
        let habits = Habits {
            receive_buffer,
            ..Habits::answering_at_once(self.seed, T1)
        };
        let phones = Phones::switch_on(habits, Quality::default()).await?;
        let setting = Setting {
            onhook: onhook.to_owned(),
            t1: T1,
            max_live: FIRST + self.calls,
            rtp_ports,
            disconnect_wait: Setting::DISCONNECT_WAIT,
            transport: Transport::Udp,
            certificates: None,
        };
        let site = Site::furnish(setting, phones.address()).await?;
        let serving = site.serve(None).await?;
        Ok((phones, site, serving))
    }
}

fn of(clients: usize) -> String {
    match clients {
        1 => "1 client".to_owned(),
        many => format!("{many} clients"),
    }
}

pub(super) async fn place(access: &Access, calls: Range<usize>) -> Result<Vec<Held>, ProvingError> {
    let numbers = calls.map(|nth| (NUMBERS + nth as u64).to_string()).collect();
    each(access, CALLERS, numbers, |mut client, number| async move {
        let id = client.play(&number).await?;
        Ok((client, Held { number, id }))
    })
    .await
}

async fn ask(access: &Access, clients: usize, ids: Vec<PhoneCallId>) -> Result<(), ProvingError> {
    each(access, clients, ids, |mut client, id| async move {
        client.information(&id).await?;
        Ok((client, ()))
    })
    .await?;
    Ok(())
}

async fn hang_up(access: &Access, clients: usize, calls: Vec<Held>) -> Result<Vec<HungUp>, ProvingError> {
    each(access, clients, calls, |mut client, Held { number, id }| async move {
        let asked = Instant::now();
        client.disconnect(&id).await?;
        let took = asked.elapsed();
        Ok((client, HungUp { number, asked, took }))
    })
    .await
}

/// So many clients, each with one connection and one request at a time, do the same with each of these.
async fn each<T, D, F>(
    access: &Access,
    clients: usize,
    with: Vec<T>,
    act: fn(Client, T) -> F,
) -> Result<Vec<D>, ProvingError>
where
    T: Send + 'static,
    D: Send + 'static,
    F: Future<Output = Result<(Client, D), ProvingError>> + Send + 'static,
{
    let left = Arc::new(Mutex::new(with.into_iter()));
    let mut acting = JoinSet::new();
    for _ in 0..clients {
        let (left, mut client) = (Arc::clone(&left), Client::new(access.clone()));
        acting.spawn(async move {
            let mut done = Vec::new();
            while let Some(one) = next(&left) {
                let (again, did) = act(client, one).await?;
                client = again;
                done.push(did);
            }
            Ok::<_, ProvingError>(done)
        });
    }
    let mut all = Vec::new();
    for done in acting.join_all().await {
        all.extend(done?);
    }
    Ok(all)
}

fn next<T>(left: &Mutex<vec::IntoIter<T>>) -> Option<T> {
    left.lock().unwrap_or_else(PoisonError::into_inner).next()
}
