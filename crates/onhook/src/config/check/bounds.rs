//! How long is too long, and how many are too many: what nobody can mean is a slip, and is not taken.

use std::fmt::Display;

use crate::config::error::Problem;
use crate::config::read::Document;
use crate::config::sections::{Config, Trunk};
use crate::config::values::Period;

/// A key, its value, the most that it may be as one would write it, and what more would mean.
type Bound<Section, Value> = (&'static str, fn(&Section) -> Value, &'static str, &'static str);

const PERIODS: &[Bound<Config, Period>] = &[
    ("http.header_timeout", |c| c.http.header_timeout, "10m", NOT_SAYING),
    ("http.body_timeout", |c| c.http.body_timeout, "10m", NOT_SAYING),
    ("http.idle_timeout", |c| c.http.idle_timeout, "1h", NOT_SAYING),
    ("login.ldap.timeout", |c| c.login.ldap.timeout, "1m", GIVEN_UP),
    (
        "login.ldap.remember",
        |c| c.login.ldap.remember,
        "1d",
        "a password would go on working that the directory takes no more",
    ),
    ("sip.timers.t1", |c| c.sip.timers.t1, "1m", SLOW),
    ("sip.timers.t2", |c| c.sip.timers.t2, "1m", SLOW),
    ("sip.timers.t4", |c| c.sip.timers.t4, "1m", SLOW),
    (
        "store.keep_records",
        |c| c.store.keep_records,
        "3650d",
        "the store would grow without end",
    ),
    ("store.disk_wait", |c| c.store.disk_wait, "1m", GIVEN_UP),
    (
        "calls.ring_limit",
        |c| c.calls.ring_limit,
        "10m",
        "phones would ring that nobody goes to",
    ),
    (
        "calls.max_duration",
        |c| c.calls.max_duration,
        "1d",
        "a call that was forgotten would go on, and cost",
    ),
    (
        "calls.session_expires",
        |c| c.calls.session_expires,
        "1d",
        "no phone that has vanished would be noticed",
    ),
    ("calls.disconnect_wait", |c| c.calls.disconnect_wait, "1m", GIVEN_UP),
    (
        "calls.ended_retention",
        |c| c.calls.ended_retention,
        "7d",
        "too many calls that ended would be kept in memory",
    ),
    (
        "calls.drain_timeout",
        |c| c.calls.drain_timeout,
        "1d",
        "the program would not end",
    ),
];
const NOT_SAYING: &str = "clients that say nothing would keep their connections";
const GIVEN_UP: &str = "clients would have given up before the answer";
const SLOW: &str = "calls would wait for packets that no network still brings";

const NUMBERS: &[Bound<Config, u32>] = &[
    (
        "http.body_limit",
        |c| c.http.body_limit,
        "67108864",
        "memory would be filled that no request of EWS needs",
    ),
    (
        "http.bodies_limit",
        |c| c.http.bodies_limit,
        "1073741824",
        "clients could fill the memory",
    ),
    (
        "http.max_connections",
        |c| c.http.max_connections,
        MANY,
        "there would be no limit: no process has so many files",
    ),
    (
        "http.max_connections_per_address",
        |c| c.http.max_connections_per_address,
        MANY,
        "there would be no limit: no process has so many files",
    ),
    (
        "login.ldap.max_connections",
        |c| c.login.ldap.max_connections,
        "1000",
        "the directory would be flooded",
    ),
    (
        "sip.requests_per_second",
        |c| c.sip.requests_per_second,
        MANY,
        "a flood would not be stopped",
    ),
    ("calls.max_live", |c| c.calls.max_live, MANY, NO_CAP),
    (
        "calls.max_live_per_mailbox",
        |c| c.calls.max_live_per_mailbox,
        MANY,
        NO_CAP,
    ),
    ("calls.max_live_per_trunk", |c| c.calls.max_live_per_trunk, MANY, NO_CAP),
    (
        "calls.starts_per_second_per_trunk",
        |c| c.calls.starts_per_second_per_trunk,
        MANY,
        NO_CAP,
    ),
    (
        "calls.starts_per_minute_to_own_phone",
        |c| c.calls.starts_per_minute_to_own_phone,
        MANY,
        NO_CAP,
    ),
    (
        "calls.minutes_per_day_to_own_phone",
        |c| c.calls.minutes_per_day_to_own_phone,
        MANY,
        NO_CAP,
    ),
    (
        "calls.starts_per_minute_per_mailbox",
        |c| c.calls.starts_per_minute_per_mailbox,
        MANY,
        NO_CAP,
    ),
    (
        "calls.starts_per_hour_per_mailbox",
        |c| c.calls.starts_per_hour_per_mailbox,
        MANY,
        NO_CAP,
    ),
    (
        "calls.minutes_per_day_per_mailbox",
        |c| c.calls.minutes_per_day_per_mailbox,
        MANY,
        NO_CAP,
    ),
    (
        "calls.starts_per_minute_per_address",
        |c| c.calls.starts_per_minute_per_address,
        MANY,
        NO_CAP,
    ),
    (
        "calls.starts_per_ten_minutes_per_number",
        |c| c.calls.starts_per_ten_minutes_per_number,
        MANY,
        NO_CAP,
    ),
];
const MANY: &str = "1000000";
const NO_CAP: &str = "there would be no cap";

const PERIODS_OF_TRUNKS: &[Bound<Trunk, Period>] = &[
    (
        "register_expires",
        |trunk| trunk.register_expires,
        "1d",
        "a registrar that has lost us would not be told",
    ),
    (
        "keepalive",
        |trunk| trunk.keepalive,
        "1h",
        "a trunk that is down would be taken for one that is up (\"0s\" asks never)",
    ),
];

/// Every period and number that is more than anybody can mean.
pub(super) fn check(document: &Document<'_>, problems: &mut Vec<Problem>) {
    let config = &document.config;
    for (path, value, most, why) in PERIODS {
        let is_more = most.parse().is_ok_and(|most: Period| value(config) > most);
        refuse(document, problems, is_more, path, format_args!("{most:?}"), why);
    }
    for (path, value, most, why) in NUMBERS {
        let is_more = most.parse().is_ok_and(|most: u32| value(config) > most);
        refuse(document, problems, is_more, path, most, why);
    }
    for (index, trunk) in config.trunk.iter().enumerate() {
        for (key, value, most, why) in PERIODS_OF_TRUNKS {
            let path = format!("trunk.{index}.{key}");
            let is_more = most.parse().is_ok_and(|most: Period| value(trunk) > most);
            refuse(document, problems, is_more, &path, format_args!("{most:?}"), why);
        }
    }
}

fn refuse(
    document: &Document<'_>,
    problems: &mut Vec<Problem>,
    is_more: bool,
    path: &str,
    most: impl Display,
    why: &str,
) {
    if is_more {
        let key = path.rsplit('.').next().unwrap_or(path);
        let message = format!("{key} is {most} at most: with more, {why}");
        problems.push(Problem::new(document.place(path), message));
    }
}
