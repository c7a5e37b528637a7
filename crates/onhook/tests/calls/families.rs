//! IPv4 and IPv6 in one server: a call is signalled, offered and heard in the family that its trunk is reached by.

use std::env;
use std::net::SocketAddr;

use crate::peer::{Message, Peer, sdp};
use crate::program::Program;
use crate::scene::{House, PhoneCallId, Plan, Scene, User};

const BOTH: &str = "udp:127.0.0.1:0,udp:[::1]:0";

/// One call for each trunk at most, so that the second call takes the second.
const ONE_EACH: &str = "max_live_per_trunk = 1\nstarts_per_second_per_trunk = 1000\nstarts_per_minute_per_mailbox = 1000\n\
    starts_per_ten_minutes_per_number = 1000";

/// Where the offer wants its sound.
fn offered(invite: &Message) -> SocketAddr {
    let value = |start: &str| invite.text.lines().find_map(|line| line.strip_prefix(start)).unwrap();
    let (family, host) = value("c=IN ").split_once(' ').unwrap();
    let port = value("m=audio ").split(' ').next().unwrap().parse().unwrap();
    let offered = SocketAddr::new(host.parse().unwrap(), port);
    assert_eq!(family, if offered.is_ipv4() { "IP4" } else { "IP6" });
    offered
}

/// Takes the call, and hears it from where the offer said.
async fn take_call_of(peer: &mut Peer, is_ipv4: bool) {
    let invite = peer.take_call().await;
    assert_eq!(offered(&invite).is_ipv4(), is_ipv4, "{}", invite.text);
    assert_eq!(peer.hears_from().await, offered(&invite));
    let here = invite.from.to_string();
    for header in ["Via", "Contact"] {
        assert!(invite.header(header).contains(&here), "{}", invite.text);
    }
}

async fn hung_up(anna: &User, id: &PhoneCallId, peer: &mut Peer) {
    let (user, asked) = (anna.clone(), id.clone());
    let hung_up = tokio::spawn(async move { user.disconnect(&asked).await });
    let bye = peer.expect("BYE").await;
    peer.reply(&bye, 200).await;
    hung_up.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_over_two_trunks_of_two_families_are_heard_each_in_its_own() {
    let (mut six, mut four) = (Peer::bind_at("[::1]:0").await, Peer::bind().await);
    for media in ["", "bind = [\"127.0.0.1\", \"::1\"]", "bind = \"127.0.0.1\""] {
        let scene = Scene::open(Plan {
            next_hops: vec![six.uri(), four.uri()],
            sip_listen: BOTH.to_owned(),
            media: media.to_owned(),
            caps: ONE_EACH,
            ..Plan::to("")
        })
        .await;
        let anna = scene.anna();
        let by_six = anna.play("4711").await;
        take_call_of(&mut six, false).await;
        let by_four = anna.play("4712").await;
        take_call_of(&mut four, true).await;
        hung_up(&anna, &by_six, &mut six).await;
        hung_up(&anna, &by_four, &mut four).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_the_other_family_is_not_taken_and_the_log_says_so() {
    let (mut six, elsewhere) = (Peer::bind_at("[::1]:0").await, Peer::bind().await);
    let house = House::build();
    let plan = Plan {
        sip_listen: BOTH.to_owned(),
        ..Plan::to(six.uri())
    };
    let program = Program::serve(&house, &plan).await;
    let anna = program.anna(&house);
    let id = anna.play("4711").await;
    let invite = six.expect("INVITE").await;
    six.reply_with(&invite, 200, &sdp(elsewhere.rtp())).await;
    six.expect("ACK").await;
    let bye = six.expect("BYE").await;
    six.reply(&bye, 200).await;
    anna.ended(&id).await;
    assert!(!elsewhere.has_heard());
    let (_, log) = program.terminate().await;
    let line = log.lines().find(|line| line.contains("the answer was not taken"));
    let line = line.unwrap_or_else(|| panic!("{log}"));
    assert!(
        line.contains("WARN") && line.contains("by IPv6 where ours is sent by IPv4"),
        "{line}"
    );
}

/// Two sockets of the same port, as one name leads to.
async fn peers_of_one_port() -> (Peer, Peer, u16) {
    loop {
        let four = Peer::bind().await;
        let port = four.uri().rsplit(':').next().unwrap().parse().unwrap();
        if let Ok(socket) = std::net::UdpSocket::bind(("::1", port)) {
            drop(socket);
            return (four, Peer::bind_at(&format!("[::1]:{port}")).await, port);
        }
    }
}

/// Set by whoever runs these tests where nothing may be mounted, and knows it.
const WITHOUT_MOUNT: &str = "ONHOOK_TESTS_WITHOUT_MOUNT";

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_whose_name_has_addresses_of_both_families_is_called_whatever_we_listen_on() {
    if env::var_os(WITHOUT_MOUNT).is_some() {
        return eprintln!("left out ({WITHOUT_MOUNT})");
    }
    for (listeners, wanted) in [
        ("udp:127.0.0.1:0", Some(true)),
        ("udp:[::1]:0", Some(false)),
        // The resolver's choice.
        (BOTH, None),
    ] {
        let (mut four, mut six, port) = peers_of_one_port().await;
        let house = House::build();
        let plan = Plan {
            sip_listen: listeners.to_owned(),
            ..Plan::to(format!("sip:pbx.test:{port}"))
        };
        let hosts = "127.0.0.1 localhost pbx.test\n::1 localhost pbx.test\n";
        let program = Program::serve_where(hosts, &house, &plan).await;
        let anna = program.anna(&house);
        // Until the name is found there is no trunk.
        let id = loop {
            match anna.try_play("4711").await {
                Ok(id) => break id,
                Err(code) => assert_eq!(code, "ErrorIPGatewayNotFound"),
            }
        };
        let is_ipv4 = match wanted {
            Some(is_ipv4) => is_ipv4,
            None => tokio::select! {
                is_there = four.is_called() => is_there,
                is_there = six.is_called() => !is_there,
            },
        };
        let called = if is_ipv4 { &mut four } else { &mut six };
        take_call_of(called, is_ipv4).await;
        hung_up(&anna, &id, called).await;
        let (_, log) = program.terminate().await;
        assert!(!log.contains("WARN"), "{log}");
    }
}
