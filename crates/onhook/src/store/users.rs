//! Users: a name, an argon2id hash, and a version that tells when either has changed.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use rusqlite::{OptionalExtension as _, params};
use thiserror::Error;

use super::{Store, StoreError, milliseconds, system_time, user_cache::until_it_counts};

/// A user's name as the store keeps it: without spaces around it, in lower case.
///
/// A mail address may be a name; a backslash or a colon may not stand in one, since clients use the first to put a
/// domain before the name and HTTP Basic the second to put a password after it (RFC 7617 §2).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserName(String);

/// Why a text is no [`UserName`].
#[derive(Debug, Error)]
#[error("{0:?} is not a user name: 1 to 128 characters, without spaces, control characters, \":\", \"\\\\\" and \"/\"")]
pub struct UserNameError(String);

impl UserName {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As it was written to the store, and is folded already.
    pub(super) fn stored(name: String) -> Self {
        Self(name)
    }
}

impl FromStr for UserName {
    type Err = UserNameError;

    fn from_str(text: &str) -> Result<Self, UserNameError> {
        let folded = text.trim().to_lowercase();
        let forbidden = |c: char| c.is_control() || c.is_whitespace() || [':', '\\', '/'].contains(&c);
        // The signs for ohm, kelvin and ångström fold to letters: what others tell apart would be one user here.
        let signs = ['\u{2126}', '\u{212A}', '\u{212B}'];
        if folded.is_empty() || folded.chars().count() > 128 || folded.contains(forbidden) || text.contains(signs) {
            return Err(UserNameError(text.to_owned()));
        }
        Ok(Self(folded))
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A user, without the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub name: UserName,
    pub created: SystemTime,
    /// How many voice messages the user's mailbox holds.
    pub messages: u32,
}

/// Why a user was not added, changed or removed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum UserError {
    #[error("there is a user `{0}` already: change the password with `onhook user passwd {0}`")]
    Exists(UserName),
    #[error("there is no user `{0}`: `onhook user list` shows all, `onhook user add {0}` adds it")]
    Unknown(UserName),
    #[error("`{name}` has {messages} voice messages: remove them first, or give --with-messages")]
    HasMessages { name: UserName, messages: usize },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for UserError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// In place of a hash: nothing is this user's password. For those whom a directory, a token or a certificate vouches for.
pub const NO_PASSWORD: &str = "";

impl Store {
    /// Adds a user with an argon2id hash (PHC string), or with [`NO_PASSWORD`].
    ///
    /// # Errors
    /// When the name is taken, or the store fails.
    pub fn add_user(&self, name: &UserName, password_hash: &str) -> Result<(), UserError> {
        let added = self.connection().execute(
            "INSERT INTO user (name, password, version, created) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (name) DO NOTHING",
            params![name.0, password_hash, new_version()?, milliseconds(SystemTime::now())],
        )?;
        if added == 0 {
            return Err(UserError::Exists(name.clone()));
        }
        until_it_counts();
        Ok(())
    }

    /// Replaces a user's hash.
    ///
    /// # Errors
    /// When there is no such user, or the store fails.
    pub fn change_password(&self, name: &UserName, password_hash: &str) -> Result<(), UserError> {
        let changed = self.connection().execute(
            "UPDATE user SET password = ?2, version = ?3 WHERE name = ?1",
            params![name.0, password_hash, new_version()?],
        )?;
        if changed == 0 {
            return Err(UserError::Unknown(name.clone()));
        }
        until_it_counts();
        Ok(())
    }

    /// Removes a user, and the voice messages of `owner` with it when `with_messages` says so.
    ///
    /// # Errors
    /// When there is no such user, there are messages that may not be removed, or the store fails.
    pub fn remove_user(&self, name: &UserName, owner: &[u8; 32], with_messages: bool) -> Result<(), UserError> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        if transaction.execute("DELETE FROM user WHERE name = ?1", params![name.0])? == 0 {
            return Err(UserError::Unknown(name.clone()));
        }
        let messages = transaction.execute("DELETE FROM voice_message WHERE owner = ?1", params![owner])?;
        if messages > 0 && !with_messages {
            return Err(UserError::HasMessages {
                name: name.clone(),
                messages,
            });
        }
        transaction.commit()?;
        until_it_counts();
        Ok(())
    }

    /// All users, by name.
    ///
    /// # Errors
    /// When the store fails.
    pub fn users(&self) -> Result<Vec<User>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare(
            "SELECT name, created, (SELECT count(*) FROM voice_message WHERE mailbox = user.name) FROM user ORDER BY name",
        )?;
        let users = statement.query_map([], |row| {
            Ok(User {
                name: UserName(row.get(0)?),
                created: system_time(row.get(1)?),
                messages: row.get(2)?,
            })
        })?;
        Ok(users.collect::<Result<_, _>>()?)
    }

    /// A user's version, or `None` when there is no such user.
    ///
    /// # Errors
    /// When the store fails.
    pub fn user_version(&self, name: &UserName) -> Result<Option<i64>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached("SELECT version FROM user WHERE name = ?1")?;
        Ok(statement.query_row(params![name.0], |row| row.get(0)).optional()?)
    }
}

/// A random number, not a count: a user who was removed and added again must not meet an old version.
fn new_version() -> Result<i64, StoreError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)?;
    Ok(i64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("onhook.db")).unwrap();
        (folder, store)
    }

    fn name(text: &str) -> UserName {
        text.parse().unwrap()
    }

    #[test]
    fn names_are_folded() {
        assert_eq!(name("  Alice "), name("alice"));
        assert_eq!(name("Ünal@Example.COM").as_str(), "ünal@example.com");
        for refused in ["", "  ", "a b", "a:b", r"corp\alice", "a\nb", "a/b"] {
            assert!(refused.parse::<UserName>().is_err(), "{refused:?}");
        }
    }

    #[test]
    fn every_change_gives_a_user_another_version() {
        let (_folder, store) = store();
        let alice = name("alice");
        let mut versions = std::collections::HashSet::new();
        for _ in 0..2 {
            store.add_user(&alice, "one").unwrap();
            versions.insert(store.user_version(&alice).unwrap().unwrap());
            store.change_password(&alice, "two").unwrap();
            versions.insert(store.user_version(&alice).unwrap().unwrap());
            store.remove_user(&alice, &[0; 32], false).unwrap();
            assert_eq!(store.user_version(&alice).unwrap(), None);
        }
        assert_eq!(versions.len(), 4);
    }

    #[test]
    fn a_name_is_taken_once_and_an_unknown_one_is_told() {
        let (_folder, store) = store();
        store.add_user(&name("Alice"), "x").unwrap();
        assert!(matches!(store.add_user(&name("alice"), "y"), Err(UserError::Exists(_))));
        assert!(matches!(
            store.change_password(&name("bob"), "y"),
            Err(UserError::Unknown(_))
        ));
        assert!(matches!(
            store.remove_user(&name("bob"), &[0; 32], true),
            Err(UserError::Unknown(_))
        ));
        assert_eq!(store.users().unwrap().len(), 1);
    }
}
