//! Gives the write-ahead log its length before the first entry is written.

use rusqlite::{Connection, TransactionBehavior};

/// In bytes. What a busy time writes beyond it is appended, once.
pub(super) const LENGTH: u64 = 8 * 1024 * 1024;
/// With less room than that on the disk it is for entries, when they come.
pub(super) const ROOM: u64 = 4 * LENGTH;

/// A flush of what is appended takes several times as long as one of what is written over, and without this everything up to the
/// first move would be appended. A transaction that outgrows its cache is put into the log, and is then rolled back: the log stays
/// as long as it was, and holds no more than before.
///
/// # Errors
/// When the disk is full or fails. Nothing is lost then, the log is only shorter; nor is anything flushed here, so what the
/// next entry is told can be believed.
pub(super) fn lengthen(connection: &mut Connection) -> rusqlite::Result<()> {
    let pages_of_cache: i64 = connection.pragma_query_value(None, "cache_size", |row| row.get(0))?;
    connection.pragma_update(None, "cache_size", 1)?;
    let lengthened = outgrow_the_cache(connection);
    connection.pragma_update(None, "cache_size", pages_of_cache)?;
    lengthened
}

fn outgrow_the_cache(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(&format!("CREATE TABLE room AS SELECT zeroblob({LENGTH})"))?;
    transaction.rollback()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::store::{Store, connect};

    #[test]
    fn the_log_has_its_length_before_the_first_entry_and_holds_nothing_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("onhook.db");
        let store = Store::open(&path).unwrap();
        let log = || fs::metadata(folder.path().join("onhook.db-wal")).unwrap().len();
        let before = log();
        let pages = || -> i64 {
            let connection = connect(&path).unwrap();
            connection
                .pragma_query_value(None, "page_count", |row| row.get(0))
                .unwrap()
        };
        let held = pages();

        lengthen(&mut connect(&path).unwrap()).unwrap();
        assert!(before < LENGTH && log() >= LENGTH, "{} bytes, {before} before", log());
        assert_eq!(pages(), held);
        drop(store);
        assert_eq!(pages(), held);
    }
}
