//! File descriptors: as many as the system lets us have, and never all of them for HTTP.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::http;

/// What the database, SIP and the log need, beside what calls do.
const OWN: u64 = 128;
/// Connections over HTTP that have lost their place and are being closed.
const LEAVING: u64 = http::WITHOUT_PLACE as u64;
/// An RTP and an RTCP socket.
const FOR_A_CALL: u64 = 2;

/// Raises the process's limit as far as it may, and says how many of `wanted` HTTP connections it has room for beside
/// `calls` calls.
pub(super) fn room_for(wanted: usize, calls: u32) -> usize {
    let limit = match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, hard)) if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() => hard,
        Ok((soft, _)) => soft,
        Err(_) => return wanted,
    };
    let room = limit
        .saturating_sub(OWN + LEAVING + FOR_A_CALL * u64::from(calls))
        .max(OWN);
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    if room < wanted {
        tracing::warn!(
            limit,
            wanted,
            room,
            "the limit of open files leaves less room for HTTP connections"
        );
    }
    room.min(wanted)
}
