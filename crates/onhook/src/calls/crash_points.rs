//! Named points around each of the journal's entries at which a test makes the process die.
//!
//! They exist only with the feature `crash-points`, which nothing but `make crash-test` turns on. There,
//! `ONHOOK_CRASH_POINT=after-answer:7` aborts the process when the seventh answer is durable and before anything else is
//! done about it; `before-answer:7` when the journal is about to be given it. The entries are `intent`, `answer`, `fork`, `wish`
//! and `end`. The process ends as it would by `kill -9`: nothing is closed, flushed or said.

use std::{
    env,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use call::Save;

static CHOSEN: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
    let chosen = env::var("ONHOOK_CRASH_POINT").ok()?;
    let (point, times) = chosen.split_once(':').unwrap_or((&chosen, "1"));
    Some((point.to_owned(), times.parse().ok()?))
});
static PASSED: AtomicU64 = AtomicU64::new(0);

pub(super) fn before(save: Save) {
    pass("before", save);
}

pub(super) fn after(save: Save) {
    pass("after", save);
}

fn pass(side: &str, save: Save) {
    let entry = match save {
        Save::Intent => "intent",
        Save::Answer => "answer",
        Save::Wish => "wish",
        Save::End => "end",
        Save::Fork(_) => "fork",
    };
    if let Some((point, times)) = &*CHOSEN
        && point.split_once('-') == Some((side, entry))
        && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *times
    {
        std::process::abort();
    }
}
