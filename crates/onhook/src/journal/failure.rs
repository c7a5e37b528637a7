//! What an error of the database means for the journal.

use rusqlite::{Connection, ErrorCode, ffi};
use tracing::error;

use super::WriteError;
use super::status::Status;

/// What failed once is not tried again: after a flush that went wrong the system holds for written what is not.
pub(super) fn fail(status: &Status, connection: &Connection, cause: &rusqlite::Error) {
    if status.fail() {
        error!(%cause, store = connection.path(),
            "the journal has failed, and nothing is written any more: new calls are refused, running ones can still be hung up; check the disk and the system's log, then restart onhook");
    }
}

pub(super) fn classify(error: &rusqlite::Error) -> WriteError {
    let extended = error.sqlite_error().map(|error| error.extended_code);
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => WriteError::DiskFull,
        // The index of the log could not grow. It is never flushed, so nothing can be half believed.
        Some(_) if extended == Some(ffi::SQLITE_IOERR_SHMSIZE) => WriteError::DiskFull,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => WriteError::Locked,
        Some(_) | None => WriteError::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_disk_are_told_apart() {
        let of = |code| classify(&rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        assert_eq!(of(ffi::SQLITE_FULL), WriteError::DiskFull);
        assert_eq!(of(ffi::SQLITE_IOERR_SHMSIZE), WriteError::DiskFull);
        assert_eq!(of(ffi::SQLITE_BUSY), WriteError::Locked);
        assert_eq!(of(ffi::SQLITE_IOERR_FSYNC), WriteError::Failed);
        assert_eq!(of(ffi::SQLITE_CORRUPT), WriteError::Failed);
        assert_eq!(of(ffi::SQLITE_READONLY), WriteError::Failed);
    }
}
