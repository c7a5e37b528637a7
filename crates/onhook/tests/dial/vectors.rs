//! What `docs/dialling/*.toml` say of the world's numbering plans, read strictly: an unknown key, a source that is not
//! named or a string that cannot be dialled is an error. A number is kept as its digits, `+`, `*` and `#`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Where this tree has the vectors.
pub(crate) fn folder() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = package.ancestors().find(|above| above.join("docs/dialling").is_dir());
    root.expect("there is docs/dialling above the package")
        .join("docs/dialling")
}

/// Why a number is never called.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Class {
    Emergency,
    Helpline,
    PremiumRate,
    SharedCost,
    Personal,
    Information,
    Satellite,
}

pub(crate) const CLASSES: [(Class, &str); 7] = [
    (Class::Emergency, "emergency"),
    (Class::Helpline, "helpline"),
    (Class::PremiumRate, "premium"),
    (Class::SharedCost, "shared"),
    (Class::Personal, "personal"),
    (Class::Information, "information"),
    (Class::Satellite, "satellite"),
];

/// A number that must never be called.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Danger {
    pub(crate) class: Class,
    /// As dialled at home; empty for one of no country.
    pub(crate) home: String,
    /// With `+` and calling code; none for a short number, which exists at home alone.
    pub(crate) e164: Option<String>,
    /// Whether it is a phone that knows it, and only when nothing else is dialled but a service code.
    pub(crate) whole: bool,
}

/// What is dialled before numbers. `x` is any one digit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prefixes {
    pub(crate) national: Vec<String>,
    pub(crate) abroad: Vec<String>,
    pub(crate) carrier: Vec<String>,
    pub(crate) carrier_national: Vec<String>,
    pub(crate) codes: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Country {
    /// ISO 3166's two.
    pub(crate) letters: String,
    pub(crate) calling_code: String,
    pub(crate) prefixes: Prefixes,
    pub(crate) dangers: Vec<Danger>,
    /// What must stay possible, as written; numbers abroad too.
    pub(crate) ordinary: Vec<String>,
    /// How long they are at least and at most, by what they begin with.
    shapes: BTreeMap<String, (usize, usize)>,
}

impl Country {
    /// Where no plan is: 112 and 911 are emergency numbers, behind zeros too.
    pub(crate) fn nowhere() -> Self {
        let danger = |number: &str| Danger {
            class: Class::Emergency,
            home: number.to_owned(),
            e164: None,
            whole: false,
        };
        Self {
            letters: String::new(),
            calling_code: String::new(),
            prefixes: Prefixes {
                codes: vec!["0".to_owned()],
                ..Prefixes::default()
            },
            dangers: vec![danger("112"), danger("911")],
            ordinary: Vec::new(),
            shapes: BTreeMap::new(),
        }
    }

    /// Whether the text, without what is there for the eye, is as long as ordinary numbers of this country that begin with
    /// the same prefix and the digit behind it, or nearly so, and so may be somebody's phone.
    pub(crate) fn is_as_an_ordinary(&self, text: &str, nearly: usize) -> bool {
        let starts = (1..=text.len()).filter_map(|end| text.get(..end));
        let mut lengths = starts.filter_map(|start| self.shapes.get(start));
        lengths.any(|(least, most)| (least - nearly..=most + nearly).contains(&text.len()))
    }

    /// Whether it is as long as a number of this country that is dialled without a prefix.
    pub(crate) fn is_as_long_as_a_local(&self, text: &str) -> bool {
        let Prefixes { national, abroad, .. } = &self.prefixes;
        let has_none = |number: &str| {
            !national
                .iter()
                .chain(abroad)
                .any(|prefix| behind(number, prefix).is_some())
        };
        let ordinary = self.ordinary.iter().map(|number| bare(number));
        let mut local = ordinary.filter(|number| !number.starts_with('+') && has_none(number));
        local.any(|number| number.len() == text.len())
    }

