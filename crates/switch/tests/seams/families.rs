//! IPv4 and IPv6: a trunk is called in a family that we listen in, and everything that a call says of us is of that family.

use std::time::Duration;

use sip::{Path, Transport};
use switch::{Found, Listener, Output, Settings, Sound, TrunkSettings};

use crate::rig::{PATIENCE, Rig, Sent, answer, order, path, settings, trunk};

const OUR_FOUR: &str = "192.0.2.1:5060";
const OUR_SIX: &str = "[2001:db8::1]:5060";
const FOUR: &str = "192.0.2.5";
const SIX: &str = "2001:db8::5";

fn found(remote: &str) -> Found {
    let local = if remote == FOUR { "192.0.2.1" } else { "2001:db8::1" };
    Found {
        remote: remote.parse().unwrap(),
        local: Some(local.parse().unwrap()),
    }
}

fn listener(transport: Transport, address: &str) -> Listener {
    Listener {
        transport,
        address: address.parse().unwrap(),
    }
}

/// One trunk, a name that is asked for with OPTIONS, and listeners at these addresses.
fn named(transport: Transport, listeners: &[&str]) -> Settings {
    let next_hop = format!("sip:pbx.example:5060;transport={}", transport.as_str());
    Settings {
        trunks: vec![TrunkSettings {
            keepalive: Some(Duration::from_secs(30)),
            ..trunk("pbx", &next_hop)
        }],
        listeners: listeners.iter().map(|address| listener(transport, address)).collect(),
        ..settings()
    }
}

/// Who is dialled gets a connection.
fn connected(rig: &mut Rig, transport: Transport) {
    if transport.is_stream() {
        let (number, remote) = *rig.connects.last().unwrap();
        let local = if remote.is_ipv4() {
            "192.0.2.1:40000"
        } else {
            "[2001:db8::1]:40000"
        };
        let way = path(transport, local, &remote.to_string());
        rig.turn(|switch| switch.connected(number, way));
    }
}

/// The trunk says that it is there, and a call is placed.
fn called(rig: &mut Rig) -> Sent {
    let options = rig.last("OPTIONS");
    rig.hear(options.path, &answer(&options, 200));
    let invite = rig.invited(1);
    assert_eq!(invite.path, options.path);
    invite
}

/// Via, Contact and where the sound is to go.
fn assert_of_one_family(invite: &Sent, is_ipv4: bool) {
    let (host, connection, port) = match is_ipv4 {
        true => ("192.0.2.1", "c=IN IP4 192.0.2.1\r\n", 30_000),
        false => ("[2001:db8::1]", "c=IN IP6 2001:db8::1\r\n", 30_002),
    };
    assert_eq!(invite.path.remote.is_ipv4(), is_ipv4);
    for header in ["Via", "Contact"] {
        assert!(invite.header(header).contains(host), "{}", invite.text);
    }
    assert!(
        invite.text.contains(connection) && invite.text.contains(&format!("m=audio {port} ")),
        "{}",
        invite.text
    );
}

#[test]
fn a_name_with_addresses_of_both_families_is_called_whatever_we_listen_on() {
    for transport in [Transport::Udp, Transport::Tcp, Transport::Tls] {
        for (listeners, addresses, is_ipv4) in [
            (&[OUR_FOUR][..], [SIX, FOUR], true),
            (&[OUR_FOUR], [FOUR, SIX], true),
            (&[OUR_SIX], [FOUR, SIX], false),
            (&[OUR_SIX], [SIX, FOUR], false),
            // With both it is the resolver's choice.
            (&[OUR_FOUR, OUR_SIX], [SIX, FOUR], false),
            (&[OUR_FOUR, OUR_SIX], [FOUR, SIX], true),
        ] {
            let mut rig = Rig::with(named(transport, listeners));
            rig.turn(|switch| switch.found("pbx.example", &addresses.map(found)));
            connected(&mut rig, transport);
            assert_of_one_family(&called(&mut rig), is_ipv4);
            assert!(rig.connects.len() <= 1, "{:?}", rig.connects);
        }
    }
}

#[test]
fn a_call_is_of_the_family_that_a_connection_leads_by() {
    let mut rig = Rig::with(named(Transport::Tcp, &[OUR_FOUR, OUR_SIX]));
    rig.turn(|switch| switch.found("pbx.example", &[SIX, FOUR].map(found)));
    rig.turn(|switch| switch.connect_failed(1, "no route"));
    connected(&mut rig, Transport::Tcp);
    assert_of_one_family(&called(&mut rig), true);
}

