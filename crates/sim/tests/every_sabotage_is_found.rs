//! A simulation that cannot fail proves nothing: each fault put in on purpose breaks a rule.

use sim::{Decisions, Lanes, Sabotage, Settings, draw, run, shrink};

const RUNS: u64 = 100_000;

fn broken_rule(sabotage: Sabotage) -> Option<(u64, &'static str)> {
    let settings = Settings {
        sabotage,
        ..Settings::default()
    };
    (0..RUNS).find_map(|seed| Some((seed, run(Lanes::of_seed(seed), settings).violation?.rule)))
}

#[test]
fn each_is() {
    let (on_hook, all_down) = ("on-hook within 2·64·T1 of NoError", "nobody is left off-hook");
    let up: &[&str] = &[on_hook, all_down];
    let at_rest = "what is sound comes to rest";
    let durable_answer = "no ACK without a durable answer";
    let expected: [(Sabotage, &[&str]); 24] = [
        (Sabotage::NoAck, &["every 2xx is ACKed"]),
        (Sabotage::NoSecondAck, &["every 2xx is ACKed"]),
        (Sabotage::NoCancel, &[on_hook]),
        (Sabotage::NoBye, up),
        (Sabotage::NoForkBye, up),
        (Sabotage::OneByeOnly, up),
        (Sabotage::LateAnswersLost, &["every 2xx is ACKed"]),
        (Sabotage::NoTakeUp, &[on_hook, all_down, "every dialog ends"]),
        (Sabotage::NoCredentials, up),
        (Sabotage::EarlyPromise, &["no NoError without a durable wish"]),
        (Sabotage::WishForgotten, &["no INVITE after a hang-up"]),
        (Sabotage::AnotherInvite, &["no INVITE after a hang-up"]),
        (Sabotage::EarlyInvite, &["no INVITE without a durable intent"]),
        (Sabotage::EarlyAck, &[durable_answer]),
        (Sabotage::EarlyForkAck, &[durable_answer]),
        (Sabotage::SessionIgnored, &["a phone that has vanished is noticed"]),
        (Sabotage::GrantTwice, &["a grant is returned once"]),
        (Sabotage::GrantNever, &["a grant is returned once"]),
        (Sabotage::CancelElsewhere, &["what belongs to an INVITE goes its way"]),
        (Sabotage::AnswerTwice, &["each request is answered once"]),
        (Sabotage::AnswerNever, &["each request is answered once", at_rest]),
        (Sabotage::LateSnapshot, &["what can be asked is told before the answer"]),
        (Sabotage::CutShort, &["what leaves can be read"]),
        (Sabotage::TakenUpUnsaid, &["who is taken up was said to be"]),
    ];
    for (sabotage, rules) in expected {
        let (seed, rule) = broken_rule(sabotage).unwrap_or_else(|| panic!("{sabotage:?} is not found"));
        assert!(rules.contains(&rule), "{sabotage:?}, seed {seed}: {rule}");
    }
}

#[test]
fn a_failing_run_becomes_simpler_and_fails_alike() {
    let settings = Settings {
        sabotage: Sabotage::NoCancel,
        ..Settings::default()
    };
    let (seed, rule) = broken_rule(settings.sabotage).unwrap();
    let decisions = run(Lanes::of_seed(seed), settings).decisions;
    let decided = |decisions: &Decisions| decisions.lanes.values().flatten().filter(|value| **value > 0).count();
    let simpler = shrink(decisions.clone(), settings);
    assert!(
        decided(&simpler) * 2 < decided(&decisions),
        "{} of {}",
        decided(&simpler),
        decided(&decisions)
    );
    assert!(
        simpler.parts.families.len() <= 1 && simpler.parts.calls.len() == 1,
        "{simpler:?}"
    );

    let drawn = draw(Lanes::replay(simpler), settings);
    assert_eq!(drawn.violation.unwrap().rule, rule);
    for line in ["onhook", "INVITE 1", "DisconnectPhoneCall", "NoError"] {
        assert!(drawn.ladder.contains(line), "no {line} in\n{}", drawn.ladder);
    }
}
