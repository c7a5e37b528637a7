//! What nobody can mean is refused in words.

use crate::{findings, parse, secrets};

/// Every documented key with a value of its kind, in a file that has what its section needs.
fn documented(is_wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let keys = secrets::documented()
        .into_iter()
        .filter(|(_, _, value)| is_wanted(value));
    let keys = keys.map(|(header, key, _)| {
        let before = match header.as_str() {
            "[[trunk]]" => "[[trunk]]\nname = \"pbx\"\nnext_hop = \"sip:a\"\nusername = \"u\"".to_owned(),
            "[login.oauth]" => {
                "[http]\nlogin = [\"oauth\"]\n[login.oauth]\nissuer = \"i\"\naudience = [\"a\"]\njwks_url = \"https://i/\""
                    .to_owned()
            }
            _ => header,
        };
        (before, key)
    });
    keys.collect()
}

fn is_period(value: &str) -> bool {
    let inner = value.trim_matches('"');
    value.starts_with('"') && inner.starts_with(|c: char| c.is_ascii_digit()) && inner.ends_with(['s', 'm', 'h', 'd'])
}

#[test]
fn no_key_takes_a_period_that_nobody_can_mean() {
    let keys = documented(is_period);
    assert!(keys.len() > 15, "{keys:?}");
    for (before, key) in keys {
        let found = findings(&format!("{before}\n{key} = \"36500d\"\n"));
        let line = before.lines().count() + 1;
        let says =
            |(at, message): &&(usize, String)| *at == line && message.starts_with(&key) && message.contains(" at most");
        let Some((_, message)) = found.iter().find(says) else {
            panic!("{key}: {found:?}");
        };
        // What it says is the most is taken.
        if let Some(most) = message.split('"').nth(1) {
            let found = parse(&format!("{before}\n{key} = \"{most}\"\n"));
            // T1 is never more than T2.
            let is_t1 = key == "t1" && parse(&format!("{before}\n{key} = \"{most}\"\nt2 = \"{most}\"\n")).is_ok();
            assert!(found.is_ok() || is_t1, "{key} = {most}: {found:?}");
        }
    }
}

#[test]
fn no_key_takes_a_number_that_nobody_can_mean() {
    let keys = documented(|value| value.bytes().all(|c| c.is_ascii_digit()));
    assert!(keys.len() > 15, "{keys:?}");
    for (before, key) in keys {
        let found = findings(&format!("{before}\n{key} = 4294967295\n"));
        let says = |(_, message): &(usize, String)| message.starts_with(&key) && message.contains(" at most");
        assert!(found.iter().any(says), "{key}: {found:?}");
    }
}

#[test]
fn a_hang_up_is_answered_while_somebody_waits_for_it() {
    assert_eq!(
        findings("[calls]\ndisconnect_wait = \"30d\"\n"),
        [(
            2,
            "disconnect_wait is \"1m\" at most: with more, clients would have given up before the answer".to_owned()
        )]
    );
}

#[test]
fn a_network_that_is_half_the_world_is_no_proxy() {
    for (networks, refused) in [
        ("\"0.0.0.0/0\"", true),
        ("\"10.0.0.0/8\", \"::/0\"", true),
        ("\"0.0.0.0/1\"", true),
        ("\"16.0.0.0/7\"", true),
        ("\"2000::/3\"", true),
        ("\"2600::/15\"", true),
        ("\"fc00::/6\"", true),
        (
            "\"10.0.0.0/8\", \"192.0.2.7\", \"fd00::/8\", \"fc00::/7\", \"fe80::/10\", \"2001:db8::/32\"",
            false,
        ),
    ] {
        let text = format!("[http]\ntrusted_proxies = [{networks}]\n");
        match parse(&text) {
            Ok(_) => assert!(!refused, "{text}"),
            Err(error) => assert!(
                refused && error.to_string().contains("wider than one holder's"),
                "{text}: {error}"
            ),
        }
    }
}

#[test]
fn prefixes_of_a_plan_need_its_country() {
    for key in ["national_prefix", "international_prefix"] {
        let without = format!("[dial.plan]\n{key} = \"0\"\n");
        let found = findings(&without);
        assert!(
            found.len() == 1 && found[0].0 == 2 && found[0].1.starts_with(&format!("{key} needs a country")),
            "{found:?}"
        );
        parse(&format!("{without}country = \"DE\"\n")).unwrap();
    }
}

#[test]
fn what_reaches_further_than_it_looks_is_noted() {
    for (text, note) in [
        (
            "[dial.plan]\noutside_line = \"0\"\n",
            "[dial.plan] outside_line without a country",
        ),
        ("[sip]\npeers = [\"0.0.0.0/0\"]\n", "[sip] peers names more"),
    ] {
        let notes = parse(text).unwrap().notes();
        assert!(notes.iter().any(|noted| noted.starts_with(note)), "{text}: {notes:?}");
    }
}

#[test]
fn an_address_for_sound_that_no_call_can_use_is_noted() {
    let notes = |bind: &str| parse(&format!("[media]\nbind = {bind}\n")).unwrap().notes();
    let is_noted = |notes: &[&str]| {
        notes
            .iter()
            .any(|note| note.starts_with("[media] bind names an address"))
    };
    assert!(is_noted(&notes("[\"127.0.0.1\", \"::1\"]")) && is_noted(&notes("\"::1\"")));
    assert!(!is_noted(&notes("\"192.0.2.1\"")));
}
