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

/// The SIP library prints whole messages at INFO, credentials and numbers in them: from it only warnings are wanted,
/// unless the overrides name it.
fn filter(level: LevelFilter, overrides: &str) -> EnvFilter {
    let library = level.min(LevelFilter::WARN);
    EnvFilter::builder().parse_lossy(format!("{level},rsipstack={library},{overrides}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sip_library_is_silent_about_messages_unless_it_is_asked() {
        let directives = |level, overrides| {
            let text = filter(level, overrides).to_string();
            let mut directives: Vec<_> = text.split(',').map(str::to_owned).collect();
            directives.sort();
            directives
        };
        assert_eq!(directives(LevelFilter::TRACE, ""), ["rsipstack=warn", "trace"]);
        assert_eq!(directives(LevelFilter::ERROR, ""), ["error", "rsipstack=error"]);
        assert_eq!(
            directives(LevelFilter::INFO, "rsipstack=info"),
            ["info", "rsipstack=info"]
        );
    }
}
