//! Every way to dial a number that must never be called, as people and equipment of a country could dial it.

use crate::readings::{BARE, Place};
use crate::vectors::{Class, Country, Danger, Vectors, bare, filled, rests};

/// One way to dial one danger.
pub(crate) struct Spelling {
    pub(crate) class: Class,
    pub(crate) way: Way,
    pub(crate) text: String,
}

/// What a spelling is made of, from left to right, in words.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Way {
    pub(crate) outside: &'static str,
    pub(crate) front: &'static str,
    pub(crate) number: &'static str,
    pub(crate) form: &'static str,
}

/// How a number alone is written.
struct Written {
    way: &'static str,
    text: String,
    /// Whether the digits may be somebody's phone as well.
    doubtful: bool,
    /// Whether it is one of many alike, which are tried with less around them.
    alike: bool,
}

/// Digits too many.
const SURPLUS: [&str; 3] = ["1", "42", "705"];

const AT_HOME: &str = "as at home";
const BARE_OWN: &str = "without plus";
const BARE_NATIONAL: &str = "without prefix";
const BARE_FOREIGN: &str = "without plus, foreign";
const TWICE: &str = "outside line twice";

const FORMS: [&str; 3] = ["punctuated", "tel:", "sip:"];

/// How many numbers of every other country.
const SAMPLE: usize = 3;

/// What is dangerous when dialled in that country: its own numbers, those of no country, and a few of every other one.
pub(crate) fn dangers<'v>(vectors: &'v Vectors, country: &'v Country) -> Vec<&'v Danger> {
    let others = vectors
        .countries
        .iter()
        .filter(|other| other.letters != country.letters);
    let foreign = others.flat_map(|other| {
        let plan: Vec<&Danger> = other.dangers.iter().filter(|danger| danger.e164.is_some()).collect();
        let step = plan.len().div_ceil(SAMPLE).max(1);
        plan.into_iter().step_by(step)
    });
    country.dangers.iter().chain(&vectors.world).chain(foreign).collect()
}

/// Hands over those whose turn it is, and all that are dialled plainly; says how many there were that are an ordinary
/// number, too, or may be one.
pub(crate) fn spellings(
    vectors: &Vectors,
    place: &Place,
    dangers: &[&Danger],
    turns: &mut Turns,
    take: &mut dyn FnMut(Spelling),
) -> usize {
    let country = place.country();
    let fronts = fronts(country);
    let lines = lines(place.outside_line());
    let ordinary: Vec<String> = country.ordinary.iter().map(|number| bare(number)).collect();
    let mut left_out = 0;
    for (at, danger) in dangers.iter().enumerate() {
        for number in written(country, danger, at) {
            for (front, surplus, form) in around(&fronts, &number, at) {
                let is_alone = surplus.is_empty() && ["", "service code", "two service codes"].contains(&front.way);
                if danger.whole && !is_alone {
                    continue;
                }
                for (outside, line) in lines_before(&lines, &number, front, place) {
                    let is_plain =
                        number.way == AT_HOME && [outside, front.way, surplus, form].iter().all(|part| part.is_empty());
                    // What lacks its prefix no network makes whole, and least with digits behind.
                    if number.way.starts_with("without") && !surplus.is_empty() {
                        continue;
                    }
                    if !turns.next() && !is_plain {
                        continue;
                    }
                    let digits = format!("{}{surplus}", number.text);
                    let whole = format!("{line}{}{digits}", front.text);
                    let is_doubtful = number.doubtful || danger.e164.is_none() && !surplus.is_empty();
                    let may_be_a_phone = match is_doubtful {
                        true => place.may_be_a_phone(&digits, 1) || place.may_be_a_phone(&whole, 1),
                        false => danger.e164.is_none() && whole != digits && place.is_ordinary(&whole, 0),
                    };
                    // What begins like the line is a line and something else.
                    let is_a_line = is_doubtful
                        && line.is_empty()
                        && !place.outside_line().is_empty()
                        && whole.starts_with(place.outside_line());
                    let is_a_local = number.way == BARE_FOREIGN && country.is_as_long_as_a_local(&whole);
                    let is_abroad = match (*outside, surplus) {
                        (TWICE, _) => place.is_abroad(&whole),
                        ("", _) | (_, "") => false,
                        _ => {
                            let mut abroad = rests(&whole, &country.prefixes.abroad).into_iter();
                            abroad.any(|digits| vectors.is_ordinary_abroad(digits))
                        }
                    };
                    if may_be_a_phone || is_a_line || is_a_local || is_abroad || ordinary.contains(&whole) {
                        left_out += 1;
                        continue;
                    }
                    let form_or_surplus = if surplus.is_empty() { form } else { "digits too many" };
                    take(Spelling {
                        class: danger.class,
                        way: Way {
                            outside,
                            front: front.way,
                            number: number.way,
                            form: form_or_surplus,
                        },
                        text: formed(&whole, form),
                    });
                }
            }
        }
    }
    left_out
}

