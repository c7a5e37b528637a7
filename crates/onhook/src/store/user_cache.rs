//! All users, in memory. When it is asked, it looks whether one has changed meanwhile, whoever changed it, unless it has only just looked:
//! then, and only then, they are read from the file again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::users::NO_PASSWORD;
use super::{Numbers, Reader, Store, StoreError, UserName};

/// How long it may take to look whether a user has changed; after that, what is known counts. To look, SQLite reads memory;
/// only a disk that hangs with a change on it takes so long, and calls are hung up meanwhile, too.
const LOOK: Duration = Duration::from_secs(1);

/// For how long what was looked at counts: to look costs two switches of threads, which nearly every request would pay. A command that changes
/// a user takes as long before it is over (`until_it_counts`), so that no request which comes after it goes by what was before.
const FRESH: Duration = Duration::from_millis(20);

/// Waits until every server goes by what has just been changed of a user.
#[expect(
    clippy::disallowed_methods,
    reason = "nothing happens that could be awaited: other processes only forget"
)]
pub(super) fn until_it_counts() {
    std::thread::sleep(FRESH);
}

/// A user as the store knows one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownUser {
    /// The argon2id hash; none when the user has no password here.
    pub password: Option<String>,
    /// Another one after every change of the password.
    pub version: i64,
    pub numbers: Numbers,
}

/// All users at one moment.
pub type KnownUsers = Arc<HashMap<UserName, KnownUser>>;

/// The users of a store. Clones share what they know.
#[derive(Clone, Debug)]
pub struct UserCache {
    /// Its own, so that no slower read is in the way of a login.
    reader: Reader,
    last: Arc<Mutex<Seen>>,
}

/// What was seen of the store last.
#[derive(Clone, Debug)]
struct Seen {
    /// When it was looked at, before it was.
    at: Option<Instant>,
    /// Changes when another connection has written anything (`PRAGMA data_version`).
    data: Option<i64>,
    /// Changes when a user or a number has.
    change: i64,
    users: KnownUsers,
}

impl UserCache {
    /// Reads all users.
    ///
    /// # Errors
    /// When the store cannot be opened once more or be read, or the system gives no thread.
    pub fn start(store: &Store) -> Result<Self, StoreError> {
        let reader = Reader::start(store, "user-reader", LOOK)?;
        let connection = store.connection();
        let seen = Seen {
            at: None,
            data: None,
            change: number(&connection, CHANGE)?,
            users: read(&connection)?,
        };
        Ok(Self {
            reader,
            last: Arc::new(Mutex::new(seen)),
        })
    }

    /// The users as they are now, or were less than 20 ms ago. While the disk does not answer, as they were when it last did.
    ///
    /// # Errors
    /// When the store fails, or is asked by too many at once.
    pub async fn now(&self) -> Result<KnownUsers, StoreError> {
        if let Some(users) = lock(&self.last).fresh() {
            return Ok(users);
        }
        let last = Arc::clone(&self.last);
        match self.reader.read(move |connection| look(connection, &last)).await {
            Err(StoreError::NotInTime) => {
                tracing::warn!("the store does not say whether a user has changed: what was known last counts");
                Ok(Arc::clone(&lock(&self.last).users))
            }
            looked => looked,
        }
    }
}

impl Seen {
    fn fresh(&self) -> Option<KnownUsers> {
        let is_fresh = self.at.is_some_and(|at| at.elapsed() < FRESH);
        is_fresh.then(|| Arc::clone(&self.users))
    }
}

