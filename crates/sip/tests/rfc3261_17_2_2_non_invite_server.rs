//! The non-INVITE server transaction (RFC 3261 §17.2.2, figure 8).

mod transactions;

use sip::ForServer;
use transactions::{Rig, over, request, sent, tcp, udp};

#[test]
fn one_that_comes_again_is_answered_with_the_last_response_until_timer_j() {
    let mut rig = Rig::default();
    let bye = request("BYE", "a");
    let id = rig.accept(udp(), &bye);
    assert_eq!(rig.request(udp(), &bye.text()), ForServer::Absorbed);
    rig.gives([]);
    for status in [100, 200] {
        rig.reply(id, status, &bye.response(status, "us"));
        rig.gives([sent(udp(), bye.response(status, "us"))]);
        rig.passes(u64::from(status));
        assert_eq!(rig.request(udp(), &bye.text()), ForServer::Absorbed);
        rig.gives([sent(udp(), bye.response(status, "us"))]);
    }
    rig.reply(id, 500, &bye.response(500, "us"));
    rig.gives([]);
    rig.fires("J", 32_100, [over(id)]);
    rig.is_empty();
    assert_eq!(rig.request(udp(), &bye.text()), ForServer::New);
}

#[test]
fn on_a_stream_timer_j_is_zero() {
    let mut rig = Rig::default();
    let bye = request("BYE", "a");
    let id = rig.accept(tcp(), &bye);
    rig.reply(id, 100, &bye.response(100, "us"));
    rig.gives([sent(tcp(), bye.response(100, "us"))]);
    rig.reply(id, 200, &bye.response(200, "us"));
    rig.gives([sent(tcp(), bye.response(200, "us")), over(id)]);
    rig.is_empty();
    rig.reply(id, 200, &bye.response(200, "us"));
    rig.gives([]);
}

/// RFC 3581 §4: a mapping of a NAT may change between two copies of a request.
#[test]
fn one_that_comes_again_another_way_is_answered_that_way() {
    let mut rig = Rig::default();
    let bye = request("BYE", "a");
    let id = rig.accept(udp(), &bye);
    rig.reply(id, 200, &bye.response(200, "us"));
    rig.gives([sent(udp(), bye.response(200, "us"))]);
    let mut elsewhere = udp();
    elsewhere.remote.set_port(6_000);
    for path in [elsewhere, udp()] {
        assert_eq!(rig.request(path, &bye.text()), ForServer::Absorbed);
        rig.gives([sent(path, bye.response(200, "us"))]);
    }
}
