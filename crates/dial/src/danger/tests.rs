//! What is never called, country by country.

use super::*;
use crate::site::plan;

const BERLIN: &str = "country = \"DE\"\noutside_line = \"0\"\nextensions = \"[1-9][0-9]{2,3}\"";

fn danger(plan: &Plan, text: &str) -> Option<Danger> {
    let dialled = DialString::parse(text).unwrap();
    let is_extension = matches!(plan.read(&dialled), Target::Extension(_));
    super::danger(plan, &dialled, is_extension)
}

/// Dial strings of a country without an outside line, and what each is.
fn are(country: &str, dangers: &[(&str, Danger)]) {
    let plan = plan(&format!("country = \"{country}\""));
    for (dialled, expected) in dangers {
        assert_eq!(danger(&plan, dialled), Some(*expected), "{country}: {dialled}");
    }
}

fn are_none(country: &str, ordinary: &[&str]) {
    let plan = plan(&format!("country = \"{country}\""));
    for dialled in ordinary {
        assert_eq!(danger(&plan, dialled), None, "{country}: {dialled}");
    }
}

/// What a refusal is called is for the operator, who looks twice at emergency numbers.
#[test]
fn a_short_number_is_told_as_what_it_is() {
    use Danger::{Emergency, PremiumRate, ShortNumber};
    for (country, dangers) in [
        (
            "FR",
            vec![("3114", Emergency), ("3201", PremiumRate), ("36 17", PremiumRate)],
        ),
        ("IT", vec![("1522", Emergency), ("1254", ShortNumber)]),
        (
            "BR",
            vec![("190", Emergency), ("102", ShortNumber), ("0 21 11 102", ShortNumber)],
        ),
        (
            "KR",
            vec![("112", Emergency), ("114", ShortNumber), ("120", ShortNumber)],
        ),
        ("CH", vec![("1414", Emergency), ("1600", ShortNumber)]),
        ("SE", vec![("112", Emergency), ("90510", ShortNumber)]),
    ] {
        are(country, &dangers);
    }
}

#[test]
fn a_carrier_before_the_number_hides_nothing() {
    use Danger::{Emergency, PremiumRate, Satellite};
    are(
        "DE",
        &[
            ("010 33 00 881 612345678", Satellite),
            ("01033 0900 1234567", PremiumRate),
            ("01033 112", Emergency),
        ],
    );
    are(
        "US",
        &[
            ("1010288 011 881 612345678", Satellite),
            ("101 0288 1 900 555 1234", PremiumRate),
        ],
    );
    are(
        "BR",
        &[
            ("00 21 881 612345678", Satellite),
            ("0 21 900 1234567", PremiumRate),
            ("90 21 190", Emergency),
        ],
    );
    are_none("DE", &["01033 030 23125000", "01033 00 43 1 58058"]);
    are_none("US", &["1010288 1 212 555 0123"]);
    are_none("BR", &["0 21 11 2345 6789", "00 21 49 30 23125000"]);
}

#[test]
fn every_way_abroad_is_known() {
    use Danger::{PremiumRate, Satellite};
    are(
        "AU",
        &[("0011 881 612345678", Satellite), ("0018 1 900 555 1234", PremiumRate)],
    );
    are(
        "JP",
        &[("010 881 612345678", Satellite), ("0033 010 881 612345678", Satellite)],
    );
    are(
        "RU",
        &[("8 10 881 612345678", Satellite), ("8 26 1 900 555 1234", PremiumRate)],
    );
    are("KR", &[("00700 881 612345678", Satellite)]);
    are("DE", &[("0011 881 612345678", Satellite)]);
    are_none("JP", &["010 49 30 23125000"]);
    are_none("RU", &["8 10 49 30 23125000"]);
}

#[test]
fn digits_behind_an_emergency_number_do_not_hide_it() {
    use Danger::Emergency;
    are(
        "DE",
        &[("1120", Emergency), ("110123", Emergency), ("0112 5", Emergency)],
    );
    are("US", &[("9111", Emergency), ("911 555 1234", Emergency)]);
    are("FR", &[("150", Emergency), ("1712", Emergency)]);
    let berlin = plan(BERLIN);
    assert_eq!(danger(&berlin, "1120"), None, "an extension of the house");
    assert_eq!(danger(&berlin, "112"), Some(Emergency), "also when it is one");
    // With an area code it is a whole number, whatever it begins with.
    are_none("AT", &["01 4000", "+43 1 4000"]);
}

#[test]
fn a_service_code_before_the_number_hides_nothing() {
    use Danger::{Emergency, PremiumRate, ShortNumber};
    are(
        "US",
        &[
            ("*67911", Emergency),
            ("*82911", Emergency),
            ("*67 1 900 555 1234", PremiumRate),
            ("1167 411", ShortNumber),
        ],
    );
    are("GB", &[("141 999", Emergency), ("1470 0909 8790123", PremiumRate)]);
    are(
        "DE",
        &[
            ("*31#110", Emergency),
            ("#31# 0900 1234567", PremiumRate),
            ("*31*010330900 1234567", PremiumRate),
        ],
    );
    are("JP", &[("184 110", Emergency), ("186 0990 512345", PremiumRate)]);
    are_none("US", &["*67 212 555 0123", "*97"]);
    are_none("GB", &["141 020 7946 0123"]);
    are_none("DE", &["*31# 030 23125000"]);
}

