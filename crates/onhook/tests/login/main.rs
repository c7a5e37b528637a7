//! Who is let in, as whom, and what the others are told: a whole server, a real directory, a real issuer of tokens.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on ends")]

mod alike;
mod authority;
mod certificates;
mod configuration;
mod house;
mod impersonation;
mod issuer;
mod lapsed_certificates;
mod ldap;
mod ldap_codes;
mod ldap_guesses;
mod listeners;
mod lockout;
mod oauth;
mod oauth_apps;
mod own_mailbox;
mod program;
mod proxies;
mod secrets;
mod slapd;
