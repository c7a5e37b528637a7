//! The phone's SIP, message by message: what comes twice, what is taken back, where a BYE goes, and what is left behind.

use std::net::SocketAddr;

use onhook::phone::{Behaviour, Ending, PhoneOptions, What};
use sip::Transport;
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream, UdpSocket},
    time::timeout,
};

use crate::{
    caller::{Caller, Message, PATIENCE},
    phone,
};

/// A socket, and the requests of one call written out.
struct Plain {
    socket: UdpSocket,
    phone: SocketAddr,
    contact: String,
}

impl Plain {
    async fn towards(phone: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let contact = format!("sip:caller@{}", socket.local_addr().unwrap());
        Self { socket, phone, contact }
    }

    fn request(&self, method: &str, branch: &str, to_tag: &str) -> String {
        let local = self.socket.local_addr().unwrap();
        format!(
            "{method} sip:4711@{phone} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{branch};rport\r\n\
             From: <sip:caller@{local}>;tag=f\r\nTo: <sip:4711@{phone}>{to_tag}\r\nCall-ID: plain\r\n\
             CSeq: 1 {method}\r\nContact: <{contact}>\r\nContent-Length: 0\r\n\r\n",
            phone = self.phone,
            contact = self.contact,
        )
    }

    async fn send(&self, text: &str) {
        self.socket.send_to(text.as_bytes(), self.phone).await.unwrap();
    }

    async fn next(&self) -> Message {
        let mut bytes = [0; 4096];
        let length = timeout(PATIENCE, self.socket.recv(&mut bytes)).await.unwrap().unwrap();
        Message {
            text: String::from_utf8(bytes[..length].to_vec()).unwrap(),
        }
    }

    async fn until(&self, kind: &str) -> Message {
        loop {
            let message = self.next().await;
            if message.kind() == kind {
                return message;
            }
        }
    }

    /// A call that is up.
    async fn call(&self) {
        self.send(&self.request("INVITE", "i", "")).await;
        let answer = self.until("200").await;
        self.send(&self.request("ACK", "a", &tag(&answer))).await;
    }
}

/// With its semicolon.
fn tag(message: &Message) -> String {
    let (_, tag) = message.header("To").split_once(";tag=").expect("a To tag");
    format!(";tag={tag}")
}

#[tokio::test]
async fn an_invite_that_comes_again_rings_no_second_time() {
    let set = phone(PhoneOptions {
        behaviour: Behaviour::NoAnswer,
        ..PhoneOptions::default()
    })
    .await;
    let caller = Plain::towards(set.phone.address(Transport::Udp).unwrap()).await;
    let invite = caller.request("INVITE", "i", "");
    caller.send(&invite).await;
    let trying = caller.next().await;
    assert_eq!(trying.kind(), "100");
    let local = caller.socket.local_addr().unwrap();
    let received = format!(";received=127.0.0.1;rport={}", local.port());
    assert!(trying.header("Via").ends_with(&received), "{}", trying.text);
    let ringing = caller.next().await;
    caller.send(&invite).await;
    assert_eq!(caller.next().await.text, ringing.text);
    assert_eq!(set.phone.live_calls(), 1);
}

/// RFC 3261 §9.2.
#[tokio::test]
async fn a_cancel_is_answered_with_the_tag_of_its_invite_and_twice_if_it_comes_twice() {
    let mut set = phone(PhoneOptions {
        behaviour: Behaviour::NoAnswer,
        ..PhoneOptions::default()
    })
    .await;
    let caller = Plain::towards(set.phone.address(Transport::Udp).unwrap()).await;
    caller.send(&caller.request("CANCEL", "i", "")).await;
    assert_eq!(caller.next().await.kind(), "481");

    caller.send(&caller.request("INVITE", "j", "")).await;
    let ours = tag(&caller.until("180").await);
    let cancel = caller.request("CANCEL", "j", "");
    caller.send(&cancel).await;
    let (cancelled, refused) = (caller.next().await, caller.next().await);
    assert_eq!((cancelled.kind(), refused.kind()), ("200", "487"));
    assert_eq!((tag(&cancelled), tag(&refused)), (ours.clone(), ours));
    caller.send(&cancel).await;
    assert_eq!(caller.until("200").await.text, cancelled.text);
    assert_eq!(set.ended().await.0, Ending::Cancelled);
}

