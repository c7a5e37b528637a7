//! The INVITE client transaction (RFC 3261 §17.1.1, figure 5; RFC 6026 §7.2).

mod transactions;

use sip::ForClient;
use transactions::{Rig, connection_lost, request, sent, tcp, timed_out, udp};

#[test]
fn it_is_repeated_twice_as_late_each_time_until_timer_b() {
    let mut rig = Rig::default();
    let invite = request("INVITE", "a");
    rig.sends(udp(), &invite);
    for milliseconds in [500, 1_500, 3_500, 7_500, 15_500, 31_500] {
        rig.fires("A", milliseconds, [sent(udp(), invite.text())]);
    }
    assert!(rig.transactions.is_waiting(&invite.tx()));
    rig.fires("B", 32_000, [timed_out(&invite)]);
    assert!(!rig.transactions.is_waiting(&invite.tx()));
    rig.is_empty();
}

#[test]
fn on_a_stream_it_leaves_once_and_timer_b_runs() {
    let mut rig = Rig::default();
    let invite = request("INVITE", "a");
    rig.sends(tcp(), &invite);
    rig.fires("B", 32_000, [timed_out(&invite)]);
    rig.is_empty();
}

#[test]
fn a_provisional_response_stops_timers_a_and_b() {
    let mut rig = Rig::default();
    let invite = request("INVITE", "a");
    rig.sends(udp(), &invite);
    assert_eq!(
        rig.response(&invite.response(100, "x")),
        ForClient::Provisional(invite.tx())
    );
    assert_eq!(
        rig.response(&invite.response(180, "x")),
        ForClient::Provisional(invite.tx())
    );
    assert_eq!(rig.transactions.poll_timeout(), None);
    rig.passes(600_000);
    assert!(rig.transactions.is_waiting(&invite.tx()));
}

#[test]
fn a_refusal_is_acked_and_told_once_and_acked_again_until_timer_d() {
    for provisional in [false, true] {
        let mut rig = Rig::default();
        let invite = request("INVITE", "a");
        rig.sends(udp(), &invite);
        rig.passes(100);
        if provisional {
            rig.response(&invite.response(180, "x"));
        }
        let busy = invite.response(486, "x");
        assert_eq!(rig.response(&busy), ForClient::Final(invite.tx()));
        rig.gives([sent(udp(), invite.ack("x"))]);
        assert!(!rig.transactions.is_waiting(&invite.tx()));
        rig.passes(31_000);
        for _ in 0..3 {
            assert_eq!(rig.response(&busy), ForClient::Absorbed);
            rig.gives([sent(udp(), invite.ack("x"))]);
        }
        rig.fires("D", 32_100, []);
        rig.is_empty();
        assert_eq!(rig.response(&busy), ForClient::Stray);
        rig.gives([]);
    }
}

#[test]
fn on_a_stream_timer_d_is_zero() {
    let mut rig = Rig::default();
    let invite = request("INVITE", "a");
    rig.sends(tcp(), &invite);
    assert_eq!(rig.response(&invite.response(603, "x")), ForClient::Final(invite.tx()));
    rig.gives([sent(tcp(), invite.ack("x"))]);
    rig.is_empty();
}

/// RFC 6026 §7.2: Accepted.
#[test]
fn every_2xx_is_told_also_after_timer_m() {
    for path in [udp(), tcp()] {
        let mut rig = Rig::default();
        let invite = request("INVITE", "a");
        rig.sends(path, &invite);
        assert_eq!(rig.response(&invite.response(200, "x")), ForClient::Answer);
        assert_eq!(rig.transactions.load().client_bytes, 0);
        assert!(!rig.transactions.is_waiting(&invite.tx()));
        rig.passes(1_000);
        for to_tag in ["x", "y"] {
            assert_eq!(rig.response(&invite.response(200, to_tag)), ForClient::Answer);
        }
        assert_eq!(rig.response(&invite.response(486, "z")), ForClient::Absorbed);
        assert_eq!(rig.response(&invite.response(180, "z")), ForClient::Absorbed);
        rig.gives([]);
        rig.fires("M", 32_000, []);
        rig.is_empty();
        assert_eq!(rig.response(&invite.response(200, "x")), ForClient::Answer);
        assert_eq!(rig.response(&invite.response(180, "x")), ForClient::Stray);
    }
}

