//! More calls than are ended at a time, after a server was killed: whose turn it is, and who need not wait for it.

use std::time::Duration;

use ews::{ConnectionFailureCause, PhoneCallState};
use tokio::time::timeout;

use crate::crash::again;
use crate::exchange::{self, AWAY, PATIENT};
use crate::peer::Peer;
use crate::program::Program;
use crate::scene::{House, Plan, soon};

/// Of a phone (RFC 3261 §17.1.1.1).
const T1: Duration = Duration::from_millis(500);
/// Whoever has to wait for a turn here waits in vain.
const LONG_TURNS: &str = "[sip.timers]\nt1 = \"60s\"\nt2 = \"60s\"";

/// Calls beside the last one that was placed, of which nothing is known but that they were to be placed: `-1` for older ones,
/// `1` for newer ones.
fn add_intents(house: &House, how_many: usize, age: i64) {
    let copies = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {how_many})
         INSERT INTO call (k, id_hash, intent)
         SELECT k + i * {age}, randomblob(32),
             CAST(json_set(CAST(intent AS TEXT), '$.record.dialog.call_id', 'copy-' || i) AS BLOB)
         FROM call, n"
    );
    house.journal().execute_batch(&copies).unwrap();
}

/// Servers that die one after the other leave calls of which nothing is known but that they were to be placed. Nobody answers
/// for them for a minute; that is not to keep a phone that is up waiting, nor one another.
#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_is_up_does_not_wait_for_calls_that_nobody_answers_for() {
    const OLDER: usize = 300;
    let mut peer = Peer::bind().await;
    let house = House::build();
    let plan = Plan::to(peer.uri());
    let first = Program::serve(&house, &plan).await;
    first.anna(&house).play("4711").await;
    peer.take_call().await;
    let plan = again(&plan, &first);
    first.kill().await;
    add_intents(&house, OLDER, -1);

    let _second = Program::serve(&house, &plan).await;
    let (mut cancels, mut before_bye) = (0, None);
    while cancels < OLDER || before_bye.is_none() {
        let request = peer.next().await;
        match request.method() {
            "CANCEL" => cancels += 1,
            "BYE" => {
                before_bye = Some(cancels);
                peer.reply(&request, 200).await;
            }
            other => assert_eq!(other, "ACK"),
        }
    }
    assert!(before_bye < Some(OLDER / 2), "{before_bye:?}");
}

/// More than are ended at a time, half of them ringing; and new calls meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn all_phones_of_a_server_that_was_killed_are_hung_up() {
    let (next_hop, _exchange) = exchange::open().await;
    let house = House::build();
    let plan = Plan {
        calls: "drain_timeout = \"0s\"\nmax_live = 1000\nmax_live_per_mailbox = 1000",
        ..Plan::to(next_hop)
    };
    let first = Program::serve(&house, &plan).await;
    let anna = first.anna(&house);
    let placing: Vec<_> = (0..160)
        .map(|at| {
            let anna = anna.clone();
            tokio::spawn(async move { anna.play([PATIENT, AWAY][at % 2]).await })
        })
        .collect();
    let mut ids = Vec::new();
    for placed in placing {
        ids.push(placed.await.unwrap());
    }
    for pair in ids.chunks(2) {
        anna.reaches(&pair[0], PhoneCallState::Connected).await;
        anna.reaches(&pair[1], PhoneCallState::Alerted).await;
    }
    let plan = again(&plan, &first);
    first.kill().await;

    let second = Program::serve(&house, &plan).await;
    let anna = second.anna(&house);
    let new = anna.play(PATIENT).await;
    for id in ids.iter().rev() {
        let information = anna.ended(id).await;
        assert_eq!(information.failure_cause, ConnectionFailureCause::None);
    }
    anna.reaches(&new, PhoneCallState::Connected).await;
    assert!(second.terminate().await.0.success());
    let records = "SELECT count(*) FROM cdr WHERE CAST(record AS TEXT) LIKE '%\"confirmed\":true%'";
    assert_eq!(house.count(records), 161, "each was confirmed by its phone");
}

