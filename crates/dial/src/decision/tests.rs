use super::*;
use crate::site::policy;

fn alice() -> Dialler {
    Dialler {
        name: Some("alice".to_owned()),
        extension: Some("4711".to_owned()),
        phones: vec!["+491712345678".to_owned()],
    }
}

fn outcome(policy: &DialPolicy, dial_string: &str) -> Result<String, Refusal> {
    let decision = policy.decide(&alice(), dial_string);
    decision.outcome.map(|number| number.request_uri("pbx"))
}

#[test]
fn with_the_defaults_a_user_has_the_own_extension_and_phones_and_no_more() {
    let policy = policy("");
    assert_eq!(outcome(&policy, "4711"), Ok("sip:4711@pbx".to_owned()));
    assert_eq!(
        outcome(&policy, "+49 171 2345678"),
        Ok("sip:+491712345678@pbx".to_owned())
    );
    for number in ["4712", "030123456", "+4930123456", "*97", "0"] {
        assert_eq!(outcome(&policy, number), Err(Refusal::NotAllowed), "{number}");
    }
    assert_eq!(outcome(&policy, "sip:4711@pbx"), Err(Refusal::SipUri));
    let nobody = policy.decide(&Dialler::default(), "4711");
    assert_eq!(nobody.outcome, Err(Refusal::NotEnabled));
}

#[test]
fn the_first_rule_that_covers_decides() {
    let policy = policy(
        "[dial.plan]\ncountry = \"DE\"\n[[dial.rule]]\nname = \"not the boss\"\nkind = \"national\"\nmasks = [\"030999*\"]\n\
         action = \"refuse\"\n[[dial.rule]]\nname = \"national\"\nkind = \"national\"\n",
    );
    assert!(outcome(&policy, "030123456").is_ok());
    assert_eq!(outcome(&policy, "030999456"), Err(Refusal::NotAllowed));
}

/// What an exchange or a gateway would make of it counts.
#[test]
fn a_rule_that_refuses_cannot_be_dialled_around() {
    let policy = policy(
        "[dial]\nallow = [\".*\"]\n[dial.plan]\ncountry = \"DE\"\noutside_line = \"0\"\nextensions = \"[1-9][0-9]{3}\"\n\
         [[dial.rule]]\nname = \"Austria\"\nkind = \"international\"\ncountries = [\"AT\"]\naction = \"refuse\"\n\
         [[dial.rule]]\nname = \"Bonn\"\nkind = \"national\"\nmasks = [\"0228*\"]\naction = \"refuse\"\n\
         [[dial.rule]]\nname = \"boss\"\nkind = \"extensions\"\nmasks = [\"4999\"]\naction = \"refuse\"\n\
         [[dial.rule]]\nname = \"gateway\"\nkind = \"sip\"\nhosts = [\"gw\"]",
    );
    for number in [
        "+431234567",
        "+43123456789012345",
        "0043 1 23456789012345",
        "431234567",
        "0228 123456789012345",
        "0 0228 123456789012345",
        "4999",
    ] {
        assert_eq!(outcome(&policy, number), Err(Refusal::NotAllowed), "{number}");
    }
    for number in [
        "sip:+431234567@gw",
        "sip:00431234567@gw",
        "sip:0228123456@gw",
        "sip:4999@gw",
    ] {
        assert_eq!(outcome(&policy, number), Err(Refusal::SipUri), "{number}");
    }
    for number in [
        "+41441234567890123",
        "030123456",
        "4998",
        "sip:+4930123456@gw",
        "sip:anna@gw",
        "*97",
    ] {
        assert!(outcome(&policy, number).is_ok(), "{number}");
    }
}

