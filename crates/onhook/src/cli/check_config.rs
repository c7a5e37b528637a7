//! `onhook check-config`: is this file right, and what would a right one look like.

use std::io::{self, Write as _};
use std::path::PathBuf;

use super::{ConfigFile, Exit, Failure};
use crate::config::{self, Config};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Everything wrong in the file is shown with its line, and the exit code is 64. Nothing is opened or bound.

Examples:
  onhook check-config
  onhook check-config /etc/onhook/onhook.toml
  onhook check-config --print-example > onhook.toml")]
pub(super) struct Args {
    /// The file to check, instead of the one --config names
    file: Option<PathBuf>,

    /// Print an example file with every key, its meaning and its default
    #[arg(long, conflicts_with = "file")]
    print_example: bool,
}

pub(super) fn run(args: Args, file: &ConfigFile) -> Result<Exit, Failure> {
    if args.print_example {
        io::stdout().write_all(config::example().as_bytes())?;
        return Ok(Exit::Done);
    }
    let path = args.file.as_deref().unwrap_or(file.path());
    let config = Config::load(path)?;
    for note in config.notes() {
        writeln!(io::stderr(), "{}: note: {note}", path.display())?;
    }
    writeln!(io::stderr(), "{}: good", path.display())?;
    Ok(Exit::Done)
}
