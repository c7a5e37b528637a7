//! The INVITE server transaction (RFC 3261 §17.2.1, figure 7).

mod transactions;

use sip::ForServer;
use transactions::{Rig, over, request, sent, tcp, udp};

#[test]
fn an_invite_that_comes_again_is_answered_with_the_last_provisional_response() {
    for path in [udp(), tcp()] {
        let mut rig = Rig::default();
        let invite = request("INVITE", "a");
        let id = rig.accept(path, &invite);
        assert_eq!(rig.request(path, &invite.text()), ForServer::Absorbed);
        rig.gives([]);
        for status in [100, 180] {
            let response = invite.response(status, "us");
            rig.reply(id, status, &response);
            rig.gives([sent(path, &*response)]);
            assert_eq!(rig.request(path, &invite.text()), ForServer::Absorbed);
            rig.gives([sent(path, &*response)]);
        }
        assert_eq!(rig.transactions.poll_timeout(), None);
        rig.passes(600_000);
    }
}

#[test]
fn a_refusal_is_repeated_no_later_than_t2_until_timer_h() {
    let mut rig = Rig::default();
    let invite = request("INVITE", "a");
    let id = rig.accept(udp(), &invite);
    let busy = invite.response(486, "us");
    rig.reply(id, 486, &busy);
    rig.gives([sent(udp(), &*busy)]);
    for milliseconds in [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500] {
        assert_eq!(rig.request(udp(), &invite.text()), ForServer::Absorbed);
        rig.gives([sent(udp(), &*busy)]);
        rig.fires("G", milliseconds, [sent(udp(), &*busy)]);
    }
    rig.fires("H", 32_000, [over(id)]);
    rig.is_empty();
}

#[test]
fn on_a_stream_a_refusal_leaves_once_and_timer_h_runs() {
    let mut rig = Rig::default();
    let invite = request("INVITE", "a");
    let id = rig.accept(tcp(), &invite);
    let busy = invite.response(486, "us");
    rig.reply(id, 486, &busy);
    rig.gives([sent(tcp(), &*busy)]);
    assert_eq!(rig.request(tcp(), &invite.text()), ForServer::Absorbed);
    rig.gives([sent(tcp(), &*busy)]);
    rig.fires("H", 32_000, [over(id)]);
    rig.is_empty();
}

#[test]
fn the_ack_of_a_refusal_ends_its_repetitions_and_is_absorbed_until_timer_i() {
    let mut rig = Rig::default();
    let invite = request("INVITE", "a");
    let id = rig.accept(udp(), &invite);
    rig.reply(id, 486, &invite.response(486, "us"));
    rig.gives([sent(udp(), invite.response(486, "us"))]);
    rig.passes(100);
    for _ in 0..2 {
        assert_eq!(rig.request(udp(), &invite.ack("us")), ForServer::Absorbed);
        assert_eq!(rig.request(udp(), &invite.text()), ForServer::Absorbed);
        rig.gives([]);
    }
    rig.fires("I", 5_100, [over(id)]);
    rig.is_empty();
    assert_eq!(rig.request(udp(), &invite.ack("us")), ForServer::StrayAck);
}

#[test]
fn on_a_stream_timer_i_is_zero() {
    let mut rig = Rig::default();
    let invite = request("INVITE", "a");
    let id = rig.accept(tcp(), &invite);
    rig.reply(id, 486, &invite.response(486, "us"));
    rig.gives([sent(tcp(), invite.response(486, "us"))]);
    assert_eq!(rig.request(tcp(), &invite.ack("us")), ForServer::Absorbed);
    rig.gives([over(id)]);
    rig.is_empty();
}

#[test]
fn after_a_final_response_no_other_leaves() {
    let mut rig = Rig::default();
    for (branch, status) in [("a", 486), ("b", 200)] {
        let invite = request("INVITE", branch);
        let id = rig.accept(udp(), &invite);
        rig.reply(id, status, &invite.response(status, "us"));
        rig.gives([sent(udp(), invite.response(status, "us"))]);
        for late in [180, 200, 487] {
            rig.reply(id, late, &invite.response(late, "us"));
        }
        rig.gives([]);
    }
}

#[test]
fn an_ack_before_any_final_response_changes_nothing() {
    let mut rig = Rig::default();
    let invite = request("INVITE", "a");
    let id = rig.accept(udp(), &invite);
    assert_eq!(rig.request(udp(), &invite.ack("us")), ForServer::StrayAck);
    rig.reply(id, 486, &invite.response(486, "us"));
    rig.gives([sent(udp(), invite.response(486, "us"))]);
    rig.fires("G", 500, [sent(udp(), invite.response(486, "us"))]);
}

/// RFC 3261 §17.2.4.
#[test]
fn a_path_that_is_gone_ends_what_lives_on_it() {
    let mut rig = Rig::default();
    let [waiting, refused, other] = ["a", "b", "c"].map(|branch| request("INVITE", branch));
    let first = rig.accept(tcp(), &waiting);
    let second = rig.accept(tcp(), &refused);
    let third = rig.accept(udp(), &other);
    rig.reply(second, 486, &refused.response(486, "us"));
    rig.gives([sent(tcp(), refused.response(486, "us"))]);
    rig.transactions.unreachable(rig.now, &tcp());
    rig.gives([over(first), over(second)]);
    rig.reply(first, 200, &waiting.response(200, "us"));
    rig.gives([]);
    assert_eq!(rig.request(tcp(), &waiting.text()), ForServer::New);
    rig.reply(third, 180, &other.response(180, "us"));
    rig.gives([sent(udp(), other.response(180, "us"))]);
}
