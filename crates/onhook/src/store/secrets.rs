//! Secrets that the server makes for itself and must find again after a restart.

use rusqlite::params;

use super::{Store, StoreError};

impl Store {
    /// The key under which branches are made verifiable: made once, then the same for the life of the store.
    ///
    /// # Errors
    /// When the store fails, or the system has no random numbers.
    pub fn branch_key(&self) -> Result<[u8; 32], StoreError> {
        let mut fresh = [0; 32];
        getrandom::fill(&mut fresh)?;
        let connection = self.connection();
        connection.execute(
            "INSERT INTO secret (name, value) VALUES ('branch', ?1) ON CONFLICT (name) DO NOTHING",
            params![fresh],
        )?;
        Ok(connection.query_row("SELECT value FROM secret WHERE name = 'branch'", [], |row| row.get(0))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_branch_key_survives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("onhook.db");
        let first = Store::open(&path).unwrap().branch_key().unwrap();
        let second = Store::open(&path).unwrap().branch_key().unwrap();
        assert_eq!(first, second);
        assert_ne!(first, [0; 32]);
    }
}