/// Behind a code the network knows no outside line: 0016 is a way abroad there. A few digits behind a pager's number are a slip.
#[test]
fn an_ordinary_number_behind_a_code_is_no_other_with_many_digits_behind() {
    let plan = plan("country = \"AU\"\noutside_line = \"0\"");
    for ordinary in ["1832 0016 31 23 456 2623", "1470 0016 31 23 456 8246"] {
        assert_eq!(danger(&plan, ordinary), None, "{ordinary}");
    }
    assert_eq!(danger(&plan, "1832 0 0163 123456"), Some(Danger::Personal));
    for slip in [
        "1832 0 0163 123456 1",
        "1832 0 0163 123456 123",
        "1470 0 0163 123456 12345",
    ] {
        assert!(danger(&plan, slip).is_some(), "{slip}");
    }
}

#[test]
fn help_comes_by_many_numbers() {
    for (country, numbers) in [
        ("JP", ["118", "119", "110"]),
        ("FR", ["196", "114", "191"]),
        ("AT", ["140", "144", "128"]),
        ("CH", ["1414", "1415", "117"]),
        ("ES", ["091", "062", "061"]),
        ("IT", ["1530", "1515", "117"]),
        ("PL", ["985", "984", "601100300"]),
        ("RU", ["04", "102", "112"]),
        ("US", ["*77", "988", "911"]),
    ] {
        let plan = plan(&format!("country = \"{country}\""));
        for number in numbers {
            let found = danger(&plan, number);
            assert!(
                matches!(found, Some(Danger::Emergency | Danger::ShortNumber)),
                "{country}: {number}: {found:?}"
            );
        }
    }
}

#[test]
fn short_and_personal_numbers_are_nobodys_phone() {
    are(
        "DE",
        &[("11833", Danger::ShortNumber), ("0700 12345678", Danger::Personal)],
    );
    are(
        "GB",
        &[("118118", Danger::ShortNumber), ("070 1234 5678", Danger::Personal)],
    );
    are(
        "US",
        &[("411", Danger::ShortNumber), ("500 234 5678", Danger::Personal)],
    );
    // Where nothing is known of the country, short digits are extensions.
    assert_eq!(danger(&plan(""), "118"), None);
}

#[test]
fn an_address_may_have_its_plus_anywhere() {
    let plan = plan(BERLIN);
    for user in ["0+881612345678", "+49-900.1234567", "0_0881612345678"] {
        let dialled = format!("sip:{user}@gateway.example.com");
        assert!(danger(&plan, &dialled).is_some(), "{dialled}");
    }
}

#[test]
fn a_plan_with_an_outside_line_in_america() {
    let plan = plan("country = \"US\"\noutside_line = \"9\"\nextensions = \"[2-8][0-9]{3}\"");
    assert_eq!(danger(&plan, "870 234 5678"), None, "Arkansas, no satellite");
    assert_eq!(danger(&plan, "900 555 1234"), Some(Danger::PremiumRate));
    assert_eq!(danger(&plan, "9911"), Some(Danger::Emergency));
}

#[test]
fn every_reading_of_a_dangerous_number_is_seen() {
    let plan = plan(BERLIN);
    for (dialled, expected) in [
        ("112", Danger::Emergency),
        ("110", Danger::Emergency),
        ("0112", Danger::Emergency),
        ("00112", Danger::Emergency),
        ("0 110", Danger::Emergency),
        ("+49 112", Danger::Emergency),
        ("+110", Danger::Emergency),
        ("+00112", Danger::Emergency),
        ("sip:+112@gateway.example.com", Danger::Emergency),
        ("0049110", Danger::Emergency),
        ("0900 1234567", Danger::PremiumRate),
        ("00900 1234567", Danger::PremiumRate),
        ("0049 900 1234567", Danger::PremiumRate),
        ("+49 900 1234567 89", Danger::PremiumRate),
        ("0 00 49 900 1234567", Danger::PremiumRate),
        ("00000 49 900 1234567", Danger::PremiumRate),
        ("499001234567", Danger::PremiumRate),
        ("9001234567", Danger::PremiumRate),
        ("*31#09001234567", Danger::PremiumRate),
        ("*31#112", Danger::Emergency),
        ("01803 123456", Danger::SharedCost),
        ("+8816 12345678", Danger::Satellite),
        ("00881612345678", Danger::Satellite),
        ("881612345678", Danger::Satellite),
        ("sip:09001234567@gateway.example.com", Danger::PremiumRate),
        ("sip:+499001234567@gateway.example.com", Danger::PremiumRate),
        ("sip:112@gateway.example.com", Danger::Emergency),
        ("tel:112", Danger::Emergency),
    ] {
        assert_eq!(danger(&plan, dialled), Some(expected), "{dialled}");
    }
    for dialled in [
        "4711",
        "1120",
        "030123456",
        "+431234567",
        "sip:anna@example.com",
        "*97",
        "0171 2345678",
    ] {
        assert_eq!(danger(&plan, dialled), None, "{dialled}");
    }
}

#[test]
fn a_plan_without_a_country_knows_what_it_knows() {
    let plan = plan("");
    assert_eq!(danger(&plan, "112"), Some(Danger::Emergency));
    assert_eq!(danger(&plan, "911"), Some(Danger::Emergency));
    assert_eq!(danger(&plan, "0112"), Some(Danger::Emergency));
    assert_eq!(danger(&plan, "+499001234567"), Some(Danger::PremiumRate));
    assert_eq!(danger(&plan, "110"), None);
    assert_eq!(danger(&plan, "09001234567"), None);
}
