//! Where requests inside a dialog go (RFC 3261 §12.1, §12.2.1.1, §16.12).

mod rig;

use call::{Dialog, Save};
use rig::{Rig, Sent};
use sip::Method;

/// An answered call whose 200 came through these proxies.
fn through(record_route: &[&str], contact: Option<&str>) -> Sent {
    let mut rig = Rig::early();
    let mut answer = rig.answer_of("phone");
    answer.record_route = record_route.iter().map(|route| (*route).to_owned()).collect();
    answer.contact = contact.map(str::to_owned);
    rig.deliver(&answer).gives(["save Answer"]);
    rig.saved(Save::Answer).gives(["ACK 1 phone", "media start"]);
    rig.disconnect().gives(["media stop", "BYE 2 phone", "save Wish"]);
    let (ack, bye) = (rig.last("ACK"), rig.last("BYE"));
    assert_eq!(ack.all("Route"), bye.all("Route"));
    assert_eq!(ack.request_uri, bye.request_uri);
    assert_eq!(ack.destination, bye.destination);
    bye.clone()
}

#[test]
fn loose_routers_are_passed_in_reverse() {
    let bye = through(
        &["<sip:p2;lr>", "<sip:mid;lr>", "<sip:p1:5080;lr>"],
        Some("sip:phone@192.0.2.9"),
    );
    assert_eq!(bye.all("Route"), ["<sip:p1:5080;lr>", "<sip:mid;lr>", "<sip:p2;lr>"]);
    assert_eq!(bye.request_uri, "sip:phone@192.0.2.9");
    assert_eq!(bye.destination, "sip:p1:5080;lr");
}

#[test]
fn a_strict_router_takes_the_request_uri() {
    let bye = through(&["<sip:p2;lr>", "<sip:strict.example>"], Some("sip:phone@192.0.2.9"));
    assert_eq!(bye.request_uri, "sip:strict.example");
    assert_eq!(bye.all("Route"), ["<sip:p2;lr>", "<sip:phone@192.0.2.9>"]);
    assert_eq!(bye.destination, "sip:strict.example");
}

#[test]
fn without_proxies_the_contact_is_called() {
    let bye = through(&[], Some("sip:phone@192.0.2.9:5099"));
    assert_eq!(bye.all("Route"), [""; 0]);
    assert_eq!(bye.destination, "sip:phone@192.0.2.9:5099");
}

#[test]
fn without_a_contact_the_first_target_stays() {
    assert_eq!(through(&[], None).request_uri, "sip:4711@pbx.example");
}

/// The answer's Record-Route replaces what was loaded before (RFC 3261 §12.1.2).
#[test]
fn an_outbound_proxy_is_loaded_before_and_forgotten_after() {
    let mut placement = rig::placement();
    placement.routes = vec!["<sip:edge.example;lr>".to_owned()];
    placement.destination = "sip:edge.example".to_owned();
    let mut rig = Rig::new(placement, rig::surroundings());
    rig.gives(["save Intent"]);
    rig.saved(Save::Intent).gives(["INVITE 1"]);
    let invite = rig.last("INVITE");
    assert_eq!(invite.all("Route"), ["<sip:edge.example;lr>"]);
    assert_eq!(invite.request_uri, "sip:4711@pbx.example");
    assert_eq!(invite.destination, "sip:edge.example");
    rig.answer("phone").gives(["save Answer"]);
    rig.saved(Save::Answer).gives(["ACK 1 phone", "media start"]);
    assert!(rig.last("ACK").all("Route").is_empty());
}

#[test]
fn a_contact_without_transport_is_called_over_the_calls_own() {
    let mut around = rig::surroundings();
    around.local.transport = "tcp".to_owned();
    let mut rig = Rig::new(rig::placement(), around);
    rig.gives(["save Intent"]);
    rig.saved(Save::Intent).gives(["INVITE 1"]);
    rig.answer("phone").gives(["save Answer"]);
    rig.saved(Save::Answer).gives(["ACK 1 phone", "media start"]);
    let ack = rig.last("ACK");
    assert_eq!(ack.destination, "sip:phone@192.0.2.9:5070;transport=tcp");
    assert_eq!(ack.request_uri, "sip:phone@192.0.2.9:5070");
}

/// The other role (RFC 3261 §12.1.1): the route set of a UAS is not reversed.
#[test]
fn a_dialog_that_we_answer_keeps_the_order() {
    let mut rig = Rig::confirmed();
    let mut invite = rig.peer_request(Method::Invite, "");
    invite.record_route = vec!["<sip:p1;lr>".to_owned(), "<sip:p2;lr>".to_owned()];
    invite.contact = Some("sip:caller@192.0.2.20".to_owned());
    invite.to = "<sip:onhook@example.org>".to_owned();
    let dialog = Dialog::answering(&invite, sip::Tag::new("mine"));
    assert_eq!(dialog.route_set, ["<sip:p1;lr>", "<sip:p2;lr>"]);
    assert_eq!(dialog.remote_target, "sip:caller@192.0.2.20");
    assert_eq!(dialog.remote, "<sip:4711@pbx.example>");
    invite.to_tag = Some(sip::Tag::new("mine"));
    assert!(dialog.owns(&invite));
}
