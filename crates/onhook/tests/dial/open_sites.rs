//! Every country's vectors at sites there that allow whatever can be allowed: nothing dangerous reaches the trunk in any
//! spelling, and every ordinary number does. A plain test run tries some of the spellings, `make dial-vectors` all.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use dial::{DialPolicy, Dialler};
use onhook::config::Config;

use crate::readings::Place;
use crate::spellings::{Turns, Way, dangers, spellings};
use crate::vectors::{CLASSES, Country, Vectors, bare, folder, read};

/// As many a plain test run tries of each country at each site.
const SOME: u64 = 100;

/// How many of those that got through are shown for each country.
const SHOWN: usize = 20;

/// A site that allows whatever can be allowed.
struct Site {
    name: &'static str,
    outside_line: &'static str,
    policy: DialPolicy,
    /// The same, with numbers sent as +4930123456: which number of the world it takes a dial string for.
    meaning: DialPolicy,
}

/// The site that allows by rules.
const RULES: &str = "rules";

const SIP: &str = "[[dial.rule]]\nname = \"gateway\"\nkind = \"sip\"\nhosts = [\"gw.example\"]\n";

/// Wherever a number abroad may be.
const ABROAD: &str = "AD AE AF AG AI AL AM AO AR AT AU AX AZ BA BB BD BE BF BG BH BI BJ BM BN BO BR BS BT BW BY BZ CA CD CF CG CH \
    CI CL CM CN CO CR CU CV CY CZ DE DJ DK DM DO DZ EC EE EG ER ES ET FI FJ FO FR GA GB GD GE GH GI GL GM GN GQ GR GT GW GY HK HN HR \
    HT HU ID IE IL IN IQ IR IS IT JM JO JP KE KG KH KR KW KZ LA LB LI LK LR LS LT LU LV LY MA MC MD ME MG MK ML MM MN MO MR MT \
    MU MV MW MX MY MZ NA NE NG NI NL NO NP NZ OM PA PE PG PH PK PL PR PT PY QA RO RS RU RW SA SC SD SE SG SI SK SL SM SN SO SR \
    SV SY SZ TD TG TH TJ TM TN TR TT TW TZ UA UG US UY UZ VE VN YE ZA ZM ZW";

/// What a site there dials abroad by: the usual prefix. Where that names a carrier, the site says which.
fn abroad_prefix(country: &Country) -> &str {
    let mut prefixes = country.prefixes.abroad.iter();
    prefixes.find(|prefix| !prefix.contains('x')).map_or("", String::as_str)
}

fn sites(country: &Country) -> Vec<Site> {
    let letters = &country.letters;
    let abroad: Vec<&str> = ABROAD.split_whitespace().collect();
    let rules = format!(
        "[[dial.rule]]\nname = \"home\"\nkind = \"national\"\n[[dial.rule]]\nname = \"abroad\"\nkind = \"international\"\ncountries = {abroad:?}\n"
    );
    let abroad_prefix = match (abroad_prefix(country), country.prefixes.abroad.first()) {
        (own, usual) if Some(own) == usual.map(String::as_str) => String::new(),
        (own, _) => format!("international_prefix = \"{own}\"\n"),
    };
    let site = |name, outside_line, send: &str, allow: &str, rules: &str| {
        let policy = |send: &str| {
            let text = format!(
                "[dial]\nallow = [{allow}]\n[dial.plan]\ncountry = \"{letters}\"\noutside_line = \"{outside_line}\"\nsend = \"{send}\"\n{abroad_prefix}{rules}{SIP}"
            );
            let config = Config::parse(&text, Path::new("onhook.toml"));
            let config = config.unwrap_or_else(|wrong| panic!("{text}: {wrong}"));
            DialPolicy::from(&config.dial)
        };
        Site {
            name,
            outside_line,
            policy: policy(send),
            meaning: policy("e164"),
        }
    };
    vec![
        site("open", "", "e164", "'.*'", ""),
        site("open, digits", "", "digits", "'.*'", ""),
        site("outside line 0", "0", "e164", "'.*'", ""),
        site("outside line 9, as dialled", "9", "outside-line", "'.*'", ""),
        site(RULES, "", "e164", "", &rules),
    ]
}