/// Whose turn it is when not all are tried: one in so many, spread evenly and the same in every run.
#[derive(Default)]
pub(crate) struct Turns {
    pub(crate) every: u64,
    pub(crate) seen: u64,
}

impl Turns {
    fn next(&mut self) -> bool {
        self.seen += 1;
        (self.seen.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32).is_multiple_of(self.every)
    }
}

/// Two lines are tried with the number alone; none where line and digits would be a national number.
fn lines_before<'l>(
    lines: &'l [(&'static str, String)],
    number: &Written,
    front: &Front,
    place: &Place,
) -> &'l [(&'static str, String)] {
    let is_national = number.way == BARE_FOREIGN || number.way == BARE_OWN && place.line_is_a_prefix();
    let most = match (is_national, front.parts) {
        (true, _) => 1,
        (false, 0) => 3,
        (false, _) => 2,
    };
    &lines[..lines.len().min(most)]
}

fn lines(outside_line: &str) -> Vec<(&'static str, String)> {
    let mut lines = vec![("", String::new())];
    if !outside_line.is_empty() {
        lines.push(("outside line", outside_line.to_owned()));
        lines.push((TWICE, outside_line.repeat(2)));
    }
    lines
}

/// What is put before a number and behind it, and the form of the whole: everything together with little else.
fn around<'f>(fronts: &'f [Front], number: &Written, at: usize) -> Vec<(&'f Front, &'static str, &'static str)> {
    let mut around = Vec::new();
    for (turn, front) in fronts.iter().enumerate() {
        // Nobody and nothing dials more around a number abroad that has not even its prefix.
        let is_alone = number.way == BARE_FOREIGN;
        let is_its_turn = front.parts < 2 || turn % 4 == at % 4;
        if !is_its_turn || is_alone && front.parts > 0 || !front.may_stand_before(&number.text) {
            continue;
        }
        around.push((front, "", ""));
        let is_bare = number.way == BARE_OWN || number.way == BARE_NATIONAL;
        if front.parts == 0 && !is_alone || front.parts == 1 && !number.alike && !is_bare {
            around.extend(SURPLUS.map(|digits| (front, digits, "")));
        }
        if front.parts == 0 {
            around.extend(FORMS.map(|form| (front, "", form)));
        } else if !number.alike {
            around.push((front, "", FORMS[(at + turn) % FORMS.len()]));
        }
    }
    around
}

/// What is dialled before a number.
struct Front {
    way: &'static str,
    text: String,
    parts: usize,
}

impl Front {
    /// A phone sends a + alone or behind a service code; an exchange does not take it from the keypad.
    fn may_stand_before(&self, number: &str) -> bool {
        !number.starts_with('+') || self.parts == 0 || self.way == "service code"
    }
}

