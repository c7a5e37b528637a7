//! What entries are in the tables.

use std::time::{Duration, SystemTime};

use dial::WallTime;
use rusqlite::{Connection, params};
use switch::journal::{Entry, Write};

use crate::crash_points;
use crate::store::milliseconds;

/// How many old records are removed at a time at most.
const SWEEP: i64 = 500;

/// Writes an entry. Whoever calls it has begun a transaction.
pub(super) fn write(transaction: &Connection, entry: &Entry) -> rusqlite::Result<()> {
    let k = entry.key.0;
    match &entry.write {
        Write::Intent { id_hash, intent } => {
            // A row that is begun anew, after an end that was refused, says what the new record says.
            transaction
                .prepare_cached("DELETE FROM call_state WHERE k = ?1")?
                .execute(params![k])?;
            transaction
                .prepare_cached("INSERT OR REPLACE INTO call (k, id_hash, intent) VALUES (?1, ?2, ?3)")?
                .execute(params![k, id_hash.0, intent])?;
        }
        Write::State(state) => {
            if state.wish {
                crash_points::panic_at("journal");
            }
            transaction
                .prepare_cached("INSERT OR REPLACE INTO call_state (k, phase, wish, dialog) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![k, state.phase, state.wish, state.dialog])?;
        }
        Write::Ended(ended) => {
            transaction
                .prepare_cached("DELETE FROM call WHERE k = ?1")?
                .execute(params![k])?;
            transaction
                .prepare_cached("DELETE FROM call_state WHERE k = ?1")?
                .execute(params![k])?;
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO cdr (k, id_hash, owner, started, ended, own_phone, cause, record)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                )?
                .execute(params![
                    k,
                    ended.id_hash.0,
                    ended.owner,
                    to_column(ended.started),
                    to_column(ended.ended),
                    ended.own_phone,
                    ended.cause,
                    ended.record,
                ])?;
        }
    }
    Ok(())
}

/// Removes some of the records of calls that ended longer ago than this.
pub(super) fn sweep(transaction: &Connection, keep_records: Duration) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("DELETE FROM cdr WHERE k IN (SELECT k FROM cdr WHERE ended < ?1 ORDER BY ended LIMIT ?2)")?
        .execute(params![ago(keep_records), SWEEP])?;
    Ok(())
}

/// A time as the tables keep it, in milliseconds since 1970.
pub(super) fn to_column(time: WallTime) -> i64 {
    i64::try_from(time.since_epoch().as_millis()).unwrap_or(i64::MAX)
}

/// The time of a column written by [`to_column`].
pub(super) fn from_column(milliseconds: i64) -> WallTime {
    WallTime::after_epoch(Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0)))
}

/// When it was `span` ago, as the tables keep it; 1970 at the earliest.
pub(super) fn ago(span: Duration) -> i64 {
    SystemTime::now().checked_sub(span).map_or(0, milliseconds)
}
