//! One call's messages arrive in the order in which they were given.

use std::collections::HashMap;

use onhook::sip::{Timers, Transport};
use sip::{CallIdHeader, Method};
use tokio::net::TcpListener;

use crate::support::{Message, Room, StreamPeer, UdpPeer, listen, outgoing};

/// As many as fit into the receive buffer of a peer that reads nothing yet: an ACK is not repeated.
const CALLS: usize = 60;

/// Sends ACK and BYE of many calls, each by a call of its own to `send`.
fn hang_up_all(room: &Room, transport: Transport, destination: &str) {
    let local = room.sip.local_for(transport, "127.0.0.1".parse().unwrap()).unwrap();
    for number in 0..CALLS {
        let name = format!("call-{number}");
        let call_id = CallIdHeader::new(&name);
        for (method, cseq) in [(Method::Ack, 1), (Method::Bye, 2)] {
            let message = outgoing(method, &name, cseq, destination, &local);
            room.sip.send(&call_id, vec![message]);
        }
    }
}

/// Takes note of a message; true once every call has said BYE.
fn note(seen: &mut HashMap<String, bool>, message: &Message) -> bool {
    let call = message.header("Call-ID").to_owned();
    if message.is("ACK") {
        seen.insert(call, false);
    } else if let Some(ended) = seen.get_mut(&call) {
        *ended = true;
    } else {
        panic!("BYE before its ACK in {call}");
    }
    seen.len() == CALLS && seen.values().all(|ended| *ended)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_bye_never_overtakes_its_ack_on_udp() {
    let mut listen = listen(&["udp:127.0.0.1:0"]);
    listen.timers = Timers::default();
    let (room, peer) = (Room::open(listen, Vec::new()).await, UdpPeer::bind().await);
    hang_up_all(&room, Transport::Udp, &peer.uri());
    let mut seen = HashMap::new();
    while !note(&mut seen, &peer.receive().await) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_bye_never_overtakes_its_ack_on_tcp() {
    let room = Room::open(listen(&["tcp:127.0.0.1:0"]), Vec::new()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let destination = format!("sip:{};transport=tcp", listener.local_addr().unwrap());
    hang_up_all(&room, Transport::Tcp, &destination);
    let (stream, from) = listener.accept().await.unwrap();
    let (mut peer, mut seen) = (StreamPeer::new(stream, from), HashMap::new());
    while !note(&mut seen, &peer.next().await) {}
}
