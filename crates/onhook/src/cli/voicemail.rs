//! `onhook voicemail`: the messages that can be played.

mod add;

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Subcommand;
use serde::Serialize;
use thiserror::Error;

use super::output::{json, length, table, timestamp};
use super::{ConfigFile, Exit, Failure};
use crate::store::{MessageId, MessageSummary, UserName};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
`add` prints one ItemId a line, in the order of the files; a file that cannot be played is reported on standard error, \
and the others are added (exit code 7).

Examples:
  onhook voicemail add --mailbox alice hello.wav
  onhook voicemail add --mailbox alice --json *.mp3
  onhook voicemail list --mailbox alice")]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigFile,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Store sound files as voice messages, and print their ItemIds
    Add {
        /// The user whose messages they become
        #[arg(long, value_name = "USER")]
        mailbox: UserName,
        /// Print a JSON object a line, with the file and its ItemId or error
        #[arg(long)]
        json: bool,
        /// WAV or MP3 files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// List voice messages
    List {
        /// Those of one user only
        #[arg(long, value_name = "USER")]
        mailbox: Option<UserName>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what is known about a voice message
    Show {
        item_id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove voice messages
    Remove {
        #[arg(required = true, value_name = "ITEM_ID")]
        item_ids: Vec<String>,
    },
}

#[derive(Debug, Error)]
#[error("there is no voice message {0:?}: `onhook voicemail list` shows all")]
struct UnknownMessage(String);

impl From<UnknownMessage> for Failure {
    fn from(error: UnknownMessage) -> Self {
        Self::new(Exit::Failed, error)
    }
}

/// A message, for scripts.
#[derive(Serialize)]
struct Entry<'a> {
    item_id: String,
    mailbox: &'a str,
    name: &'a str,
    format: &'a str,
    duration_ms: u128,
    sample_rate: u32,
    channels: u16,
    bytes: u64,
    created: String,
}

impl<'a> From<&'a MessageSummary> for Entry<'a> {
    fn from(message: &'a MessageSummary) -> Self {
        Self {
            item_id: message.id.to_string(),
            mailbox: &message.mailbox,
            name: &message.name,
            format: &message.facts.format,
            duration_ms: message.facts.duration.as_millis(),
            sample_rate: message.facts.rate,
            channels: message.facts.channels,
            bytes: message.size,
            created: timestamp(message.created),
        }
    }
}

pub(super) fn run(args: Args) -> Result<Exit, Failure> {
    let store = args.config.open_store()?;
    let mut out = io::stdout().lock();
    match args.command {
        Command::Add { mailbox, json, files } => add::run(&store, &mailbox, &files, json, &mut out),
        Command::List { mailbox, json: as_json } => {
            let messages = store.messages(mailbox.as_ref().map(UserName::as_str))?;
            if as_json {
                json(&mut out, &messages.iter().map(Entry::from).collect::<Vec<_>>())?;
            } else {
                let rows: Vec<_> = messages.iter().map(row).collect();
                table(&mut out, ["ITEM ID", "MAILBOX", "LENGTH", "NAME", "CREATED"], &rows)?;
            }
            Ok(Exit::Done)
        }
        Command::Show { item_id, json: as_json } => {
            let found = match parse(&item_id) {
                Ok(id) => store.message(id)?,
                Err(unknown) => return Err(unknown.into()),
            };
            let message = found.ok_or(UnknownMessage(item_id))?;
            let entry = Entry::from(&message);
            if as_json {
                json(&mut out, &entry)?;
            } else {
                writeln!(out, "ItemId    {}", entry.item_id)?;
                writeln!(out, "Mailbox   {}", entry.mailbox)?;
                writeln!(out, "Name      {}", entry.name)?;
                writeln!(out, "Length    {}", length(message.facts.duration))?;
                writeln!(
                    out,
                    "Sound     {}, {} Hz, {} ch",
                    entry.format, entry.sample_rate, entry.channels
                )?;
                writeln!(out, "Size      {} bytes", entry.bytes)?;
                writeln!(out, "Created   {}", entry.created)?;
            }
            Ok(Exit::Done)
        }
        Command::Remove { item_ids } => {
            let mut unknown = 0;
            for item_id in &item_ids {
                let removed = match parse(item_id) {
                    Ok(id) => store.remove_message(id)?,
                    Err(_) => false,
                };
                if !removed {
                    unknown += 1;
                    writeln!(io::stderr(), "onhook: {}", UnknownMessage(item_id.clone()))?;
                }
            }
            Ok(Exit::of_several(item_ids.len(), unknown))
        }
    }
}

fn parse(item_id: &str) -> Result<MessageId, UnknownMessage> {
    item_id.parse().map_err(|_| UnknownMessage(item_id.to_owned()))
}

fn row(message: &MessageSummary) -> [String; 5] {
    let name = message.name.clone();
    [
        message.id.to_string(),
        message.mailbox.clone(),
        length(message.facts.duration),
        name,
        timestamp(message.created),
    ]
}