fn fronts(country: &Country) -> Vec<Front> {
    let codes: Vec<String> = country.prefixes.codes.iter().flat_map(|code| filled(code)).collect();
    let carriers: Vec<String> = country.prefixes.carrier.iter().flat_map(|code| filled(code)).collect();
    let front = |way, text: String, parts| Front { way, text, parts };
    let mut fronts = vec![front("", String::new(), 0)];
    for (at, code) in codes.iter().enumerate() {
        fronts.push(front("service code", code.clone(), 1));
        let next = &codes[(at + 1) % codes.len()];
        fronts.push(front("two service codes", format!("{code}{next}"), 2));
        let Some(carrier) = carriers.get(at % carriers.len().max(1)) else {
            continue;
        };
        fronts.push(front("service code, carrier", format!("{code}{carrier}"), 2));
        fronts.push(front("carrier, service code", format!("{carrier}{code}"), 2));
    }
    fronts.extend(carriers.into_iter().map(|carrier| front("carrier", carrier, 1)));
    fronts
}

fn written(country: &Country, danger: &Danger, at: usize) -> Vec<Written> {
    let mut all = Vec::new();
    let mut add = |way, text: String, doubtful, alike| {
        all.push(Written {
            way,
            text,
            doubtful,
            alike,
        })
    };
    // What other countries dial at home is no spelling here.
    let is_own = country.dangers.iter().any(|own| own == danger);
    if is_own && !danger.home.is_empty() {
        add(AT_HOME, danger.home.clone(), false, false);
    }
    let abroad: Vec<String> = country
        .prefixes
        .abroad
        .iter()
        .flat_map(|prefix| filled(prefix))
        .collect();
    if danger.whole {
        return all;
    }
    let Some(e164) = &danger.e164 else {
        let home = &danger.home;
        let code = &country.calling_code;
        // A prefix stands before no number that begins with it.
        for prefix in country
            .prefixes
            .national
            .iter()
            .filter(|prefix| !home.starts_with(*prefix))
        {
            add("national prefix, short number", format!("{prefix}{home}"), true, false);
        }
        add(
            "plus, calling code, short number",
            format!("+{code}{home}"),
            true,
            false,
        );
        for (turn, prefix) in abroad.iter().enumerate() {
            let text = format!("{prefix}{code}{home}");
            add("abroad prefix, calling code, short number", text, true, turn > 0);
        }
        return all;
    };
    let digits = &e164[1..];
    let national = digits.strip_prefix(country.calling_code.as_str());
    let is_of_here = national.is_some() && is_own;
    let (plus, prefixed, without) = match is_of_here {
        true => ("plus", "abroad prefix", BARE_OWN),
        false => ("plus, foreign", "abroad prefix, foreign", BARE_FOREIGN),
    };
    add(plus, e164.clone(), false, !is_of_here);
    for (turn, prefix) in abroad.iter().enumerate() {
        // Behind 01, a calling code 1 would make it 011.
        if !rests(&format!("{prefix}{digits}"), &country.prefixes.abroad).contains(&digits) {
            continue;
        }
        if is_of_here || turn == 0 || turn % 8 == at % 8 {
            add(prefixed, format!("{prefix}{digits}"), false, turn > 0 || !is_of_here);
        }
    }
    if digits.len() >= BARE {
        add(without, digits.to_owned(), true, !is_of_here);
    }
    if let Some(national) = national.filter(|_| is_of_here) {
        if national.len() >= BARE && national != danger.home {
            add(BARE_NATIONAL, national.to_owned(), true, false);
        }
        for prefix in country
            .prefixes
            .carrier_national
            .iter()
            .flat_map(|prefix| filled(prefix))
        {
            add(
                "carrier for the national prefix",
                format!("{prefix}{national}"),
                false,
                true,
            );
        }
    }
    all
}

fn formed(whole: &str, form: &str) -> String {
    match form {
        "tel:" => format!("tel:{whole}"),
        "sip:" => format!("sip:{whole}@gw.example"),
        "punctuated" => {
            let mut text = String::new();
            for (at, c) in whole.chars().enumerate() {
                text += ["", " ", "-", "", " (", ")", "."][if at == 0 { 0 } else { at % 7 }];
                text.push(c);
            }
            text
        }
        _ => whole.to_owned(),
    }
}
