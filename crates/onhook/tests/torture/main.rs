//! Torture: the messages of RFC 4475 and RFC 5118, and twenty thousand broken variations of them, through real sockets.
//!
//! `catalogue` says what the RFCs ask for, `baseline.txt` what this server does; a run that differs from it fails, for
//! better or worse. `UPDATE_BASELINE=1 cargo test -p onhook --test torture` writes it anew. What each verdict means is
//! in `docs/torture.md`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod baseline;
#[path = "../../../sip/tests/torture/catalogue.rs"]
mod catalogue;
#[path = "../../../sip/tests/grammar/changes.rs"]
mod changes;
#[path = "../../../sip/tests/torture/message.rs"]
mod message;
mod mutation;
mod panics;
mod peer;
mod server;
mod strangers;
