//! The non-INVITE client transaction (RFC 3261 §17.1.2, figure 6).

mod transactions;

use sip::ForClient;
use transactions::{Rig, request, sent, tcp, timed_out, udp};

#[test]
fn it_is_repeated_no_later_than_t2_until_timer_f() {
    let mut rig = Rig::default();
    let bye = request("BYE", "a");
    rig.sends(udp(), &bye);
    for milliseconds in [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500] {
        rig.fires("E", milliseconds, [sent(udp(), bye.text())]);
    }
    rig.fires("F", 32_000, [timed_out(&bye)]);
    rig.is_empty();
}

#[test]
fn on_a_stream_it_leaves_once_and_timer_f_runs() {
    let mut rig = Rig::default();
    let bye = request("BYE", "a");
    rig.sends(tcp(), &bye);
    assert_eq!(rig.transactions.load().client_bytes, 0);
    rig.fires("F", 32_000, [timed_out(&bye)]);
    rig.is_empty();
}

#[test]
fn after_a_provisional_response_it_is_repeated_every_t2_and_timer_f_still_runs() {
    let mut rig = Rig::default();
    let bye = request("BYE", "a");
    rig.sends(udp(), &bye);
    rig.passes(100);
    assert_eq!(rig.response(&bye.response(100, "x")), ForClient::Provisional(bye.tx()));
    for milliseconds in [500, 4_500, 8_500, 12_500, 16_500, 20_500, 24_500, 28_500] {
        rig.fires("E", milliseconds, [sent(udp(), bye.text())]);
    }
    rig.fires("F", 32_000, [timed_out(&bye)]);
    rig.is_empty();
}

#[test]
fn a_final_response_is_told_once_and_absorbed_until_timer_k() {
    for (status, provisional) in [(200, false), (481, false), (200, true), (503, true)] {
        let mut rig = Rig::default();
        let bye = request("BYE", "a");
        rig.sends(udp(), &bye);
        rig.passes(100);
        if provisional {
            rig.response(&bye.response(100, "x"));
        }
        assert_eq!(rig.response(&bye.response(status, "x")), ForClient::Final(bye.tx()));
        assert_eq!(rig.transactions.load().client_bytes, 0);
        rig.passes(5_099);
        assert_eq!(rig.response(&bye.response(status, "x")), ForClient::Absorbed);
        assert_eq!(rig.response(&bye.response(100, "x")), ForClient::Absorbed);
        rig.gives([]);
        rig.fires("K", 5_100, []);
        rig.is_empty();
        assert_eq!(rig.response(&bye.response(status, "x")), ForClient::Stray);
    }
}

#[test]
fn on_a_stream_timer_k_is_zero() {
    let mut rig = Rig::default();
    let bye = request("BYE", "a");
    rig.sends(tcp(), &bye);
    assert_eq!(rig.response(&bye.response(200, "x")), ForClient::Final(bye.tx()));
    rig.gives([]);
    rig.is_empty();
}

/// RFC 3261 §17.1.3: a CANCEL has the branch of its INVITE.
#[test]
fn a_cancel_and_its_invite_are_two_transactions() {
    let mut rig = Rig::default();
    let (invite, cancel) = (request("INVITE", "a"), request("CANCEL", "a"));
    rig.sends(udp(), &invite);
    rig.response(&invite.response(180, "x"));
    rig.sends(udp(), &cancel);
    assert_eq!(rig.response(&cancel.response(200, "y")), ForClient::Final(cancel.tx()));
    rig.gives([]);
    assert!(rig.transactions.is_waiting(&invite.tx()));
    assert_eq!(rig.response(&invite.response(487, "x")), ForClient::Final(invite.tx()));
    rig.gives([sent(udp(), invite.ack("x"))]);
}
