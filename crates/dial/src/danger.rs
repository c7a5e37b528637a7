//! What is never called, whatever a rule says: looked for in every reading of a dial string, also in what a gateway behind a SIP
//! address would dial. Where one reading is dangerous, the dial string is.

use crate::dial_string::{DialString, Digits};
use crate::numbering::{self, Danger};
use crate::plan::{Plan, Possible, Target};
use crate::readings::{Effort, Place, Readings};

/// What has fewer digits is no national number, where no numbering plan has assigned it.
const SHORTEST_NUMBER: usize = 9;

/// Digits of a service code that a number follows with nothing between: `*67911`.
const CODE_LENGTHS: [usize; 2] = [2, 3];

/// The danger in a dial string. What is known to be an extension of the site never reaches the network; it may begin like
/// an emergency number, as `1120` does, but not be one.
pub(crate) fn danger(plan: &Plan, dialled: &DialString, is_extension: bool) -> Option<Danger> {
    match dialled {
        DialString::Digits(digits) => danger_of(plan, digits, is_extension, false),
        // What a gateway does with the digits nobody knows.
        DialString::Uri(uri) => uri
            .spoken()
            .iter()
            .find_map(|digits| danger_of(plan, digits, false, true)),
    }
}

fn danger_of(plan: &Plan, digits: &Digits, is_extension: bool, is_address: bool) -> Option<Danger> {
    plan.known_code(&digits.digits)
        .or_else(|| parts(digits, is_address).find_map(|part| part.danger(plan, is_extension)))
}

/// Digits between `*` and `#`: before them, after them and by themselves.
struct Part<'d> {
    digits: &'d str,
    place: Place,
    /// Whether it is sent as it was dialled, whatever number it means: there is a `*` or `#`, or it is an address.
    is_sent_as_dialled: bool,
    /// Whether a `*` or `#` stands before: then it may begin with a service code.
    is_behind_star: bool,
    /// Whether a `*` or `#` stands before and nothing else: then it may be all a service code.
    is_code: bool,
}

fn parts(digits: &Digits, is_address: bool) -> impl Iterator<Item = Part<'_>> {
    let Digits { plus, digits: text } = digits;
    let place = if *plus { Place::Abroad } else { Place::Dialled };
    let is_sent_as_dialled = is_address || text.contains(['*', '#']);
    let begins_with_star = text.starts_with(['*', '#']);
    let parts = text.split(['*', '#']).filter(|part| !part.is_empty());
    parts.enumerate().map(move |(index, digits)| Part {
        digits,
        place,
        is_sent_as_dialled,
        is_behind_star: begins_with_star || index > 0,
        is_code: begins_with_star && index == 0,
    })
}

impl Part<'_> {
    fn danger(&self, plan: &Plan, is_extension: bool) -> Option<Danger> {
        let as_planned = self.search(plan, Effort::AsPlanned, self.place);
        let digits = Digits {
            plus: self.place == Place::Abroad,
            digits: self.digits.to_owned(),
        };
        if !self.is_sent_as_dialled
            && let Target::Number(sent) = plan.read(&DialString::Digits(digits.clone()))
        {
            return plan
                .danger_of_number(&sent.e164)
                .or_else(|| as_planned.known_short())
                .or_else(|| as_planned.number(numbering::danger_beyond_doubt));
        }
        let beyond_the_whole = || match plan.possible_number(&digits) {
            // A number of a foreign country, as the site dials there.
            Some(Possible::Abroad) => as_planned.beginning_as_planned(numbering::danger_with_digits_behind),
            _ if is_extension || self.is_code => self.danger_in_extension(plan, is_extension),
            possible => self.danger_on_network(plan, &as_planned, possible),
        };
        as_planned
            .known_short()
            .or_else(|| as_planned.number(numbering::danger))
            .or_else(beyond_the_whole)
            .or_else(|| self.danger_behind_code(plan, is_extension))
    }

    /// The danger in what never reaches the network, or hardly: known short numbers as they stand, and numbers of the world.
    fn danger_in_extension(&self, plan: &Plan, is_extension: bool) -> Option<Danger> {
        let search = self.search(plan, Effort::Thorough, Place::LeftOver);
        match is_extension {
            true => search
                .known_short()
                .or_else(|| search.number(numbering::danger_of_beginning)),
            false => search.beginning(),
        }
    }

    /// The danger in what the network is sent as it was dialled.
    fn danger_on_network(&self, plan: &Plan, as_planned: &Search<'_>, possible: Option<Possible>) -> Option<Danger> {
        let is_ordinary = self
            .search(plan, Effort::Strict, self.place)
            .readings
            .has_ordinary_number();
        if !is_ordinary && possible.is_none() {
            let search = self.search(plan, Effort::Thorough, self.place);
            return search
                .beginning_known_short()
                .or_else(|| search.local_known_short(SHORTEST_NUMBER))
                .or_else(|| search.short_number())
                .or_else(|| search.short_number_behind_prefix())
                .or_else(|| search.number(numbering::danger_of_beginning));
        }
        // An ordinary number behind a carrier or a code, which is sent with it; or one that may have been assigned since. Where
        // one reading is ordinary, that many digits too many are not dialled by mistake.
        let search = self.search(plan, Effort::Lenient, self.place);
        let (as_planned_look, look): (Look, Look) = match possible {
            _ if is_ordinary => (
                numbering::danger_with_digits_behind,
                numbering::danger_with_digits_behind,
            ),
            Some(Possible::AtHome) => (numbering::danger_of_beginning, numbering::danger),
            _ => (numbering::danger_with_digits_behind, numbering::danger),
        };
        search
            .beginning_known_short()
            .filter(|_| possible != Some(Possible::AbroadByAnyWay))
            .or_else(|| search.local_known_short(SHORTEST_NUMBER).filter(|_| !is_ordinary))
            .or_else(|| as_planned.beginning_as_planned(as_planned_look))
            .or_else(|| search.distinct_short_number())
            .or_else(|| search.number(look))
    }

    fn search<'p>(&'p self, plan: &'p Plan, effort: Effort, place: Place) -> Search<'p> {
        Search {
            plan,
            readings: Readings::new(plan, effort, place, self.digits),
        }
    }

    /// What may follow the digits of a service code with nothing between: `*67911`.
    fn danger_behind_code(&self, plan: &Plan, is_extension: bool) -> Option<Danger> {
        if !self.is_behind_star {
            return None;
        }
        let search = |place, digits| Search {
            plan,
            readings: Readings::new(plan, Effort::Thorough, place, digits),
        };
        let codes = plan.prefixes().code.iter();
        let behind_known = codes.filter_map(|code| code.strip_behind_star(self.digits));
        let mut behind_known = behind_known.map(|digits| search(Place::Dialled, digits));
        let behind_any = CODE_LENGTHS.iter().filter_map(|length| self.digits.get(*length..));
        let mut behind_any = behind_any.map(|digits| search(Place::LeftOver, digits));
        if is_extension {
            return behind_any.find_map(|search| search.known_short());
        }
        let short = |search: &Search<'_>| search.short_number().or_else(|| search.short_number_behind_prefix());
        behind_known
            .find_map(|search| search.beginning().or_else(|| short(&search)))
            .or_else(|| behind_any.find_map(|search| search.beginning()))
    }
}

