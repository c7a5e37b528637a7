//! A simulation that cannot fail proves nothing: each fault put in on purpose breaks a rule that names what it breaks.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use sabotage::Fault;
use sim::{Decisions, Lanes, Sabotage, Settings, ShellFault, draw, run, shrink};

/// Runs within which each has to be found, those that are told apart below aside.
const RUNS: u64 = 2_000;

fn settings(sabotage: Sabotage) -> Settings {
    Settings {
        sabotage,
        ..Settings::default()
    }
}

/// The first of so many runs that breaks a rule, and which.
fn broken_rule(sabotage: Sabotage, runs: u64) -> Option<(u64, &'static str)> {
    (0..runs).find_map(|seed| {
        let outcome = run(Lanes::of_seed(seed), settings(sabotage));
        Some((seed, outcome.violation?.rule))
    })
}

/// By which rules each may be found: that of its promise first.
fn rules(sabotage: Sabotage) -> &'static [&'static str] {
    const UP: &[&str] = &[
        "on-hook within 2·64·T1 of NoError",
        "nobody is left off-hook",
        "no call is longer than may be",
        "every dialog ends",
    ];
    const REPEATS: &[&str] = &["a request is repeated when it is due"];
    const SESSION: &[&str] = &["a session is refreshed by half of its interval"];
    const GRANT: &[&str] = &["a grant is returned once"];
    const ACK: &[&str] = &["no ACK without a durable answer"];
    const FOLLOWS: &[&str] = &["what can be asked is told before what follows"];
    const REACH: &[&str] = &["no peer sends us into our own network"];
    const REFUSAL: &[&str] = &["every refusal is ACKed"];
    match sabotage {
        Sabotage::Nothing => &[],
        Sabotage::Shipped(fault) => match fault {
            // A call that is hung up before its answer is durable says BYE then.
            Fault::NoAck => &["every 2xx is ACKed", "no BYE before its ACK"],
            Fault::NoSecondAck | Fault::LateAnswersLost | Fault::StrayForgotten => &["every 2xx is ACKed"],
            Fault::NoCancel | Fault::OneCancelOnly | Fault::RingsForEver => {
                &["nobody rings longer than may be", "on-hook within 2·64·T1 of NoError"]
            }
            Fault::EarlyCancel => &["a CANCEL waits for a provisional"],
            Fault::CancelElsewhere => &["what belongs to an INVITE goes its way"],
            // What a trunk is asked is repeated, too.
            Fault::RepeatElsewhere => &["what belongs to an INVITE goes its way", "nothing goes where nobody is"],
            // Its INVITE is still out then.
            Fault::CancelIsTheEnd => &[
                "what is confirmed is true",
                "nothing is remembered of calls that are over",
            ],
            Fault::GiveUpNever => &["what is sound comes to rest", "comes to rest"],
            Fault::LastsForEver => &["no call is longer than may be"],
            Fault::NoBye
            | Fault::NoForkBye
            | Fault::OneByeOnly
            | Fault::CseqStandsStill
            | Fault::BranchUsedTwice
            | Fault::NoCredentials => UP,
            Fault::NoTakeUp => &[
                "on-hook within 2·64·T1 of NoError",
                "nobody is left off-hook",
                "what is sound comes to rest",
                "every dialog ends",
                "a grant is returned once",
                "each request is answered once",
            ],
            Fault::EarlyBye | Fault::OutboxOvertaken => &["no BYE before its ACK"],
            Fault::ForkUnrecorded => ACK,
            Fault::SessionIgnored => &[
                "a session is refreshed by half of its interval",
                "a phone that has vanished is noticed",
            ],
            Fault::RefreshNever | Fault::RefreshLate | Fault::RefresherConfused => SESSION,
            Fault::LeftoverEndedTwice => &["one BYE at a time"],
            // The dialogs of two forks have one remote tag then, and their BYEs one branch.
            Fault::TagsSwapped => &[
                "what is confirmed is true",
                "on-hook within 2·64·T1 of NoError",
                "a request is repeated when it is due",
                "every dialog ends",
            ],
            Fault::NeverRepeated
            | Fault::PausesStandStill
            | Fault::PausesWithoutEnd
            | Fault::TimerFShort
            | Fault::TimerBLong => REPEATS,
            Fault::NoRefusalAck | Fault::NoSecondRefusalAck => REFUSAL,
            Fault::EarlyInvite => &[
                "no INVITE without a durable intent",
                "no Placed without a durable intent",
            ],
            Fault::EarlyAck | Fault::EarlyForkAck => ACK,
            Fault::EarlyPromise => &["no NoError without a durable wish"],
            Fault::EarlyPlaced => &["no Placed without a durable intent"],
            Fault::RefusedIsDurable => &[
                "no Placed without a durable intent",
                "no INVITE without a durable intent",
                "no NoError without a durable wish",
                "no ACK without a durable answer",
            ],
            Fault::WishForgotten | Fault::InviteAfterWish => &["no INVITE after a hang-up"],
            Fault::UndeliveredGoesOn => &[
                "on-hook within 2·64·T1 of NoError",
                "no INVITE after a hang-up",
                "nobody is left off-hook",
            ],
            Fault::AnswerTwice | Fault::AnswerNever => {
                &["each request is answered once", "what is sound comes to rest"]
            }
            Fault::AbandonedIsPlaced => &["no INVITE for a client that is gone"],
            Fault::OwnerIgnored => &["a call of someone else is unknown"],
            Fault::GrantTwice | Fault::GrantNever | Fault::GrantEarly | Fault::EndOvertakes => GRANT,
            Fault::EndWaitsForEver => &["comes to rest", "what is sound comes to rest"],
            Fault::CapOffByOne => &["no more calls go by a trunk than may"],
            Fault::AnswerUntold | Fault::EndUntold | Fault::EarlyReply => FOLLOWS,
            Fault::EndToldEarly | Fault::LeftEndUntold => &["what is told is true"],
            Fault::EndToldTwice => &["an end stays"],
            Fault::WindowNever => &["what was taken is given back"],
            Fault::WindowOffByOne => &["no more INVITEs wait for an answer than may"],
            Fault::AckFollowsRoute | Fault::ReachIgnored => REACH,
            Fault::VerifiedForNobody => &["a connection is verified for whose it is"],
            Fault::LostIsSent => &["what was lost with its connection is said again"],
            Fault::FoundIsForgotten => &["a name that was found stays found"],
            // Its own trunk may stand in its route: then the connection there is not the trunk's.
            Fault::StrayByFirstTrunk => &[
                "a call goes by its own trunk",
                "a connection is verified for whose it is",
            ],
            Fault::RecoveryUnpaced => &["leftovers are taken up so many at a time"],
            Fault::DeathsForgotten => &["whom processes died of is taken up alone, or not at all"],
            Fault::RecordSwapsAddresses => &["what belongs to an INVITE goes its way", "nothing goes where nobody is"],
            Fault::ProbeNever => &["a trunk is asked whether it is there"],
            Fault::ProbeWithoutPause => &["a trunk is not asked again and again"],
            Fault::SilenceIsAnAnswer => &[
                "who does not answer is known to be down",
                "what is said of a trunk is true",
            ],
            Fault::DownTrunkTaken => &["no call goes by a trunk that is down"],
            Fault::BindingLapses => &["a binding is renewed before its end"],
            Fault::RouteForgotten => &["a request goes by the route of its dialog"],
            Fault::BindingForLonger => &["who leaves does not register"],
            Fault::BindingStays => &["registrars are told that we leave"],
        },
        Sabotage::InShell(fault) => match fault {
            ShellFault::SaidDurable => &[
                "no INVITE without a durable intent",
                "no Placed without a durable intent",
                "no NoError without a durable wish",
            ],
            ShellFault::LateSnapshot => &[
                "what can be asked is told before what follows",
                "what can be asked is told before the answer",
            ],
            ShellFault::CutShort => &["what leaves can be read"],
            ShellFault::TakenUpUnsaid => &["who is taken up was said to be"],
        },
    }
}

