//! Somebody listens to messages at the own phone, one after the other; and other people's phones are spared as ever.

use ews::PhoneCallState;
use onhook::store::{NumbersChange, Store};

use crate::crash::again;
use crate::exchange::{self, AWAY, PATIENT};
use crate::program::Program;
use crate::scene::{House, PhoneCallId, Plan, User};

/// Anna's extension is a phone that answers; Berta's is one that is somewhere else.
fn house() -> House {
    let house = House::build();
    let store = Store::open(&house.store()).unwrap();
    for (user, extension) in [("anna", PATIENT), ("berta", AWAY)] {
        let change = NumbersChange {
            extension: Some(Some(extension.to_owned())),
            ..NumbersChange::default()
        };
        store.change_numbers(&user.parse().unwrap(), &change).unwrap();
    }
    house
}

async fn skip(user: &User, number: &str) -> PhoneCallId {
    let id = user.play(number).await;
    user.disconnect(&id).await.unwrap();
    user.ended(&id).await;
    id
}

/// However quickly somebody skips through them.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_messages_in_a_row_are_heard_with_the_shipped_caps() {
    let (next_hop, _exchange) = exchange::open().await;
    let house = house();
    let plan = Plan {
        caps: "",
        ..Plan::to(next_hop)
    };
    let program = Program::serve(&house, &plan).await;
    let anna = program.anna(&house);
    for _ in 0..20 {
        skip(&anna, PATIENT).await;
    }
}

/// The caps are the shipped ones, but for the pace of the trunk.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_messages_in_a_row_are_heard_and_nobody_else_is_rung_more_often() {
    let (next_hop, _exchange) = exchange::open().await;
    let house = house();
    let plan = Plan {
        caps: "starts_per_second_per_trunk = 100",
        ..Plan::to(next_hop)
    };
    let program = Program::serve(&house, &plan).await;
    // Both come from one address, as people on a terminal server do.
    let (anna, berta) = (program.anna(&house), program.berta(&house));
    for _ in 0..20 {
        skip(&anna, PATIENT).await;
        skip(&berta, AWAY).await;
    }
    // To whom it is another's, Anna's phone is protected as before.
    for _ in 0..3 {
        skip(&berta, PATIENT).await;
    }
    assert_eq!(berta.try_play(PATIENT).await.unwrap_err(), "ErrorServerBusy");
    skip(&anna, PATIENT).await;
}

/// With one call up and two over when the server is killed, the next one knows that all three were to the own phone.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_does_not_make_them_calls_to_somebody_else() {
    let (next_hop, _exchange) = exchange::open().await;
    let house = house();
    let plan = Plan::to(next_hop);
    let first = Program::serve(&house, &plan).await;
    let anna = first.anna(&house);
    for _ in 0..2 {
        skip(&anna, PATIENT).await;
    }
    let id = anna.play(PATIENT).await;
    anna.reaches(&id, PhoneCallState::Connected).await;
    let plan = Plan {
        caps: "starts_per_second_per_trunk = 100\nstarts_per_minute_to_own_phone = 3\nstarts_per_hour_per_mailbox = 1",
        // Whatever can be asked about.
        calls: "ended_retention = \"0s\"",
        ..again(&plan, &first)
    };
    first.kill().await;

    let second = Program::serve(&house, &plan).await;
    let anna = second.anna(&house);
    anna.ended(&id).await;
    assert_eq!(anna.try_play(PATIENT).await.unwrap_err(), "ErrorServerBusy");
    skip(&anna, AWAY).await;
    assert_eq!(anna.try_play(AWAY).await.unwrap_err(), "ErrorServerBusy");
}

/// A record that does not say whose phone it was is one of an earlier version: its call is ended, and counts as one to others.
#[tokio::test(flavor = "multi_thread")]
async fn records_of_earlier_versions_are_read() {
    let (next_hop, _exchange) = exchange::open().await;
    let house = house();
    let plan = Plan::to(next_hop);
    let first = Program::serve(&house, &plan).await;
    let anna = first.anna(&house);
    let id = anna.play(PATIENT).await;
    anna.reaches(&id, PhoneCallState::Connected).await;
    let plan = Plan {
        caps: "starts_per_second_per_trunk = 100\nstarts_per_hour_per_mailbox = 1",
        ..again(&plan, &first)
    };
    first.kill().await;
    let changed = house.journal().execute(
        "UPDATE call SET intent = CAST(json_remove(CAST(intent AS TEXT), '$.own_phone') AS BLOB)
         WHERE CAST(intent AS TEXT) LIKE '%own_phone%'",
        [],
    );
    assert_eq!(changed.unwrap(), 1);

    let second = Program::serve(&house, &plan).await;
    let anna = second.anna(&house);
    anna.ended(&id).await;
    assert_eq!(anna.try_play(AWAY).await.unwrap_err(), "ErrorServerBusy");
    skip(&anna, PATIENT).await;
}
