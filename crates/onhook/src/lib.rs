//! The house around the call: configuration, doors, operations, the calls and their store.

pub mod auth;
pub mod calls;
pub mod cli;
pub mod client;
pub mod config;
mod crash_points;
pub mod gate;
pub mod http;
pub mod journal;
pub mod messages;
pub mod metrics;
pub mod net;
pub mod operations;
mod panics;
pub mod pem;
pub mod phone;
mod search_filter;
pub mod server;
pub mod store;
pub mod telemetry;
