//! Trunks: registered with a password, kept known, withdrawn; asked whether they are there.

use std::time::Duration;

use onhook::sip::{Reachability, RegisterError, Registration, RegistrationState, Sip, Trunk, TrunkState};
use sip::{
    Method,
    digest::{Credentials, DigestError},
};
use tokio::sync::watch;

use crate::support::{Message, Room, UdpPeer, listen, request, soon};

const ANSWER: &str = "Expires: 600\r\n";

fn registering(peer: &UdpPeer) -> Trunk {
    let mut trunk = Trunk::new("pbx", format!("sip:{}", peer.address()));
    trunk.register = Some(Registration {
        expires: Duration::from_secs(600),
        retry: Duration::from_millis(10),
    });
    trunk.credentials = Some(Credentials {
        username: "alice".to_owned(),
        password: "secret".to_owned(),
    });
    trunk
}

async fn open(trunk: Trunk) -> Room {
    Room::open(listen(&["udp:127.0.0.1:0"]), vec![trunk]).await
}

/// Waits for a state of the trunk.
async fn until(sip: &Sip, wanted: impl Fn(&TrunkState) -> bool) {
    let mut state: watch::Receiver<TrunkState> = sip.watch("pbx").unwrap();
    soon("a state of the trunk", state.wait_for(|state| wanted(state)))
        .await
        .unwrap();
}

/// The next REGISTER that is no repetition of `last`.
async fn next_register(peer: &UdpPeer, last: &str) -> Message {
    let message = peer.receive_but(|message| message.header("CSeq") == last).await;
    assert!(message.is("REGISTER"), "{}", message.text);
    message
}

