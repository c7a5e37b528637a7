//! Whom a call is counted for: one phone, however its number is written.

use crate::dial_string::{DialString, Digits, spoken};
use crate::numbering;
use crate::plan::{Plan, Target};

/// Reads numbers as the site's numbering plan does, for the caps that count calls by number.
#[derive(Clone, Debug)]
pub struct CountedNumbers(Plan);

impl CountedNumbers {
    pub fn new(plan: Plan) -> Self {
        Self(plan)
    }

    /// Whom a Request-URI is for, whatever the host: a number of the world with a `+`, an extension, or the user part. A number is
    /// the same behind other prefixes and with digits too many, which exchanges ignore; to most hosts `Anna` is `anna`.
    pub(crate) fn of(&self, request_uri: &str) -> String {
        let rest = request_uri.split_once(':').map_or(request_uri, |(_, rest)| rest);
        let user = rest.split('@').next().unwrap_or(rest).replace("%23", "#");
        match spoken(&user).into_iter().next() {
            Some(digits) => self.of_digits(&digits),
            None => user.to_ascii_lowercase(),
        }
    }

    fn of_digits(&self, digits: &Digits) -> String {
        match self.0.read(&DialString::Digits(digits.clone())) {
            Target::Number(number) => return number.e164,
            Target::Extension(extension) => return extension,
            Target::Digits(_) | Target::Uri(_) => {}
        }
        // Behind a service code there is the number.
        let last = digits
            .digits
            .rsplit(['*', '#'])
            .find(|part| !part.is_empty())
            .unwrap_or(&digits.digits);
        let number = Digits {
            plus: digits.plus,
            digits: last.to_owned(),
        };
        let within = self
            .0
            .readings_of(&number)
            .numbers()
            .find_map(|number| numbering::look_up_beginning(&number));
        let extension = || self.0.extension_beginning(&number).map(str::to_owned);
        within
            .map(|found| found.e164)
            .or_else(extension)
            .unwrap_or_else(|| digits.digits.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::plan;

    fn counted(toml: &str) -> CountedNumbers {
        CountedNumbers::new(plan(toml))
    }

    #[test]
    fn a_number_is_one_however_it_is_written() {
        let berlin = counted("country = \"DE\"\noutside_line = \"0\"\nextensions = \"[1-9][0-9]{2,3}\"");
        for user in [
            "+4930123456",
            "4930123456",
            "030123456",
            "0030123456",
            "004930123456",
            "030-12.34-56",
            "+49030123456",
            "01033030123456",
            "%2331%23030123456",
            "*31*030123456",
            "0+4930123456",
        ] {
            assert_eq!(berlin.of(&format!("sip:{user}@pbx")), "+4930123456", "{user}");
            assert_eq!(
                berlin.of(&format!("sip:{user}@gw.example:5070")),
                "+4930123456",
                "{user}"
            );
        }
        let vienna = berlin.of("sip:+4312345678901234@gw");
        assert_eq!(berlin.of("sip:+431234567890123499@gw"), vienna, "with digits too many");
        for (user, counted) in [
            ("4711", "4711"),
            ("47-11", "4711"),
            ("47110", "4711"),
            ("Anna.B", "anna.b"),
            ("12", "12"),
            ("112", "112"),
        ] {
            assert_eq!(berlin.of(&format!("sip:{user}@pbx")), counted, "{user}");
        }
    }

    #[test]
    fn without_a_plan_digits_are_digits() {
        let none = counted("");
        assert_eq!(none.of("sip:4711@pbx"), "4711");
        assert_eq!(
            none.of("sip:47110@pbx"),
            "47110",
            "nobody knows how long extensions are"
        );
        assert_eq!(none.of("sip:+4930123456@pbx"), none.of("sip:004930123456@pbx"));
    }
}
