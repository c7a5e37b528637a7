//! The numbers of users: an extension, and registered phones. Texts to this room; what may be called is decided elsewhere.

use rusqlite::{OptionalExtension as _, params};

use super::{Store, StoreError, UserError, UserName, user_cache::until_it_counts};

/// A user's own numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    pub extension: Option<String>,
    /// In no order that means anything.
    pub phones: Vec<String>,
}

/// What to change of a user's numbers; `None` leaves a thing as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumbersChange {
    /// `Some(None)` takes the extension away.
    pub extension: Option<Option<String>>,
    /// All phones from now on.
    pub phones: Option<Vec<String>>,
}

impl Store {
    /// A user's numbers; of a user who is not here, none.
    ///
    /// # Errors
    /// When the store fails.
    pub fn numbers_of(&self, name: &UserName) -> Result<Numbers, StoreError> {
        let connection = self.connection();
        let extension: Option<Option<String>> = connection
            .prepare_cached("SELECT extension FROM user WHERE name = ?1")?
            .query_row(params![name.as_str()], |row| row.get(0))
            .optional()?;
        let mut phones = connection.prepare_cached("SELECT number FROM user_phone WHERE user = ?1")?;
        let phones = phones.query_map(params![name.as_str()], |row| row.get(0))?;
        Ok(Numbers {
            extension: extension.flatten(),
            phones: phones.collect::<Result<_, _>>()?,
        })
    }

    /// Changes a user's numbers, all at once. A running server goes by them from the next call on.
    ///
    /// # Errors
    /// When there is no such user, or the store fails.
    pub fn change_numbers(&self, name: &UserName, change: &NumbersChange) -> Result<(), UserError> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        let known = transaction
            .query_row("SELECT 1 FROM user WHERE name = ?1", params![name.as_str()], |_| Ok(()))
            .optional()?;
        if known.is_none() {
            return Err(UserError::Unknown(name.clone()));
        }
        if let Some(extension) = &change.extension {
            transaction.execute(
                "UPDATE user SET extension = ?2 WHERE name = ?1",
                params![name.as_str(), extension],
            )?;
        }
        if let Some(phones) = &change.phones {
            transaction.execute("DELETE FROM user_phone WHERE user = ?1", params![name.as_str()])?;
            for phone in phones {
                transaction.execute(
                    "INSERT OR IGNORE INTO user_phone (user, number) VALUES (?1, ?2)",
                    params![name.as_str(), phone],
                )?;
            }
        }
        transaction.commit()?;
        until_it_counts();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_kept_changed_and_go_with_their_user() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("onhook.db")).unwrap();
        let alice: UserName = "alice".parse().unwrap();
        let given = NumbersChange {
            extension: Some(Some("4711".to_owned())),
            phones: Some(vec!["+491712345678".to_owned()]),
        };
        assert!(matches!(
            store.change_numbers(&alice, &given),
            Err(UserError::Unknown(_))
        ));
        store.add_user(&alice, "hash").unwrap();
        assert_eq!(store.numbers_of(&alice).unwrap(), Numbers::default());
        store.change_numbers(&alice, &given).unwrap();
        store.change_numbers(&alice, &NumbersChange::default()).unwrap();
        let kept = store.numbers_of(&alice).unwrap();
        assert_eq!(kept.extension.as_deref(), Some("4711"));
        assert_eq!(kept.phones, ["+491712345678"]);

        let taken = NumbersChange {
            extension: Some(None),
            phones: None,
        };
        store.change_numbers(&alice, &taken).unwrap();
        assert_eq!(store.numbers_of(&alice).unwrap().extension, None);
        store.remove_user(&alice, &[0; 32], false).unwrap();
        store.add_user(&alice, "hash").unwrap();
        assert_eq!(
            store.numbers_of(&alice).unwrap(),
            Numbers::default(),
            "not the old phones"
        );
    }
}
