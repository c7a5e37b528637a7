//! Calls that have ended: looked up when somebody asks, and counted after a start. Each query goes by an index, and none is
//! waited for by the calls that are to be ended.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use switch::journal::{CallKey, Counted, Ended, IdHash};

use super::rows::{ago, from_column, to_column};
use crate::store::{Reader, StoreError};

const BY_ID: &str =
    "SELECT k, id_hash, owner, started, ended, cause, record, own_phone FROM cdr WHERE id_hash = ?1 AND owner = ?2";
/// In the order of their ends, after a given one.
const COUNTED: &str = "SELECT k, owner, started, ended, own_phone, CASE WHEN ended >= ?3 THEN record END FROM cdr \
                       WHERE (ended, k) > (?1, ?2) ORDER BY ended, k LIMIT 2000";

/// How far back calls are counted.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The ended calls of a store.
#[derive(Clone, Debug)]
pub struct History {
    reader: Reader,
    /// The keys of calls of earlier servers are not above it.
    before: CallKey,
}

impl History {
    pub(super) fn new(reader: Reader, before: CallKey) -> Self {
        Self { reader, before }
    }

    /// The call of this owner that has ended under this id. Somebody else's is not even read (promise 7).
    ///
    /// # Errors
    /// When the store cannot be read, or not in time.
    pub async fn ended(&self, owner: [u8; 32], id: IdHash) -> Result<Option<Ended>, StoreError> {
        self.reader
            .read(move |connection| Ok(by_id(connection, owner, id)?))
            .await
    }

    /// Every call of an earlier server that ended within the last day, in the order of their ends; with their records those
    /// that ended within the last `recent`.
    ///
    /// # Errors
    /// When the store cannot be read, or not in time.
    pub async fn last_day(&self, recent: Duration) -> Result<Vec<Counted>, StoreError> {
        let (recent, mut after) = (ago(recent), (ago(DAY), i64::MIN));
        let mut counted = Vec::new();
        loop {
            // A part at a time, so that others who read need not wait for all.
            let part = self.reader.read(move |connection| Ok(part(connection, after, recent)?));
            let part = part.await?;
            let Some(last) = part.last() else { break };
            after = (to_column(last.ended), last.key.0);
            counted.extend(part.into_iter().filter(|call| call.key <= self.before));
        }
        Ok(counted)
    }
}

fn by_id(connection: &Connection, owner: [u8; 32], id: IdHash) -> rusqlite::Result<Option<Ended>> {
    let mut statement = connection.prepare_cached(BY_ID)?;
    statement.query_row(params![id.0, owner], ended).optional()
}

fn part(connection: &Connection, (ended, k): (i64, i64), recent: i64) -> rusqlite::Result<Vec<Counted>> {
    let mut statement = connection.prepare_cached(COUNTED)?;
    let rows = statement.query_map(params![ended, k, recent], |row| {
        Ok(Counted {
            key: CallKey(row.get(0)?),
            owner: row.get(1)?,
            started: from_column(row.get(2)?),
            ended: from_column(row.get(3)?),
            own_phone: row.get(4)?,
            record: row.get(5)?,
        })
    })?;
    rows.collect()
}

fn ended(row: &Row<'_>) -> rusqlite::Result<Ended> {
    Ok(Ended {
        id_hash: IdHash(row.get(1)?),
        owner: row.get(2)?,
        started: from_column(row.get(3)?),
        ended: from_column(row.get(4)?),
        cause: row.get::<_, String>(5)?.into(),
        record: row.get(6)?,
        own_phone: row.get(7)?,
    })
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::super::recover::LEFTOVERS;
    use super::*;
    use crate::store::Store;

    /// Reads this, and says how many rows were looked at without an index.
    fn rows_without_an_index(connection: &Connection, sql: &str) -> i32 {
        let mut statement = connection.prepare(sql).unwrap();
        for number in 1..=statement.parameter_count() {
            statement.raw_bind_parameter(number, 5_000).unwrap();
        }
        let mut rows = statement.raw_query();
        while rows.next().unwrap().is_some() {}
        drop(rows);
        statement.get_status(StatementStatus::FullscanStep) + statement.get_status(StatementStatus::Sort)
    }

    #[test]
    fn old_records_cost_a_start_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("onhook.db");
        drop(Store::open(&path).unwrap());
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch(
                "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 10000)
                 INSERT INTO cdr (k, id_hash, owner, started, ended, cause, record)
                     SELECT n, randomblob(32), zeroblob(32), n, n, 'hangup', x'00' FROM n",
            )
            .unwrap();
        for sql in [LEFTOVERS, BY_ID, COUNTED] {
            assert_eq!(rows_without_an_index(&connection, sql), 0, "{sql}");
        }
        let all = "SELECT k FROM cdr WHERE ended >= ?1 ORDER BY k";
        assert!(rows_without_an_index(&connection, all) > 0, "it would be seen");
    }

    #[tokio::test]
    async fn the_last_day_is_read_in_parts_and_without_calls_of_this_incarnation() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("onhook.db")).unwrap();
        let now = ago(Duration::ZERO);
        // Three a second, and one that is too old; many end at the same moment.
        Connection::open(store.path())
            .unwrap()
            .execute(
                "WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 4999)
                 INSERT INTO cdr (k, id_hash, owner, started, ended, cause, record)
                     SELECT n, randomblob(32), zeroblob(32), 0, ?1 - n / 3 * 1000, 'hangup', x'07' FROM n
                     UNION ALL SELECT 5000, randomblob(32), zeroblob(32), 0, ?1 - 25 * 3600000, 'hangup', x'07'",
                [now],
            )
            .unwrap();
        let reader = Reader::start(&store, "reader", Duration::from_secs(60)).unwrap();
        let history = History::new(reader, CallKey(4_900));
        let counted = history.last_day(Duration::from_secs(600)).await.unwrap();
        let mut keys: Vec<i64> = counted.iter().map(|call| call.key.0).collect();
        keys.sort_unstable();
        assert_eq!(keys, (0..=4_900).collect::<Vec<_>>());
        let recent = counted.iter().filter(|call| call.record.is_some()).count();
        assert!((1_700..=1_803).contains(&recent), "{recent}: ten minutes of them");
    }
}
