//! Everything that a dial string could mean where it is dialled, likely or not: outside lines, service codes, carriers and
//! prefixes are taken off as the country's vectors list them, in any order and number.

use std::collections::{BTreeMap, BTreeSet};

use crate::vectors::{Class, Country, Danger, Prefixes, Vectors, rests};

/// Where a number begins in a dial string, and what it is then.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Reading<'t> {
    /// As dialled at home, with nothing but lines and service codes before it.
    Home(&'t str),
    /// As dialled at home, behind a carrier, or a code that is in no list.
    Carried(&'t str),
    /// As dialled at home, behind a national prefix or the country's own calling code, where it does not belong.
    Misplaced(&'t str),
    /// Behind a national prefix, or a carrier in its place.
    National(&'t str),
    /// Behind `+` or a prefix for abroad: a calling code and what follows.
    Abroad(&'t str),
}

/// Where somebody dials, and what is dangerous from there.
pub(crate) struct Place {
    country: Country,
    outside_line: String,
    /// For what is ordinary abroad.
    vectors: Vectors,
    short: Vec<Danger>,
    home: Starts,
    world: Starts,
}

impl Place {
    /// In that country; in no known one, 112 and 911 are known, also behind zeros, and what is dangerous with a `+`.
    pub(crate) fn new(vectors: &Vectors, letters: &str, outside_line: &str) -> Self {
        let found = vectors.countries.iter().find(|country| country.letters == letters);
        let country = match letters {
            "" => Country::nowhere(),
            _ => found.unwrap_or_else(|| panic!("no vectors for {letters}")).clone(),
        };
        let digits = country.calling_code.len();
        let mut place = Self {
            outside_line: outside_line.to_owned(),
            vectors: vectors.clone(),
            short: Vec::new(),
            home: Starts::default(),
            world: Starts::default(),
            country,
        };
        for danger in &place.country.dangers {
            match &danger.e164 {
                None => place.short.push(danger.clone()),
                Some(e164) => {
                    let prefix = danger.home.len().saturating_sub(e164.len() - 1 - digits);
                    place.home.add(danger, &danger.home, prefix);
                }
            }
        }
        for country in &vectors.countries {
            let plan = country
                .dangers
                .iter()
                .filter_map(|danger| Some((danger, danger.e164.as_deref()?)));
            for (danger, e164) in plan {
                place.world.add(danger, &e164[1..], country.calling_code.len());
            }
        }
        // A code of no country is dangerous as a whole.
        for (class, e164) in vectors
            .world
            .iter()
            .filter_map(|danger| Some((danger.class, danger.e164.as_deref()?)))
        {
            place.world.insert(class, &e164[1..4], e164.len() - 1);
        }
        place
    }

    pub(crate) fn country(&self) -> &Country {
        &self.country
    }

    pub(crate) fn outside_line(&self) -> &str {
        &self.outside_line
    }

    /// Of a string without what is there for the eye.
    pub(crate) fn readings<'t>(&self, text: &'t str) -> BTreeSet<Reading<'t>> {
        let mut readings = BTreeSet::new();
        let mut open = vec![Reading::Home(text)];
        while let Some(reading) = open.pop() {
            if readings.insert(reading) {
                open.extend(self.without_the_first_part(reading, text));
            }
        }
        readings
    }

    /// The digits with calling code, of a reading that has one.
    pub(crate) fn e164(&self, reading: Reading<'_>) -> Option<String> {
        match reading {
            Reading::Home(_) | Reading::Carried(_) | Reading::Misplaced(_) => None,
            Reading::National(text) => Some(format!("{}{text}", self.country.calling_code)),
            Reading::Abroad(text) => Some(text.to_owned()),
        }
    }

    fn without_the_first_part<'t>(&self, reading: Reading<'t>, whole: &str) -> Vec<Reading<'t>> {
        let mut found = match reading {
            Reading::National(_) => return Vec::new(),
            Reading::Abroad(text) => {
                let rest = text.strip_prefix(self.country.calling_code.as_str());
                return rest.map_or(Vec::new(), |rest| {
                    vec![Reading::National(rest), Reading::Misplaced(rest)]
                });
            }
            Reading::Home(text) => self.without_a_front(text, Reading::Home, whole),
            Reading::Carried(text) => self.without_a_front(text, Reading::Carried, whole),
            Reading::Misplaced(_) => Vec::new(),
        };
        let (Reading::Home(text) | Reading::Carried(text) | Reading::Misplaced(text)) = reading else {
            return found;
        };
        let Prefixes { national, abroad, .. } = &self.country.prefixes;
        if !matches!(reading, Reading::Misplaced(_)) {
            found.extend(text.strip_prefix('+').map(Reading::Abroad));
        }
        // Behind the country's own code a second prefix for abroad is a slip, and nobody makes it before a short number.
        let is_slip = |rest: &&str| matches!(reading, Reading::Misplaced(_)) && rest.len() < BARE;
        let abroad = rests(text, abroad).into_iter().filter(|rest| !is_slip(rest));
        found.extend(abroad.map(Reading::Abroad));
        // A second one is dialled by nobody, but for zeros.
        let is_second = matches!(reading, Reading::Misplaced(_)) && !text.starts_with('0');
        for rest in rests(text, national).into_iter().filter(|_| !is_second) {
            // Not one zero of a number abroad's two.
            if !(self.is_abroad(text) && national.iter().any(|prefix| rest.starts_with(prefix.as_str()))) {
                found.extend([Reading::National(rest), Reading::Misplaced(rest)]);
            }
        }
        found
    }

    /// Lines, service codes and carriers.
    fn without_a_front<'t>(&self, text: &'t str, kept: fn(&'t str) -> Reading<'t>, whole: &str) -> Vec<Reading<'t>> {
        let Prefixes {
            carrier,
            carrier_national,
            codes,
            ..
        } = &self.country.prefixes;
        let mut found: Vec<Reading<'t>> = rests(text, codes).into_iter().map(kept).collect();
        // Behind what may be a code that is in no list: digits between two of * and #.
        let ends = text.match_indices(['*', '#']).map(|(at, _)| at);
        let codes =
            ends.filter(|at| text.starts_with(['*', '#']) && text[..*at].contains(|c: char| c.is_ascii_digit()));
        found.extend(codes.map(|at| Reading::Carried(&text[at + 1..])));
        found.extend(rests(text, carrier).into_iter().map(Reading::Carried));
        found.extend(rests(text, carrier_national).into_iter().map(Reading::National));
        // Two lines are no number abroad.
        let is_second = text.len() + self.outside_line.len() == whole.len() && self.is_abroad(whole);
        let line = Some(self.outside_line.as_str()).filter(|line| !line.is_empty() && !is_second);
        found.extend(line.and_then(|line| text.strip_prefix(line)).map(kept));
        found
    }

    /// Whether it begins with a prefix for abroad and has enough digits behind it for a number there.
    pub(crate) fn is_abroad(&self, text: &str) -> bool {
        let mut digits = rests(text, &self.country.prefixes.abroad).into_iter();
        digits.any(|digits| digits.len() >= BARE && !digits.starts_with('0'))
    }

    /// Which danger a string is, or begins with, in any reading.
    pub(crate) fn danger(&self, text: &str) -> Option<Class> {
        self.danger_with(text, usize::MAX)
    }

    /// The same of a site's own number, which may begin with a short one, or be one that phones alone know.
    pub(crate) fn danger_without_surplus(&self, text: &str) -> Option<Class> {
        self.danger_with(text, 0)
    }

    fn danger_with(&self, text: &str, surplus: usize) -> Option<Class> {
        let readings = self.readings(text);
        let as_read = readings
            .iter()
            .find_map(|reading| self.danger_of(*reading, text, &readings, surplus));
        as_read.or_else(|| self.danger_of_bare(text, &readings))
    }

    /// Of a number with its calling code and no `+`, as a trunk may want it.
    pub(crate) fn danger_of_digits(&self, digits: &str) -> Option<Class> {
        self.danger_of(Reading::Abroad(digits), digits, &BTreeSet::new(), 0)
    }

    /// With as many digits at most behind a short number.
    fn danger_of(
        &self,
        reading: Reading<'_>,
        whole: &str,
        readings: &BTreeSet<Reading<'_>>,
        surplus: usize,
    ) -> Option<Class> {
        // A site's own number is rung by the exchange, which knows nothing of what phones know.
        let is_alone = surplus > 0 && matches!(reading, Reading::Home(_));
        let short = |text, surplus| self.short_number(text, surplus, whole, is_alone);
        // What is long enough for a number abroad, also behind an outside line, has no digits too many.
        let line = self.outside_line.as_str();
        let inside = whole.strip_prefix(line).unwrap_or(whole);
        let further = inside.strip_prefix(line).unwrap_or(inside);
        let is_abroad = [whole, inside, further].iter().any(|text| self.is_abroad(text));
        let (Reading::Home(read)
        | Reading::Carried(read)
        | Reading::Misplaced(read)
        | Reading::National(read)
        | Reading::Abroad(read)) = reading;
        let find = |starts: &Starts, text: &str| match is_abroad {
            true => starts.find_whole(text),
            false => starts.find(text, SURPLUS).or_else(|| {
                let class = starts.find(text, SURPLUS_OF_PLAN)?;
                Some(class).filter(|_| !self.is_line_of_abroad(read, whole, readings))
            }),
        };
        match reading {
            Reading::Home(text) => find(&self.home, text).or_else(|| short(text, surplus)),
            Reading::Carried(text) | Reading::Misplaced(text) => {
                find(&self.home, text).or_else(|| short(text, surplus.min(SURPLUS)))
            }
            Reading::National(text) => find(&self.world, &format!("{}{text}", self.country.calling_code)),
            Reading::Abroad(text) => self.world.find(text, SURPLUS_OF_PLAN),
        }
    }

    /// Whether the outside line before it, behind a code or a carrier, begins a prefix for abroad with an ordinary number behind: the
    /// network that knows the code has no line, and rings that number.
    fn is_line_of_abroad(&self, read: &str, whole: &str, readings: &BTreeSet<Reading<'_>>) -> bool {
        let Prefixes { national, abroad, .. } = &self.country.prefixes;
        let line = self.outside_line.as_str();
        let mut behind_codes = readings.iter().filter_map(|reading| match reading {
            Reading::Home(text) | Reading::Carried(text) => {
                let before = whole.strip_suffix(text)?;
                Some(*text).filter(|_| !line.is_empty() && !before.replace(line, "").is_empty())
            }
            _ => None,
        });
        behind_codes.any(|text| {
            let mut numbers = rests(text, abroad).into_iter();
            let inside = text.strip_prefix(line);
            inside.is_some_and(|inside| inside == read || rests(inside, national).contains(&read))
                && numbers.any(|digits| self.vectors.is_ordinary_abroad(digits))
        })
    }

    fn short_number(&self, text: &str, surplus: usize, whole: &str, is_alone: bool) -> Option<Class> {
        // A line and a prefix for abroad are no short number with digits behind it.
        let inside = whole.strip_prefix(self.outside_line.as_str()).unwrap_or(whole);
        let abroad = rests(inside, &self.country.prefixes.abroad)
            .into_iter()
            .map(|rest| whole.len() - rest.len());
        let prefix = if text == whole { abroad.max().unwrap_or(0) } else { 0 };
        let with = |surplus| {
            let begins = |danger: &Danger| {
                let number = danger.home.as_str();
                // A network waits for no digit behind the number of the police; what is behind a prefix, a carrier or a code is a whole
                // number to it, which may well begin as information does.
                let surplus = if surplus > SURPLUS || danger.class == Class::Emergency {
                    surplus
                } else {
                    0
                };
                let is_longer = |rest: &str| !danger.whole && rest.len() <= surplus && number.len() > prefix;
                let rest = text.strip_prefix(number);
                rest.is_some_and(|rest| rest.is_empty() && (is_alone || !danger.whole) || is_longer(rest))
            };
            self.short
                .iter()
                .find(|danger| begins(danger))
                .map(|danger| danger.class)
        };
        if let Some(class) = with(0).filter(|_| text == whole || !self.is_ordinary(whole, 0)) {
            return Some(class);
        }
        // Where help is at stake, only what is exactly as long as a number is one.
        with(surplus).filter(|class| {
            let is_help = *class == Class::Emergency;
            let nearly = usize::from(!is_help);
            (is_help || text.len() <= LONGEST)
                && !self.may_be_a_phone(text, nearly)
                && !self.may_be_a_phone(whole, nearly)
        })
    }

    /// A whole number without the prefix that would make it one.
    fn danger_of_bare(&self, whole: &str, readings: &BTreeSet<Reading<'_>>) -> Option<Class> {
        if self.may_be_a_phone(whole, 1) {
            return None;
        }
        let abroad = || {
            self.world
                .find_whole(whole)
                .filter(|_| !self.country.is_as_long_as_a_local(whole))
        };
        let here = |text: &str| {
            let text = Some(text).filter(|text| text.len() >= BARE && !self.may_be_a_phone(text, 1))?;
            let national = format!("{}{text}", self.country.calling_code);
            let with_code = Some(text).filter(|text| text.starts_with(self.country.calling_code.as_str()));
            let with_code = with_code.filter(|text| *text == whole || !self.line_is_a_prefix());
            let with_code = with_code.and_then(|text| self.world.find_whole(text));
            with_code.or_else(|| self.world.find_whole(&national))
        };
        let mut bare = readings.iter().filter_map(|reading| match reading {
            Reading::Home(text) | Reading::Carried(text) => Some(*text),
            _ => None,
        });
        bare.find_map(here).or_else(abroad)
    }

    /// Whether what is dialled for an outside line is dialled before national numbers, too.
    pub(crate) fn line_is_a_prefix(&self) -> bool {
        self.country.prefixes.national.contains(&self.outside_line)
    }

    /// Whether the string, with or without an outside line before it, is as long as an ordinary number, or nearly so, and
    /// begins alike.
    pub(crate) fn is_ordinary(&self, text: &str, nearly: usize) -> bool {
        let inside = text.strip_prefix(self.outside_line.as_str()).unwrap_or(text);
        self.country.is_as_an_ordinary(text, nearly) || self.country.is_as_an_ordinary(inside, nearly)
    }

    /// The same, or whether it is long enough for a number abroad.
    pub(crate) fn may_be_a_phone(&self, text: &str, nearly: usize) -> bool {
        let inside = text.strip_prefix(self.outside_line.as_str()).unwrap_or(text);
        self.is_ordinary(text, nearly) || self.is_abroad(text) || self.is_abroad(inside)
    }
}

