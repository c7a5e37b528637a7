//! What onhook says about itself: log lines on standard error, and how telephone numbers look in them.

use std::env;
use std::fmt;
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

/// A telephone number as log lines show it: its last two digits. Whatever else a client sent as a number is hidden, and
/// its length from twenty characters on.
#[derive(Clone, Copy)]
pub struct Masked<'a>(pub &'a str);

impl fmt::Display for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A number of two digits would not be hidden at all.
        let (hidden, shown) = match self.0.len().checked_sub(2) {
            Some(hidden @ 1..) => self.0.split_at_checked(hidden).unwrap_or((self.0, "")),
            Some(0) | None => (self.0, ""),
        };
        for _ in hidden.chars().take(18) {
            f.write_str("*")?;
        }
        shown
            .chars()
            .try_for_each(|c| write!(f, "{}", if c.is_ascii_digit() { c } else { '*' }))
    }
}

impl fmt::Debug for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
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

    #[test]
    fn numbers_show_their_last_two_digits() {
        for (number, masked) in [
            ("+4930123456", "*********56"),
            ("4711", "**11"),
            ("110", "*10"),
            ("99", "**"),
            ("", ""),
        ] {
            assert_eq!(Masked(number).to_string(), masked);
            assert_eq!(format!("{:?}", Masked(number)), format!("\"{masked}\""));
        }
        assert_eq!(Masked(&"1".repeat(60_000)).to_string().len(), 20);
    }
}
