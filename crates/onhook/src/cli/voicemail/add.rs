//! `onhook voicemail add`: many files, each looked at by itself.

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use media::{Limits, SoundError, SoundFacts};
use serde::Serialize;
use thiserror::Error;

use crate::auth::Caller;
use crate::cli::{Exit, Failure};
use crate::store::{MessageId, NewMessage, Store, StoreError, UserError, UserName};

/// Why one file has not become a message.
#[derive(Debug, Error)]
enum AddError {
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error(transparent)]
    Sound(#[from] SoundError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of one file, for scripts.
#[derive(Serialize)]
struct Added {
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

pub(super) fn run(
    store: &Store,
    mailbox: &UserName,
    files: &[PathBuf],
    json: bool,
    out: &mut impl Write,
) -> Result<Exit, Failure> {
    if store.user_version(mailbox)?.is_none() {
        // A slip of the finger would make a mailbox that nobody can open.
        return Err(UserError::Unknown(mailbox.clone()).into());
    }
    let caller = Caller::named(mailbox);
    let progress = progress(files.len());
    let mut failed = 0;
    for file in files {
        progress.set_message(file.display().to_string());
        let added = add(store, mailbox, &caller, file);
        if let Err(error) = &added {
            failed += 1;
            progress.suspend(|| writeln!(io::stderr(), "onhook: {}: {error}", file.display()))?;
        }
        progress.suspend(|| match (json, &added) {
            (true, added) => json_line(out, file, added),
            (false, Ok(id)) => writeln!(out, "{id}"),
            (false, Err(_)) => Ok(()),
        })?;
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(Exit::of_several(files.len(), failed))
}

fn add(store: &Store, mailbox: &UserName, caller: &Caller, file: &Path) -> Result<MessageId, AddError> {
    let limits = Limits::default();
    let mut audio = Vec::new();
    // One byte more than is allowed is enough to see that it is too many, whatever kind of file this is.
    File::open(file)?
        .take(limits.max_bytes as u64 + 1)
        .read_to_end(&mut audio)?;
    let facts = SoundFacts::read(&audio, &limits)?;
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
    Ok(store.add_message(&NewMessage {
        owner: &caller.key,
        mailbox: mailbox.as_str(),
        name: &name,
        facts: facts.into(),
        audio: &audio,
    })?)
}

fn json_line(out: &mut impl Write, file: &Path, added: &Result<MessageId, AddError>) -> io::Result<()> {
    let line = Added {
        file: file.display().to_string(),
        item_id: added.as_ref().ok().map(ToString::to_string),
        error: added.as_ref().err().map(ToString::to_string),
    };
    serde_json::to_writer(&mut *out, &line)?;
    writeln!(out)
}

/// A bar on standard error; nothing, when that is no terminal.
fn progress(files: usize) -> ProgressBar {
    let progress = ProgressBar::new(files as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}") {
        progress.set_style(style);
    }
    progress
}