/// How many digits behind a short number that stands where it does not belong, or behind a whole one that is as likely another.
const SURPLUS: usize = 3;

/// How many digits behind a whole number of the plan.
const SURPLUS_OF_PLAN: usize = 64;

/// A short number of information with more digits than a whole number has is none.
const LONGEST: usize = 12;

/// Fewer digits without a prefix are a local number.
pub(crate) const BARE: usize = 8;

/// What dangerous numbers begin with, how long they are at least and at most, and of which class.
#[derive(Default)]
struct Starts(BTreeMap<String, (usize, usize, Class)>);

impl Starts {
    /// `prefix` digits are no part of the number proper. Numbers of help and information stand for themselves, all others
    /// for those beside them, which differ in the last four digits.
    fn add(&mut self, danger: &Danger, number: &str, prefix: usize) {
        let alone = matches!(danger.class, Class::Emergency | Class::Helpline | Class::Information);
        let own = number.len() - prefix.min(number.len());
        let open = if alone { 0 } else { own.saturating_sub(3).min(4) };
        self.insert(danger.class, &number[..number.len() - open], number.len());
    }

    fn insert(&mut self, class: Class, start: &str, length: usize) {
        let (least, most, _) = self.0.entry(start.to_owned()).or_insert((length, length, class));
        (*least, *most) = (length.min(*least), length.max(*most));
    }

    /// With so many digits at most behind: an exchange needs no more than the number.
    fn find(&self, text: &str, surplus: usize) -> Option<Class> {
        let digits = text.find(['*', '#', '+']).unwrap_or(text.len());
        let fits = |(least, most, class)| (least..=most + surplus).contains(&digits).then_some(class);
        self.starts_of(&text[..digits]).find_map(fits)
    }

    fn find_whole(&self, text: &str) -> Option<Class> {
        let is_it = |(least, most, _): &(usize, usize, Class)| (*least..=*most).contains(&text.len());
        let found = self.starts_of(text).find(is_it).map(|(_, _, class)| class);
        found.filter(|_| !text.contains(['*', '#', '+']))
    }

    fn starts_of(&self, text: &str) -> impl Iterator<Item = (usize, usize, Class)> {
        let ends = (3..=text.len()).filter(|at| text.is_char_boundary(*at));
        ends.filter_map(|end| self.0.get(&text[..end]).copied())
    }
}