/// What needs more than [`RUNS`], and how many it may need.
fn runs(sabotage: Sabotage) -> u64 {
    match sabotage {
        // Of strays there are few, since a call is remembered as long as its phones may repeat what they said.
        Sabotage::Shipped(Fault::DeathsForgotten | Fault::FoundIsForgotten | Fault::StrayByFirstTrunk) => 20_000,
        _ => RUNS,
    }
}

#[test]
fn each_is() {
    let all: Vec<Sabotage> = Sabotage::all().collect();
    assert!(Fault::ALL.len() >= 40);
    let next = AtomicUsize::new(0);
    let find = || {
        while let Some(sabotage) = all.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
            let found = broken_rule(sabotage, runs(sabotage));
            let (seed, rule) = found.unwrap_or_else(|| panic!("{sabotage} is not found"));
            println!("{sabotage}: in {} runs: {rule}", seed + 1);
            assert!(rules(sabotage).contains(&rule), "{sabotage}, seed {seed}: {rule}");
        }
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..threads {
            scope.spawn(find);
        }
    });
}

#[test]
fn a_failing_run_becomes_simpler_and_fails_alike() {
    let settings = settings(Sabotage::Shipped(Fault::NoCancel));
    let (seed, rule) = broken_rule(settings.sabotage, RUNS).unwrap();
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
    for line in ["onhook", "INVITE 1", "180 (INVITE 1)"] {
        assert!(drawn.ladder.contains(line), "no {line} in\n{}", drawn.ladder);
    }
}