#[tokio::test]
async fn a_challenge_is_answered_with_the_algorithm_it_names() {
    for (algorithm, length) in [("MD5", 32), ("SHA-256", 64)] {
        let peer = UdpPeer::bind().await;
        let room = open(registering(&peer)).await;
        let first = next_register(&peer, "").await;
        assert_eq!(first.header("Authorization"), "");
        assert_eq!(first.header("To"), "<sip:alice@127.0.0.1>");
        assert_eq!(first.header("Contact"), format!("<sip:onhook@{}>", room.address()));
        let challenge =
            format!("WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n1\", algorithm={algorithm}, qop=\"auth\"\r\n");
        peer.answer(&first, 401, "t", &challenge).await;

        let second = next_register(&peer, first.header("CSeq")).await;
        assert_eq!(second.header("Call-ID"), first.header("Call-ID"));
        let authorization = second.header("Authorization");
        let uri = second.text.split(' ').nth(1).unwrap();
        for part in [
            "username=\"alice\"",
            "realm=\"pbx\"",
            "nonce=\"n1\"",
            &format!("algorithm={algorithm}"),
            &format!("uri=\"{uri}\""),
        ] {
            assert!(authorization.contains(part), "{part} in {authorization}");
        }
        let response = authorization
            .split("response=\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap();
        assert_eq!(response.len(), length);
        assert!(!second.text.contains("secret"));
        peer.answer(&second, 200, "t", ANSWER).await;
        until(&room.sip, |state| state.registration == RegistrationState::Registered).await;
    }
}

#[tokio::test]
async fn a_binding_is_refreshed_before_it_ends_and_withdrawn_at_the_end() {
    let peer = UdpPeer::bind().await;
    let room = open(registering(&peer)).await;
    let first = next_register(&peer, "").await;
    assert_eq!(first.header("Expires"), "600");
    // What was granted counts, and the registrar may write our Contact in its own way.
    let contact = format!(
        "Contact: <sip:onhook@{};ob>;expires=1\r\nExpires: 3600\r\n",
        room.address()
    );
    let granted = first
        .answered(200, "t", &contact)
        .replace("Contact: <sip:phone@127.0.0.1>\r\n", "");
    peer.send(&granted, first.from).await;
    let started = std::time::Instant::now();
    let second = next_register(&peer, first.header("CSeq")).await;
    assert!(started.elapsed() < Duration::from_secs(1), "the binding has ended");
    assert_eq!(second.header("Call-ID"), first.header("Call-ID"));
    peer.answer(&second, 200, "t", ANSWER).await;

    until(&room.sip, |state| state.registration == RegistrationState::Registered).await;
    let closing = tokio::spawn(room.sip.shutdown());
    let last = next_register(&peer, second.header("CSeq")).await;
    assert_eq!(last.header("Expires"), "0");
    peer.answer(&last, 200, "t", "").await;
    soon("the end", closing).await.unwrap();
}

#[tokio::test]
async fn a_longer_time_is_asked_for_when_the_registrar_wants_it() {
    let peer = UdpPeer::bind().await;
    let room = open(registering(&peer)).await;
    let first = next_register(&peer, "").await;
    peer.answer(&first, 423, "t", "Min-Expires: 1800\r\n").await;
    let second = next_register(&peer, first.header("CSeq")).await;
    assert_eq!(second.header("Expires"), "1800");
    peer.answer(&second, 200, "t", "").await;
    until(&room.sip, |state| state.registration == RegistrationState::Registered).await;
}

#[tokio::test]
async fn a_refused_password_is_told_and_tried_again_later() {
    let peer = UdpPeer::bind().await;
    let room = open(registering(&peer)).await;
    let challenge = "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n\"\r\n";
    let mut last = String::new();
    for _ in 0..2 {
        let message = next_register(&peer, &last).await;
        peer.answer(&message, 401, "t", challenge).await;
        last = message.header("CSeq").to_owned();
    }
    let refused = RegistrationState::Failing(RegisterError::Digest(DigestError::Refused));
    until(&room.sip, |state| state.registration == refused).await;
    let again = next_register(&peer, &last).await;
    assert_eq!(again.header("Authorization"), "");
    peer.answer(&again, 200, "t", ANSWER).await;
    until(&room.sip, |state| state.registration == RegistrationState::Registered).await;
}

#[tokio::test]
async fn requests_for_the_registered_contact_arrive() {
    let peer = UdpPeer::bind().await;
    let mut room = open(registering(&peer)).await;
    let register = next_register(&peer, "").await;
    peer.answer(&register, 200, "t", ANSWER).await;
    let contact = register.header("Contact").trim_matches(['<', '>']);
    let address = contact.rsplit_once('@').unwrap().1.parse().unwrap();
    peer.send(&request("INVITE", "inbound", 1, ""), address).await;
    assert_eq!(room.request().await.request.method, Method::Invite);
}

#[tokio::test]
async fn a_keep_alive_finds_a_trunk_up_down_and_up_again() {
    let peer = UdpPeer::bind().await;
    let address = peer.address();
    let mut trunk = Trunk::new("pbx", format!("sip:{address}"));
    trunk.keepalive = Some(Duration::from_millis(20));
    let mut listen = listen(&["udp:127.0.0.1:0"]);
    listen.timers = crate::support::timers(5);
    let room = Room::open(listen, vec![trunk]).await;

    // Any final response will do: 404 says that somebody is there.
    let asked = peer.receive().await;
    assert!(asked.is("OPTIONS"), "{}", asked.text);
    peer.answer(&asked, 404, "t", "").await;
    until(&room.sip, |state| state.reachability == Reachability::Up).await;
    until(&room.sip, |state| !state.is_up()).await;

    let answering = tokio::spawn(async move {
        loop {
            let asked = peer.receive().await;
            peer.answer(&asked, 200, "t", "").await;
        }
    });
    until(&room.sip, |state| state.reachability == Reachability::Up).await;
    answering.abort();
}

#[tokio::test]
async fn a_trunk_that_is_not_asked_is_taken_to_be_up() {
    let room = open(Trunk::new("pbx", "sip:127.0.0.1:9")).await;
    let state = room.sip.trunk("pbx").unwrap();
    assert_eq!((&state.reachability, state.is_up()), (&Reachability::Assumed, true));
    assert_eq!(state.registration, RegistrationState::Off);
    assert!(room.sip.trunk("other").is_none());
}

#[tokio::test]
async fn an_outbound_proxy_gets_everything_first() {
    let proxy = UdpPeer::bind().await;
    let mut trunk = registering(&proxy);
    trunk.next_hop = "sip:pbx.example".to_owned();
    trunk.outbound_proxy = Some(format!("sip:{}", proxy.address()));
    let _room = open(trunk).await;
    let register = next_register(&proxy, "").await;
    assert!(register.text.starts_with("REGISTER sip:pbx.example SIP/2.0"));
    assert_eq!(register.header("Route"), format!("<sip:{};lr>", proxy.address()));
}

#[tokio::test]
async fn the_address_registered_is_the_configured_one() {
    let peer = UdpPeer::bind().await;
    let mut trunk = registering(&peer);
    trunk.user = Some("200".to_owned());
    trunk.domain = Some("example.com".to_owned());
    let _room = open(trunk).await;
    let register = next_register(&peer, "").await;
    assert!(register.text.starts_with("REGISTER sip:example.com SIP/2.0"));
    assert_eq!(register.header("To"), "<sip:200@example.com>");
}
