//! Whether new calls may be written: the writer, the upkeep and every handle look at the same gate.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::WriteError;

const OPEN: u8 = 0;
/// The ballast is given up: what room there is belongs to calls that exist already.
const FULL: u8 = 1;
/// There is doubt about what is on disk, for the rest of this process.
const FAILED: u8 = 2;

#[derive(Clone, Debug, Default)]
pub(super) struct Gate(Arc<AtomicU8>);

impl Gate {
    /// What a new call is refused with.
    pub(super) fn refusal(&self) -> Option<WriteError> {
        match self.0.load(Ordering::Acquire) {
            OPEN => None,
            FULL => Some(WriteError::DiskFull),
            _ => Some(WriteError::Failed),
        }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.refusal() == Some(WriteError::Failed)
    }

    /// Shut until [`Self::reopen`].
    pub(super) fn shut(&self) {
        self.change(OPEN, FULL);
    }

    /// False when it was not the full disk that had it shut.
    pub(super) fn reopen(&self) -> bool {
        self.change(FULL, OPEN)
    }

    /// Shut for good. False when it was already.
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
        let gate = Gate::default();
        assert_eq!(gate.refusal(), None);
        assert!(!gate.reopen(), "it is open");
        gate.shut();
        assert_eq!(gate.refusal(), Some(WriteError::DiskFull));
        assert!(gate.reopen());
        assert_eq!(gate.refusal(), None);

        assert!(gate.fail());
        assert!(!gate.fail(), "told once");
        gate.shut();
        assert!(!gate.reopen());
        assert_eq!(gate.refusal(), Some(WriteError::Failed));
    }
}
