//! The promise, proved from outside: the built `onhook serve` as a child process, real sockets, and phones that tell whether
//! they are off-hook. Nothing here knows onhook's inside; what is known of it comes over EWS, SIP, its command line, and its
//! call detail records.
//!
//! ```text
//! crash        kill it at any moment, start it again, count phones    server        the child process and its store
//! loss         lose its packets, hang up, count phones                client        EWS over one kept connection
//! connections  cut, stall and split its connections, count phones     phones        every phone, behind one bad line
//! restart      kill it with many calls up, time its BYEs              certificates  for trunks by TLS
//! ```
//!
//! Tests of other rooms take `timing` from here, too: whether two things take the same time.
//!
//! Numbers are drawn from a seed. What a run does is the same again; what the network and the scheduler make of it is not.

pub mod certificates;
pub mod client;
pub mod connections;
pub mod crash;
pub mod loss;
pub mod phones;
pub mod random;
pub mod report;
pub mod restart;
pub mod server;
pub mod timing;

use std::io;

/// Why nothing could be proved. A promise that was broken is no error: it is in the [`report::Report`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProvingError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Store(#[from] rusqlite::Error),
    #[error("`onhook {command}` failed: {said}")]
    Command { command: String, said: String },
    #[error("onhook serve did not become ready: {0}")]
    NotReady(String),
    #[error("a placed call: {0}")]
    Call(#[from] client::ClientError),
    #[error("{0}")]
    Stuck(&'static str),
}
