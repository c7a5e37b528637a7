//! `proving crash`, `proving loss`, `proving connections`, `proving restart`: see `make crash-test`, `make loss-test` and
//! `make connection-test`.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};
use proving::{
    ProvingError, connections::ConnectionsRun, crash::CrashRun, loss::LossRun, phones::Quality, report::Report,
    restart::RestartRun,
};

/// Proves from outside that disconnected means disconnected
#[derive(Parser)]
struct Args {
    /// The program to prove; without it, the `onhook` beside this one
    #[arg(long)]
    onhook: Option<PathBuf>,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Kill the server at random moments and at the journal's points, start it again, count phones
    Crash {
        /// Kills at random moments
        #[arg(long, default_value_t = 100)]
        kills: u64,
        /// Kills at each point around the journal's entries; needs a program built with the feature crash-points
        #[arg(long, default_value_t = 0)]
        at_each_point: u64,
        /// Calls at each kill
        #[arg(long, default_value_t = 50)]
        at_once: u64,
        /// From a kill to the next start, in milliseconds
        #[arg(long, default_value_t = 0)]
        down: u64,
        /// Servers that the kills are shared out to
        #[arg(long, default_value_t = 4)]
        side_by_side: u64,
    },
    /// Lose packets, hang up, count phones
    Loss {
        #[arg(long, default_value_t = 2000)]
        calls: u64,
        /// Calls side by side
        #[arg(long, default_value_t = 100)]
        at_once: u64,
        /// SIP's T1, in milliseconds
        #[arg(long, default_value_t = 10)]
        t1: u64,
        /// Calls are hung up within this many milliseconds
        #[arg(long, default_value_t = 700)]
        hang_up_within: u64,
        /// Packets lost, of a hundred
        #[arg(long, default_value_t = 30)]
        loss: u64,
        /// Packets that arrive twice, of a hundred
        #[arg(long, default_value_t = 5)]
        duplicates: u64,
        /// Packets are held up for at most this many milliseconds, and so overtake each other
        #[arg(long, default_value_t = 5)]
        delay: u64,
    },
    /// Cut, stall and split the connections of a trunk by TCP or TLS, hang up, count phones
    Connections {
        #[arg(long, default_value_t = 2000)]
        calls: u64,
        /// Calls of a round, at each server
        #[arg(long, default_value_t = 25)]
        at_once: u64,
        /// Servers that the rounds are shared out to
        #[arg(long, default_value_t = 4)]
        side_by_side: u64,
        /// SIP's T1, in milliseconds; troubles last up to 32 times as long
        #[arg(long, default_value_t = 10)]
        t1: u64,
        /// TLS, where it is TCP else
        #[arg(long)]
        tls: bool,
    },
    /// Kill the server with calls up, time the BYEs of the next one
    Restart {
        #[arg(long, default_value_t = 1000)]
        calls: u64,
        /// Records of calls that ended long ago, in the store at the restart
        #[arg(long, default_value_t = 0)]
        old_records: u64,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    match prove(Args::parse()).await {
        Ok(report) => {
            println!("{report}");
            ExitCode::from(u8::from(!report.holds()))
        }
        Err(error) => {
            eprintln!("proving: {error}");
            ExitCode::from(2)
        }
    }
}

async fn prove(args: Args) -> Result<Report, ProvingError> {
    let seed = args.seed;
    let onhook = match args.onhook {
        Some(onhook) => onhook,
        None => std::env::current_exe()?.with_file_name("onhook"),
    };
    match args.command {
        Command::Crash {
            kills,
            at_each_point,
            at_once,
            down,
            side_by_side,
        } => {
            let run = CrashRun {
                onhook,
                seed,
                kills,
                kills_at_each_point: at_each_point,
                at_once,
                down: Duration::from_millis(down),
                side_by_side,
                patience: Duration::from_secs(70),
            };
            run.run().await
        }
        Command::Loss {
            calls,
            at_once,
            t1,
            hang_up_within,
            loss,
            duplicates,
            delay,
        } => {
            let run = LossRun {
                onhook,
                seed,
                calls,
                at_once,
                t1: Duration::from_millis(t1),
                hang_up_within: Duration::from_millis(hang_up_within),
                quality: Quality {
                    loss,
                    duplicates,
                    delay: Duration::from_millis(delay),
                },
            };
            run.run().await
        }
        Command::Connections {
            calls,
            at_once,
            side_by_side,
            t1,
            tls,
        } => {
            let run = ConnectionsRun {
                onhook,
                seed,
                calls,
                at_once,
                side_by_side,
                t1: Duration::from_millis(t1),
                tls,
            };
            run.run().await
        }
        Command::Restart { calls, old_records } => {
            let run = RestartRun {
                onhook,
                seed,
                calls,
                old_records,
            };
            run.run().await
        }
    }
}
