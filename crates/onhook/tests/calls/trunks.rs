//! Which trunk a call takes, and what a trunk asks for.

use std::path::Path;

use ews::PhoneCallState;
use onhook::{config::Config, server::Server};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

use crate::exchange::{self, PATIENT};
use crate::peer::{Message, Peer};
use crate::scene::{House, Plan, Scene, soon};

#[tokio::test(flavor = "multi_thread")]
async fn without_a_trunk_there_is_no_gateway() {
    let scene = Scene::open(Plan {
        next_hops: Vec::new(),
        ..Plan::to("")
    })
    .await;
    assert_eq!(
        scene.anna().try_play("4711").await.unwrap_err(),
        "ErrorIPGatewayNotFound"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_that_does_not_answer_its_keep_alive_is_no_gateway() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let scene = Scene::open(Plan {
        trunk: "keepalive = \"1s\"",
        sip_listen: "tcp:127.0.0.1:0".to_owned(),
        calls: "max_live = 1000\nmax_live_per_mailbox = 1000",
        ..Plan::to(format!("sip:{gone};transport=tcp"))
    })
    .await;
    let anna = scene.anna();
    let down = async {
        // Until the first OPTIONS has failed, calls are tried.
        loop {
            if let Err(code) = anna.try_play("4711").await {
                break code;
            }
        }
    };
    assert_eq!(soon("the trunk to be down", down).await, "ErrorIPGatewayNotFound");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_take_the_first_trunk_that_is_up() {
    let (silent, (next_hop, _exchange)) = (Peer::bind().await, exchange::open().await);
    let scene = Scene::open(Plan {
        next_hops: vec![silent.uri(), next_hop],
        trunk: "keepalive = \"1s\"",
        sip: "[sip.timers]\nt1 = \"20ms\"".to_owned(),
        calls: "max_live = 1000\nmax_live_per_mailbox = 1000",
        ..Plan::to("")
    })
    .await;
    let anna = scene.anna();
    let connected = async {
        loop {
            let id = anna.play(PATIENT).await;
            while anna.state(&id).await == PhoneCallState::Connecting {}
            // Over the silent trunk it ends, timed out.
            if anna.state(&id).await == PhoneCallState::Connected {
                break;
            }
        }
    };
    soon("a call over the second trunk", connected).await;
}

const ACCOUNT: &str = "keepalive = \"0s\"\nusername = \"onhook\"\npassword = \"pass-of-the-trunk\"";

fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 7616 §3.4.1, computed by the test itself.
fn assert_authorizes(message: &Message, header: &str) {
    let credentials = message.header(header).strip_prefix("Digest ").unwrap();
    let value = |name: &str| {
        let found = credentials
            .split(',')
            .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='));
        found.unwrap().trim_matches('"').to_owned()
    };
    let uri = message.text.split(' ').nth(1).unwrap();
    assert_eq!(value("uri"), uri);
    let a1 = sha256("onhook:pbx:pass-of-the-trunk");
    let a2 = sha256(&format!("{}:{uri}", message.method()));
    let (nonce, count, cnonce) = (value("nonce"), value("nc"), value("cnonce"));
    assert_eq!(
        value("response"),
        sha256(&format!("{a1}:{nonce}:{count}:{cnonce}:auth:{a2}"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn challenges_to_invite_and_bye_are_answered() {
    let mut peer = Peer::bind().await;
    let scene = Scene::open(Plan {
        trunk: ACCOUNT,
        ..Plan::to(peer.uri())
    })
    .await;
    let anna = scene.anna();
    for (status, challenge, header) in [
        (401, "WWW-Authenticate", "Authorization"),
        (407, "Proxy-Authenticate", "Proxy-Authorization"),
    ] {
        let challenge =
            format!("{challenge}: Digest realm=\"pbx\", nonce=\"n{status}\", algorithm=SHA-256, qop=\"auth\"\r\n");
        let id = anna.play("4711").await;
        let plain = peer.expect("INVITE").await;
        assert_eq!(plain.header(header), "");
        peer.reply_with(&plain, status, &challenge).await;
        assert_eq!(peer.expect("ACK").await.branch(), plain.branch());
        let invite = peer.expect("INVITE").await;
        assert_eq!(invite.header("CSeq"), "2 INVITE");
        assert_ne!(invite.branch(), plain.branch());
        assert_authorizes(&invite, header);
        peer.answer(&invite).await;
        peer.expect("ACK").await;

        let (user, asked) = (anna.clone(), id.clone());
        let hung_up = tokio::spawn(async move { user.disconnect(&asked).await });
        let bye = peer.expect("BYE").await;
        peer.reply_with(&bye, status, &challenge).await;
        let bye = peer.expect("BYE").await;
        assert_authorizes(&bye, header);
        peer.reply(&bye, 200).await;
        hung_up.await.unwrap().unwrap();
        assert_eq!(anna.state(&id).await, PhoneCallState::Disconnected);
    }
    peer.nothing_new(scene.sip()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_are_not_tried_again() {
    let mut peer = Peer::bind().await;
    let scene = Scene::open(Plan {
        trunk: ACCOUNT,
        ..Plan::to(peer.uri())
    })
    .await;
    let anna = scene.anna();
    let challenge = "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n\", algorithm=MD5\r\n";
    let id = anna.play("4711").await;
    for _ in 0..2 {
        let invite = peer.expect("INVITE").await;
        peer.reply_with(&invite, 401, challenge).await;
        peer.expect("ACK").await;
    }
    let information = anna.ended(&id).await;
    assert_eq!(information.sip_response.unwrap().code, 401);
    peer.nothing_new(scene.sip()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_that_no_listener_reaches_is_refused_at_the_start() {
    let house = House::build();
    let plan = Plan::to("sip:127.0.0.1:5060;transport=tcp");
    let config = Config::parse(&plan.toml(&house.store()), Path::new("onhook.toml")).unwrap();
    let Err(refused) = Server::start(&config).await else {
        panic!("it started");
    };
    assert_eq!(refused.to_string(), "trunk trunk-0: no tcp listener that reaches it");
}