/// Asks whether a number that begins with a `+` is dangerous.
type Look = fn(&str) -> Option<Danger>;

/// Readings, and what to look for in them.
struct Search<'p> {
    plan: &'p Plan,
    readings: Readings<'p>,
}

impl Search<'_> {
    /// A known short number as it stands.
    fn known_short(&self) -> Option<Danger> {
        let readings = self.readings.iter();
        readings.filter_map(|(_, digits)| self.plan.known_short(digits)).min()
    }

    /// The same with digits behind it, too, which a network that knows it does not wait for.
    fn beginning_known_short(&self) -> Option<Danger> {
        let readings = self.readings.iter().filter(|(place, _)| *place != Place::Abroad);
        readings
            .filter_map(|(_, digits)| self.plan.beginning_known_short(digits))
            .min()
    }

    /// A known short number behind an area code, in so many digits at most.
    fn local_known_short(&self, longest: usize) -> Option<Danger> {
        let readings = self.readings.iter();
        let readings = readings.filter(|(place, digits)| *place == Place::National && digits.len() <= longest);
        readings
            .filter_map(|(_, digits)| self.plan.known_short_behind_area_code(digits))
            .min()
    }

    /// What is dialled and begins like a short number of the network.
    fn short_number(&self) -> Option<Danger> {
        let is_short = |(place, digits): (Place, &str)| place == Place::Dialled && self.plan.begins_with_short(digits);
        self.readings.iter().any(is_short).then_some(Danger::ShortNumber)
    }

    /// What begins like a short number behind something else, and is too short for another number.
    fn short_number_behind_prefix(&self) -> Option<Danger> {
        let is_short = |(place, digits): (Place, &str)| {
            let could_be = match place {
                Place::Dialled | Place::National => is_no_number(digits),
                Place::LeftOver | Place::Abroad => false,
            };
            could_be && self.plan.begins_with_short(digits)
        };
        let mut behind = self.readings.iter().skip(1);
        behind
            .any(is_short)
            .then_some(Danger::ShortNumber)
            .or_else(|| self.distinct_short_number())
    }

    /// What begins like a short number that is long enough to be told from any other number.
    fn distinct_short_number(&self) -> Option<Danger> {
        let is_short =
            |(place, digits): (Place, &str)| place != Place::Abroad && self.plan.begins_with_distinct_short(digits);
        self.readings.iter().any(is_short).then_some(Danger::ShortNumber)
    }

    /// What begins dangerously among the readings that the country's plan has.
    fn beginning_as_planned(&self, look: Look) -> Option<Danger> {
        self.local_known_short(SHORTEST_NUMBER - 1)
            .or_else(|| self.short_number_behind_prefix())
            .or_else(|| self.number(look))
    }

    /// A number of the world.
    fn number(&self, look: Look) -> Option<Danger> {
        self.readings.numbers().find_map(|number| look(&number))
    }

    /// A known short number or a number of the world, with whatever behind it.
    fn beginning(&self) -> Option<Danger> {
        self.beginning_known_short()
            .or_else(|| self.local_known_short(SHORTEST_NUMBER))
            .or_else(|| self.number(numbering::danger_of_beginning))
    }
}

/// Whether digits that no numbering plan has assigned are too few to be assigned one day.
fn is_no_number(digits: &str) -> bool {
    digits.len() < SHORTEST_NUMBER
}

#[cfg(test)]
mod tests;