    /// How long ordinary numbers are at least and at most, by what they begin with.
    fn shapes(&self) -> BTreeMap<String, (usize, usize)> {
        let mut shapes: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        let mut add = |prefix: usize, number: &str| {
            let (start, long) = (number[..=prefix].to_owned(), number.len());
            let (least, most) = shapes.entry(start).or_insert((long, long));
            (*least, *most) = (long.min(*least), long.max(*most));
        };
        let Prefixes { national, abroad, .. } = &self.prefixes;
        let code = &self.calling_code;
        for number in self.ordinary.iter().filter(|number| !number.contains("(0)")) {
            let number = bare(number);
            let mut prefixes = std::iter::once("+").chain(abroad.iter().map(String::as_str));
            let digits = prefixes.find_map(|prefix| behind(&number, prefix));
            let with_code = digits.map(|digits| (digits, digits.strip_prefix(code.as_str())));
            let at_home = || {
                national
                    .iter()
                    .find_map(|prefix| behind(&number, prefix))
                    .unwrap_or(&number)
            };
            let own = match with_code {
                // A number abroad: its calling code has two digits, more or less.
                Some((digits, None)) => {
                    add(number.len() - digits.len() + 2, &number);
                    continue;
                }
                Some((_, Some(own))) => own,
                None => at_home(),
            };
            add(number.len() - own.len(), &number);
            // It is ordinary in the other spellings, too.
            for prefix in std::iter::once("+").chain(abroad.iter().map(String::as_str)) {
                add(prefix.len() + code.len(), &format!("{prefix}{code}{own}"));
            }
            for prefix in national {
                add(prefix.len(), &format!("{prefix}{own}"));
            }
        }
        shapes
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Vectors {
    pub(crate) countries: Vec<Country>,
    /// What belongs to no country: satellites, international premium-rate.
    pub(crate) world: Vec<Danger>,
}

impl Vectors {
    /// Whether digits with calling code are as an ordinary number somewhere.
    pub(crate) fn is_ordinary_abroad(&self, digits: &str) -> bool {
        let number = format!("+{digits}");
        let there = |country: &&Country| digits.starts_with(country.calling_code.as_str());
        let freephone = number.starts_with("+800") && number.len() == 12;
        freephone
            || self
                .countries
                .iter()
                .filter(there)
                .any(|country| country.is_as_an_ordinary(&number, 0))
    }
}

/// What a plan lists and onhook calls nevertheless: the country (or none, for all), the number as dialled at home, and why.
/// docs/dialling.md says the same.
const DECIDED: [(&str, &str, &str); 0] = [];

fn is_decided(letters: &str, danger: &Danger) -> bool {
    let is_it = |country: &str, home: &str| (country.is_empty() || country == letters) && home == danger.home;
    DECIDED.iter().any(|(country, home, _)| is_it(country, home))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CountryFile {
    country: String,
    calling_code: String,
    sources: BTreeMap<String, Source>,
    prefixes: PrefixesTable,
    never: Vec<Never>,
    ordinary: Vec<Ordinary>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorldFile {
    sources: BTreeMap<String, Source>,
    never: Vec<Never>,
    ordinary: Vec<Ordinary>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    title: String,
    url: String,
    /// Whether it was open when the file was written; else it was cited from memory.
    #[serde(default = "yes")]
    #[allow(dead_code, reason = "it is for readers")]
    seen: bool,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PrefixesTable {
    source: Vec<String>,
    national: Vec<String>,
    abroad: Vec<String>,
    carrier: Vec<String>,
    carrier_national: Vec<String>,
    codes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Never {
    class: Class,
    what: String,
    #[serde(default)]
    whole: bool,
    numbers: Vec<Number>,
    source: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Short(String),
    Plan(PlanNumber),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanNumber {
    #[serde(default)]
    home: String,
    e164: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ordinary {
    what: String,
    numbers: Vec<String>,
    source: Vec<String>,
}

/// Everything in the folder; panics with what is wrong in which files.
pub(crate) fn read(folder: &Path) -> Vectors {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    files.sort();
    let mut vectors = Vectors {
        countries: Vec::new(),
        world: Vec::new(),
    };
    let mut wrong = String::new();
    let mut world_ordinary = Vec::new();
    for path in files {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        let read = match name.as_str() {
            "world" => world(&text).map(|(dangers, ordinary)| (vectors.world, world_ordinary) = (dangers, ordinary)),
            _ => country(&name, &text).map(|country| vectors.countries.push(country)),
        };
        if let Err(error) = read {
            let _ = writeln!(wrong, "{}: {error}", path.display());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    for country in &mut vectors.countries {
        country.ordinary.extend(world_ordinary.iter().cloned());
        country.shapes = country.shapes();
        country.dangers.retain(|danger| !is_decided(&country.letters, danger));
    }
    vectors
}

fn world(text: &str) -> Result<(Vec<Danger>, Vec<String>), String> {
    let file: WorldFile = toml::from_str(text).map_err(|error| error.to_string())?;
    sources_exist(&file.sources, &file.never, &file.ordinary, &[])?;
    Ok((dangers(&file.never, &[])?, ordinary(&file.ordinary)?))
}

fn country(name: &str, text: &str) -> Result<Country, String> {
    let file: CountryFile = toml::from_str(text).map_err(|error| error.to_string())?;
    if file.country != name {
        return Err(format!("country is {}", file.country));
    }
    sources_exist(&file.sources, &file.never, &file.ordinary, &file.prefixes.source)?;
    Ok(Country {
        letters: file.country,
        prefixes: Prefixes {
            national: prefixes(&file.prefixes.national)?,
            abroad: prefixes(&file.prefixes.abroad)?,
            carrier: prefixes(&file.prefixes.carrier)?,
            carrier_national: prefixes(&file.prefixes.carrier_national)?,
            codes: prefixes(&file.prefixes.codes)?,
        },
        dangers: dangers(&file.never, &file.prefixes.abroad)?,
        calling_code: file.calling_code,
        ordinary: ordinary(&file.ordinary)?,
        shapes: BTreeMap::new(),
    })
}

fn sources_exist(
    sources: &BTreeMap<String, Source>,
    never: &[Never],
    ordinary: &[Ordinary],
    prefixes: &[String],
) -> Result<(), String> {
    let named = never.iter().flat_map(|group| &group.source);
    let mut named = named
        .chain(ordinary.iter().flat_map(|group| &group.source))
        .chain(prefixes);
    if let Some(missing) = named.find(|name| !sources.contains_key(*name)) {
        return Err(format!("there is no source `{missing}`"));
    }
    for (name, source) in sources {
        if source.title.is_empty() || !source.url.starts_with("http") {
            return Err(format!("source `{name}` has no title or no address"));
        }
    }
    Ok(())
}

fn dangers(never: &[Never], abroad: &[String]) -> Result<Vec<Danger>, String> {
    let mut dangers = Vec::new();
    for group in never {
        for number in &group.numbers {
            let danger = danger(group, number, abroad).map_err(|wrong| format!("{}: {wrong}", group.what))?;
            // One that is written in several ways is one.
            if !dangers.contains(&danger) {
                dangers.push(danger);
            }
        }
    }
    Ok(dangers)
}

fn ordinary(groups: &[Ordinary]) -> Result<Vec<String>, String> {
    let mut numbers = Vec::new();
    for group in groups {
        for number in &group.numbers {
            dialled(number).map_err(|wrong| format!("{}: {wrong}", group.what))?;
            numbers.push(number.clone());
        }
    }
    Ok(numbers)
}

fn danger(group: &Never, number: &Number, abroad: &[String]) -> Result<Danger, String> {
    let (home, e164) = match number {
        Number::Short(home) if home.starts_with('+') => (String::new(), Some(dialled(home)?)),
        Number::Short(home) => {
            let home = dialled(home)?;
            let digits = abroad
                .iter()
                .find_map(|prefix| behind(&home, prefix))
                .filter(|digits| digits.len() >= 9);
            let e164 = digits.map(|digits| format!("+{digits}"));
            (home, e164)
        }
        Number::Plan(plan) if plan.home.is_empty() => (String::new(), Some(dialled(&plan.e164)?)),
        Number::Plan(plan) => (dialled(&plan.home)?, Some(dialled(&plan.e164)?)),
    };
    if let Some(e164) = &e164 {
        let tail = e164.get(e164.len().saturating_sub(4)..).unwrap_or_default();
        if !e164.starts_with('+') || !home.is_empty() && !home.ends_with(tail) {
            return Err(format!("{home} and {e164} are not one number"));
        }
    }
    Ok(Danger {
        class: group.class,
        home,
        e164,
        whole: group.whole,
    })
}

/// A dial string without what is there for the eye.
fn dialled(text: &str) -> Result<String, String> {
    let bare = bare(text);
    let fits = !bare.is_empty() && text.len() <= 64 && bare.chars().all(|c| c.is_ascii_digit() || "+*#".contains(c));
    fits.then_some(bare)
        .ok_or_else(|| format!("`{text}` cannot be dialled"))
}

pub(crate) fn bare(text: &str) -> String {
    text.chars().filter(|c| !" ()-.".contains(*c)).collect()
}

fn prefixes(written: &[String]) -> Result<Vec<String>, String> {
    written
        .iter()
        .map(|prefix| dialled(&prefix.replace('x', "0")).map(|_| bare(prefix)))
        .collect()
}

/// What is behind each of the prefixes that the text begins with. Where one is the beginning of another, as 01 of 011, an
/// exchange takes the longer.
pub(crate) fn rests<'t>(text: &'t str, prefixes: &[String]) -> Vec<&'t str> {
    let mut rests = Vec::new();
    for prefix in prefixes {
        let is_longer = |other: &&String| other.len() > prefix.len() && text.starts_with(other.as_str());
        let longer = prefixes
            .iter()
            .find(is_longer)
            .is_some_and(|other| other.starts_with(prefix.as_str()));
        rests.extend(behind(text, prefix).filter(|rest| !rest.is_empty() && !longer));
    }
    rests
}

/// What is behind the prefix, if the text begins with it.
pub(crate) fn behind<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let begins = text.len() >= prefix.len()
        && text
            .bytes()
            .zip(prefix.bytes())
            .all(|(have, want)| have == want || want == b'x' && have.is_ascii_digit());
    begins.then(|| &text[prefix.len()..])
}

/// The prefix with digits for its `x`, in a few ways; itself where it has none.
pub(crate) fn filled(prefix: &str) -> Vec<String> {
    let fill = |digits: &str| -> String {
        let mut digits = digits.chars().cycle();
        prefix
            .chars()
            .map(|c| if c == 'x' { digits.next().unwrap_or(c) } else { c })
            .collect()
    };
    match prefix.contains('x') {
        true => ["13", "70", "2988"].map(fill).to_vec(),
        false => vec![prefix.to_owned()],
    }
}
