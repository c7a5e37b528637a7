//! An INVITE that we have answered with a 2xx (RFC 6026 §7.1, RFC 3261 §13.3.1.4).

mod transactions;

use sip::ForServer;
use transactions::{Request, Rig, never_acked, over, request, sent, tcp, udp};

/// The ACK of a 2xx: a request of its own, with a branch of its own, in the dialog.
fn ack_of_2xx(invite: &Request, to_tag: &str) -> String {
    let own = Request {
        branch: format!("{}ack", invite.branch),
        ..invite.clone()
    };
    own.ack(to_tag)
}

/// RFC 3261 §13.3.1.4: "independent of whatever transport protocols".
#[test]
fn a_2xx_is_repeated_no_later_than_t2_until_timer_l() {
    for path in [udp(), tcp()] {
        let mut rig = Rig::default();
        let invite = request("INVITE", "a");
        let id = rig.accept(path, &invite);
        let answer = invite.response(200, "us");
        rig.reply(id, 200, &answer);
        rig.gives([sent(path, &*answer)]);
        for milliseconds in [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500] {
            assert_eq!(rig.request(path, &invite.text()), ForServer::Absorbed);
            rig.gives([]);
            rig.fires("2xx", milliseconds, [sent(path, &*answer)]);
        }
        rig.fires("L", 32_000, [never_acked(id)]);
        rig.is_empty();
        assert_eq!(rig.request(path, &ack_of_2xx(&invite, "us")), ForServer::StrayAck);
    }
}

#[test]
fn its_ack_is_told_once_and_everything_else_absorbed_until_timer_l() {
    for path in [udp(), tcp()] {
        let mut rig = Rig::default();
        let invite = request("INVITE", "a");
        let id = rig.accept(path, &invite);
        rig.reply(id, 200, &invite.response(200, "us"));
        rig.gives([sent(path, invite.response(200, "us"))]);
        rig.passes(100);
        assert_eq!(rig.request(path, &ack_of_2xx(&invite, "us")), ForServer::Acked(id));
        for text in [ack_of_2xx(&invite, "us"), invite.text(), invite.ack("us")] {
            assert_eq!(rig.request(path, &text), ForServer::Absorbed);
        }
        rig.gives([]);
        rig.fires("L", 32_000, [over(id)]);
        rig.is_empty();
    }
}

#[test]
fn an_ack_is_that_of_its_dialog_and_number() {
    let mut rig = Rig::default();
    let invite = request("INVITE", "a");
    let id = rig.accept(udp(), &invite);
    rig.reply(id, 200, &invite.response(200, "us"));
    let other_number = Request {
        cseq: 2,
        ..invite.clone()
    };
    for text in [
        ack_of_2xx(&invite, "them"),
        ack_of_2xx(&other_number, "us"),
        ack_of_2xx(&invite, "us").replace("tag=from", "tag=other"),
        ack_of_2xx(&invite, "us").replace("call@192.0.2.1", "other@192.0.2.1"),
    ] {
        assert_eq!(rig.request(udp(), &text), ForServer::StrayAck, "{text}");
    }
    assert_eq!(rig.request(udp(), &ack_of_2xx(&invite, "us")), ForServer::Acked(id));
}

/// Some phones give the ACK of a 2xx the branch of the INVITE.
#[test]
fn an_ack_with_the_branch_of_its_invite_is_taken() {
    let mut rig = Rig::default();
    let invite = request("INVITE", "a");
    let id = rig.accept(udp(), &invite);
    rig.reply(id, 200, &invite.response(200, "us"));
    rig.gives([sent(udp(), invite.response(200, "us"))]);
    assert_eq!(rig.request(udp(), &invite.ack("us")), ForServer::Acked(id));
    rig.fires("L", 32_000, [over(id)]);
}

#[test]
fn two_dialogs_have_their_own_acks() {
    let mut rig = Rig::default();
    let first = request("INVITE", "a");
    let second = Request {
        cseq: 2,
        ..request("INVITE", "b")
    };
    let [one, two] = [&first, &second].map(|invite| {
        let id = rig.accept(udp(), invite);
        rig.reply(id, 200, &invite.response(200, "us"));
        id
    });
    assert_eq!(rig.request(udp(), &ack_of_2xx(&second, "us")), ForServer::Acked(two));
    assert_eq!(rig.request(udp(), &ack_of_2xx(&first, "us")), ForServer::Acked(one));
}

/// A peer whose stream broke ACKs on its next one.
#[test]
fn after_its_path_is_gone_the_ack_may_come_on_another() {
    let mut rig = Rig::default();
    let [acked, never] = ["a", "b"].map(|branch| Request {
        cseq: u32::from(branch == "b"),
        ..request("INVITE", branch)
    });
    let [first, second] = [&acked, &never].map(|invite| {
        let id = rig.accept(tcp(), invite);
        rig.reply(id, 200, &invite.response(200, "us"));
        id
    });
    rig.gives([&acked, &never].map(|invite| sent(tcp(), invite.response(200, "us"))));
    rig.transactions.unreachable(rig.now, &tcp());
    rig.gives([]);
    let mut next = tcp();
    next.remote.set_port(6_000);
    assert_eq!(rig.request(next, &ack_of_2xx(&acked, "us")), ForServer::Acked(first));
    rig.fires("L", 32_000, [over(first), never_acked(second)]);
    rig.is_empty();
}

/// RFC 3261 §8.2.2.2, where nobody refuses the second: both are one dialog, and the younger has its ACK.
#[test]
fn of_an_invite_that_came_two_ways_the_younger_is_acked() {
    let mut rig = Rig::default();
    let [first, second] = ["a", "b"].map(|branch| request("INVITE", branch));
    let older = rig.accept(tcp(), &first);
    rig.reply(older, 200, &first.response(200, "us"));
    rig.passes_to(100);
    let younger = rig.accept(udp(), &second);
    rig.reply(younger, 200, &second.response(200, "us"));
    rig.passes_to(31_999);
    rig.fires("L", 32_000, [never_acked(older)]);
    assert_eq!(
        rig.request(udp(), &ack_of_2xx(&second, "us")),
        ForServer::Acked(younger)
    );
    rig.fires("L", 32_100, [over(younger)]);
    rig.is_empty();
}
