//! Dial strings by the million, each of a user at one of seven sites: nothing gets through that the oracle would not have
//! let through. A part of them is what got through before, with one character changed. `make dial-strings` runs ten million
//! and shows how far it is; a plain test run a few.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use onhook::config::Config;
use onhook::dial::{DialPolicy, Dialler, Refusal};

use crate::oracle::{Dialling, Opinion};
use crate::{AMERICA, GERMANY, SLOPPY};

/// How many to try, unless `DIAL_STRINGS` says so.
const FEW: u64 = 70_000;

/// A user at a site, as the policy sees it and as the oracle does.
struct Case {
    name: &'static str,
    policy: DialPolicy,
    dialler: Dialler,
    opinion: Opinion,
}

/// Wherever the site is.
const NEVER: [&str; 4] = [
    r"^(behind sip:)?\+?0*(112|911)$",
    r"^(behind sip:)?\+(870|878|881|882|883|979|808)",
    r"^(behind sip:)?\+49(900[135][0-9]{6}|180[1-7][0-9]{6})",
    r"^(behind sip:)?\+1900[2-9][0-9]{2}[0-9]{4}",
];

/// In Germany besides.
const NEVER_IN_GERMANY: [&str; 1] = [r"^(behind sip:)?(\+49|\+?0*)(110|112)$"];

/// Nor the boss, by whatever way.
const NEVER_THERE: [&str; 2] = [NEVER_IN_GERMANY[0], "^(behind sip:)?4999$"];

const HOUSE: &str = "^([1-35-9][0-9]{2,3}|4[0-8][0-9]{1,2}|49[0-8][0-9]?|499[0-8]?)$";
const GATEWAY: &str = r"^sip:[A-Za-z0-9._+*-]+@pbx\.example\.com$";
const NATIONAL: &str = r"^\+1[2-9][0-9]{9}$";
const NEW_YORK: &str = r"!^\+1212";
const CANADA_AND_THE_CARIBBEAN: &str = r"!^\+1(204|416|514|604|876|809|829|849|242|246|441|473|649|664)";

fn case(
    name: &'static str,
    toml: &str,
    user: &str,
    numbers: Option<(&str, &str)>,
    dialling: Dialling,
    allowed: &[&str],
    never: &[&str],
) -> Case {
    let config = Config::parse(toml, Path::new("onhook.toml")).unwrap();
    Case {
        name,
        policy: DialPolicy::from_config(&config.dial),
        dialler: Dialler {
            name: Some(user.to_owned()),
            extension: numbers.map(|(extension, _)| extension.to_owned()),
            phones: numbers.map(|(_, phone)| phone.to_owned()).into_iter().collect(),
        },
        opinion: Opinion::new(dialling, allowed, &[&NEVER, never].concat()),
    }
}

fn cases() -> Vec<Case> {
    let german = || Dialling {
        outside: "0",
        abroad: "00",
        inland: "0",
        home: "49",
        all_the_world: false,
    };
    let sloppy = || Dialling {
        all_the_world: true,
        ..german()
    };
    let american = || Dialling {
        outside: "9",
        abroad: "011",
        inland: "",
        home: "1",
        all_the_world: false,
    };
    // What no plan can place is what was dialled; with a + it may still be somebody's phone.
    let no_plan = || Dialling {
        outside: "none",
        abroad: "none",
        inland: "none",
        home: "none",
        all_the_world: false,
    };
    let own = Some(("4711", "+33 6 12 34 56 78"));
    let phone = r"^\+33612345678$";
    let abroad = r"^\+4[13][0-9]{4,}$";
    let berlin = r"^\+49(30|171)[0-9]+$";
    let national = [NATIONAL, NEW_YORK, CANADA_AND_THE_CARIBBEAN];
    vec![
        case("defaults", "", "alice", own, no_plan(), &["^4711$", phone], &[]),
        case("defaults, nobody", "", "bob", None, no_plan(), &[], &[]),
        case(
            "short form",
            "[dial]\nallow = [\"^[0-9]{2,6}$\"]",
            "alice",
            None,
            no_plan(),
            &["^[0-9]{2,6}$"],
            &[],
        ),
        case(
            "germany",
            GERMANY,
            "alice",
            own,
            german(),
            &[HOUSE, berlin, phone, GATEWAY],
            &NEVER_THERE,
        ),
        case(
            "germany, sales",
            GERMANY,
            "bob",
            None,
            german(),
            &[HOUSE, berlin, abroad, GATEWAY],
            &NEVER_THERE,
        ),
        case("america", AMERICA, "bob", None, american(), &national, &[]),
        case(
            "sloppy",
            SLOPPY,
            "alice",
            None,
            sloppy(),
            &["^[0-9+*#]+$", GATEWAY],
            &NEVER_IN_GERMANY,
        ),
    ]
}