/// A name with an address that nobody listens at, and a trunk that is not asked whether it is there: only the first call finds that out.
#[test]
fn an_address_that_could_not_be_connected_to_is_tried_after_the_others() {
    let mut settings = named(Transport::Tcp, &[OUR_FOUR, OUR_SIX]);
    settings.trunks[0].keepalive = None;
    let mut rig = Rig::with(settings);
    rig.turn(|switch| switch.found("pbx.example", &[SIX, FOUR].map(found)));
    rig.invited_not(1);
    rig.turn(|switch| switch.connect_failed(1, "refused"));
    assert_eq!(rig.answers.len(), 1, "its offer was of the one family");
    rig.pass(Duration::from_secs(3600));
    rig.invited_not(2);
    connected(&mut rig, Transport::Tcp);
    let invite = rig.last("INVITE");
    assert_of_one_family(&invite, true);
    rig.turn(|switch| switch.closed(invite.path));
    rig.invited_not(3);
    assert!(rig.connects.last().unwrap().1.is_ipv4());
    // It goes, too: then the first one is not worse.
    rig.turn(|switch| switch.connect_failed(3, "refused"));
    rig.pass(Duration::from_secs(3600));
    rig.invited_not(4);
    connected(&mut rig, Transport::Tcp);
    assert_of_one_family(&rig.last("INVITE"), false);
}

#[test]
fn two_trunks_of_two_families_have_calls_of_their_own() {
    let uris = ["sip:192.0.2.5", "sip:[2001:db8::5]"];
    for (at, is_ipv4) in [(0, true), (1, false)] {
        let mut settings = named(Transport::Udp, &[OUR_SIX, OUR_FOUR]);
        settings.trunks = vec![trunk("pbx", uris[at])];
        assert_of_one_family(&Rig::with(settings).invited(1), is_ipv4);
    }
}

/// The sound room is told which of its ports is the one.
#[test]
fn the_ports_that_a_call_does_not_take_are_free_at_once() {
    for (addresses, chosen) in [([SIX, FOUR], 1), ([FOUR, SIX], 0)] {
        let mut rig = Rig::with(named(Transport::Udp, &[OUR_FOUR, OUR_SIX]));
        rig.turn(|switch| switch.found("pbx.example", &addresses.map(found)));
        rig.switch.begin_turn(rig.moment(), dial::WallTime::default());
        rig.switch.place(7, order(7), PATIENCE);
        rig.switch.end_turn();
        let outputs: Vec<Output> = std::iter::from_fn(|| rig.switch.poll_output()).collect();
        let told = outputs
            .iter()
            .any(|output| matches!(output, Output::Sound(_, Sound::Prepare { request: 7, rtp }) if *rtp == chosen));
        assert!(told, "{outputs:?}");
    }
}

#[test]
fn a_call_without_a_port_of_a_trunks_family_takes_the_next_trunk_or_is_told_so() {
    let mut settings = named(Transport::Udp, &[OUR_FOUR, OUR_SIX]);
    settings.trunks = vec![trunk("six", "sip:[2001:db8::5]"), trunk("four", "sip:192.0.2.5")];
    let mut rig = Rig::with(settings.clone());
    let four = |number| switch::Order {
        rtp: vec!["0.0.0.0:30000".parse().unwrap()],
        ..order(number)
    };
    rig.turn(|switch| switch.place(1, four(1), PATIENCE));
    rig.durable();
    assert_of_one_family(&rig.last("INVITE"), true);
    settings.trunks.pop();
    let mut rig = Rig::with(settings);
    assert_eq!(
        rig.turn(|switch| switch.place(1, four(1), PATIENCE)),
        ["answer 1: NoPort"]
    );
}

#[test]
fn an_external_address_is_told_to_peers_of_its_own_family() {
    let mut settings = named(Transport::Udp, &[OUR_FOUR, OUR_SIX]);
    settings.external_address = Some("198.51.100.1".parse().unwrap());
    settings.trunks = vec![trunk("six", "sip:[2001:db8::5]")];
    assert_of_one_family(&Rig::with(settings.clone()).invited(1), false);
    settings.trunks = vec![trunk("four", "sip:192.0.2.5")];
    let invite = Rig::with(settings).invited(1);
    assert!(
        invite.header("Contact").contains("198.51.100.1:5060"),
        "{}",
        invite.text
    );
}

/// A listener at all addresses of a family says nothing of a way there.
#[test]
fn an_address_that_the_system_knows_no_way_to_is_passed_over() {
    let mut rig = Rig::with(named(Transport::Udp, &["0.0.0.0:5060", "[::]:5060"]));
    let nowhere = Found {
        local: None,
        ..found(SIX)
    };
    rig.turn(|switch| switch.found("pbx.example", &[nowhere, found(FOUR)]));
    let wanted: Path = path(Transport::Udp, "0.0.0.0:5060", "192.0.2.5:5060");
    assert_eq!(rig.last("OPTIONS").path, wanted);
    assert_of_one_family(&called(&mut rig), true);
    rig.turn(|switch| switch.found("pbx.example", &[nowhere]));
    assert_eq!(rig.place(2), ["answer 2: NoTrunk"]);
}
