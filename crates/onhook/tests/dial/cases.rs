//! Users at sites, as the policy sees them and as the oracle does.

use std::path::Path;

use dial::{DialPolicy, Dialler};
use onhook::config::Config;

use crate::oracle::{Opinion, Send};
use crate::readings::Place;
use crate::vectors::Vectors;

pub(crate) const GERMANY: &str = include_str!("sites/germany.toml");
const AMERICA: &str = include_str!("sites/america.toml");
const SLOPPY: &str = include_str!("sites/sloppy.toml");

pub(crate) struct Case {
    pub(crate) name: String,
    /// Where it is; empty for a site without a plan.
    pub(crate) letters: &'static str,
    pub(crate) outside_line: &'static str,
    pub(crate) policy: DialPolicy,
    pub(crate) dialler: Dialler,
    pub(crate) opinion: Opinion,
}

const HOUSE: &str = "^([1-35-9][0-9]{2,3}|4[0-8][0-9]{1,2}|49[0-8][0-9]?|499[0-8]?)$";
const BOSS_BEHIND_THE_GATEWAY: &str = "!^sip:4999@";
const GATEWAY: &str = r"^sip:[A-Za-z0-9._+*-]+@pbx\.example\.com$";
const NATIONAL: &str = r"^\+1[2-9][0-9]{9}$";
const NEW_YORK: &str = r"!^\+1212";
const CANADA_AND_THE_CARIBBEAN: &str = r"!^\+1(204|416|514|604|876|809|829|849|242|246|441|473|649|664)";
const ANYTHING: &str = "^[0-9+*#]+$";
const PHONE: &str = r"^\+33612345678$";
const BERLIN: &str = r"^\+49(30|171)[0-9]+$";
const AUSTRIA_AND_SWITZERLAND: &str = r"^\+4[13][0-9]{4,}$";

/// One site, its user, and what the oracle goes by.
struct Site {
    name: String,
    toml: String,
    letters: &'static str,
    outside_line: &'static str,
    send: Send,
    extensions: &'static str,
    user: &'static str,
    has_numbers: bool,
    rules: Vec<&'static str>,
}

impl Site {
    fn case(self, vectors: &Vectors) -> Case {
        let config = Config::parse(&self.toml, Path::new("onhook.toml")).unwrap();
        let place = Place::new(vectors, self.letters, self.outside_line);
        let exchange = Place::new(vectors, self.letters, "");
        Case {
            name: self.name,
            letters: self.letters,
            outside_line: self.outside_line,
            policy: DialPolicy::from(&config.dial),
            dialler: Dialler {
                name: Some(self.user.to_owned()),
                extension: self.has_numbers.then(|| "4711".to_owned()),
                phones: self
                    .has_numbers
                    .then(|| "+33 6 12 34 56 78".to_owned())
                    .into_iter()
                    .collect(),
            },
            opinion: Opinion::new(place, exchange, self.send, self.extensions, &self.rules),
        }
    }
}

/// Seven users at five sites with rules of their own, and sites that allow everything in twelve countries.
pub(crate) fn cases(vectors: &Vectors) -> Vec<Case> {
    let sites = ruled().into_iter().chain(OPEN.map(open));
    sites.map(|site| site.case(vectors)).collect()
}

fn ruled() -> Vec<Site> {
    let no_plan = |name: &str, toml: &str, extensions, has_numbers, rules: &[&'static str]| Site {
        name: name.to_owned(),
        toml: toml.to_owned(),
        letters: "",
        outside_line: "",
        send: Send::E164,
        extensions,
        user: "alice",
        has_numbers,
        rules: rules.to_vec(),
    };
    let german = |name: &str, toml: &str, extensions, user, has_numbers, rules: &[&'static str]| Site {
        letters: "DE",
        outside_line: "0",
        user,
        ..no_plan(name, toml, extensions, has_numbers, rules)
    };
    let house = "^[1-9][0-9]{2,3}$";
    let short = "[dial]\nallow = [\"^[0-9]{2,6}$\"]";
    vec![
        no_plan("defaults", "", "^4711$", true, &["^4711$", PHONE]),
        no_plan("defaults, nobody", "", "", false, &[]),
        no_plan("short form", short, "^[0-9]{2,6}$", false, &["^[0-9]{2,6}$"]),
        german(
            "germany",
            GERMANY,
            house,
            "alice",
            true,
            &[HOUSE, BERLIN, PHONE, GATEWAY, BOSS_BEHIND_THE_GATEWAY],
        ),
        german(
            "germany, sales",
            GERMANY,
            house,
            "bob",
            false,
            &[HOUSE, BERLIN, AUSTRIA_AND_SWITZERLAND, GATEWAY, BOSS_BEHIND_THE_GATEWAY],
        ),
        Site {
            letters: "US",
            outside_line: "9",
            user: "bob",
            ..no_plan(
                "america",
                AMERICA,
                "^[2-8][0-9]{3}$",
                false,
                &[NATIONAL, NEW_YORK, CANADA_AND_THE_CARIBBEAN],
            )
        },
        german("sloppy", SLOPPY, "^.*$", "alice", false, &[ANYTHING, GATEWAY]),
    ]
}

/// Where sites allow everything, their outside line, and what their trunks want.
const OPEN: [(&str, &str, Send); 12] = [
    ("AU", "0", Send::E164),
    ("BR", "", Send::E164),
    ("CH", "0", Send::OutsideLine),
    ("DE", "", Send::E164),
    ("ES", "", Send::Digits),
    ("FR", "0", Send::E164),
    ("GB", "9", Send::OutsideLine),
    ("IT", "0", Send::E164),
    ("JP", "", Send::Digits),
    ("RU", "9", Send::E164),
    ("SE", "", Send::E164),
    ("US", "9", Send::OutsideLine),
];

fn open((letters, outside_line, send): (&'static str, &'static str, Send)) -> Site {
    let wants = match send {
        Send::E164 => "e164",
        Send::Digits => "digits",
        Send::OutsideLine => "outside-line",
    };
    let plan = format!("country = \"{letters}\"\noutside_line = \"{outside_line}\"\nsend = \"{wants}\"");
    let gateway = "[[dial.rule]]\nname = \"gateway\"\nkind = \"sip\"\nhosts = [\"pbx.example.com\"]";
    Site {
        name: format!("open, {letters}"),
        toml: format!("[dial]\nallow = [\".*\"]\n[dial.plan]\n{plan}\n{gateway}\n"),
        letters,
        outside_line,
        send,
        extensions: "",
        user: "alice",
        has_numbers: false,
        rules: vec![ANYTHING, GATEWAY],
    }
}
