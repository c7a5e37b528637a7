//! Moves what is in the write-ahead log into the database file.

use rusqlite::Connection;
use tracing::debug;

use super::WriteError;
use super::failure::{classify, fail};
use super::status::Status;

/// One round, as far as it goes without waiting for readers or the writer; a busy moment only means less done this time.
///
/// A full disk leaves all of it in the log, which is no loss. Anything else that goes wrong may be a flush, after which
/// the system holds for written what is not: no later round may be believed, and the log must stay as it is.
pub(super) fn checkpoint(connection: &Connection, status: &Status) {
    if status.has_failed() {
        return;
    }
    let Err(cause) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) else {
        return;
    };
    match classify(&cause) {
        WriteError::Failed => fail(status, connection, &cause),
        error => debug!(%error, "the log stays where it is for now"),
    }
}
