//! `onhook demo`: a server and a phone on loopback, one call, and what happened.

use super::{Exit, Failure};

#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_: Args) -> Result<Exit, Failure> {
    Err(Failure::not_built_yet("demo"))
}
