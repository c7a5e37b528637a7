//! The command line: one file per command, each with its arguments and a `run`.
//!
//! Standard output carries results only, so that scripts can read them; everything meant for eyes goes to standard
//! error. Exit codes are in [`Exit`].

mod call_report;
mod check_config;
mod demo;
mod dial;
mod exit;
mod hangup;
mod info;
mod output;
mod password;
mod phone;
mod play;
mod progress;
mod serve;
mod server_args;
mod user;
mod voicemail;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Config, ConfigError};
use crate::store::Store;

pub use exit::{Exit, Failure};
pub use server_args::ServerArgs;

// Here and in every command's own text a paragraph is one line: clap wraps it to the terminal.
const EXAMPLES: &str = "\
Examples:
  onhook demo                              a call from end to end, without a PBX
  onhook check-config --print-minimal > onhook.toml
  onhook user add alice --extension 4711
  onhook dial explain --user alice '+49 30 123456'
  onhook voicemail add --mailbox alice hello.wav
  onhook serve
  onhook play --url http://127.0.0.1:8080/EWS/Exchange.asmx --user alice \\
    --item-id ID --to 4711 --wait

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused by the server or the dial policy, 4 wrong user or password, \
5 server unreachable, 6 the phone did not answer, 7 done in part, 64 wrong configuration file, 130 hung up by Ctrl-C.";

/// Rings a phone and plays a voice message when an Exchange Web Services client asks for it, and hangs up for sure.
#[derive(Debug, Parser)]
#[command(name = "onhook", version, after_help = EXAMPLES, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(serve::Args),
    /// Check a configuration file, or print an example of one
    CheckConfig(check_config::Args),
    /// Show a call from end to end on this machine, without PBX or configuration
    Demo(demo::Args),
    /// Be a small SIP phone that rings, answers and can save what it hears
    Phone(phone::Args),
    /// Say who may call what, and why
    Dial(dial::Args),
    /// Add, change, list and remove users
    User(user::Args),
    /// Add, list, show and remove voice messages
    Voicemail(voicemail::Args),
    /// Ask a server to ring a phone and play a voice message
    Play(play::Args),
    /// Ask a server how a call is going
    Info(server_args::CallArgs),
    /// Ask a server to end a call
    Hangup(server_args::CallArgs),
}

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    let ended = match Cli::parse().command {
        Command::Serve(args) => serve::run(args),
        Command::CheckConfig(args) => check_config::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Phone(args) => phone::run(args),
        Command::Dial(args) => dial::run(args),
        Command::User(args) => user::run(args),
        Command::Voicemail(args) => voicemail::run(args),
        Command::Play(args) => play::run(args),
        Command::Info(args) => info::run(&args),
        Command::Hangup(args) => hangup::run(&args),
    };
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) if failure.is_broken_pipe() => Exit::Done.into(),
        Err(failure) => {
            // Nobody is left to tell when standard error is gone, too.
            let _ = writeln!(std::io::stderr(), "onhook: {failure}");
            failure.exit.into()
        }
    }
}

/// Which configuration a command works by; commands that take no part in it have no such argument.
#[derive(Debug, clap::Args)]
struct ConfigFile {
    // Global, so that it may also stand behind the commands of a command: `onhook user list --config FILE`.
    /// The configuration file
    #[arg(long = "config", global = true, default_value = DEFAULT_CONFIG, value_name = "FILE")]
    path: PathBuf,
}

const DEFAULT_CONFIG: &str = "onhook.toml";

impl ConfigFile {
    fn load(&self) -> Result<Config, ConfigError> {
        Config::load(&self.path)
    }

    /// Reads the file and opens the store it names.
    fn open_store(&self) -> Result<Store, Failure> {
        Ok(Store::open(&self.load()?.store.path)?)
    }
}