#[tokio::test]
async fn a_request_that_is_none_is_refused_and_rings_nowhere() {
    let set = phone(PhoneOptions::default()).await;
    let caller = Plain::towards(set.phone.address(Transport::Udp).unwrap()).await;
    let broken = caller.request("INVITE", "i", "").replace("1 INVITE", "1 OPTIONS");
    caller.send(&broken).await;
    assert_eq!(caller.next().await.kind(), "400");
    assert_eq!(set.phone.live_calls(), 0);
}

#[tokio::test]
async fn a_bye_goes_to_the_host_that_the_contact_names() {
    let mut set = phone(PhoneOptions::default()).await;
    let mut caller = Plain::towards(set.phone.address(Transport::Udp).unwrap()).await;
    caller.contact = format!("sip:caller@localhost:{}", caller.socket.local_addr().unwrap().port());
    caller.call().await;
    set.answered().await;
    let off = tokio::spawn(set.phone.hang_up());
    let bye = caller.until("BYE").await;
    assert!(
        bye.text.starts_with(&format!("BYE {} SIP/2.0", caller.contact)),
        "{}",
        bye.text
    );
    let answer = bye.text.replacen(bye.text.lines().next().unwrap(), "SIP/2.0 200 OK", 1);
    caller.send(&answer).await;
    timeout(PATIENCE, off).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_bye_gets_a_connection_where_there_is_none() {
    let mut set = phone(PhoneOptions::default()).await;
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut caller = Plain::towards(set.phone.address(Transport::Udp).unwrap()).await;
    caller.contact = format!("sip:caller@{};transport=tcp", other.local_addr().unwrap());
    caller.call().await;
    set.answered().await;
    let off = tokio::spawn(set.phone.hang_up());
    let (mut stream, _) = timeout(PATIENCE, other.accept()).await.unwrap().unwrap();
    let mut bye = vec![0; 4];
    timeout(PATIENCE, stream.read_exact(&mut bye)).await.unwrap().unwrap();
    assert_eq!(bye, b"BYE ");
    // The BYE has no answer on a connection that is gone, and nobody waits for one.
    drop(stream);
    timeout(PATIENCE, off).await.unwrap().unwrap();
    let mut why = None;
    while let Some(event) = set.events.recv().await {
        if let What::Ended { why: told, .. } = event.what {
            why = Some(told);
        }
    }
    assert_eq!(why, Some(Ending::HungUp(None)));
}

#[tokio::test]
async fn a_caller_whose_connection_ends_has_given_up() {
    let mut set = phone(PhoneOptions {
        behaviour: Behaviour::NoAnswer,
        ..PhoneOptions::default()
    })
    .await;
    let mut caller = Caller::tcp(set.phone.address(Transport::Tcp).unwrap(), "gone").await;
    let offer = caller.sdp("0", "sendrecv");
    caller.send_request("INVITE", &offer).await;
    caller.until("180").await;
    drop(caller);
    assert_eq!(set.ended().await.0, Ending::Cancelled);
}

#[tokio::test]
async fn a_phone_that_is_off_has_left_its_ports() {
    let mut set = phone(PhoneOptions::default()).await;
    let (udp, tcp) = (
        set.phone.address(Transport::Udp).unwrap(),
        set.phone.address(Transport::Tcp).unwrap(),
    );
    let mut stream = TcpStream::connect(tcp).await.unwrap();
    timeout(PATIENCE, set.phone.hang_up()).await.unwrap();
    let mut byte = [0; 1];
    let end = timeout(PATIENCE, stream.read(&mut byte)).await;
    assert_eq!(end.unwrap().unwrap(), 0, "the connection ended");
    UdpSocket::bind(udp).await.unwrap();
    TcpListener::bind(tcp).await.unwrap();
    assert!(timeout(PATIENCE, set.events.recv()).await.unwrap().is_none());
}
