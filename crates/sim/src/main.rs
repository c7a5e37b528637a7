//! `make sim`: runs of the simulation, on all cores, until one fails.

use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use clap::{Parser, ValueEnum as _};
use sim::{Lanes, Sabotage, Settings, Tally, WrittenRun, draw, run, shrink};

/// Runs the switch against a model of network, phones, journal and crashes.
///
/// Run number N has the seed SEED + N. A run that breaks a rule is made simpler and printed as a SIP ladder; its seed
/// alone repeats it on every machine. Exits with 1 then.
#[derive(Debug, Parser)]
#[command(name = "sim")]
struct Arguments {
    /// The first run's seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many runs.
    #[arg(long, default_value_t = 100_000)]
    runs: u64,
    /// Threads; as many as there are cores.
    #[arg(long)]
    threads: Option<usize>,
    /// Print the ladder of the first run, whether it fails or not.
    #[arg(long)]
    ladder: bool,
    /// Do not simplify the run that fails.
    #[arg(long)]
    no_shrink: bool,
    /// Go on after a failure; count the failures by rule, each with its first seed.
    #[arg(long)]
    keep_going: bool,
    /// Write the run that fails there, as simple as it could be made.
    #[arg(long)]
    keep: Option<std::path::PathBuf>,
    /// Say which faults can be put in.
    #[arg(long, hide = true)]
    list_sabotages: bool,
    /// Put a fault in, to see it found.
    #[arg(long, value_enum, default_value_t, hide = true)]
    sabotage: Sabotage,
}

impl Arguments {
    fn settings(&self) -> Settings {
        Settings {
            sabotage: self.sabotage,
            ..Settings::default()
        }
    }
}

/// Runs that a thread takes at a time.
const BATCH: u64 = 256;

fn main() -> std::io::Result<ExitCode> {
    let arguments = Arguments::parse();
    if arguments.list_sabotages {
        for sabotage in Sabotage::all().filter_map(|sabotage| sabotage.to_possible_value()) {
            println!("{}", sabotage.get_name());
        }
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.ladder {
        let outcome = draw(Lanes::of_seed(arguments.seed), arguments.settings());
        println!("{}", outcome.ladder);
    }
    let started = Instant::now();
    let (tally, failed) = run_all(&arguments, started);
    if let Some(seed) = failed.filter(|_| !arguments.keep_going) {
        report(seed, &arguments)?;
    }
    println!("{}", summary(&tally, started.elapsed()));
    Ok(ExitCode::from(u8::from(failed.is_some())))
}

/// Every run, and the lowest seed of those that failed.
fn run_all(arguments: &Arguments, started: Instant) -> (Tally, Option<u64>) {
    let threads = arguments
        .threads
        .or_else(|| thread::available_parallelism().ok().map(usize::from))
        .unwrap_or(1);
    let next = AtomicU64::new(0);
    // Runs from this number on need not be made any more: one before them has failed.
    let limit = AtomicU64::new(arguments.runs);
    let failed = AtomicU64::new(u64::MAX);
    let tally = Mutex::new(Tally::default());
    let broken: Mutex<BTreeMap<&str, (u64, u64)>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let first = next.fetch_add(BATCH, Ordering::Relaxed);
                    if first >= limit.load(Ordering::Relaxed) {
                        return;
                    }
                    let mut batch = Tally::default();
                    for number in first..(first + BATCH).min(arguments.runs) {
                        let outcome = run(
                            Lanes::of_seed(arguments.seed.wrapping_add(number)),
                            arguments.settings(),
                        );
                        batch.add(&outcome.tally);
                        let Some(violation) = outcome.violation else { continue };
                        if arguments.keep_going {
                            let mut broken = broken.lock().unwrap_or_else(PoisonError::into_inner);
                            let entry = broken.entry(violation.rule).or_insert((0, u64::MAX));
                            *entry = (entry.0 + 1, entry.1.min(number));
                            failed.fetch_min(number, Ordering::Relaxed);
                        } else {
                            limit.fetch_min(number, Ordering::Relaxed);
                            failed.fetch_min(number, Ordering::Relaxed);
                            break;
                        }
                    }
                    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                    let before = tally.runs;
                    tally.add(&batch);
                    if before / 50_000 != tally.runs / 50_000 {
                        eprintln!(
                            "sim: {} of {} runs, {:.0?}",
                            tally.runs,
                            arguments.runs,
                            started.elapsed()
                        );
                    }
                }
            });
        }
    });
    for (rule, (times, number)) in broken.into_inner().unwrap_or_else(PoisonError::into_inner) {
        println!(
            "broken {times} times, first by SEED={}: {rule}",
            arguments.seed.wrapping_add(number)
        );
    }
    let failed = failed.into_inner();
    let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    let seed = (failed != u64::MAX).then(|| arguments.seed.wrapping_add(failed));
    (tally, seed)
}

/// Draws a run that fails, as simple as can be, and writes it down.
fn report(seed: u64, arguments: &Arguments) -> std::io::Result<()> {
    let outcome = run(Lanes::of_seed(seed), arguments.settings());
    if let Some(violation) = &outcome.violation {
        println!("SEED={seed} breaks a rule: {violation}\n");
    }
    let decisions = if arguments.no_shrink {
        outcome.decisions
    } else {
        eprintln!("sim: making it simpler");
        shrink(outcome.decisions, arguments.settings())
    };
    let drawn = draw(Lanes::replay(decisions.clone()), arguments.settings());
    println!("{}", drawn.ladder);
    if let Some(violation) = drawn.violation {
        println!("{violation}\n");
        let kept = WrittenRun {
            rule: violation.rule.to_owned(),
            sabotage: arguments.sabotage,
            decisions,
        };
        match &arguments.keep {
            Some(path) => std::fs::write(path, kept.to_string())?,
            None => println!("{kept}"),
        }
    }
    println!("Again: make sim SEED={seed} RUNS=1\n");
    Ok(())
}

fn summary(tally: &Tally, took: Duration) -> String {
    let average = tally.waited / tally.hung_up.max(1);
    format!(
        "{} runs with {} calls in {:.1} s: {} hang-ups, {} crashes, {} answers ({} to no call), {} unconfirmed; \
         {} phones went on-hook after NoError, {:.1} s later on average, {:.1} s at most, {} after more than 64·T1; \
         excused {:?}; digest {:016x}",
        tally.runs,
        tally.calls,
        took.as_secs_f64(),
        tally.hang_ups,
        tally.crashes,
        tally.answers,
        tally.strays,
        tally.unconfirmed,
        tally.hung_up,
        average as f64 / 1000.0,
        tally.longest as f64 / 1000.0,
        tally.slow,
        tally.excused,
        tally.digest,
    )
}