/// Steele, Lea and Flood's SplitMix64: the same strings on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }
}

const STARTS: [&str; 20] = [
    "", "", "", "+", "+", "0", "0", "00", "00", "000", "9", "9011", "011", "1", "91", "tel:", "TEL:+", " ", "(", "*31#",
];
const PARTS: [&str; 40] = [
    "49",
    "49",
    "30",
    "171",
    "30",
    "43",
    "41",
    "43",
    "1",
    "1",
    "212",
    "312",
    "876",
    "416",
    "900",
    "9001",
    "180",
    "1803",
    "137",
    "870",
    "881",
    "882",
    "979",
    "808",
    "112",
    "911",
    "110",
    "999",
    "4711",
    "4999",
    "499",
    "33612345678",
    "700",
    "800",
    "32",
    "33",
    "123",
    "(0)",
    "44",
    "0",
];
const BETWEEN: [&str; 12] = ["", "", "", "", "", "", " ", "-", ".", "(", ")", "/"];
const JUNK: [&str; 22] = [
    "*", "#", "+", ";ext=1", "?x", "%30", "\r\n", "\t", "\0", "٤", "４", "x", "@", ":", ",", "sip:", "a", "é",
    "\u{200b}", "tel:", "\u{7f}", "A",
];
const HOSTS: [&str; 9] = [
    "pbx.example.com",
    "PBX.example.COM",
    "pbx.example.com:5060",
    "evil.example",
    "pbx.example.com.evil.example",
    "pbx.example.com;transport=tcp",
    "pbx.example.com?a=b",
    "x@pbx.example.com",
    "pbx.example.com ",
];

fn dial_string(random: &mut Random) -> String {
    let mut text = String::from(random.one(&STARTS));
    for _ in 0..random.below(4) {
        text += random.one(&PARTS);
        text += random.one(&BETWEEN);
    }
    for _ in 0..random.below(10) {
        text.push(char::from(b'0' + random.below(10) as u8));
        if random.below(12) == 0 {
            text += random.one(&BETWEEN);
        }
    }
    match random.below(16) {
        0 => {
            let mut at = random.below(text.len() + 1);
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            text.insert_str(at, random.one(&JUNK));
        }
        1 => {
            text = format!(
                "{}{text}@{}",
                random.one(&["sip:", "SIP:", "sips:", "sip:a"]),
                random.one(&HOSTS)
            )
        }
        // What somebody may call, wherever that is.
        3 => {
            text = random
                .one(&[
                    "4711",
                    "47-11",
                    "+33 6 12345678",
                    "030 123456",
                    "2155551234",
                    "sip:4998@pbx.example.com",
                ])
                .to_owned()
        }
        2 => text = text.repeat(1 + random.below(4)),
        _ => {}
    }
    text
}

/// The same with one character more, less, or another.
fn near(random: &mut Random, dialled: &str) -> String {
    const OTHERS: [char; 19] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', '+', '-', ' ', '@', ';', 'a', '\n',
    ];
    let mut characters: Vec<char> = dialled.chars().collect();
    let at = random.below(characters.len());
    let other = OTHERS[random.below(OTHERS.len())];
    match random.below(3) {
        0 => characters.insert(at, other),
        1 => drop(characters.remove(at)),
        _ => characters[at] = other,
    }
    characters.into_iter().collect()
}

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

