//! A graceful stop: no new calls, the running ones hung up and confirmed, then the end.

use std::time::Duration;

use ews::PhoneCallState;
use onhook::phone::{Ending, Phone, PhoneOptions, What};
use sip::Transport;

use crate::peer::Peer;
use crate::program::Program;
use crate::scene::{House, Plan, Scene, soon};

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_hangs_up_fifty_calls_and_exits_with_0() {
    let options = PhoneOptions {
        ring: Duration::from_millis(100),
        ..PhoneOptions::default()
    };
    let (phone, mut events) = Phone::start(options).unwrap();
    let house = House::build();
    let plan = Plan {
        calls: "max_live_per_mailbox = 50\ndrain_timeout = \"0s\"",
        ..Plan::to(format!("sip:{}", phone.address(Transport::Udp).unwrap()))
    };
    let program = Program::serve(&house, &plan).await;
    let anna = program.anna(&house);
    let placing: Vec<_> = (0..50)
        .map(|_| {
            let anna = anna.clone();
            tokio::spawn(async move { anna.play("4711").await })
        })
        .collect();
    let mut up = 0;
    while up < 50 {
        let event = soon("fifty calls", events.recv()).await.unwrap();
        up += usize::from(matches!(event.what, What::Acked));
    }
    for placed in placing {
        placed.await.unwrap();
    }
    assert_eq!(phone.live_calls(), 50);

    let terminated = tokio::spawn(program.terminate());
    let mut ended = 0;
    while ended < 50 {
        if let What::Ended { why, .. } = soon("fifty ends", events.recv()).await.unwrap().what {
            assert_eq!(why, Ending::CallerHungUp);
            ended += 1;
        }
    }
    let (status, log) = terminated.await.unwrap();
    assert_eq!(status.code(), Some(0), "{log}");
    let left = "SELECT (SELECT count(*) FROM call), (SELECT count(*) FROM cdr WHERE cause = 'drain')";
    let left = house
        .journal()
        .query_row(left, [], |row| Ok((row.get(0)?, row.get(1)?)));
    assert_eq!(left.unwrap(), (0, 50));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_stops_calls_can_be_asked_about_and_none_can_be_placed() {
    let mut peer = Peer::bind().await;
    let scene = Scene::open(Plan::to(peer.uri())).await;
    let anna = scene.anna();
    let id = anna.play("4711").await;
    peer.take_call().await;
    let stopped = tokio::spawn(scene.server.stop());
    let bye = peer.expect("BYE").await;
    assert_eq!(
        anna.try_play("4711").await.unwrap_err(),
        "ErrorUnifiedMessagingServerNotFound"
    );
    assert_eq!(anna.state(&id).await, PhoneCallState::Connected);
    peer.reply(&bye, 200).await;
    soon("the end", stopped).await.unwrap();
}

/// Whoever is told that it has stopped can start the next one at the same place at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_stopped_has_freed_its_ports() {
    let peer = Peer::bind().await;
    let first = Scene::open(Plan::to(peer.uri())).await;
    let listening = first.server.addresses().sip[0].clone();
    first.server.stop().await;
    let second = Scene::open(Plan {
        sip_listen: listening.clone(),
        ..Plan::to(peer.uri())
    })
    .await;
    assert_eq!(second.server.addresses().sip, [listening]);
}
