//! How fast the built server is and what a call costs it, measured from outside: see `make bench`.
//!
//! Machines are shared, and their speed changes by the minute. So programs take turns in one run, and what counts is the ratio of what
//! each pair of turns came to. The load and the phones have the same cores: rates are what is left beside them, CPU is the server's own.
//! A call that is not over when it should be, or is hung up twice, is an error and no figure.
//!
//! ```text
//! rows      what is measured          lab      a server with its phones    figures  medians, ratios of pairs
//! measures  the rows, and their bars  client   EWS clients, the load       table    what is printed
//! run       what is measured when     farm     the phones                  picture  how costs grow
//!                                     process  what a process has used
//! ```

mod client;
mod farm;
mod figures;
mod lab;
mod measures;
mod picture;
mod process;
mod rows;
mod run;
mod table;

use std::{io, path::PathBuf, process::ExitCode, time::Instant};

use clap::Parser;
use proving::{ProvingError, client::ClientError};

use lab::Program;
use run::{Part, Run, SHORT, WHOLE};

/// Why something could not be measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    System(#[from] rustix::io::Errno),
    #[error(transparent)]
    Proving(#[from] ProvingError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("EWS did not answer with a success: {0}")]
    Answer(String),
    #[error("{0}")]
    Stuck(&'static str),
}

/// Measures the built server: a table on standard output, how far it is on standard error
#[derive(Parser)]
struct Args {
    /// The program to measure; without it, the `onhook` beside this one
    #[arg(long)]
    onhook: Option<PathBuf>,
    /// Another program, which it takes turns with: with it, rows are compared to their bars
    #[arg(long)]
    against: Option<PathBuf>,
    /// What the other program is called in the table
    #[arg(long, default_value = "the other")]
    against_name: String,
    /// How often each program has its turn
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Two minutes: one round, of fewer calls. It shows that all can be measured; its figures say little
    #[arg(long)]
    short: bool,
    /// Only these parts
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Write all values there, as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// Draw there how each cost grows with the calls that are up, as SVG
    #[arg(long)]
    picture: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match bench(Args::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether everything could be measured.
async fn bench(args: Args) -> Result<bool, BenchError> {
    let onhook = match args.onhook {
        Some(onhook) => onhook,
        None => std::env::current_exe()?.with_file_name("onhook"),
    };
    let name = "this".to_owned();
    let mut programs = vec![Program { onhook, name }];
    programs.extend(args.against.map(|onhook| Program {
        onhook,
        name: args.against_name,
    }));
    let (scale, rounds) = if args.short { (&SHORT, 1) } else { (&WHOLE, args.rounds) };
    let begun = Instant::now();
    let mut run = Run::new(&programs, scale);
    for round in 0..rounds {
        run.round(round, rounds, &args.only).await;
    }
    println!("{}", table::table(&run, &programs, rounds, begun.elapsed()));
    if let Some(path) = &args.json {
        std::fs::write(path, format!("{:#}\n", table::json(&run, &programs, rounds)))?;
    }
    if let Some(path) = args.picture.filter(|_| !run.costs.is_empty()) {
        std::fs::write(path, picture::draw(&run.costs))?;
    }
    Ok(run.figures.failures().is_empty())
}
