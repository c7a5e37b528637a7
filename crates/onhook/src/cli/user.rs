//! `onhook user`: who may log in.

use std::io::{self, Write as _};

use clap::Subcommand;
use dial::DialString;
use serde::Serialize;

use super::output::{json, table, timestamp};
use super::{ConfigFile, Exit, Failure, password};
use crate::auth::{self, Caller};
use crate::store::{NO_PASSWORD, NumbersChange, UserName};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Passwords come from a prompt or, when standard input is no terminal, from its first line. \
A running server takes every change at once. EWS clients may log in as alice, CORP\\alice or alice@example.com, \
in any case: the domain is not looked at, unless a user is stored under a whole mail address.

By default users may call their own extension and phones alone; rules in [dial] allow more. A phone is written as it \
would be dialled, best with a +.

Examples:
  onhook user add alice --extension 4711
  onhook user set alice --phone '+49 171 2345678'
  pass show onhook/alice | onhook user passwd alice
  onhook user list --json")]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigFile,

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
        /// The user's own extension
        #[arg(long, value_parser = digits)]
        extension: Option<String>,
        /// A phone of the user; several may be given
        #[arg(long = "phone", value_name = "NUMBER", value_parser = number)]
        phones: Vec<String>,
    },
    /// Give a user another extension or other phones
    #[command(arg_required_else_help = true)]
    Set {
        name: UserName,
        /// The user's own extension
        #[arg(long, value_parser = digits, conflicts_with = "no_extension")]
        extension: Option<String>,
        /// Take the extension away
        #[arg(long)]
        no_extension: bool,
        /// A phone of the user; those given replace all
        #[arg(long = "phone", value_name = "NUMBER", value_parser = number, conflicts_with = "no_phones")]
        phones: Vec<String>,
        /// Take all phones away
        #[arg(long)]
        no_phones: bool,
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
    extension: Option<&'a str>,
    phones: &'a [String],
    created: String,
    messages: u32,
}

pub(super) fn run(args: Args) -> Result<Exit, Failure> {
    let store = args.config.open_store()?;
    match args.command {
        Command::Add {
            name,
            no_password,
            extension,
            phones,
        } => {
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
            let change = NumbersChange {
                extension: extension.map(Some),
                phones: Some(phones),
            };
            store.change_numbers(&name, &change)?;
            writeln!(io::stderr(), "added {name}")?;
        }
        Command::Set {
            name,
            extension,
            no_extension,
            phones,
            no_phones,
        } => {
            let change = NumbersChange {
                extension: (extension.is_some() || no_extension).then_some(extension),
                phones: (!phones.is_empty() || no_phones).then_some(phones),
            };
            store.change_numbers(&name, &change)?;
            writeln!(io::stderr(), "changed {name}")?;
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
            let numbers = users.iter().map(|user| store.numbers_of(&user.name));
            let numbers = numbers.collect::<Result<Vec<_>, _>>()?;
            let entries = users.iter().zip(&numbers).map(|(user, numbers)| Entry {
                name: user.name.as_str(),
                extension: numbers.extension.as_deref(),
                phones: &numbers.phones,
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
                             extension,
                             phones,
                             created,
                             messages,
                         }| {
                            let extension = extension.unwrap_or("-").to_owned();
                            let phones = phones.len().to_string();
                            [name.to_owned(), extension, phones, messages.to_string(), created]
                        },
                    )
                    .collect();
                table(&mut out, ["USER", "EXTENSION", "PHONES", "MESSAGES", "CREATED"], &rows)?;
            }
        }
    }
    Ok(Exit::Done)
}

/// An extension: digits, and not so many that it is a number of the world.
fn digits(text: &str) -> Result<String, String> {
    let is_extension = (1..=10).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_digit());
    is_extension
        .then(|| text.to_owned())
        .ok_or_else(|| "an extension is 1 to 10 digits".to_owned())
}

fn number(text: &str) -> Result<String, String> {
    match DialString::parse(text) {
        Ok(DialString::Digits(_)) => Ok(text.trim().to_owned()),
        Ok(DialString::Uri(_)) => Err("a phone is a number, not a SIP address".to_owned()),
        Err(malformed) => Err(malformed.to_string()),
    }
}

fn new_hash(name: &UserName) -> Result<String, Failure> {
    let password = password::ask_new(name.as_str())?;
    auth::password::hash(&password).map_err(|error| Failure::new(Exit::Failed, error))
}
