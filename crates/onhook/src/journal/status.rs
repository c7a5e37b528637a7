//! Whether new calls may be written: the writer, the upkeep and whoever writes look at the same status.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::WriteError;

const WELL: u8 = 0;
/// The ballast is given up: what room there is belongs to calls that exist already.
const FULL: u8 = 1;
/// There is doubt about what is on disk, for the rest of this process.
const FAILED: u8 = 2;

#[derive(Clone, Debug, Default)]
pub(super) struct Status(Arc<AtomicU8>);

impl Status {
    /// What a new call is refused with.
    pub(super) fn refusal(&self) -> Option<WriteError> {
        match self.0.load(Ordering::Acquire) {
            WELL => None,
            FULL => Some(WriteError::DiskFull),
            _ => Some(WriteError::Failed),
        }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.refusal() == Some(WriteError::Failed)
    }

    /// New calls are refused until [`Self::disk_has_room`].
    pub(super) fn disk_is_full(&self) {
        self.change(WELL, FULL);
    }

    /// False when it was not the full disk that new calls were refused for.
    pub(super) fn disk_has_room(&self) -> bool {
        self.change(FULL, WELL)
    }

    /// For good. False when it had failed already.
    pub(super) fn fail(&self) -> bool {
        self.0.swap(FAILED, Ordering::AcqRel) != FAILED
    }

    fn change(&self, from: u8, to: u8) -> bool {
        self.0
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_may_pass_and_a_failure_may_not() {
        let status = Status::default();
        assert_eq!(status.refusal(), None);
        assert!(!status.disk_has_room(), "it had before");
        status.disk_is_full();
        assert_eq!(status.refusal(), Some(WriteError::DiskFull));
        assert!(status.disk_has_room());
        assert_eq!(status.refusal(), None);

        assert!(status.fail());
        assert!(!status.fail(), "told once");
        status.disk_is_full();
        assert!(!status.disk_has_room());
        assert_eq!(status.refusal(), Some(WriteError::Failed));
    }
}
