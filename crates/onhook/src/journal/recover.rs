//! What an earlier server left in the journal.

use std::path::Path;

use rusqlite::Connection;
use switch::journal::{CallKey, CallState, IdHash, Leftover};

use super::TakingUp;

/// What is found when the journal is opened, in the order the calls were placed.
#[derive(Debug)]
pub struct Recovered {
    /// Calls that were alive when the last server stopped.
    pub leftovers: Vec<Leftover>,
    /// Where it is written which of them are being taken up.
    pub taking_up: TakingUp,
}

pub(super) const LEFTOVERS: &str =
    "SELECT call.k, id_hash, intent, phase, wish, dialog FROM call LEFT JOIN call_state USING (k) ORDER BY call.k";

/// Live calls alone: ended ones are in nobody's way to a BYE, however many there are (see [`super::History`]).
pub(super) fn recover(connection: &Connection, store: &Path) -> rusqlite::Result<Recovered> {
    let mut leftovers: Vec<Leftover> = connection
        .prepare(LEFTOVERS)?
        .query_map([], |row| {
            let phase: Option<u8> = row.get(3)?;
            let state = match phase {
                Some(phase) => Some(CallState {
                    phase,
                    wish: row.get(4)?,
                    dialog: row.get(5)?,
                }),
                None => None,
            };
            Ok(Leftover {
                key: CallKey(row.get(0)?),
                id_hash: IdHash(row.get(1)?),
                intent: row.get(2)?,
                state,
                deaths: 0,
            })
        })?
        .collect::<Result<_, _>>()?;
    // They are in the order of their keys.
    let is_left = |key| leftovers.binary_search_by_key(&key, |leftover| leftover.key).is_ok();
    let taking_up = TakingUp::read(store, is_left);
    for leftover in &mut leftovers {
        leftover.deaths = taking_up.deaths(leftover.key);
    }
    Ok(Recovered { leftovers, taking_up })
}
