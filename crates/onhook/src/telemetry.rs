//! What onhook says about itself: log lines on standard error.

use std::env;
use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::Subscriber;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::config::{Level, Log, LogFormat};
use crate::panics;

/// Overrides `[log] level` for parts of the program: `ONHOOK_LOG=onhook::sip=debug`.
const VARIABLE: &str = "ONHOOK_LOG";

/// Starts logging for the whole process, of panics too.
///
/// # Errors
/// When logging has been started before.
pub fn start(log: &Log) -> Result<(), TryInitError> {
    let level = match log.level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    let overrides = env::var(VARIABLE).unwrap_or_default();
    let subscriber = Subscriber::builder()
        .with_env_filter(filter(level, &overrides))
        .with_writer(io::stderr);
    panics::log();
    match log.format {
        LogFormat::Text => subscriber.with_ansi(io::stderr().is_terminal()).finish().try_init(),
        LogFormat::Json => subscriber.json().finish().try_init(),
    }
}

fn filter(level: LevelFilter, overrides: &str) -> EnvFilter {
    EnvFilter::builder().parse_lossy(format!("{level},{overrides}"))
}
