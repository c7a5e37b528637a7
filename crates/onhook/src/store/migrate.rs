//! The schema, as numbered steps that are never changed once they are released.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::StoreError;

/// Step n brings a store from schema n to schema n + 1.
const STEPS: &[&str] = &[
    include_str!("../../migrations/0001_users_messages_calls.sql"),
    include_str!("../../migrations/0002_numbers_of_users.sql"),
    include_str!("../../migrations/0003_changes_of_users_ids_of_ended_calls.sql"),
    include_str!("../../migrations/0004_calls_to_own_phones.sql"),
];

/// Marks the file as ours (`PRAGMA application_id`): "onhk".
const APPLICATION_ID: i32 = i32::from_be_bytes(*b"onhk");

/// The schema of a file that is a store of ours that this program can use, or an empty file (0).
pub(super) fn schema_of(connection: &Connection, path: &Path) -> Result<u32, StoreError> {
    let read = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let foreign = || StoreError::Foreign(path.to_owned());
    // Our mark is read last: should another program make the schema meanwhile, whoever saw some of it sees the mark, too.
    let tables: u32 = match connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)) {
        Ok(tables) => tables,
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => return Err(foreign()),
        Err(error) => return Err(error.into()),
    };
    let found = u32::try_from(read("user_version")?).map_err(|_| foreign())?;
    let id = read("application_id")?;
    let is_empty = id == 0 && found == 0 && tables == 0;
    let known = STEPS.len() as u32;
    match id {
        APPLICATION_ID if found > known => Err(StoreError::Newer {
            path: path.to_owned(),
            found,
            known,
        }),
        APPLICATION_ID => Ok(found),
        _ if is_empty => Ok(0),
        _ => Err(foreign()),
    }
}

pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    // The lock is taken before looking, so that two programs started at once do not both migrate.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = schema_of(&transaction, path)? as usize;
    for step in STEPS.iter().skip(found) {
        transaction.execute_batch(step)?;
    }
    if found < STEPS.len() {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", STEPS.len() as u32)?;
    }
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Store;
    use super::*;

    #[test]
    fn a_new_store_has_the_newest_schema_and_opens_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("onhook.db");
        for _ in 0..2 {
            let store = Store::open(&path).unwrap();
            let version: u32 = store
                .connection()
                .pragma_query_value(None, "user_version", |row| row.get(0))
                .unwrap();
            assert_eq!(version as usize, STEPS.len());
        }
    }

    #[test]
    fn calls_of_a_store_without_it_are_to_nobody_s_own_phone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("onhook.db");
        let old = Connection::open(&path).unwrap();
        for step in &STEPS[..3] {
            old.execute_batch(step).unwrap();
        }
        old.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        old.pragma_update(None, "user_version", 3).unwrap();
        old.execute_batch("INSERT INTO cdr VALUES (1, zeroblob(32), zeroblob(32), 1, 2, 'hang-up', x'00')")
            .unwrap();
        drop(old);
        let store = Store::open(&path).unwrap();
        let own_phone = "SELECT own_phone FROM cdr";
        let of_old: bool = store.connection().query_row(own_phone, [], |row| row.get(0)).unwrap();
        assert!(!of_old);
    }

    #[test]
    fn a_newer_store_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("onhook.db");
        let store = Store::open(&path).unwrap();
        store.connection().pragma_update(None, "user_version", 99).unwrap();
        drop(store);

        let refused = Store::open(&path).unwrap_err();
        assert!(matches!(refused, StoreError::Newer { found: 99, .. }), "{refused}");
        let version: u32 = Connection::open(&path)
            .unwrap()
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap();
        assert_eq!(version, 99);
    }

    #[test]
    fn somebody_elses_file_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("theirs.db");
        Connection::open(&path)
            .unwrap()
            .execute_batch("CREATE TABLE theirs (x)")
            .unwrap();
        let before = std::fs::read(&path).unwrap();
        assert!(matches!(Store::open(&path), Err(StoreError::Foreign(_))));
        assert!(std::fs::read(&path).unwrap() == before);

        let path = folder.path().join("notes.txt");
        std::fs::write(
            &path,
            "not a database at all, and long enough to look like one\n".repeat(50),
        )
        .unwrap();
        assert!(matches!(Store::open(&path), Err(StoreError::Foreign(_))));
    }

    #[test]
    fn many_programs_may_start_at_once() {
        for _ in 0..10 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("onhook.db");
            std::thread::scope(|scope| {
                let opened: Vec<_> = (0..8).map(|_| scope.spawn(|| Store::open(&path).map(drop))).collect();
                for opened in opened {
                    opened.join().unwrap().unwrap();
                }
            });
        }
    }

    #[test]
    fn the_file_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("onhook.db");
        let _store = Store::open(&path).unwrap();
        for name in ["onhook.db", "onhook.db-wal"] {
            let mode = std::fs::metadata(folder.path().join(name))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn a_missing_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("nowhere");
        let refused = Store::open(&missing.join("onhook.db")).unwrap_err();
        assert!(refused.to_string().contains("nowhere"), "{refused}");
    }
}