fn lock(last: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    last.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks first and reads then, so that what was read is never older than what was looked at. Nothing is locked meanwhile.
fn look(connection: &Connection, last: &Mutex<Seen>) -> Result<KnownUsers, StoreError> {
    let mut seen = lock(last).clone();
    // Others that waited for the same look.
    if let Some(users) = seen.fresh() {
        return Ok(users);
    }
    seen.at = Some(Instant::now());
    let data = Some(number(connection, "PRAGMA data_version")?);
    if data != seen.data {
        let change = number(connection, CHANGE)?;
        if change != seen.change {
            seen.users = read(connection)?;
        }
        (seen.data, seen.change) = (data, change);
    }
    lock(last).clone_from(&seen);
    Ok(seen.users)
}

const CHANGE: &str = "SELECT n FROM user_change";

fn number(connection: &Connection, sql: &str) -> rusqlite::Result<i64> {
    connection.prepare_cached(sql)?.query_row([], |row| row.get(0))
}

fn read(connection: &Connection) -> Result<KnownUsers, StoreError> {
    // Of one moment, also when a user is removed between the two tables.
    let transaction = connection.unchecked_transaction()?;
    let mut users = HashMap::new();
    let mut rows = transaction.prepare("SELECT name, password, version, extension FROM user")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let password: String = row.get(1)?;
        let user = KnownUser {
            password: Some(password).filter(|password| password != NO_PASSWORD),
            version: row.get(2)?,
            numbers: Numbers {
                extension: row.get(3)?,
                phones: Vec::new(),
            },
        };
        users.insert(UserName::stored(row.get(0)?), user);
    }
    let mut rows = transaction.prepare("SELECT user, number FROM user_phone")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(user) = users.get_mut(&UserName::stored(row.get(0)?)) {
            user.numbers.phones.push(row.get(1)?);
        }
    }
    Ok(Arc::new(users))
}

#[cfg(test)]
mod tests {
    use super::super::{NumbersChange, connect};
    use super::*;

    fn name(text: &str) -> UserName {
        text.parse().unwrap()
    }

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("onhook.db")).unwrap();
        store.add_user(&name("alice"), "hash").unwrap();
        (folder, store)
    }

    #[tokio::test]
    async fn every_change_is_seen_when_its_command_is_over_whoever_made_it() {
        let (_folder, store) = store();
        let cache = UserCache::start(&store).unwrap();
        let alice = || async { cache.now().await.unwrap().get(&name("alice")).cloned() };
        assert_eq!(alice().await.unwrap().password.as_deref(), Some("hash"));

        let elsewhere = Store::open(store.path()).unwrap();
        elsewhere.change_password(&name("alice"), NO_PASSWORD).unwrap();
        assert_eq!(alice().await.unwrap().password, None);
        let numbers = Numbers {
            extension: Some("4711".to_owned()),
            phones: vec!["+4930123456".to_owned()],
        };
        let change = NumbersChange {
            extension: Some(numbers.extension.clone()),
            phones: Some(numbers.phones.clone()),
        };
        elsewhere.change_numbers(&name("alice"), &change).unwrap();
        assert_eq!(alice().await.unwrap().numbers, numbers);
        elsewhere.remove_user(&name("alice"), &[0; 32], false).unwrap();
        assert_eq!(alice().await, None);
        // By hand, with SQLite's own program.
        let by_hand = connect(store.path()).unwrap();
        by_hand
            .execute(
                "INSERT INTO user (name, password, version, created) VALUES ('alice', 'x', 1, 0)",
                [],
            )
            .unwrap();
        until_it_counts();
        assert_eq!(alice().await.unwrap().version, 1);
    }

    #[tokio::test]
    async fn users_are_not_read_again_for_what_is_no_change_of_theirs() {
        let (_folder, store) = store();
        let cache = UserCache::start(&store).unwrap();
        let before = cache.now().await.unwrap();
        connect(store.path())
            .unwrap()
            .execute(
                "INSERT INTO call (k, id_hash, intent) VALUES (1, zeroblob(32), x'00')",
                [],
            )
            .unwrap();
        until_it_counts();
        let after = cache.now().await.unwrap();
        assert!(Arc::ptr_eq(&before, &after));
        store.add_user(&name("bob"), "hash").unwrap();
        assert!(!Arc::ptr_eq(&before, &cache.now().await.unwrap()));
    }
}
