//! `onhook check-config`: is this file right, and what would a right one look like.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::{ConfigFile, DEFAULT_CONFIG, Exit, Failure};
use crate::config::{self, Config};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Everything wrong in the file is shown with its place, and the exit code is 64. Nothing is opened or bound.

Examples:
  onhook check-config
  onhook check-config /etc/onhook/onhook.toml
  onhook check-config --print-minimal > onhook.toml")]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigFile,

    /// The file to check, instead of the one --config names
    file: Option<PathBuf>,

    /// Print the few lines that are enough beside a PBX
    #[arg(long, conflicts_with_all = ["file", "print_example"])]
    print_minimal: bool,

    /// Print the reference: every key, its meaning and its default
    #[arg(long, conflicts_with = "file")]
    print_example: bool,
}

pub(super) fn run(args: Args) -> Result<Exit, Failure> {
    if args.print_minimal {
        io::stdout().write_all(config::MINIMAL.as_bytes())?;
        return Ok(Exit::Done);
    }
    if args.print_example {
        io::stdout().write_all(config::example().as_bytes())?;
        return Ok(Exit::Done);
    }
    let path = args.file.as_deref().unwrap_or(&args.config.path);
    let config = Config::load(path)?;
    for note in config.notes() {
        writeln!(io::stderr(), "{}: note: {note}", path.display())?;
    }
    writeln!(io::stderr(), "{}: good", path.display())?;
    writeln!(io::stderr(), "next: {}", next_step(path, &config))?;
    Ok(Exit::Done)
}

/// The command to go on with: without a store nobody can log in yet.
fn next_step(path: &Path, config: &Config) -> String {
    let with_file = if path == Path::new(DEFAULT_CONFIG) {
        String::new()
    } else {
        format!(" --config {}", path.display())
    };
    if config.store.path.exists() {
        format!("onhook serve{with_file}")
    } else {
        format!("onhook user add NAME{with_file}, then onhook serve{with_file}")
    }
}
