//! How many calls, and how often. Whatever a call takes of the caps it takes at once, before its INVITE, and holds until
//! it is over: a [`Hold`] cannot be copied, and giving it back consumes it.
//!
//! Counts live in memory, and are told again from the journal's records after a restart ([`Caps::remember`]); calls that a
//! crash left hold their places until they are ended ([`Caps::hold`]).
//!
//! Caps on starts protect other people's phones. A call to the caller's own phone is none of theirs: it has minutes of its own, and
//! of starts only so many in a minute that no person comes near, so that a client that has gone wild leaves the trunk to others.
//! Memory is bounded: a window remembers no more starts than its cap, and what has run out is swept.

mod grant;
mod window;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use sabotage::{Fault, Sabotage};

use crate::Permit;
use crate::cap::{Cap, Capped};
use crate::counted::CountedNumbers;
use crate::{network::subscriber, wall_time::WallTime};
pub use grant::{Grant, Hold};
use window::{Spent, Window};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const TEN_MINUTES: Duration = Duration::from_secs(600);
const HOUR: Duration = Duration::from_secs(3600);
/// How far back spent minutes count.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// How long to wait for a place that some call's end will free.
const SOME_END: Duration = Duration::from_secs(5);
/// Mailboxes, addresses or numbers that are remembered at a time; with more, new ones wait.
const MOST: usize = 100_000;

/// The caps; each is how many may be, so that 0 allows none.
#[derive(Clone, Copy, Debug)]
pub struct CapsSettings {
    pub live: u32,
    pub live_per_mailbox: u32,
    pub live_per_trunk: u32,
    pub starts_per_second_per_trunk: u32,
    pub starts_per_minute_per_mailbox: u32,
    pub starts_per_hour_per_mailbox: u32,
    /// In any 24 hours.
    pub time_per_day_per_mailbox: Duration,
    pub starts_per_minute_per_address: u32,
    pub starts_per_ten_minutes_per_number: u32,
    /// Of one mailbox, instead of all other caps on its starts but the trunk's.
    pub starts_per_minute_to_own_phone: u32,
    /// In any 24 hours, beside `time_per_day_per_mailbox`.
    pub time_per_day_to_own_phone: Duration,
}

/// A call of the past, as far as caps count it.
#[derive(Clone, Copy, Debug)]
pub struct PastCall<'a> {
    pub mailbox: [u8; 32],
    pub started: WallTime,
    /// When it ended; `None` when it has not.
    pub ended: Option<WallTime>,
    /// Whether it was for a phone of the mailbox's own.
    pub own_phone: bool,
    /// `None` when its start is longer ago than [`STARTS_COUNT_FOR`].
    pub start: Option<CountedStart<'a>>,
}

/// What is counted of a start besides its mailbox: which number is called, over which trunk, and by which client.
#[derive(Clone, Copy, Debug)]
pub struct CountedStart<'a> {
    pub request_uri: &'a str,
    pub trunk: &'a str,
    pub address: Option<IpAddr>,
}

/// How long a start counts for its number, its trunk and its client.
pub const STARTS_COUNT_FOR: Duration = TEN_MINUTES;

#[derive(Debug, Default)]
struct Mailbox {
    live: u32,
    minute: Window,
    hour: Window,
    own_minute: Window,
    /// With other people's phones.
    time: Time,
    /// With the own ones.
    own_time: Time,
}

#[derive(Debug, Default)]
struct Time {
    /// What live calls have set aside.
    aside: Duration,
    spent: Spent,
}

impl Time {
    fn used(&mut self, now: WallTime) -> Duration {
        self.spent.within(DAY, now).saturating_add(self.aside)
    }
}

impl Mailbox {
    fn time(&mut self, own_phone: bool) -> &mut Time {
        if own_phone { &mut self.own_time } else { &mut self.time }
    }
}

#[derive(Debug, Default)]
struct Trunk {
    live: u32,
    second: Window,
}

/// All counts. One task owns them.
#[derive(Debug)]
pub struct Caps {
    settings: CapsSettings,
    counted: CountedNumbers,
    live: u32,
    mailboxes: BTreeMap<[u8; 32], Mailbox>,
    trunks: BTreeMap<String, Trunk>,
    addresses: BTreeMap<IpAddr, Window>,
    numbers: BTreeMap<String, Window>,
    swept: Option<WallTime>,
    sabotage: Sabotage,
}

impl Caps {
    pub fn new(settings: CapsSettings, counted: CountedNumbers) -> Self {
        Self {
            settings,
            counted,
            live: 0,
            mailboxes: BTreeMap::new(),
            trunks: BTreeMap::new(),
            addresses: BTreeMap::new(),
            numbers: BTreeMap::new(),
            swept: None,
            sabotage: Sabotage::default(),
        }
    }

