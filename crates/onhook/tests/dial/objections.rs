//! The oracle can object: each of its objections, to a policy that would have let the number through.

use crate::cases::cases;
use crate::oracle::Objection;
use crate::readings::{Place, Reading};
use crate::vectors::{Class, folder, read};

/// At the site of that name: what is dialled, what would be sent, and what the oracle says.
fn objects(site: &str, dialled: &[(&str, &str, Option<Objection>)]) {
    let vectors = read(&folder());
    let cases = cases(&vectors);
    let case = cases.iter().find(|case| case.name == site).unwrap();
    for (dialled, sent, objection) in dialled {
        assert_eq!(case.opinion.objection(dialled, sent), *objection, "{site}: {dialled}");
    }
}

fn never(class: Class) -> Option<Objection> {
    Some(Objection::Never(class))
}

#[test]
fn the_oracle_objects_to_what_no_rule_allows_and_to_what_is_sent_instead() {
    objects(
        "germany",
        &[
            ("4711\n", "4711", Some(Objection::Junk)),
            ("4711", "4712", Some(Objection::Another)),
            ("030123456", "+4931123456", Some(Objection::Another)),
            ("4999", "4999", Some(Objection::NoRule)),
            (
                "sip:4999@pbx.example.com",
                "sip:4999@pbx.example.com",
                Some(Objection::NoRule),
            ),
            ("0043 1 234567", "+431234567", Some(Objection::NoRule)),
            ("sip:a@evil.example", "sip:a@evil.example", Some(Objection::NoRule)),
            ("112", "112", never(Class::Emergency)),
            (
                "sip:112@pbx.example.com",
                "sip:112@pbx.example.com",
                never(Class::Emergency),
            ),
            ("0 030-123456", "+4930123456", None),
            ("+49 (0)30 123456", "+4930123456", None),
            ("4711", "4711", None),
            // An extension that begins with 110.
            ("1102", "1102", None),
        ],
    );
    objects("sloppy", &[("09001234567", "09001234567", never(Class::PremiumRate))]);
    objects("defaults", &[("+33 6 12345678", "+33612345678", None)]);
}

#[test]
fn the_oracle_objects_to_every_way_to_dial_what_is_never_called() {
    objects(
        "open, DE",
        &[
            ("1123456789", "1123456789", never(Class::Emergency)),
            ("0049 112", "0049112", never(Class::Emergency)),
            ("+49 112 7", "+491127", never(Class::Emergency)),
            ("*31#112", "*31#112", never(Class::Emergency)),
            ("*31#*31#0112", "*31#*31#0112", never(Class::Emergency)),
            ("01013 112", "01013112", never(Class::Emergency)),
            ("01013 *31# 0 116 117", "01013*31#0116117", never(Class::Helpline)),
            ("01013 0900 1 239999", "0101309001239999", never(Class::PremiumRate)),
            (
                "01013 0049 180 5 123456",
                "0101300491805123456",
                never(Class::SharedCost),
            ),
            ("9001234567", "9001234567", never(Class::PremiumRate)),
            ("499001234567", "499001234567", never(Class::PremiumRate)),
            ("0700 12345678 99", "07001234567899", never(Class::Personal)),
            ("11880", "11880", never(Class::Information)),
            ("00 881 6 3141 9999", "00881631419999", never(Class::Satellite)),
            (
                "0049 9 0900 1234567",
                "+499001234567",
                Some(Objection::NeverSent(Class::PremiumRate)),
            ),
            ("+49 30 23125000", "+493023125000", None),
            ("00 43 1 580580", "+431580580", None),
        ],
    );
    // A trunk that takes a line off, and one that wants digits alone.
    objects(
        "open, CH",
        &[
            ("0 117", "0117", Some(Objection::NeverSent(Class::Emergency))),
            ("044 412 11 11", "00444121111", None),
            (
                "+49 900 1234567",
                "000499001234567",
                Some(Objection::NeverSent(Class::PremiumRate)),
            ),
        ],
    );
    objects(
        "open, ES",
        &[
            (
                "+34 9 0803 123456",
                "34803123456",
                Some(Objection::NeverSent(Class::PremiumRate)),
            ),
            ("00 49 30 23125000", "493023125000", None),
        ],
    );
    objects("short form", &[("00911", "00911", never(Class::Emergency))]);
}

/// The network that knows the code or the carrier has no outside line: 0016 is a way abroad there, not a line and a pager's 016.
#[test]
fn an_ordinary_number_abroad_behind_a_code_is_no_line_and_four_digits_too_many() {
    objects(
        "open, AU",
        &[
            ("1832 0016 31 23 456 2623", "1832001631234562623", None),
            ("1470 0016 31 23 456 8246", "1470001631234568246", None),
            ("0 1832 0016 31 23 456 2623", "01832001631234562623", None),
            // The pager itself, with digits that make no number abroad of it, and without a line.
            ("1832 0 0163 123456", "183200163123456", never(Class::Personal)),
            ("1832 0 0163 123456 123", "183200163123456123", never(Class::Personal)),
            ("1470 0 0163 123456 123", "147000163123456123", never(Class::Personal)),
            (
                "1832 0 0163 123456 12345",
                "18320016312345612345",
                never(Class::Personal),
            ),
            ("1832 0163 123456 2623", "183201631234562623", never(Class::Personal)),
            ("1470 0163 123456 8246", "147001631234568246", never(Class::Personal)),
        ],
    );
    // Up to three digits too many are a slip, also where they make a number in Japan of it.
    objects(
        "open, FR",
        &[("#31# 0 0819 123456 789", "#31#00819123456789", never(Class::SharedCost))],
    );
}

#[test]
fn prefixes_are_taken_off_in_any_order_and_number() {
    let vectors = read(&folder());
    let place = Place::new(&vectors, "DE", "9");
    let readings = |text| place.readings(text);
    for (text, reading) in [
        ("99*31#01013#31#110", Reading::Carried("110")),
        ("99*31#*31#110", Reading::Home("110")),
        ("00110", Reading::Misplaced("110")),
        ("901013030123", Reading::National("30123")),
        ("010130043123", Reading::Abroad("43123")),
        ("01013110", Reading::Carried("110")),
        ("*31#+43123", Reading::Abroad("43123")),
        ("+490110", Reading::Misplaced("110")),
    ] {
        assert!(readings(text).contains(&reading), "{text}: {:?}", readings(text));
    }
    assert!(
        !readings("0301101")
            .iter()
            .any(|reading| matches!(reading, Reading::Home("1101")))
    );
}
