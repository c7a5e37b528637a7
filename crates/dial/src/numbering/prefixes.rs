//! What people dial before a number, country by country, as `prefixes.txt` says it.

#![expect(
    clippy::disallowed_types,
    reason = "constant tables, read when they are first asked for: the same for everybody, whoever asks first"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use super::Country;

/// Digits that others follow; some may be any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefix(&'static str);

impl Prefix {
    pub(super) fn new(prefix: &'static str) -> Self {
        Self(prefix)
    }

    /// What follows the prefix: nothing when other digits stand there, or none follow.
    pub(crate) fn strip(self, digits: &str) -> Option<&str> {
        let (front, rest) = digits.split_at_checked(self.0.len())?;
        let fits = self
            .0
            .bytes()
            .zip(front.bytes())
            .all(|(wanted, digit)| wanted == b'x' || wanted == digit);
        (fits && !rest.is_empty()).then_some(rest)
    }

    /// What follows the prefix, of digits behind a `*`.
    pub(crate) fn strip_behind_star(self, digits: &str) -> Option<&str> {
        self.0
            .strip_prefix('*')
            .and_then(|code| digits.strip_prefix(code))
            .filter(|rest| !rest.is_empty())
    }

    /// Whether digits begin with it, also when none follow; one that ends with a dot must be all of them.
    pub(crate) fn begins(self, digits: &str) -> bool {
        let (prefix, is_whole) = self
            .0
            .strip_suffix('.')
            .map_or((self.0, false), |prefix| (prefix, true));
        let fits = |(wanted, digit)| wanted == b'x' || wanted == digit;
        let is_long_enough = digits.len() >= prefix.len() && !(is_whole && digits.len() > prefix.len());
        is_long_enough && prefix.bytes().zip(digits.bytes()).all(fits)
    }

    /// Whether nothing is dialled at all.
    pub(crate) fn is_nothing(self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is long enough to be told from the beginning of a number.
    pub(crate) fn is_distinct(self) -> bool {
        self.0.len() >= 3
    }

    /// The same of the beginning of a short number.
    pub(crate) fn is_distinct_short(self) -> bool {
        self.0.len() >= 4 && !self.0.contains(['x', '.'])
    }

    /// The digits, when there are some and each of them is certain.
    pub(crate) fn digits(self) -> Option<&'static str> {
        (!self.0.is_empty() && !self.0.contains('x')).then_some(self.0)
    }
}

/// How a country dials.
#[derive(Debug, Default)]
pub(crate) struct Prefixes {
    /// Before a country calling code.
    pub(crate) abroad: Vec<Prefix>,
    /// Before a national number, beside the country's own.
    pub(crate) national: Vec<Prefix>,
    /// The same, where no network should know it any more, or yet.
    pub(crate) national_old: Vec<Prefix>,
    /// Before whatever would be dialled without it: they choose a carrier.
    pub(crate) carrier: Vec<Prefix>,
    /// The same, instead of the national prefix.
    pub(crate) carrier_national: Vec<Prefix>,
    /// Before whatever would be dialled without it: services of the network.
    pub(crate) code: Vec<Prefix>,
    /// What the network's short numbers begin with.
    pub(crate) short: Vec<Prefix>,
}

impl Prefixes {
    /// What is dialled before a country calling code, where there is one way or a usual one: nothing in Brazil, where it names a carrier.
    pub(crate) fn usual_abroad(&self) -> Option<&'static str> {
        self.abroad.first().and_then(|prefix| prefix.digits())
    }

    fn of_role(&mut self, role: &str) -> &mut Vec<Prefix> {
        match role {
            "abroad" => &mut self.abroad,
            "national" => &mut self.national,
            "national-old" => &mut self.national_old,
            "carrier" => &mut self.carrier,
            "carrier-national" => &mut self.carrier_national,
            "code" => &mut self.code,
            _ => &mut self.short,
        }
    }
}

/// A line: a role, and prefixes of it.
struct Line {
    role: &'static str,
    prefixes: &'static str,
}

/// The lines, and which of them are for a country or a group, in their order.
struct Lines {
    all: Vec<Line>,
    of: BTreeMap<&'static str, Vec<usize>>,
}

static LINES: LazyLock<Lines> = LazyLock::new(|| {
    let (mut all, mut of) = (Vec::new(), BTreeMap::<_, Vec<_>>::new());
    let text = include_str!("prefixes.txt");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((head, prefixes)) = line.split_once(": ") else {
            continue;
        };
        let Some((role, names)) = head.split_once(' ') else {
            continue;
        };
        for name in names.split(' ') {
            of.entry(name).or_default().push(all.len());
        }
        all.push(Line { role, prefixes });
    }
    Lines { all, of }
});

static BY_COUNTRY: LazyLock<BTreeMap<Country, Prefixes>> = LazyLock::new(|| {
    let known = LINES.of.keys().filter_map(|name| Some((name, name.parse().ok()?)));
    known
        .map(|(name, country): (_, Country)| (country, read(name, country.group())))
        .collect()
});

static MOST: LazyLock<Prefixes> = LazyLock::new(|| read("most", "most"));
static NORTH_AMERICA: LazyLock<Prefixes> = LazyLock::new(|| read("+1", "+1"));
static ANYWHERE: LazyLock<Prefixes> = LazyLock::new(|| read("anywhere", "anywhere"));

/// What stands under a name; for roles without a line, what stands under the group's.
fn read(name: &str, group: &str) -> Prefixes {
    let of = |name: &str| LINES.of.get(name).map_or(&[] as &[usize], Vec::as_slice);
    let own: BTreeSet<&str> = of(name).iter().map(|line| LINES.all[*line].role).collect();
    let of_group = of(group).iter().filter(|line| !own.contains(LINES.all[**line].role));
    let lines: BTreeSet<usize> = of(name)
        .iter()
        .chain(of_group)
        .chain(of("everywhere"))
        .copied()
        .collect();
    let mut read = Prefixes::default();
    for Line { role, prefixes } in lines.into_iter().map(|line| &LINES.all[line]) {
        let prefixes = prefixes.split(' ').map(|prefix| Prefix(prefix.trim_matches('-')));
        read.of_role(role).extend(prefixes);
    }
    read
}

/// What may stand before a number where the country is not known: only the usual ways abroad.
pub(crate) fn anywhere() -> &'static Prefixes {
    &ANYWHERE
}

impl Country {
    /// How people dial there.
    pub(crate) fn prefixes(self) -> &'static Prefixes {
        BY_COUNTRY.get(&self).unwrap_or_else(|| match self.group() {
            "+1" => &NORTH_AMERICA,
            _ => &MOST,
        })
    }

    /// Whose lines count where the country has none.
    fn group(self) -> &'static str {
        if self.calling_code() == "1" { "+1" } else { "most" }
    }
}
