//! Which mail domains are this site's own.
//!
//! Somebody else vouches for the names in tokens, certificates and directories, and not for our users only. So
//! `alice@example.com` is `alice` when the operator says that example.com is this site; of any other domain, the whole
//! address is the user.

use std::collections::HashSet;

use crate::store::UserName;

#[derive(Debug)]
pub(crate) struct Domains(HashSet<String>);

impl Domains {
    pub(crate) fn new(own: &[String]) -> Self {
        Self(own.iter().map(|domain| domain.trim().to_lowercase()).collect())
    }

    /// The user that a name or address stands for.
    pub(crate) fn user(&self, name: &str) -> Option<UserName> {
        let whole: UserName = name.parse().ok()?;
        match whole.as_str().split_once('@') {
            // What is left of this site's domain must not be an address of another one.
            Some((_, domain)) if domain.contains('@') => None,
            Some((user, domain)) if self.0.contains(domain) => user.parse().ok(),
            Some(_) | None => Some(whole),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_site_s_own_domains_are_left_out() {
        let domains = Domains::new(&["Example.com".to_owned()]);
        let user = |name| domains.user(name).map(|user| user.to_string());
        assert_eq!(user("Alice@EXAMPLE.com").as_deref(), Some("alice"));
        assert_eq!(user("alice").as_deref(), Some("alice"));
        assert_eq!(user("alice@example.org").as_deref(), Some("alice@example.org"));
        for nobody in [
            "",
            "@example.com",
            "a b",
            r"corp\alice",
            "alice@evil.example@example.com",
            "alice\0",
            "\u{212A}ate",
        ] {
            assert_eq!(user(nobody), None, "{nobody}");
        }
    }
}
