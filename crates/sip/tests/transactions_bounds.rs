//! What is remembered has bounds (promise 9).

mod transactions;

use std::time::Duration;

use sip::{Bounds, ForClient, ForServer, Timers, Transactions};
use transactions::{Rig, over, request, sent, tcp, udp, unreachable};

fn rig(bounds: Bounds) -> Rig {
    Rig {
        transactions: Transactions::with_bounds(Timers::default(), bounds),
        ..Rig::default()
    }
}

#[test]
fn a_request_beyond_the_bound_does_not_leave_and_is_unreachable() {
    let mut rig = rig(Bounds {
        waiting: 2,
        ..Bounds::default()
    });
    let [first, second, third] = ["a", "b", "c"].map(|branch| request("BYE", branch));
    rig.sends(udp(), &first);
    rig.sends(tcp(), &second);
    rig.send(udp(), &third);
    rig.gives([unreachable(&third)]);
    assert!(!rig.transactions.is_waiting(&third.tx()));
    rig.resume(udp(), &third);
    rig.gives([unreachable(&third)]);
    // One that has its answer no longer counts.
    rig.response(&first.response(200, "x"));
    rig.sends(udp(), &third);
}

#[test]
fn so_is_one_whose_bytes_do_not_fit() {
    let invite = request("INVITE", "a");
    let mut rig = rig(Bounds {
        client_bytes: 2 * invite.text().len(),
        ..Bounds::default()
    });
    let [second, third] = ["b", "c"].map(|branch| request("INVITE", branch));
    rig.sends(udp(), &invite);
    rig.sends(udp(), &second);
    rig.send(udp(), &third);
    rig.gives([unreachable(&third)]);
    rig.response(&invite.response(200, "x"));
    rig.sends(udp(), &third);
}

#[test]
fn of_those_that_only_absorb_the_oldest_are_forgotten() {
    let mut rig = rig(Bounds {
        finished: 2,
        ..Bounds::default()
    });
    let requests = ["a", "b", "c"].map(|branch| request("INVITE", branch));
    for invite in &requests {
        rig.sends(udp(), invite);
        rig.response(&invite.response(486, "x"));
        rig.gives([sent(udp(), invite.ack("x"))]);
    }
    assert_eq!(rig.transactions.load().finished, 2);
    let again = requests.map(|invite| rig.response(&invite.response(486, "x")));
    assert_eq!(again, [ForClient::Stray, ForClient::Absorbed, ForClient::Absorbed]);
}

#[test]
fn a_request_that_is_sent_again_replaces_itself() {
    let mut rig = Rig::default();
    let invite = request("INVITE", "a");
    rig.sends(udp(), &invite);
    rig.passes(100);
    rig.sends(tcp(), &invite);
    assert_eq!(rig.transactions.load().waiting, 1);
    rig.response(&invite.response(200, "x"));
    rig.passes(200);
    rig.sends(udp(), &invite);
    assert_eq!(
        (rig.transactions.load().waiting, rig.transactions.load().finished),
        (1, 0)
    );
    rig.fires("A", 700, [sent(udp(), invite.text())]);
}

#[test]
fn requests_of_peers_that_have_their_answer_give_way_to_new_ones() {
    let mut rig = rig(Bounds {
        servers: 4,
        ..Bounds::default()
    });
    let bye = request("BYE", "bye");
    let [refused, answered, ringing] = ["a", "b", "c"].map(|branch| request("INVITE", branch));
    let [first, second, third, fourth] = [&refused, &answered, &ringing, &bye].map(|one| rig.accept(udp(), one));
    rig.reply(first, 486, &refused.response(486, "us"));
    rig.reply(second, 200, &answered.response(200, "us"));
    rig.reply(third, 180, &ringing.response(180, "us"));
    rig.reply(fourth, 100, &bye.response(100, "us"));
    while rig.transactions.poll_transmit().is_some() {}
    // All four still wait for something.
    let more = ["d", "e", "f", "g"].map(|branch| request("OPTIONS", branch));
    assert_eq!(rig.accepts(udp(), &more[0]), None);
    rig.gives([]);
    rig.reply(fourth, 200, &bye.response(200, "us"));
    rig.request(udp(), &refused.ack("us"));
    rig.request(udp(), &answered.ack("us"));
    rig.gives([sent(udp(), bye.response(200, "us"))]);
    for (more, gone) in more.iter().zip([first, second, fourth]) {
        assert!(rig.accepts(udp(), more).is_some());
        rig.gives([over(gone)]);
        assert_eq!(rig.transactions.load().servers, 4);
    }
    assert_eq!(rig.accepts(udp(), &more[3]), None);
    assert_eq!(rig.request(udp(), &bye.text()), ForServer::New);
    assert_eq!(rig.request(udp(), &ringing.text()), ForServer::Absorbed);
}

/// A branch may be as long as a datagram.
#[test]
fn what_a_peer_writes_counts() {
    let long = "x".repeat(60_000);
    let mut rig = rig(Bounds {
        server_bytes: 1 << 20,
        ..Bounds::default()
    });
    let taken = (0..30)
        .filter(|number| {
            rig.accepts(udp(), &request("BYE", &format!("{number}{long}")))
                .is_some()
        })
        .count();
    assert_eq!(taken, (1 << 20) / 60_000);
    assert!(rig.transactions.load().server_bytes <= 1 << 20);
}

#[test]
fn timers_of_nothing_do_not_spin() {
    let nothing = Duration::ZERO;
    let mut rig = Rig::new(Timers {
        t1: nothing,
        t2: nothing,
        t4: nothing,
    });
    let (invite, bye) = (request("INVITE", "a"), request("BYE", "b"));
    rig.send(udp(), &invite);
    rig.send(udp(), &bye);
    let id = rig.accept(udp(), &invite);
    rig.reply(id, 200, &invite.response(200, "us"));
    rig.now = transactions::at(1_000);
    rig.transactions.handle_timeout(rig.now);
    rig.is_empty();
}