/// More calls than are ended at a time: those that wait to be taken up are known all the same, and go ahead when
/// somebody asks for them.
#[tokio::test(flavor = "multi_thread")]
async fn the_ids_of_all_calls_that_were_up_answer_at_once() {
    let peer = Peer::bind().await;
    let house = House::build();
    let plan = Plan {
        calls: "drain_timeout = \"0s\"\nmax_live = 1000\nmax_live_per_mailbox = 1000\ndisconnect_wait = \"10ms\"",
        ..Plan::to(peer.uri())
    };
    let first = Program::serve(&house, &plan).await;
    let anna = first.anna(&house);
    let placing: Vec<_> = (0..200)
        .map(|_| {
            let anna = anna.clone();
            tokio::spawn(async move { anna.play("4711").await })
        })
        .collect();
    let mut ids = Vec::new();
    for placed in placing {
        ids.push(placed.await.unwrap());
    }
    let plan = again(&plan, &first);
    first.kill().await;

    // The peer says nothing: none of them ends.
    let second = Program::serve(&house, &plan).await;
    let (anna, berta) = (second.anna(&house), second.berta(&house));
    for id in &ids {
        assert_eq!(berta.disconnect(id).await.unwrap_err(), "ErrorInvalidPhoneCallId");
        assert_ne!(anna.state(id).await, PhoneCallState::Disconnected);
    }
    anna.disconnect(&ids[199]).await.unwrap();
}

/// It was rung, and was answered while the server was down or before its turn came.
#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_answers_before_its_turn_is_hung_up_at_once() {
    let mut peer = Peer::bind().await;
    let house = House::build();
    let plan = Plan {
        sip: LONG_TURNS.to_owned(),
        ..Plan::to(peer.uri())
    };
    let first = Program::serve(&house, &plan).await;
    let id = first.anna(&house).play("4711").await;
    let invite = peer.expect("INVITE").await;
    let plan = again(&plan, &first);
    first.kill().await;
    add_intents(&house, 300, 1);

    let second = Program::serve(&house, &plan).await;
    peer.expect("CANCEL").await;
    peer.answer(&invite).await;
    let bye = loop {
        let request = peer.next().await;
        if request.method() == "BYE" {
            break request;
        }
        assert!(["CANCEL", "ACK"].contains(&request.method()), "{}", request.text);
    };
    assert_eq!(bye.header("Call-ID"), invite.header("Call-ID"));
    peer.reply(&bye, 200).await;
    second.anna(&house).ended(&id).await;
}

/// Whose call is known to be up hangs up before the server does.
#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_hangs_up_before_its_turn_is_confirmed() {
    let mut peer = Peer::bind().await;
    let house = House::build();
    let plan = Plan {
        sip: LONG_TURNS.to_owned(),
        calls: "max_live = 1000\nmax_live_per_mailbox = 1000",
        ..Plan::to(peer.uri())
    };
    let first = Program::serve(&house, &plan).await;
    let anna = first.anna(&house);
    let mut last = None;
    for _ in 0..140 {
        let id = anna.play("4711").await;
        last = Some((id, peer.take_call().await));
    }
    let (id, invite) = last.unwrap();
    let plan = again(&plan, &first);
    first.kill().await;

    let second = Program::serve(&house, &plan).await;
    peer.expect("BYE").await;
    let confirmed = async {
        loop {
            // It says so again, as a phone does (RFC 3261 §17.1.2.2): among so many BYEs an answer may be lost.
            peer.hang_up(&invite).await;
            let answer = async {
                loop {
                    let message = peer.next_ever().await;
                    if message.method() != "BYE" {
                        break message;
                    }
                }
            };
            if let Ok(answer) = timeout(T1, answer).await {
                break answer;
            }
        }
    };
    let confirmed = soon("the answer to its BYE", confirmed).await;
    assert_eq!(confirmed.status(), Some(200), "{}", confirmed.text);
    second.anna(&house).ended(&id).await;
}
