//! A password may stand in the file, in a file of its own, or in the environment.

use std::path::{Path, PathBuf};
use std::{env, fs};

use thiserror::Error;

use crate::config::values::Secret;

/// Where the file says that a password is.
pub(super) struct Given<'c> {
    pub(super) password: Option<&'c Secret>,
    pub(super) file: Option<&'c Path>,
    pub(super) env: Option<&'c str>,
}

/// Why a password that was promised is not there. The ending of the key to blame goes with it. What should name a file or a
/// variable and does not may be the password itself, and is not shown.
#[derive(Debug, Error)]
pub(super) enum PasswordError {
    #[error("a password, a file for it, a variable for it: give one of the three")]
    Several,
    #[error("cannot read a password from the file that is named here, seen from the folder of the configuration: {0}")]
    Unreadable(std::io::Error),
    #[error("the first line of {} is empty: it should be the password", .0.display())]
    EmptyFile(PathBuf),
    #[error("the environment variable that is named here is not set, or empty: it should be the password")]
    NoVariable,
}

impl PasswordError {
    /// What follows `password` in the key.
    pub(super) fn key_ending(&self) -> &'static str {
        match self {
            Self::Several | Self::Unreadable(_) | Self::EmptyFile(_) => "_file",
            Self::NoVariable => "_env",
        }
    }
}

impl Given<'_> {
    pub(super) fn is_any(&self) -> bool {
        self.password.is_some() || self.file.is_some() || self.env.is_some()
    }

    /// Fetches the password, from wherever it is.
    pub(super) fn fetch(&self) -> Result<Option<Secret>, PasswordError> {
        match (self.password, self.file, self.env) {
            (None, None, None) => Ok(None),
            (Some(password), None, None) => Ok(Some(password.clone())),
            (None, Some(path), None) => read(path).map(Some),
            (None, None, Some(variable)) => match env::var(variable) {
                Ok(password) if !password.is_empty() => Ok(Some(Secret::new(password))),
                Ok(_) | Err(_) => Err(PasswordError::NoVariable),
            },
            _ => Err(PasswordError::Several),
        }
    }
}

fn read(path: &Path) -> Result<Secret, PasswordError> {
    let text = fs::read_to_string(path).map_err(PasswordError::Unreadable)?;
    match text.lines().next() {
        Some(password) if !password.is_empty() => Ok(Secret::new(password)),
        Some(_) | None => Err(PasswordError::EmptyFile(path.to_owned())),
    }
}
