//! Where a password comes from: a prompt, or the first line of standard input when that is no terminal.

use std::io::{self, BufRead as _, IsTerminal as _};

use thiserror::Error;

use super::{Exit, Failure};
use crate::config::Secret;

/// The longest line that is taken for a password, in bytes.
const MAX_LENGTH: u64 = 1024;

#[derive(Debug, Error)]
enum PasswordError {
    #[error("cannot read a password: {0}")]
    Unreadable(#[from] io::Error),
    #[error("the password is empty")]
    Empty,
    #[error("the two passwords differ")]
    Differ,
}

impl From<PasswordError> for Failure {
    fn from(error: PasswordError) -> Self {
        Self::new(Exit::Failed, error)
    }
}

/// The password of a user that exists: asked for once.
pub(super) fn ask(user: &str) -> Result<Secret, Failure> {
    Ok(read(&format!("Password for {user}: "), None)?)
}

/// A password that is going to be set: asked for twice, so that a slip of the finger is seen.
pub(super) fn ask_new(user: &str) -> Result<Secret, Failure> {
    Ok(read(&format!("New password for {user}: "), Some("Again: "))?)
}

fn read(prompt: &str, again: Option<&str>) -> Result<Secret, PasswordError> {
    let password = if io::stdin().is_terminal() {
        let password = rpassword::prompt_password(prompt)?;
        if let Some(again) = again
            && rpassword::prompt_password(again)? != password
        {
            return Err(PasswordError::Differ);
        }
        password
    } else {
        let mut line = String::new();
        io::Read::take(io::stdin().lock(), MAX_LENGTH).read_line(&mut line)?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    if password.is_empty() {
        Err(PasswordError::Empty)
    } else {
        Ok(Secret::new(password))
    }
}