/// Another fork may answer after the refusal of one (RFC 3261 §16.7).
#[test]
fn a_2xx_after_a_refusal_is_told_and_the_refusal_still_acked() {
    let mut rig = Rig::default();
    let invite = request("INVITE", "a");
    rig.sends(udp(), &invite);
    rig.response(&invite.response(486, "x"));
    rig.gives([sent(udp(), invite.ack("x"))]);
    rig.passes(2_000);
    assert_eq!(rig.response(&invite.response(200, "y")), ForClient::Answer);
    assert_eq!(rig.response(&invite.response(486, "x")), ForClient::Absorbed);
    rig.gives([sent(udp(), invite.ack("x"))]);
    assert_eq!(rig.response(&invite.response(500, "z")), ForClient::Absorbed);
    rig.gives([sent(udp(), invite.ack("z"))]);
    assert_eq!(rig.response(&invite.response(180, "x")), ForClient::Absorbed);
    rig.fires("D", 32_000, []);
    rig.is_empty();
}

/// RFC 3261 §17.1.4.
#[test]
fn a_path_that_is_gone_ends_what_waits_on_it() {
    let mut rig = Rig::default();
    let (first, second, other) = (request("INVITE", "a"), request("BYE", "b"), request("INVITE", "c"));
    rig.sends(tcp(), &first);
    rig.sends(tcp(), &second);
    rig.sends(udp(), &other);
    rig.response(&first.response(180, "x"));
    rig.transactions.unreachable(rig.now, &tcp());
    rig.gives([connection_lost(&first), connection_lost(&second)]);
    assert!(rig.transactions.is_waiting(&other.tx()));
    assert_eq!(rig.response(&first.response(486, "x")), ForClient::Stray);
    rig.gives([]);
}

#[test]
fn one_that_is_stopped_is_silent() {
    let mut rig = Rig::default();
    let invite = request("INVITE", "a");
    rig.sends(udp(), &invite);
    rig.transactions.stop(&invite.tx());
    rig.is_empty();
    assert_eq!(rig.response(&invite.response(486, "x")), ForClient::Stray);
    assert_eq!(rig.response(&invite.response(200, "x")), ForClient::Answer);
    rig.gives([]);
}

#[test]
fn stopping_one_that_was_refused_leaves_its_acks() {
    let mut rig = Rig::default();
    let invite = request("INVITE", "a");
    rig.sends(udp(), &invite);
    rig.response(&invite.response(486, "x"));
    rig.gives([sent(udp(), invite.ack("x"))]);
    rig.transactions.stop(&invite.tx());
    assert_eq!(rig.response(&invite.response(486, "x")), ForClient::Absorbed);
    rig.gives([sent(udp(), invite.ack("x"))]);
}

#[test]
fn one_of_an_earlier_process_is_not_sent_but_matched_and_acked() {
    for path in [udp(), tcp()] {
        let mut rig = Rig::default();
        let invite = request("INVITE", "a");
        rig.resume(path, &invite);
        rig.gives([]);
        assert_eq!(rig.transactions.poll_timeout(), None);
        assert!(rig.transactions.is_waiting(&invite.tx()));
        assert_eq!(
            rig.response(&invite.response(180, "x")),
            ForClient::Provisional(invite.tx())
        );
        assert_eq!(rig.response(&invite.response(487, "x")), ForClient::Final(invite.tx()));
        rig.gives([sent(path, invite.ack("x"))]);
    }
}
