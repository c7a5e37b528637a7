//! What an earlier server left in the journal.

use std::path::Path;
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, params};

use super::{CallKey, CallState, Ended, IdHash, TakingUp};
use crate::store::{milliseconds, system_time};

/// What is found when the journal is opened, each in the order the calls were placed.
#[derive(Debug)]
pub struct Recovered {
    /// Calls that were alive when the last server stopped.
    pub leftovers: Vec<Leftover>,
    /// Where it is written which of them are being taken up.
    pub taking_up: TakingUp,
    /// Calls that ended a short time ago, so that their ids can still be answered.
    pub ended: Vec<(CallKey, Ended)>,
    /// Every call that ended within the last day, without its record.
    pub counted: Vec<Counted>,
}

/// What of a call counts for a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    pub key: CallKey,
    /// The key of the caller whose call it was.
    pub owner: [u8; 32],
    pub started: SystemTime,
    pub ended: SystemTime,
    /// Whether it was for a phone of the caller's own.
    pub own_phone: bool,
}

/// How far back calls are counted.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A call without an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    pub key: CallKey,
    pub id_hash: IdHash,
    pub intent: Vec<u8>,
    /// `None` when nothing was heard of it after its intent: its INVITE may or may not have left.
    pub state: Option<CallState>,
}

pub(super) fn recover(connection: &Connection, store: &Path, remember_ended: Duration) -> rusqlite::Result<Recovered> {
    let leftovers: Vec<Leftover> = connection
        .prepare(
            "SELECT call.k, id_hash, intent, phase, wish, dialog FROM call LEFT JOIN call_state USING (k) ORDER BY call.k",
        )?
        .query_map([], |row| {
            let phase: Option<u8> = row.get(3)?;
            let state = match phase {
                Some(phase) => Some(CallState { phase, wish: row.get(4)?, dialog: row.get(5)? }),
                None => None,
            };
            Ok(Leftover { key: CallKey(row.get(0)?), id_hash: IdHash(row.get(1)?), intent: row.get(2)?, state })
        })?
        .collect::<Result<_, _>>()?;
    // They are in the order of their keys.
    let is_left = |key| leftovers.binary_search_by_key(&key, |leftover| leftover.key).is_ok();
    let taking_up = TakingUp::read(store, is_left);

    let since = |span| SystemTime::now().checked_sub(span).map_or(0, milliseconds);
    let ended = connection
        .prepare(
            "SELECT k, id_hash, owner, started, ended, cause, record, own_phone FROM cdr WHERE ended >= ?1 ORDER BY k",
        )?
        .query_map(params![since(remember_ended)], |row| {
            let ended = Ended {
                id_hash: IdHash(row.get(1)?),
                owner: row.get(2)?,
                started: system_time(row.get(3)?),
                ended: system_time(row.get(4)?),
                cause: row.get::<_, String>(5)?.into(),
                record: row.get(6)?,
                own_phone: row.get(7)?,
            };
            Ok((CallKey(row.get(0)?), ended))
        })?
        .collect::<Result<_, _>>()?;
    let counted = connection
        .prepare("SELECT k, owner, started, ended, own_phone FROM cdr WHERE ended >= ?1 ORDER BY k")?
        .query_map(params![since(DAY)], |row| {
            Ok(Counted {
                key: CallKey(row.get(0)?),
                owner: row.get(1)?,
                started: system_time(row.get(2)?),
                ended: system_time(row.get(3)?),
                own_phone: row.get(4)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(Recovered {
        leftovers,
        taking_up,
        ended,
        counted,
    })
}
