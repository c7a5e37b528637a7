//! Dial strings by the million, each of a user at one of nineteen sites: nothing gets through that the oracle would not have
//! let through. A part of them is what got through before, with one character changed. `make dial-strings` runs ten million
//! and shows how far it is; a plain test run a few.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use dial::Refusal;

use crate::cases::{Case, cases};
use crate::dial_strings::{Parts, Random, dial_string, near};
use crate::vectors::{Vectors, folder, read};

/// How many to try, unless `DIAL_STRINGS` says so.
const FEW: u64 = 20_000;

/// After so many, a word of how far it is.
const STRETCH: u64 = 250_000;

/// As many as are told of each case, when there is something to tell.
const TOLD: usize = 10;

/// How decisions end, as the table shows them.
const OUTCOMES: [&str; 5] = ["through", "no rule", "never", "SIP address", "no number"];

fn outcome(refusal: Option<Refusal>) -> usize {
    match refusal {
        None => 0,
        Some(Refusal::NotAllowed | Refusal::NotEnabled) => 1,
        Some(Refusal::Never(_)) => 2,
        Some(Refusal::SipUri) => 3,
        Some(_) => 4,
    }
}

type Outcomes = [AtomicU64; OUTCOMES.len()];

/// A case, what is dialled there, and what came of it.
struct Tried {
    case: Case,
    parts: Parts,
    outcomes: Outcomes,
    objections: Mutex<Vec<String>>,
}

fn tried(vectors: &Vectors) -> Vec<Tried> {
    let tried = cases(vectors).into_iter().map(|case| {
        let country = vectors.countries.iter().find(|country| country.letters == case.letters);
        Tried {
            parts: country.map_or_else(
                || Parts::of_the_world(vectors),
                |country| Parts::of(country, case.outside_line),
            ),
            case,
            outcomes: Default::default(),
            objections: Mutex::default(),
        }
    });
    tried.collect()
}

fn try_some(how_many: u64, mut random: Random, tried: &[Tried], world: &Parts, told: &dyn Fn()) {
    let mut last_through: BTreeMap<usize, String> = BTreeMap::new();
    for turn in 1..=how_many {
        let at = random.below(tried.len());
        let Tried { case, parts, .. } = &tried[at];
        let dialled = match last_through.get(&at) {
            Some(last) if random.below(4) == 0 => near(&mut random, last),
            _ => dial_string(&mut random, parts, world),
        };
        let decision = case.policy.decide(&case.dialler, &dialled);
        tried[at].outcomes[outcome(decision.refusal())].fetch_add(1, Relaxed);
        if let Some(sent) = decision.number() {
            if let Some(objection) = case.opinion.objection(&dialled, sent.as_str()) {
                let mut objections = tried[at].objections.lock().unwrap();
                objections.push(format!(
                    "{}: {dialled:?}: {objection:?}\n{}",
                    case.name,
                    decision.in_full()
                ));
            }
            last_through.insert(at, dialled);
        }
        if turn % STRETCH == 0 {
            told();
        }
    }
}

#[test]
fn nothing_gets_through_without_a_rule() {
    let total = std::env::var("DIAL_STRINGS").map_or(FEW, |count| count.parse().unwrap());
    let seed: u64 = std::env::var("SEED").map_or(1, |seed| seed.parse().unwrap());
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let began = Instant::now();
    let vectors = read(&folder());
    let (tried, world) = (tried(&vectors), Parts::of_the_world(&vectors));
    let so_far = AtomicU64::new(0);
    let told = || {
        let so_far = so_far.fetch_add(STRETCH, Relaxed) + STRETCH;
        println!("{so_far} of {total} dial strings, {} s", began.elapsed().as_secs());
    };
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (tried, world, told) = (&tried, &world, &told);
            let random = Random(seed << 56 | thread << 48);
            scope.spawn(move || try_some(total.div_ceil(threads), random, tried, world, told));
        }
    });
    print!("{:16}", "");
    OUTCOMES.iter().for_each(|outcome| print!("{outcome:>13}"));
    println!();
    let mut objections = Vec::new();
    for Tried {
        case,
        outcomes,
        objections: of_case,
        ..
    } in &tried
    {
        let counts = outcomes.each_ref().map(|count| count.load(Relaxed));
        let of_case = of_case.lock().unwrap();
        print!("{:16}", case.name);
        counts.iter().for_each(|count| print!("{count:>13}"));
        println!("  {} objections", of_case.len());
        objections.extend(of_case.iter().take(TOLD).cloned());
        // The strings are such that each comes about, wherever it can.
        let has_rules = case.name != "sloppy" && !case.name.starts_with("open");
        let can = [case.name != "defaults, nobody", has_rules, true, true, true];
        assert_eq!(counts.map(|count| count > 0), can, "{}", case.name);
    }
    assert!(objections.is_empty(), "{}", objections.join("\n"));
}