fn try_some(how_many: u64, mut random: Random, cases: &[Case], outcomes: &[Outcomes], told: &dyn Fn()) {
    let mut last_through = vec![String::new(); cases.len()];
    for turn in 1..=how_many {
        let at = random.below(cases.len());
        let case = &cases[at];
        let dialled = match &mut last_through[at] {
            last if !last.is_empty() && random.below(4) == 0 => near(&mut random, last),
            _ => dial_string(&mut random),
        };
        let decision = case.policy.decide(&case.dialler, &dialled);
        outcomes[at][outcome(decision.refusal())].fetch_add(1, Relaxed);
        if let Some(sent) = decision.number() {
            if let Some(objection) = case.opinion.objection(&dialled, sent.as_str()) {
                panic!("{}: {dialled:?}: {objection}\n{}", case.name, decision.in_full());
            }
            last_through[at] = dialled;
        }
        if turn % STRETCH == 0 {
            told();
        }
    }
}

/// After so many, a word of how far it is.
const STRETCH: u64 = 250_000;

#[test]
fn nothing_gets_through_without_a_rule() {
    let total = std::env::var("DIAL_STRINGS").map_or(FEW, |count| count.parse().unwrap());
    let seed: u64 = std::env::var("SEED").map_or(1, |seed| seed.parse().unwrap());
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let began = Instant::now();
    let cases = cases();
    let outcomes: Vec<Outcomes> = cases.iter().map(|_| Default::default()).collect();
    let tried = AtomicU64::new(0);
    let told = || {
        let tried = tried.fetch_add(STRETCH, Relaxed) + STRETCH;
        println!("{tried} of {total} dial strings, {} s", began.elapsed().as_secs());
    };
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (cases, outcomes, told) = (&cases, &outcomes, &told);
            let random = Random(seed << 56 | thread << 48);
            scope.spawn(move || try_some(total.div_ceil(threads), random, cases, outcomes, told));
        }
    });
    print!("{:16}", "");
    OUTCOMES.iter().for_each(|outcome| print!("{outcome:>13}"));
    println!();
    for (case, outcomes) in cases.iter().zip(&outcomes) {
        let counts = outcomes.each_ref().map(|count| count.load(Relaxed));
        print!("{:16}", case.name);
        counts.iter().for_each(|count| print!("{count:>13}"));
        println!();
        // The strings are such that each comes about, wherever it can.
        let can = [case.name != "defaults, nobody", case.name != "sloppy", true, true, true];
        assert_eq!(counts.map(|count| count > 0), can, "{}", case.name);
    }
}

/// The oracle can object: each objection once, to a policy that would have let the number through.
#[test]
fn the_oracle_objects() {
    let cases = cases();
    let germany = &cases[3].opinion;
    for (dialled, sent, objection) in [
        (
            "4711\n",
            "4711",
            Some("too long, or with bytes that no dial string has"),
        ),
        ("4711", "4712", Some("what was sent is not what was dialled")),
        (
            "030123456",
            "+4931123456",
            Some("what was sent is not what was dialled"),
        ),
        ("4999", "4999", Some("no rule allows it")),
        (
            "sip:4999@pbx.example.com",
            "sip:4999@pbx.example.com",
            Some("it may never be called"),
        ),
        ("0043 1 234567", "+431234567", Some("no rule allows it")),
        ("sip:a@evil.example", "sip:a@evil.example", Some("no rule allows it")),
        ("112", "112", Some("it may never be called")),
        (
            "sip:112@pbx.example.com",
            "sip:112@pbx.example.com",
            Some("it may never be called"),
        ),
        ("0 030-123456", "+4930123456", None),
        ("4711", "4711", None),
    ] {
        assert_eq!(germany.objection(dialled, sent), objection, "{dialled}");
    }
    let sloppy = &cases[6].opinion;
    assert_eq!(
        sloppy.objection("09001234567", "09001234567"),
        Some("it may never be called")
    );
}
