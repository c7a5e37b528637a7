//! argon2id, with its default cost: 19 MiB, about 24 ms.

use argon2::password_hash::{Error, PasswordHash, SaltString};
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};

use crate::config::Secret;

/// Hashes a password under a fresh salt, as a PHC string.
///
/// # Errors
/// When the system has no random numbers.
pub fn hash(password: &Secret) -> Result<String, Error> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|_| Error::Crypto)?;
    let salt = SaltString::encode_b64(&salt)?;
    Ok(Argon2::default()
        .hash_password(password.expose().as_bytes(), &salt)?
        .to_string())
}

/// Whether a password belongs to a hash; takes as long either way.
pub(super) fn verify(password: &Secret, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.expose().as_bytes(), &hash)
            .is_ok()
    })
}
