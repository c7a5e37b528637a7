//! argon2id, with its default cost: 19 MiB, about 24 ms.

use argon2::password_hash::{Error, Output, ParamsString, PasswordHash, SaltString};
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};

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

/// A hash of the same cost that belongs to no password: nobody has hashed one, which would hold up every start.
///
/// # Errors
/// When the system has no random numbers.
pub(super) fn nobodys() -> Result<String, Error> {
    let mut random = [0; 16 + Params::DEFAULT_OUTPUT_LEN];
    getrandom::fill(&mut random).map_err(|_| Error::Crypto)?;
    let (salt, output) = random.split_at(16);
    let salt = SaltString::encode_b64(salt)?;
    let hash = PasswordHash {
        algorithm: Algorithm::default().ident(),
        version: Some(Version::default().into()),
        params: ParamsString::try_from(&Params::default())?,
        salt: Some(salt.as_salt()),
        hash: Some(Output::new(output)?),
    };
    Ok(hash.to_string())
}

/// Whether a password belongs to a hash; takes as long either way.
pub(super) fn verify(password: &Secret, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.expose().as_bytes(), &hash)
            .is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobodys_hash_costs_what_a_users_does() {
        let password = Secret::new("secret".to_owned());
        let (users, nobodys) = (hash(&password).unwrap(), nobodys().unwrap());
        let cost = |hash: &str| hash.split('$').take(4).collect::<Vec<_>>().join("$");
        assert_eq!(cost(&users), cost(&nobodys));
        assert_eq!(users.len(), nobodys.len());
        assert!(verify(&password, &users) && !verify(&password, &nobodys));
    }
}
