//! Every way to read dialled digits. An outside line, a service code, a carrier, an abroad or a national prefix: each is taken
//! off the front wherever it fits, in any order and number, until nothing more can be.
//!
//! What a reading means is asked elsewhere: [`crate::danger`] for what is never called, [`crate::plan`] for rules that
//! refuse and for what counts as one number.

use crate::numbering;
use crate::plan::Plan;

/// From this length on, digits could be a number that only lacks its prefix.
pub(crate) const COULD_BE_A_NUMBER: usize = 8;

/// Where digits stand when something has been taken off their front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// As somebody dials them at a telephone.
    Dialled,
    /// What an exchange dials on when it ignores what stood before: zeros, a plus, a prefix too many.
    LeftOver,
    /// A national number, without its prefix.
    National,
    /// A country calling code, and a number there.
    Abroad,
}

/// How far to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Effort {
    /// Prefixes are taken off where the country's numbering plan has them, and an outside line before all of them.
    Strict,
    /// An outside line also behind other prefixes.
    AsPlanned,
    /// Also zeros and pluses, and what is long enough is read as a number without its prefix.
    Lenient,
    /// Also the ways abroad of other countries.
    Thorough,
}

/// The readings of some digits.
pub(crate) struct Readings<'d> {
    plan: &'d Plan,
    effort: Effort,
    found: Vec<(Place, &'d str)>,
}

impl<'d> Readings<'d> {
    /// Reads digits that stand in `place`.
    pub(crate) fn new(plan: &'d Plan, effort: Effort, place: Place, digits: &'d str) -> Self {
        let mut readings = Self {
            plan,
            effort,
            found: Vec::new(),
        };
        readings.add(place, Some(digits));
        let mut next = 0;
        while let Some(&(place, digits)) = readings.found.get(next) {
            next += 1;
            match place {
                Place::Dialled | Place::LeftOver => readings.take_off_prefixes(place, digits),
                Place::National => readings.take_off_after_national(digits),
                Place::Abroad => readings.take_off_calling_code(digits),
            }
        }
        readings
    }

    /// Every reading, each once; the first is the whole.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Place, &'d str)> {
        self.found.iter().copied()
    }

    /// The numbers of the world among the readings, each with a `+`.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = String> {
        self.found.iter().filter_map(|reading| self.number(*reading))
    }

    /// Whether a reading is a number without danger that its country's numbering plan assigns.
    pub(crate) fn has_ordinary_number(&self) -> bool {
        self.found.iter().any(|reading| {
            let is_local_short =
                matches!(reading, (Place::National, digits) if self.plan.local_known_short(digits).is_some());
            let number = self.number(*reading).filter(|_| !is_local_short);
            number.is_some_and(|number| numbering::is_assigned(&number) && numbering::danger(&number).is_none())
        })
    }

    fn number(&self, (place, digits): (Place, &str)) -> Option<String> {
        match place {
            Place::National => Some(format!("+{}{digits}", self.plan.home_code())),
            Place::Abroad => Some(format!("+{digits}")),
            Place::Dialled | Place::LeftOver => None,
        }
    }

    fn add(&mut self, place: Place, digits: Option<&'d str>) {
        if let Some(digits) = digits
            && !digits.is_empty()
            && !self.found.contains(&(place, digits))
        {
            self.found.push((place, digits));
        }
    }

    /// Whether nothing stands before some digits but outside lines.
    fn is_first(&self, digits: &str) -> bool {
        let whole = self.found.first().map(|(_, digits)| *digits).unwrap_or_default();
        let line = self.plan.outside_line();
        whole
            .strip_suffix(digits)
            .is_some_and(|before| before.replace(line, "").is_empty())
    }

    fn is_lenient(&self) -> bool {
        self.effort >= Effort::Lenient
    }

    fn take_off_prefixes(&mut self, place: Place, digits: &'d str) {
        let plan = self.plan;
        let outside_line = plan.outside_line();
        if !outside_line.is_empty() && (self.effort > Effort::Strict || self.is_first(digits)) {
            self.add(place, digits.strip_prefix(outside_line));
        }
        let prefixes = plan.prefixes();
        for code in &prefixes.code {
            self.add(place, code.strip(digits));
        }
        // Digits that begin like a known short number choose no carrier.
        if plan.beginning_known_short(digits).is_none() {
            for carrier in &prefixes.carrier {
                self.add(place, carrier.strip(digits));
            }
        }
        for carrier in &prefixes.carrier_national {
            self.add(Place::National, carrier.strip(digits));
        }
        if !plan.international_prefix().is_empty() {
            self.add(Place::Abroad, digits.strip_prefix(plan.international_prefix()));
        }
        for abroad in &prefixes.abroad {
            self.add(Place::Abroad, abroad.strip(digits));
        }
        if let Some(home) = plan.home {
            self.add(Place::National, digits.strip_prefix(plan.national_prefix()));
            for national in &prefixes.national {
                self.add(Place::National, national.strip(digits));
            }
            if home.may_dial_bare(digits) {
                self.add(Place::National, Some(digits));
            }
        }
        if self.is_lenient() {
            for national in prefixes.national_old.iter().filter(|_| place == Place::Dialled) {
                // One digit more is too little to be told from a number, where a whole one does not follow.
                let rest = national.strip(digits);
                let is_told = |rest: &&str| rest.len() + 1 < digits.len() || rest.len() > COULD_BE_A_NUMBER;
                self.add(Place::National, rest.filter(is_told));
            }
            self.add(Place::LeftOver, digits.strip_prefix('0'));
            let elsewhere = numbering::anywhere()
                .abroad
                .iter()
                .filter(|_| self.effort == Effort::Thorough);
            for abroad in elsewhere.collect::<Vec<_>>() {
                self.add(Place::Abroad, abroad.strip(digits));
            }
            if digits.len() >= COULD_BE_A_NUMBER {
                self.add(Place::Abroad, Some(digits.trim_start_matches('0')));
                if plan.home.is_some() {
                    self.add(Place::National, Some(digits));
                }
            }
        }
    }

    fn take_off_after_national(&mut self, digits: &'d str) {
        if self.is_lenient() {
            self.add(Place::LeftOver, Some(digits));
        }
    }

    fn take_off_calling_code(&mut self, digits: &'d str) {
        let plan = self.plan;
        if plan.home.is_some()
            && let Some(national) = digits.strip_prefix(plan.home_code())
        {
            self.add(Place::National, Some(national));
            // As in +49 (0)30.
            self.add(Place::National, national.strip_prefix(plan.national_prefix()));
            if self.is_lenient() {
                self.add(Place::LeftOver, Some(national));
            }
        }
        if self.is_lenient() {
            self.add(Place::LeftOver, Some(digits));
            self.add(Place::Abroad, digits.strip_prefix('0'));
        }
    }
}
