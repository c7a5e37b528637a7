//! How a command ends: the exit codes, in one place, and the error that carries one.

use std::error::Error;
use std::fmt;
use std::io;
use std::process::ExitCode;

use crate::config::ConfigError;
use crate::store::{StoreError, UserError};

/// The exit codes of every `onhook` command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// What was asked for has been done.
    Done = 0,
    /// It could not be done; standard error says why.
    Failed = 1,
    /// The command line makes no sense (clap's own code).
    Usage = 2,
    /// The server refused: an EWS error. Or the dial policy would.
    Refused = 3,
    /// The server does not know this user and password.
    Unauthorised = 4,
    /// The server cannot be reached.
    Unreachable = 5,
    /// The call was placed and the phone did not answer it.
    NotAnswered = 6,
    /// Of several things asked for, some could not be done.
    Partly = 7,
    /// The configuration file is wrong; nothing was opened or bound.
    BadConfig = 64,
    /// Ctrl-C: the call was hung up (what shells report for SIGINT).
    Interrupted = 130,
}

impl Exit {
    /// How a command ends that was asked for several things, of which some failed.
    pub(super) fn of_several(total: usize, failed: usize) -> Self {
        match failed {
            0 => Self::Done,
            _ if failed == total => Self::Failed,
            _ => Self::Partly,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command ended early. It is shown to a person with its causes, and is not for matching.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    cause: Box<dyn Error + Send + Sync>,
}

impl Failure {
    pub fn new(exit: Exit, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            exit,
            cause: cause.into(),
        }
    }

    /// Whether whoever read our output stopped reading (`onhook … | head`), which is no error.
    pub(super) fn is_broken_pipe(&self) -> bool {
        self.cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.cause)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::BadConfig, error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(Exit::Failed, error)
    }
}

impl From<UserError> for Failure {
    fn from(error: UserError) -> Self {
        Self::new(Exit::Failed, error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(Exit::Failed, error)
    }
}
