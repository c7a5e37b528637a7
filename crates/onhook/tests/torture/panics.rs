//! Counts panics: in a task of the server they would go unseen.

use std::{
    panic,
    sync::{
        Once,
        atomic::{AtomicUsize, Ordering},
    },
};

static SEEN: AtomicUsize = AtomicUsize::new(0);
static WATCHING: Once = Once::new();

/// Counts from here on, in every thread.
pub(crate) fn watch() {
    WATCHING.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            SEEN.fetch_add(1, Ordering::SeqCst);
            report(info);
        }));
    });
}

pub(crate) fn seen() -> usize {
    SEEN.load(Ordering::SeqCst)
}