/// What is ordinary and yet covered by no rule that allows, as docs/dialling.md says: with calling code, and why.
const COVERED_BY_NO_RULE: [(&str, &str); 11] = [
    ("800", "international freephone is of no country"),
    ("3188", "Dutch corporate numbers: universal access"),
    ("3363998", "French mobiles in fiction: assigned to nobody"),
    ("35829", "Finnish corporate numbers: universal access"),
    ("4158", "Swiss corporate numbers: universal access"),
    ("44115496", "Nottingham in fiction: assigned to nobody"),
    ("4430", "British non-geographic numbers: universal access"),
    ("4434", "British non-geographic numbers: universal access"),
    ("4437", "British non-geographic numbers: universal access"),
    ("447700900", "British mobiles in fiction: assigned to nobody"),
    ("4610", "Swedish corporate numbers: universal access"),
];

/// What came of one country's spellings.
#[derive(Default)]
struct Tally {
    /// By class: tried, and through.
    dangers: BTreeMap<usize, [usize; 2]>,
    left_out: usize,
    /// Through, but taken for another number of the world, which is what the trunk is sent and what rings.
    others: usize,
    all: u64,
    through: Vec<(Way, &'static str, String)>,
}

/// Whether the trunk is sent a whole number of the world that is not dangerous, instead of the digits that were dialled.
fn rings_another(site: &Site, place: &Place, dialled: &str) -> bool {
    let meaning = site.meaning.decide(&Dialler::default(), dialled);
    let number = meaning
        .number()
        .map(|number| number.as_str().to_owned())
        .unwrap_or_default();
    number
        .strip_prefix('+')
        .is_some_and(|digits| number != bare(dialled) && place.danger_of_digits(digits).is_none())
}

fn try_dangers(vectors: &Vectors, country: &Country, budget: Option<u64>) -> Tally {
    let mut tally = Tally::default();
    let dangers = dangers(vectors, country);
    for site in sites(country) {
        let place = Place::new(vectors, &country.letters, site.outside_line);
        let mut turns = Turns { every: 1, seen: 0 };
        if let Some(budget) = budget {
            let mut all = Turns {
                every: u64::MAX,
                seen: 0,
            };
            spellings(vectors, &place, &dangers, &mut all, &mut |_| ());
            turns.every = all.seen.div_ceil(budget);
        }
        tally.left_out += spellings(vectors, &place, &dangers, &mut turns, &mut |spelling| {
            let decision = site.policy.decide(&Dialler::default(), &spelling.text);
            let counts = tally.dangers.entry(spelling.class as usize).or_default();
            counts[0] += 1;
            if let Some(sent) = decision.number() {
                if rings_another(&site, &place, &spelling.text) {
                    tally.others += 1;
                    return;
                }
                counts[1] += 1;
                let text = format!("{} is sent as {}", spelling.text, sent.as_str());
                tally.through.push((spelling.way, site.name, text));
            }
        });
        tally.all += turns.seen;
    }
    tally
}

/// For every country, or those that the variable names, on all processors.
fn for_all<T: Send>(vectors: &Vectors, what: impl Fn(&Country) -> T + Sync) -> Vec<(&Country, T)> {
    let only = std::env::var("COUNTRIES").unwrap_or_default();
    let countries: Vec<&Country> = vectors
        .countries
        .iter()
        .filter(|country| only.is_empty() || only.contains(&country.letters))
        .collect();
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(&country) = countries.get(next.fetch_add(1, Relaxed)) {
                    let came = what(country);
                    done.lock().unwrap().push((country, came));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(country, _)| &country.letters);
    done
}

#[test]
fn nothing_dangerous_reaches_the_trunk() {
    let vectors = read(&folder());
    let budget = if std::env::var_os("EVERY_SPELLING").is_some() {
        None
    } else {
        Some(SOME)
    };
    let began = Instant::now();
    let tallies = for_all(&vectors, |country| {
        let tally = try_dangers(&vectors, country, budget);
        if budget.is_none() {
            println!("{} is done, {} s", country.letters, began.elapsed().as_secs());
        }
        tally
    });
    print!("{:8}", "through");
    CLASSES.iter().for_each(|(_, name)| print!("{name:>16}"));
    println!("{:>16}{:>10}{:>14}", "all", "left out", "rings another");
    let mut all = [0, 0];
    for (country, tally) in &tallies {
        print!("{:8}", country.letters);
        let mut sum = [0, 0];
        for (class, _) in CLASSES {
            let [tried, through] = tally.dangers.get(&(class as usize)).copied().unwrap_or_default();
            sum = [sum[0] + tried, sum[1] + through];
            print!("{:>16}", format!("{through} of {tried}"));
        }
        let of_all = format!("{} of {}", sum[1], sum[0]);
        println!("{of_all:>16}{:>10}{:>14}", tally.left_out, tally.others);
        all = [all[0] + sum[0], all[1] + sum[1]];
    }
    let there_are: u64 = tallies.iter().map(|(_, tally)| tally.all).sum();
    println!(
        "{} of {} spellings reach the trunk; there are {there_are}, {:.1} s",
        all[1],
        all[0],
        began.elapsed().as_secs_f32()
    );
    let shown: String = tallies
        .iter()
        .map(|(country, tally)| through(country, &tally.through))
        .collect();
    assert!(all[1] == 0, "{shown}");
}

/// The first that got through, by way.
fn through(country: &Country, through: &[(Way, &'static str, String)]) -> String {
    let mut ways: BTreeMap<Way, Vec<String>> = BTreeMap::new();
    for (way, site, text) in through {
        ways.entry(*way).or_default().push(format!("{site}: {text}"));
    }
    let mut ways: Vec<(Way, Vec<String>)> = ways.into_iter().collect();
    ways.sort_by_key(|(_, texts)| std::cmp::Reverse(texts.len()));
    let mut shown = String::new();
    for (way, texts) in ways.iter().take(SHOWN) {
        let Way {
            outside,
            front,
            number,
            form,
        } = way;
        let words: Vec<&str> = [outside, front, number, form]
            .into_iter()
            .filter(|word| !word.is_empty())
            .copied()
            .collect();
        let _ = writeln!(
            shown,
            "{} {:>6}  {}: {}",
            country.letters,
            texts.len(),
            words.join(", "),
            texts[0]
        );
    }
    shown
}

/// The oracle takes no ordinary number for a dangerous one.
#[test]
fn the_oracle_lets_ordinary_numbers_through() {
    let vectors = read(&folder());
    let wrong = for_all(&vectors, |country| {
        let place = Place::new(&vectors, &country.letters, "");
        let taken = country
            .ordinary
            .iter()
            .filter_map(|number| Some((number, place.danger(&bare(number))?)));
        let taken = taken.map(|(number, class)| format!("{} {number}: {class:?}", country.letters));
        taken.collect::<Vec<String>>()
    });
    let wrong: Vec<String> = wrong.into_iter().flat_map(|(_, wrong)| wrong).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_ordinary_number_stays_possible() {
    let vectors = read(&folder());
    let tallies = for_all(&vectors, |country| try_ordinary(&vectors, country));
    println!("{:8}{:>10}{:>10}{:>10}", "ordinary", "strings", "refused", "skipped");
    for (country, (tried, refused, skipped)) in &tallies {
        println!("{:8}{tried:>10}{:>10}{skipped:>10}", country.letters, refused.len());
    }
    let refused: Vec<&str> = tallies
        .iter()
        .flat_map(|(_, (_, refused, _))| refused)
        .map(String::as_str)
        .collect();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

fn try_ordinary(vectors: &Vectors, country: &Country) -> (usize, Vec<String>, usize) {
    let (mut tried, mut refused, mut skipped) = (0, Vec::new(), 0);
    for site in sites(country) {
        let place = Place::new(vectors, &country.letters, site.outside_line);
        for number in &country.ordinary {
            let outside = format!("{} {number}", site.outside_line);
            // Nobody dials an outside line before a +.
            let has_two = !site.outside_line.is_empty() && !bare(number).starts_with('+');
            let with_and_without = [number.as_str(), outside.as_str()];
            for text in &with_and_without[..if has_two { 2 } else { 1 }] {
                let text_bare = bare(text);
                let is_dangerous = || !site.outside_line.is_empty() && place.danger(&text_bare).is_some();
                let is_decided = site.name == RULES && is_covered_by_no_rule(&place, &text_bare);
                if is_decided || is_dangerous() {
                    skipped += 1;
                    continue;
                }
                tried += 1;
                let decision = site.policy.decide(&Dialler::default(), text);
                if decision.number().is_none() {
                    refused.push(format!(
                        "{} {}: {text}\n{}",
                        country.letters,
                        site.name,
                        decision.in_full()
                    ));
                }
            }
        }
    }
    (tried, refused, skipped)
}

/// Nor is a number that is dialled abroad by another carrier than the site's.
fn is_covered_by_no_rule(place: &Place, text: &str) -> bool {
    let own = abroad_prefix(place.country());
    if place.is_abroad(text) && !text.starts_with(own) {
        return true;
    }
    let mut meant = place
        .readings(text)
        .into_iter()
        .filter_map(|reading| place.e164(reading));
    meant.any(|e164| COVERED_BY_NO_RULE.iter().any(|(start, _)| e164.starts_with(start)))
}
