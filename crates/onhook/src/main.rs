//! The one binary: see `onhook --help`, and [`onhook::cli`] for what each command does.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Why not the system's: `docs/performance.md`.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    onhook::cli::run()
}
