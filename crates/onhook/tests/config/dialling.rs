//! `[dial]`: masks that match nothing, and numbers that could not be written as a desk phone dials them.

use crate::{findings, parse, refused};

fn masks(plan: &str, kind: &str, action: &str, masks: &str) -> String {
    format!(
        "[dial.plan]\n{plan}\n[[dial.rule]]\nname = \"x\"\nkind = \"{kind}\"\naction = \"{action}\"\nmasks = [\"{masks}\"]\n"
    )
}

#[test]
fn a_mask_that_matches_nothing_is_refused_with_one_that_would() {
    let america = "country = \"US\"\noutside_line = \"9\"\nextensions = \"[2-8][0-9]{3}\"";
    let germany = "country = \"DE\"\noutside_line = \"0\"\nextensions = \"[1-9][0-9]{2,3}\"";
    for (plan, kind, mask, would) in [
        (america, "national", "9212*", Some("212*")),
        (america, "national", "+212*", Some("212*")),
        (america, "national", "212", Some("212*")),
        // Toronto is not in the country, and so no rule for it.
        (america, "national", "416*", None),
        (america, "extensions", "21", Some("21*")),
        (america, "extensions", "9???", None),
        (germany, "national", "+4330*", Some("4330*")),
        (germany, "national", "030", Some("030*")),
        (germany, "extensions", "04???", Some("4???")),
    ] {
        for action in ["allow", "refuse"] {
            let text = masks(plan, kind, action, mask);
            let found = findings(&text);
            let says = format!("the mask \"{mask}\" matches nothing");
            assert!(
                found.iter().any(|(_, message)| message.starts_with(&says)),
                "{mask}: {found:?}"
            );
            let told = refused(&text);
            match would {
                Some(would) => assert!(told.contains(&format!("perhaps \"{would}\"")), "{told}"),
                None => assert!(!told.contains("perhaps \""), "{told}"),
            }
            if let Some(would) = would {
                assert!(parse(&masks(plan, kind, action, would)).is_ok(), "{would}");
            }
        }
    }
}

#[test]
fn a_mask_that_matches_something_is_taken_however_it_is_written() {
    let america = "country = \"US\"\nextensions = \"[2-8][0-9]{3}\"";
    let germany = "country = \"DE\"\nextensions = \"[1-9][0-9]{2,3}\"";
    for (plan, kind, mask) in [
        (america, "national", "1212*"),
        (america, "national", "(212)5550123"),
        (america, "national", "+12125550???"),
        (america, "extensions", "2???"),
        (america, "extensions", "*"),
        (germany, "national", "030*"),
        (germany, "national", "30*"),
        (germany, "national", "004930*"),
        (germany, "national", "+4917?*"),
        (germany, "national", "*"),
        (germany, "extensions", "47??"),
    ] {
        let mask = mask.replace(['(', ')'], "");
        let text = masks(plan, kind, "refuse", &mask);
        assert!(parse(&text).is_ok(), "{mask}: {}", refused(&text));
    }
    // What is never called anyway may be refused once more, but not allowed.
    assert!(parse(&masks(germany, "national", "refuse", "0900*")).is_ok());
    assert!(parse(&masks(germany, "national", "allow", "0900*")).is_err());
}

#[test]
fn numbers_are_sent_as_dialled_only_where_it_is_known_how() {
    let send = |plan: &str| format!("[dial.plan]\nsend = \"outside-line\"\n{plan}");
    assert!(parse(&send("country = \"JP\"")).is_ok());
    assert!(refused(&send("")).contains("needs a country"));
    assert!(refused(&send("country = \"BR\"")).contains("needs an international_prefix"));
    assert!(parse(&send("country = \"BR\"\ninternational_prefix = \"0021\"")).is_ok());
}
