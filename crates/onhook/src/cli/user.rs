//! `onhook user`: who may log in.

use std::io::{self, Write as _};

use clap::Subcommand;
use serde::Serialize;

use super::output::{json, table, timestamp};
use super::{ConfigFile, Exit, Failure, password};
use crate::auth::{self, Caller};
use crate::store::{NO_PASSWORD, UserName};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Passwords come from a prompt or, when standard input is no terminal, from its first line.
A running server takes every change at once. EWS clients may log in as alice, CORP\\alice or
alice@example.com, in any case: the domain is not looked at, unless a user is stored under a whole
mail address.

Examples:
  onhook user add alice
  pass show onhook/alice | onhook user passwd alice
  onhook user list --json")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a user, who may log in with the password given
    Add {
        name: UserName,
        /// Without a password: a directory, tokens or certificates vouch for this user
        #[arg(long)]
        no_password: bool,
    },
    /// List all users
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove a user
    Remove {
        name: UserName,
        /// Remove the user's voice messages, too
        #[arg(long)]
        with_messages: bool,
    },
    /// Give a user another password
    Passwd { name: UserName },
}

/// A user, for scripts.
#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    created: String,
    messages: u32,
}

pub(super) fn run(args: Args, file: &ConfigFile) -> Result<Exit, Failure> {
    let store = file.open_store()?;
    match args.command {
        Command::Add { name, no_password } => {
            if store.user_version(&name)?.is_some() {
                // Before a password is asked for in vain.
                return Err(crate::store::UserError::Exists(name).into());
            }
            let hash = if no_password {
                NO_PASSWORD.to_owned()
            } else {
                new_hash(&name)?
            };
            store.add_user(&name, &hash)?;
            writeln!(io::stderr(), "added {name}")?;
        }
        Command::Passwd { name } => {
            if store.user_version(&name)?.is_none() {
                return Err(crate::store::UserError::Unknown(name).into());
            }
            store.change_password(&name, &new_hash(&name)?)?;
            writeln!(io::stderr(), "changed the password of {name}")?;
        }
        Command::Remove { name, with_messages } => {
            store.remove_user(&name, &Caller::named(&name).key, with_messages)?;
            writeln!(io::stderr(), "removed {name}")?;
        }
        Command::List { json: as_json } => {
            let users = store.users()?;
            let entries = users.iter().map(|user| Entry {
                name: user.name.as_str(),
                created: timestamp(user.created),
                messages: user.messages,
            });
            let mut out = io::stdout().lock();
            if as_json {
                json(&mut out, &entries.collect::<Vec<_>>())?;
            } else {
                let rows: Vec<_> = entries
                    .map(
                        |Entry {
                             name,
                             created,
                             messages,
                         }| [name.to_owned(), messages.to_string(), created],
                    )
                    .collect();
                table(&mut out, ["USER", "MESSAGES", "CREATED"], &rows)?;
            }
        }
    }
    Ok(Exit::Done)
}

fn new_hash(name: &UserName) -> Result<String, Failure> {
    let password = password::ask_new(name.as_str())?;
    auth::password::hash(&password).map_err(|error| Failure::new(Exit::Failed, error))
}
