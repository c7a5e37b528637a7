//! The one binary: see `onhook --help`, and [`onhook::cli`] for what each command does.

use std::process::ExitCode;

fn main() -> ExitCode {
    onhook::cli::run()
}
