//! Named points at which a test makes the process die.
//!
//! They exist in debug builds, and with the feature `crash-points`, which nothing but `make crash-test` turns on.
//! `ONHOOK_CRASH_POINT` chooses one:
//!
//! - `after-answer:7` aborts the process when the seventh answer is durable and before anything else is done about it;
//!   `before-answer:7` when the journal is about to be given it. The entries are `intent`, `answer`, `fork`, `wish` and `end`.
//!   The process ends as it would by `kill -9`: nothing is closed, flushed or said.
//! - `panic-owner:3` panics in the owner of the calls at the third hang-up that is asked for; `panic-journal:3` in the journal's
//!   thread at the third wish to end; `panic-pacer:3` in the pacer's at the third stream; `panic-request:3` where the third
//!   request is decoded.
//! - `panic-taking-up:2.17` panics whenever that call is taken up.

use std::{
    env,
    fmt::Display,
    process,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use call::Save;

const EXIST: bool = cfg!(any(debug_assertions, feature = "crash-points"));

static CHOSEN: LazyLock<Option<(String, String)>> = LazyLock::new(|| {
    let chosen = env::var("ONHOOK_CRASH_POINT").ok()?;
    let (point, which) = chosen.split_once(':').unwrap_or((&chosen, "1"));
    Some((point.to_owned(), which.to_owned()))
});
static PASSED: AtomicU64 = AtomicU64::new(0);

pub(crate) fn before(save: Save) {
    if is_at("before", save) {
        process::abort();
    }
}

pub(crate) fn after(save: Save) {
    if is_at("after", save) {
        process::abort();
    }
}

/// Panics if this is the point, and its time has come.
#[expect(clippy::panic, reason = "that is the point")]
pub(crate) fn panic_at(place: &str) {
    if EXIST && chosen("panic", place).is_some_and(is_this_time) {
        panic!("as a crash point");
    }
}

/// Panics each time this call is taken up.
#[expect(clippy::panic, reason = "that is the point")]
pub(crate) fn taking_up(call: &impl Display) {
    if EXIST && chosen("panic", "taking-up").is_some_and(|which| which == call.to_string()) {
        panic!("as a crash point");
    }
}

fn is_at(side: &str, save: Save) -> bool {
    let entry = match save {
        Save::Intent => "intent",
        Save::Answer => "answer",
        Save::Wish => "wish",
        Save::End => "end",
        Save::Fork(_) => "fork",
    };
    EXIST && chosen(side, entry).is_some_and(is_this_time)
}

/// Which time or call was chosen, if this point was.
fn chosen(kind: &str, place: &str) -> Option<&'static str> {
    let (point, which) = CHOSEN.as_ref()?;
    (point.split_once('-') == Some((kind, place))).then_some(which)
}

fn is_this_time(which: &str) -> bool {
    let time = PASSED.fetch_add(1, Ordering::Relaxed) + 1;
    which.parse() == Ok(time)
}