    /// The same with a fault put in: for the simulation.
    #[must_use]
    pub fn sabotaged(mut self, sabotage: Sabotage) -> Self {
        self.sabotage = sabotage;
        self
    }

    /// Calls that hold a place now.
    pub fn live(&self) -> usize {
        self.live as usize
    }

    /// Takes everything a call needs, or nothing. The call goes over the first of `trunks` that has room, and may last
    /// `longest`, or less if the mailbox has less time left.
    ///
    /// # Errors
    /// When a cap is reached.
    pub fn grant(
        &mut self,
        permit: Permit,
        trunks: &[&str],
        longest: Duration,
        now: WallTime,
    ) -> Result<Grant, Capped> {
        self.sweep(now);
        let (trunk, left) = self.check(&permit, trunks, now)?;
        let Permit {
            number,
            caller,
            own_phone,
        } = permit;
        let address = caller.address.map(subscriber);
        let start = CountedStart {
            request_uri: &number.request_uri(""),
            trunk,
            address,
        };
        self.count(caller.key, now, own_phone, Some(start));
        let hold = self.take(caller.key, trunk, now, longest.min(left), Duration::MAX, own_phone);
        Ok(Grant { number, address, hold })
    }

    /// The trunk to take, and how much of the mailbox's time is left.
    fn check<'t>(&mut self, permit: &Permit, trunks: &[&'t str], now: WallTime) -> Result<(&'t str, Duration), Capped> {
        let caps = self.settings;
        let (mailbox, own_phone) = (permit.caller.key, permit.own_phone);
        if self.live >= caps.live || is_full(&self.mailboxes, &mailbox) {
            return Err(Capped::new(Cap::Live, SOME_END));
        }
        let owner = self.mailboxes.entry(mailbox).or_default();
        if owner.live >= caps.live_per_mailbox {
            return Err(Capped::new(Cap::LivePerMailbox, SOME_END));
        }
        let room = |window: &Window, span, cap: Cap, most| {
            let room = window.room(now, span, most);
            room.map_err(|wait| Capped::new(cap, wait))
        };
        let (time, spent) = if own_phone {
            let most = caps.starts_per_minute_to_own_phone;
            room(&owner.own_minute, MINUTE, Cap::StartsPerMinuteToOwnPhone, most)?;
            (caps.time_per_day_to_own_phone, Cap::MinutesPerDayToOwnPhone)
        } else {
            let most = caps.starts_per_minute_per_mailbox;
            room(&owner.minute, MINUTE, Cap::StartsPerMinutePerMailbox, most)?;
            let most = caps.starts_per_hour_per_mailbox;
            room(&owner.hour, HOUR, Cap::StartsPerHourPerMailbox, most)?;
            (caps.time_per_day_per_mailbox, Cap::MinutesPerDayPerMailbox)
        };
        let left = time.saturating_sub(owner.time(own_phone).used(now));
        if left.is_zero() {
            return Err(Capped::new(spent, SOME_END));
        }
        if !own_phone {
            self.check_client_and_number(permit, now)?;
        }

        let mut soonest: Option<Capped> = None;
        for trunk in trunks {
            let counts = self.trunks.entry((*trunk).to_owned()).or_default();
            let most = caps.live_per_trunk + u32::from(self.sabotage.is(Fault::CapOffByOne));
            let capped = if counts.live >= most {
                Capped::new(Cap::LivePerTrunk, SOME_END)
            } else {
                match counts.second.room(now, SECOND, caps.starts_per_second_per_trunk) {
                    Ok(()) => return Ok((trunk, left)),
                    Err(wait) => Capped::new(Cap::StartsPerSecondPerTrunk, wait),
                }
            };
            soonest = soonest.filter(|soonest| soonest.wait <= capped.wait).or(Some(capped));
        }
        Err(soonest.unwrap_or(Capped::new(Cap::LivePerTrunk, SOME_END)))
    }

    /// Whether this client may call once more, and this number be called.
    fn check_client_and_number(&mut self, permit: &Permit, now: WallTime) -> Result<(), Capped> {
        let caps = self.settings;
        let address = permit.caller.address.map(subscriber);
        let number = self.counted.of(&permit.number.request_uri(""));
        if is_full(&self.numbers, &number) || address.is_some_and(|address| is_full(&self.addresses, &address)) {
            return Err(Capped::new(Cap::Live, SOME_END));
        }
        if let Some(address) = address {
            let window = self.addresses.entry(address).or_default();
            window
                .room(now, MINUTE, caps.starts_per_minute_per_address)
                .map_err(|wait| Capped::new(Cap::StartsPerMinutePerAddress, wait))?;
        }
        let window = self.numbers.entry(number).or_default();
        window
            .room(now, TEN_MINUTES, caps.starts_per_ten_minutes_per_number)
            .map_err(|wait| Capped::new(Cap::StartsPerTenMinutesPerNumber, wait))
    }

    fn count(&mut self, mailbox: [u8; 32], at: WallTime, own_phone: bool, start: Option<CountedStart<'_>>) {
        let caps = self.settings;
        let owner = self.mailboxes.entry(mailbox).or_default();
        if own_phone {
            owner.own_minute.add(at, caps.starts_per_minute_to_own_phone);
        } else {
            owner.minute.add(at, caps.starts_per_minute_per_mailbox);
            owner.hour.add(at, caps.starts_per_hour_per_mailbox);
        }
        let Some(start) = start else { return };
        let trunk = self.trunks.entry(start.trunk.to_owned()).or_default();
        trunk.second.add(at, caps.starts_per_second_per_trunk);
        if own_phone {
            return;
        }
        let numbers = self.numbers.entry(self.counted.of(start.request_uri)).or_default();
        numbers.add(at, caps.starts_per_ten_minutes_per_number);
        if let Some(address) = start.address {
            let window = self.addresses.entry(address).or_default();
            window.add(at, caps.starts_per_minute_per_address);
        }
    }

    fn take(
        &mut self,
        mailbox: [u8; 32],
        trunk: &str,
        started: WallTime,
        time: Duration,
        most: Duration,
        own_phone: bool,
    ) -> Hold {
        self.live += 1;
        let owner = self.mailboxes.entry(mailbox).or_default();
        owner.live += 1;
        owner.time(own_phone).aside += time;
        self.trunks.entry(trunk.to_owned()).or_default().live += 1;
        Hold {
            mailbox,
            trunk: trunk.to_owned(),
            started,
            time,
            most,
            own_phone,
        }
    }

    /// A place for a call that is up already, whatever the caps say: one that a crash left, or that nobody placed. It
    /// spends no more than `longest`, however long nobody was there to end it.
    pub fn hold(
        &mut self,
        mailbox: [u8; 32],
        trunk: &str,
        started: WallTime,
        longest: Duration,
        own_phone: bool,
    ) -> Hold {
        self.take(mailbox, trunk, started, Duration::ZERO, longest, own_phone)
    }

    /// The call is over: its places are free, and the time it took is spent.
    pub fn give_back(&mut self, hold: Hold, now: WallTime) {
        let Hold {
            mailbox,
            trunk,
            started,
            time,
            most,
            own_phone,
        } = hold;
        if self.sabotage.is(Fault::GrantTwice) {
            self.live = self.live.saturating_sub(2);
        } else {
            self.live -= 1;
        }
        let owner = self.mailboxes.entry(mailbox).or_default();
        owner.live -= 1;
        let lasted = now.since(started);
        let owners = owner.time(own_phone);
        owners.aside -= time;
        owners.spent.add(lasted.min(most), now);
        self.trunks.entry(trunk).or_default().live -= 1;
    }

    /// Counts a call of an earlier server: its start, and the time it took if it has ended. Told in the order of starts.
    pub fn remember(&mut self, call: PastCall<'_>, now: WallTime) {
        // A clock that was set back must not keep a mailbox shut until it has caught up.
        let at = call.started.min(now);
        self.count(call.mailbox, at, call.own_phone, call.start);
        if let Some(ended) = call.ended {
            let lasted = ended.since(call.started);
            let owner = self.mailboxes.entry(call.mailbox).or_default();
            owner.time(call.own_phone).spent.add(lasted, ended.min(now));
        }
    }

    /// Once a minute, forgets whom nothing is counted for any more.
    fn sweep(&mut self, now: WallTime) {
        if self.swept.is_some_and(|swept| now.since(swept) < MINUTE) {
            return;
        }
        self.swept = Some(now);
        self.addresses.retain(|_, window| !window.is_over(now, MINUTE));
        self.numbers.retain(|_, window| !window.is_over(now, TEN_MINUTES));
        self.mailboxes.retain(|_, owner| {
            let started = !owner.hour.is_over(now, HOUR) || !owner.own_minute.is_over(now, MINUTE);
            owner.live > 0 || started || !owner.time.used(now).is_zero() || !owner.own_time.used(now).is_zero()
        });
    }
}

fn is_full<K: Ord, V>(map: &BTreeMap<K, V>, key: &K) -> bool {
    map.len() >= MOST && !map.contains_key(key)
}

#[cfg(test)]
mod tests;
