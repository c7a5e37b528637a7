//! What a panic ends: the request that met it, or the process.
//!
//! Some tasks and threads the server cannot live without: a process in which one of them is dead would go on to answer, and
//! hang nobody up. A panic of one of those ends the process at once ([`vital`], [`Vital`]), and the next start ends the calls. Any other
//! panic ends what was being done and nothing else ([`caught`]).

use std::any::Any;
use std::future::poll_fn;
use std::panic::{self, AssertUnwindSafe};
use std::pin::pin;
use std::process;
use std::task::Poll;
use std::thread;

/// Something panicked; the log says where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fault of onhook's own")]
pub(crate) struct Panicked;

/// Held by a thread that the server cannot live without. Dropped by its panic, it ends the process.
#[derive(Debug)]
pub(crate) struct Vital(pub(crate) &'static str);

impl Drop for Vital {
    fn drop(&mut self) {
        if thread::panicking() {
            died(self.0);
        }
    }
}

/// Does work that the server cannot live without. Its own panic ends the process; that of whoever drops it does not.
pub(crate) async fn vital<T>(what: &'static str, work: impl Future<Output = T>) -> T {
    caught(work).await.unwrap_or_else(|Panicked| died(what))
}

/// Ends the process: this is gone, and there is no going on without it.
pub(crate) fn died(what: &str) -> ! {
    tracing::error!(
        what,
        "the server cannot go on without this and ends at once: the next start hangs up what is up"
    );
    process::abort()
}

/// Does work whose panic ends it and nothing else. What it had locked or half done must not matter to anybody else.
///
/// # Errors
/// When it panicked.
pub(crate) async fn caught<T>(work: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut work = pin!(work);
    poll_fn(
        |context| match panic::catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(polled) => polled.map(Ok),
            Err(_) => Poll::Ready(Err(Panicked)),
        },
    )
    .await
}

/// From now on the log tells of panics: where, and in which request.
pub(crate) fn log() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let thread = thread::current();
        tracing::error!(
            thread = thread.name(),
            place,
            says = in_our_words(panic.payload()),
            "a panic: this is a fault of onhook's own"
        );
    }));
}

/// What a panic says, unless it was put together at that moment: then it may hold what a peer or a client sent, passwords too.
fn in_our_words(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref().copied().unwrap_or("(not shown)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_what_was_being_done_and_nothing_else() {
        let panics = async {
            tokio::task::yield_now().await;
            panic!("as a test")
        };
        assert_eq!(caught(panics).await, Err::<(), _>(Panicked));
        let works = async {
            tokio::task::yield_now().await;
            7
        };
        assert_eq!(caught(works).await, Ok(7));
    }

    #[test]
    fn what_came_from_outside_is_not_shown() {
        let payload_of = |panic: fn()| panic::catch_unwind(panic).unwrap_err();
        assert_eq!(
            in_our_words(&*payload_of(|| panic!("a sentence of ours"))),
            "a sentence of ours"
        );
        let cut = payload_of(|| {
            let password = String::from("päss");
            let _ = std::hint::black_box(&password[..2]);
        });
        assert_eq!(in_our_words(&*cut), "(not shown)");
    }
}
