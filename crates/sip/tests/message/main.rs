//! What a call, a trunk and a peer get of a message.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod answers;
mod outside_dialog;
mod views;
