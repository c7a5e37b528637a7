//! Each fault breaks a promise, and the checker finds it: what passes without one has been put to the test.

mod worlds;

use model::{Fault, World};
use stateright::{Checker, HasDiscoveries, Model};
use worlds::{ONE_PHONE, OUTAGE, TWO_DEATHS, TWO_PHONES, TWO_PHONES_BAD_LINE};

const INTENT: &str = "3: no INVITE before its intent is durable";
const ACK: &str = "3: no ACK before its answer is durable";
const WISH: &str = "3: no NoError before the wish or the end is durable";
const INVITE: &str = "5: no INVITE after a hang-up";
const NUMBERS: &str = "2: no CSeq number of the process that placed the call is used again";
const GRANT: &str = "6: a grant is held while a phone may be up, and no longer";
const ONE_ANSWER: &str = "one request has one answer";
const CONFIRMED: &str = "8: an end that is told as confirmed is true";
const ON_HOOK: &str = "at rest after NoError nobody rings or is up";
const THE_CALLS: &str = "4: at rest whoever rings or is up is the call's";
const ACKED: &str = "at rest a phone that is up has its ACK";
const ANSWERED: &str = "at rest each client has its answer";
const WINDOW: &str = "9: at rest nobody keeps a place in the window";

/// In which world it shows, and which promise it breaks.
fn shows(fault: Fault) -> (World, &'static str) {
    match fault {
        Fault::InviteBeforeIntent => (ONE_PHONE, INTENT),
        Fault::InviteAfterHangUp | Fault::HeldInviteLeaves => (ONE_PHONE, INVITE),
        Fault::NoCancel | Fault::HeldCancelForgotten | Fault::NoBye => (ONE_PHONE, ON_HOOK),
        Fault::NobodyIsTold => (OUTAGE, THE_CALLS),
        Fault::OvertakenNotAgain | Fault::NoTakeUp | Fault::TakenUpFromIntent => (ONE_PHONE, THE_CALLS),
        Fault::AckBeforeAnswer => (ONE_PHONE, ACK),
        Fault::ForkAckBeforeRecord | Fault::ForkNotRecorded => (TWO_PHONES, ACK),
        Fault::OneAckOnly => (ONE_PHONE, ACKED),
        Fault::CrossingAnswerKept => (ONE_PHONE, ON_HOOK),
        Fault::OneByeOnly => (ONE_PHONE, ON_HOOK),
        Fault::NoForkBye => (TWO_PHONES_BAD_LINE, ON_HOOK),
        Fault::ClosedBesideFork => (TWO_PHONES, THE_CALLS),
        Fault::LateAnswerIgnored | Fault::StrayIgnored => (ONE_PHONE, THE_CALLS),
        Fault::NumbersUsedAgain => (ONE_PHONE, NUMBERS),
        Fault::NoErrorNever => (ONE_PHONE, ANSWERED),
        Fault::NoErrorEarly | Fault::AnyRecordCounts => (ONE_PHONE, WISH),
        Fault::NoErrorTwice => (TWO_DEATHS, ONE_ANSWER),
        Fault::GrantBackTwice | Fault::GrantBackNever | Fault::GrantNotTakenAgain => (ONE_PHONE, GRANT),
        Fault::WindowKept => (ONE_PHONE, WINDOW),
        Fault::RefusedIsConfirmed => (ONE_PHONE, CONFIRMED),
    }
}

#[test]
fn and_it_is_the_promise_that_it_breaks() {
    let mut missed = Vec::new();
    for fault in Fault::ALL {
        let (world, promise) = shows(fault);
        let world = World {
            fault: Some(fault),
            ..world
        };
        let checker = world
            .checker()
            .threads(2)
            .finish_when(HasDiscoveries::AnyOf([promise].into()));
        let checker = checker.spawn_bfs().join();
        let discovery = checker.discovery(promise);
        let steps = discovery.map(|path| path.into_actions().len());
        println!(
            "{fault:?}: {} states, {steps:?} steps: {promise}",
            checker.unique_state_count()
        );
        if steps.is_none() {
            missed.push(fault);
        }
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
}