#[test]
fn whether_a_user_may_call_anything_is_known_before_the_call() {
    let nobody = Dialler {
        name: Some("bob".to_owned()),
        ..Dialler::default()
    };
    let with_phone = Dialler {
        phones: vec!["+33612345678".to_owned()],
        ..nobody.clone()
    };
    for (toml, dialler, may) in [
        ("", &nobody, false),
        ("", &with_phone, true),
        ("[dial]\nallow = [\"1\"]", &nobody, true),
        (
            "[[dial.rule]]\nname = \"x\"\nkind = \"sip\"\nhosts = [\"gw\"]\nusers = [\"alice\"]",
            &nobody,
            false,
        ),
        (
            "[[dial.rule]]\nname = \"x\"\nkind = \"sip\"\nhosts = [\"gw\"]\nusers = [\"bob\"]",
            &nobody,
            true,
        ),
        (
            "[[dial.rule]]\nname = \"x\"\nkind = \"sip\"\nhosts = [\"gw\"]\naction = \"refuse\"",
            &nobody,
            false,
        ),
    ] {
        let policy = policy(toml);
        assert_eq!(policy.may_call(dialler), may, "{toml}");
        for (number, otherwise) in [("4711", Refusal::NotAllowed), ("sip:a@elsewhere", Refusal::SipUri)] {
            let refusal = if may { otherwise } else { Refusal::NotEnabled };
            assert_eq!(policy.decide(dialler, number).outcome, Err(refusal), "{toml}");
        }
    }
}

#[test]
fn a_refusal_of_the_own_extension_stands_before_the_default() {
    let policy = policy("[[dial.rule]]\nname = \"x\"\nkind = \"own\"\naction = \"refuse\"\nusers = [\"alice\"]");
    assert_eq!(outcome(&policy, "4711"), Err(Refusal::NotAllowed));
    let bob = Dialler {
        name: Some("bob".to_owned()),
        ..alice()
    };
    assert!(policy.decide(&bob, "4711").is_allowed());
}

#[test]
fn no_rule_allows_what_is_never_called() {
    let policy = policy(
        "[dial]\nallow = [\".*\"]\n[dial.plan]\ncountry = \"DE\"\nextensions = \".*\"\n\
         [[dial.rule]]\nname = \"all\"\nkind = \"extensions\"\n[[dial.rule]]\nname = \"sip\"\nkind = \"sip\"\nhosts = [\"gw\"]",
    );
    for (number, danger) in [
        ("112", Danger::Emergency),
        ("110", Danger::Emergency),
        ("09001234567", Danger::PremiumRate),
        ("+499001234567", Danger::PremiumRate),
        ("01803123456", Danger::SharedCost),
        ("+881612345678", Danger::Satellite),
        ("sip:112@gw", Danger::Emergency),
    ] {
        assert_eq!(outcome(&policy, number), Err(Refusal::Never(danger)), "{number}");
    }
    let own = Dialler {
        extension: Some("112".to_owned()),
        ..alice()
    };
    let decision = policy.decide(&own, "112");
    assert_eq!(decision.outcome, Err(Refusal::Never(Danger::Emergency)));
}

#[test]
fn what_cannot_stand_in_a_request_uri_is_escaped() {
    let policy = policy("[dial]\nallow = ['\\*9[0-9]#']");
    assert_eq!(outcome(&policy, "*97#"), Ok("sip:*97%23@pbx".to_owned()));
}

#[test]
fn a_listed_host_is_called_by_its_address() {
    let policy = policy("[[dial.rule]]\nname = \"x\"\nkind = \"sip\"\nhosts = [\"pbx.example.com\"]");
    let uri = "sip:anna@pbx.example.com".to_owned();
    assert_eq!(outcome(&policy, "SIP:anna@PBX.example.com"), Ok(uri));
    assert_eq!(outcome(&policy, "sip:anna@evil.example"), Err(Refusal::SipUri));
    assert_eq!(outcome(&policy, "sips:anna@pbx.example.com"), Err(Refusal::SipUri));
}

#[test]
fn every_step_is_told_and_the_log_hides_the_number() {
    let policy = policy(
        "[dial.plan]\ncountry = \"DE\"\n[[dial.rule]]\nname = \"neighbours\"\nkind = \"international\"\ncountries = [\"AT\"]",
    );
    let decision = policy.decide(&alice(), "030 123456");
    assert_eq!(
        decision.in_full().to_string(),
        "alice dials 030 123456\n  means +4930123456, DE, fixed line\n  rule 1, `neighbours`: no, its country is not listed\n  \
         rule 2, default: own extension and phones: no, it is not the user's own\n  refused: no rule covers it"
    );
    let masked = decision.masked().to_string();
    assert!(
        masked.starts_with("alice dials ********56\n  means *********56, DE"),
        "{masked}"
    );
    for text in [masked, policy.decide(&alice(), "+43 1 234567").masked().to_string()] {
        assert!(!text.contains("123") && !text.contains("234"), "{text}");
    }
}
