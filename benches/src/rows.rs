//! The measurements, each with a server of its own: what they come to are rows of the table.
//!
//! ```text
//! crowd      many at a time                     streams  sound, evenly, and hang-ups beside it
//! turns      one client, many held              growth   what a cost does when many are up
//! alone      one request at a time              over_time a restart, calls that come and go, files
//! small      a phone with a small buffer        sipp     SIPp's phones
//! ```

pub(crate) mod alone;
pub(crate) mod crowd;
pub(crate) mod growth;
pub(crate) mod over_time;
pub(crate) mod sipp;
pub(crate) mod small;
pub(crate) mod streams;
pub(crate) mod turns;
