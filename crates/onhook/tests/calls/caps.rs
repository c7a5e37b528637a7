//! How many calls may be up, and that every ending gives its place back.

use ews::{ItemId, PhoneCallState, PlayOnPhone, ServerVersion};

use crate::crash::again;
use crate::exchange::{self, AWAY, CURT, PATIENT};
use crate::peer::Peer;
use crate::program::Program;
use crate::scene::{House, Plan, Scene, post, rtp_ports, soon};

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_has_so_many_calls_and_others_have_theirs() {
    let (next_hop, _exchange) = exchange::open().await;
    let scene = Scene::open(Plan {
        calls: "max_live_per_mailbox = 2",
        ..Plan::to(next_hop)
    })
    .await;
    let (anna, berta) = (scene.anna(), scene.berta());
    let all: Vec<_> = (0..10)
        .map(|_| {
            let anna = anna.clone();
            tokio::spawn(async move { anna.try_play(PATIENT).await })
        })
        .collect();
    let mut placed = Vec::new();
    for one in all {
        match one.await.unwrap() {
            Ok(id) => placed.push(id),
            Err(code) => assert_eq!(code, "ErrorServerBusy"),
        }
    }
    assert_eq!(placed.len(), 2);
    berta.play(PATIENT).await;
    assert_eq!(anna.try_play(PATIENT).await.unwrap_err(), "ErrorServerBusy");
    anna.disconnect(&placed[0]).await.unwrap();
    anna.play(PATIENT).await;
    assert_eq!(anna.try_play(PATIENT).await.unwrap_err(), "ErrorServerBusy");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_has_so_many_calls() {
    let (next_hop, _exchange) = exchange::open().await;
    let scene = Scene::open(Plan {
        calls: "max_live = 2",
        ..Plan::to(next_hop)
    })
    .await;
    let (anna, berta) = (scene.anna(), scene.berta());
    let id = anna.play(AWAY).await;
    berta.play(PATIENT).await;
    for user in [&anna, &berta] {
        assert_eq!(user.try_play(PATIENT).await.unwrap_err(), "ErrorServerBusy");
    }
    anna.disconnect(&id).await.unwrap();
    berta.play(PATIENT).await;
}

/// Fifty calls that end in every way, on a server with room for one, and ports for twenty.
#[tokio::test(flavor = "multi_thread")]
async fn every_ending_gives_the_place_and_the_port_back() {
    let (next_hop, _exchange) = exchange::open().await;
    let scene = Scene::open(Plan {
        calls: "max_live = 1",
        media: rtp_ports(20),
        sip: "[sip.timers]\nt1 = \"50ms\"".to_owned(),
        ..Plan::to(next_hop)
    })
    .await;
    let anna = scene.anna();
    for turn in 0..50 {
        let id = match turn % 8 {
            0 => anna.play("486").await,
            1 => anna.play("404").await,
            2 => anna.play("302").await,
            3 => anna.play(CURT).await,
            4 => anna.play_message(&anna.short, PATIENT).await.unwrap(),
            5 => {
                let id = anna.play(AWAY).await;
                anna.reaches(&id, PhoneCallState::Alerted).await;
                anna.disconnect(&id).await.unwrap();
                id
            }
            6 => {
                let id = anna.play(PATIENT).await;
                anna.reaches(&id, PhoneCallState::Connected).await;
                anna.disconnect(&id).await.unwrap();
                id
            }
            // In whatever phase the hang-up meets it.
            _ => {
                let id = anna.play(PATIENT).await;
                anna.disconnect(&id).await.unwrap();
                id
            }
        };
        anna.ended(&id).await;
        assert_eq!(scene.server.live_calls(), 0);
    }
    let id = anna.play(PATIENT).await;
    anna.reaches(&id, PhoneCallState::Connected).await;
    assert_eq!(scene.server.live_calls(), 1);
    soon("the end", scene.server.stop()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn busy_tells_how_long_to_wait() {
    let (next_hop, _exchange) = exchange::open().await;
    let scene = Scene::open(Plan {
        calls: "max_live = 0",
        ..Plan::to(next_hop)
    })
    .await;
    let play = PlayOnPhone {
        item_id: ItemId {
            id: scene.anna().long,
            change_key: None,
        },
        dial_string: PATIENT.to_owned(),
    };
    let answer = post(scene.http(), "anna", &play.encode(ServerVersion::EXCHANGE_2013)).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("ErrorServerBusy"), "{answer}");
    assert!(answer.contains("Name=\"BackOffMilliseconds\">5000<"), "{answer}");
}

/// With one call up and two over when the server is killed, the next one knows of all three.
#[tokio::test(flavor = "multi_thread")]
async fn starts_are_counted_over_a_kill() {
    let (next_hop, _exchange) = exchange::open().await;
    for (caps, refused) in [
        ("starts_per_hour_per_mailbox = 3", ["ErrorServerBusy", "3000"]),
        ("starts_per_ten_minutes_per_number = 3", ["ErrorServerBusy", PATIENT]),
        ("starts_per_minute_per_mailbox = 3", ["ErrorServerBusy", "3000"]),
        ("starts_per_minute_per_address = 3", ["ErrorServerBusy", "3000"]),
        (
            "minutes_per_day_per_mailbox = 0",
            ["ErrorSubmissionQuotaExceeded", PATIENT],
        ),
    ] {
        let [code, number] = refused;
        let house = House::build();
        let plan = Plan::to(next_hop.clone());
        let first = Program::serve(&house, &plan).await;
        let anna = first.anna(&house);
        for _ in 0..2 {
            let id = anna.play(PATIENT).await;
            anna.disconnect(&id).await.unwrap();
            anna.ended(&id).await;
        }
        let id = anna.play(PATIENT).await;
        anna.reaches(&id, PhoneCallState::Connected).await;
        let plan = Plan {
            caps,
            // Whatever can be asked about.
            calls: "starts_per_second_per_trunk = 100\nended_retention = \"0s\"",
            ..again(&plan, &first)
        };
        first.kill().await;

        let second = Program::serve(&house, &plan).await;
        let anna = second.anna(&house);
        // Its place is given back once, and its start is still counted.
        anna.ended(&id).await;
        assert_eq!(anna.try_play(number).await.unwrap_err(), code, "{caps}");
        let berta = second.berta(&house);
        assert_eq!(
            berta.try_play(AWAY).await.is_ok(),
            !caps.starts_with("minutes") && !caps.ends_with("address = 3"),
            "{caps}"
        );
    }
}

/// A call that has ended and was answered once more by another fork is in the journal twice when the server is killed; and
/// while its phone is being hung up, it holds its place.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_answered_after_its_end_is_counted_once_over_a_kill() {
    let mut peer = Peer::bind().await;
    let house = House::build();
    let plan = Plan {
        caps: "starts_per_minute_per_mailbox = 2",
        ..Plan::to(peer.uri())
    };
    let first = Program::serve(&house, &plan).await;
    let anna = first.anna(&house);
    let id = anna.play("4711").await;
    let invite = peer.take_call().await;
    peer.hang_up(&invite).await;
    assert_eq!(peer.next().await.status(), Some(200));
    anna.ended(&id).await;
    peer.answer_as("late", &invite).await;
    peer.expect("ACK").await;
    peer.expect("BYE").await;
    let rows = "SELECT count(*) FROM call JOIN cdr USING (k)";
    assert_eq!(house.count(rows), 1);
    first.kill().await;

    let second = Program::serve(
        &house,
        &Plan {
            calls: "max_live = 2",
            ..plan
        },
    )
    .await;
    let (anna, berta) = (second.anna(&house), second.berta(&house));
    anna.play("4712").await;
    assert_eq!(
        berta.try_play("4713").await.unwrap_err(),
        "ErrorServerBusy",
        "the late phone is up"
    );
    assert_eq!(anna.try_play("4713").await.unwrap_err(), "ErrorServerBusy");
}

/// Of a call whose turn to be ended has not come, too: its trunk cannot be reached yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_a_crash_left_holds_its_place_from_the_start() {
    let mut peer = Peer::bind().await;
    let house = House::build();
    let plan = Plan::to(peer.uri());
    let first = Program::serve(&house, &plan).await;
    first.anna(&house).play("4711").await;
    peer.take_call().await;
    first.kill().await;

    // It has no address for IPv6, but the other trunk has one.
    let second = Program::serve(
        &house,
        &Plan {
            next_hops: vec!["sip:[::1]:5060".to_owned(), peer.uri()],
            calls: "max_live_per_mailbox = 1",
            ..plan
        },
    )
    .await;
    let (anna, berta) = (second.anna(&house), second.berta(&house));
    assert_eq!(anna.try_play("4712").await.unwrap_err(), "ErrorServerBusy");
    berta.play("4713").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_defaults_let_a_number_ring_three_times_and_a_mailbox_twice_at_once() {
    let (next_hop, _exchange) = exchange::open().await;
    let scene = Scene::open(Plan {
        caps: "starts_per_second_per_trunk = 100",
        ..Plan::to(next_hop)
    })
    .await;
    let (anna, berta) = (scene.anna(), scene.berta());
    for user in [&anna, &berta, &anna] {
        let id = user.play(PATIENT).await;
        user.disconnect(&id).await.unwrap();
        user.ended(&id).await;
    }
    assert_eq!(berta.try_play(PATIENT).await.unwrap_err(), "ErrorServerBusy");
    berta.play(AWAY).await;
    berta.play(AWAY).await;
    assert_eq!(berta.try_play("5000").await.unwrap_err(), "ErrorServerBusy");
}
