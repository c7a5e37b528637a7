//! HTTP Basic credentials (RFC 7617), and the names a user may be meant by.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::config::Secret;
use crate::store::UserName;

/// The longest header value that is looked at, in bytes.
const MAX_LENGTH: usize = 2_048;

/// Some clients leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[derive(Debug)]
pub(super) struct Credentials {
    /// Whom the user part may mean, the likeliest first; empty when it can be nobody's name.
    pub(super) names: Vec<UserName>,
    pub(super) password: Secret,
}

impl Credentials {
    /// The user as spelled, but for a Windows domain.
    pub(super) fn spelled(&self) -> Option<&UserName> {
        self.names.first()
    }

    /// As whom a wrong password counts: the barest of the names, whoever of them exists. Otherwise a stranger could tell by
    /// who is throttled, and a new domain before each guess would be a new user.
    pub(super) fn counted(&self) -> Option<&UserName> {
        self.names.last()
    }

    /// What follows the word Basic.
    pub(super) fn decode(encoded: &str) -> Option<Self> {
        if encoded.len() > MAX_LENGTH {
            return None;
        }
        let bytes = BASE64.decode(encoded.trim()).ok()?;
        // Clients from before RFC 7617 send ISO 8859-1, whose bytes are the first 256 code points.
        let text =
            String::from_utf8(bytes).unwrap_or_else(|error| error.as_bytes().iter().map(|b| char::from(*b)).collect());
        let (user, password) = text.split_once(':')?;
        Some(Self {
            names: names(user),
            password: Secret::new(password),
        })
    }
}

/// `CORP\alice` and `alice@example.com` may both mean `alice`: the store has no domains. A whole mail address goes first,
/// since a user may be stored under it.
fn names(user: &str) -> Vec<UserName> {
    let user = user.rsplit_once('\\').map_or(user, |(_domain, user)| user);
    let bare = user.split_once('@').map(|(bare, _domain)| bare);
    [Some(user), bare]
        .into_iter()
        .flatten()
        .filter_map(|name| name.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    fn decoded(user_pass: &[u8]) -> Option<(Vec<String>, String)> {
        let credentials = Credentials::decode(&BASE64_STANDARD.encode(user_pass))?;
        let names = credentials.names.iter().map(ToString::to_string).collect();
        Some((names, credentials.password.expose().to_owned()))
    }

    #[test]
    fn users_are_spelled_in_many_ways() {
        for (user, names) in [
            ("alice", vec!["alice"]),
            ("Alice", vec!["alice"]),
            (r"CORP\Alice", vec!["alice"]),
            ("alice@example.com", vec!["alice@example.com", "alice"]),
            (r"CORP\alice@example.com", vec!["alice@example.com", "alice"]),
            ("", vec![]),
            (r"CORP\", vec![]),
        ] {
            let (found, password) = decoded(format!("{user}:pass:word").as_bytes()).unwrap();
            assert_eq!(found, names, "{user}");
            assert_eq!(password, "pass:word");
        }
    }

    #[test]
    fn passwords_in_latin_1_are_read_too() {
        assert_eq!(decoded(b"alice:caf\xe9").unwrap().1, "café");
        assert_eq!(decoded("alice:café".as_bytes()).unwrap().1, "café");
    }

    #[test]
    fn what_is_not_basic_is_refused() {
        for header in ["", "!!!", "YWxpY2U=", &"A".repeat(4_000)] {
            assert!(Credentials::decode(header).is_none(), "{header}");
        }
        assert!(Credentials::decode("YTpi").is_some());
        assert!(Credentials::decode("YTpiYw").is_some(), "without padding");
    }
}
