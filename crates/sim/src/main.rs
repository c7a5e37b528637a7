//! `make sim`: runs of the simulation, on all cores, until one fails.

use std::{
    collections::BTreeMap,
    fs, io,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use clap::Parser;
use sim::{Lanes, Sabotage, Settings, Situation, Tally, WrittenRun, draw, run, shrink};

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
    /// Go on after a failure; tell the first seeds of each rule, and count the failures by rule.
    #[arg(long)]
    keep_going: bool,
    /// Write the run that fails there, as simple as it could be made.
    #[arg(long)]
    keep: Option<PathBuf>,
    /// Play these files of the fuzz target `simulation`, and no seeds.
    #[arg(long, num_args = 1.., value_name = "FILE", conflicts_with = "written")]
    fuzzed: Vec<PathBuf>,
    /// Play these runs that were written down, as it ships, and no seeds.
    #[arg(long, num_args = 1.., value_name = "FILE")]
    written: Vec<PathBuf>,
    /// Say which faults can be put in.
    #[arg(long, hide = true)]
    list_sabotages: bool,
    /// Put a fault in, to see it found.
    #[arg(long, default_value_t, hide = true)]
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

/// How many seeds of runs that broke the same rule are told.
const SEEDS_OF_A_RULE: u64 = 20;
/// Runs that a thread takes at a time.
const BATCH: u64 = 256;

fn main() -> io::Result<ExitCode> {
    let arguments = Arguments::parse();
    if matches!(arguments.sabotage, Sabotage::Shipped(_)) && !cfg!(feature = "faults") {
        eprintln!("sim: that is a fault of the code that ships: build with --features faults");
        return Ok(ExitCode::FAILURE);
    }
    if arguments.list_sabotages {
        for sabotage in Sabotage::all() {
            println!("{sabotage}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let started = Instant::now();
    let files = files(&arguments)?;
    let (tally, has_failed) = if files.is_empty() {
        if arguments.ladder {
            let outcome = draw(Lanes::of_seed(arguments.seed), arguments.settings());
            println!("{}", outcome.ladder);
        }
        let (tally, failed) = run_all(&arguments, started);
        if let Some(seed) = failed.filter(|_| !arguments.keep_going) {
            report(Lanes::of_seed(seed), &format!("SEED={seed}"), &arguments)?;
            println!("Again: make sim SEED={seed} RUNS=1\n");
        }
        (tally, failed.is_some())
    } else {
        play(&files, &arguments)?
    };
    println!("{}{}", rare_situations(&tally), summary(&tally, started.elapsed()));
    Ok(ExitCode::from(u8::from(has_failed)))
}

/// The runs that are in files, each with the name of its own.
fn files(arguments: &Arguments) -> io::Result<Vec<(String, Lanes)>> {
    let mut runs = Vec::new();
    for path in &arguments.fuzzed {
        runs.push((path.display().to_string(), Lanes::of_bytes(&fs::read(path)?)));
    }
    for path in &arguments.written {
        let written: WrittenRun = fs::read_to_string(path)?.parse().map_err(io::Error::other)?;
        runs.push((path.display().to_string(), Lanes::replay(written.decisions)));
    }
    Ok(runs)
}

/// Runs of files, until one fails, and whether one has.
fn play(files: &[(String, Lanes)], arguments: &Arguments) -> io::Result<(Tally, bool)> {
    let mut tally = Tally::default();
    for (name, lanes) in files {
        if arguments.ladder {
            println!("{}", draw(lanes.clone(), arguments.settings()).ladder);
        }
        let outcome = run(lanes.clone(), arguments.settings());
        tally.add(&outcome.tally);
        if outcome.violation.is_some() {
            report(lanes.clone(), name, arguments)?;
            return Ok((tally, true));
        }
    }
    Ok((tally, false))
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
                        let seed = arguments.seed.wrapping_add(number);
                        let outcome = run(Lanes::of_seed(seed), arguments.settings());
                        batch.add(&outcome.tally);
                        let Some(violation) = outcome.violation else { continue };
                        if arguments.keep_going {
                            let mut broken = broken.lock().unwrap_or_else(PoisonError::into_inner);
                            let entry = broken.entry(violation.rule).or_insert((0, u64::MAX));
                            if entry.0 < SEEDS_OF_A_RULE {
                                eprintln!("sim: SEED={seed} breaks a rule: {violation}");
                            }
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
fn report(lanes: Lanes, name: &str, arguments: &Arguments) -> io::Result<()> {
    let outcome = run(lanes, arguments.settings());
    if let Some(violation) = &outcome.violation {
        println!("{name} breaks a rule: {violation}\n");
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
            Some(path) => fs::write(path, kept.to_string())?,
            None => println!("{kept}"),
        }
    }
    Ok(())
}

/// How often each was met.
fn rare_situations(tally: &Tally) -> String {
    let times = |situation| tally.met.get(&situation).copied().unwrap_or(0);
    let lines = Situation::ALL.map(|(situation, words)| format!("{:>10} times {words}\n", times(situation)));
    lines.concat()
}

fn summary(tally: &Tally, took: Duration) -> String {
    let average = tally.waited / tally.hung_up.max(1);
    format!(
        "{} runs with {} calls in {:.1} s: {} hang-ups, {} crashes, {} answers ({} to no call), {} unconfirmed; \
         {} phones went on-hook after NoError, {:.1} s later on average, {:.1} s at most, {} after more than 64·T1; \
         excused {:?}; faults {:?}; digest {:016x}",
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
        tally.faults,
        tally.digest,
    )
}
