//! Peers, messages, and a room to test.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use call::Local;
use onhook::sip::{Incoming, Listen, NoResponse, Sip, SipEvent, Timers, Trunk};
use sip::{Branch, BranchKey, CSeq, CallIdHeader, Method, Outgoing, Tx};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UdpSocket,
    sync::mpsc,
    time::timeout,
};

/// Nothing here takes so long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn soon<T>(what: &str, wanted: impl Future<Output = T>) -> T {
    match timeout(PATIENCE, wanted).await {
        Ok(got) => got,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

pub(crate) fn key() -> BranchKey {
    BranchKey::new([7; 32])
}

pub(crate) fn timers(t1: u64) -> Timers {
    Timers {
        t1: Duration::from_millis(t1),
        t2: Duration::from_millis(t1 * 8),
        t4: Duration::from_millis(t1 * 10),
    }
}

pub(crate) fn listen(listeners: &[&str]) -> Listen {
    let listeners = listeners.iter().map(|text| text.parse().unwrap()).collect();
    let mut listen = Listen::new(listeners, key());
    listen.timers = timers(10);
    listen.peers = ["127.0.0.0/8", "::1"].map(|network| network.parse().unwrap()).into();
    listen
}

/// An open room.
pub(crate) struct Room {
    pub(crate) sip: Sip,
    pub(crate) events: mpsc::Receiver<SipEvent>,
}

impl Room {
    pub(crate) async fn open(listen: Listen, trunks: Vec<Trunk>) -> Self {
        let (sip, events) = Sip::start(listen, trunks).await.unwrap();
        Self { sip, events }
    }

    pub(crate) async fn udp() -> Self {
        Self::open(listen(&["udp:127.0.0.1:0"]), Vec::new()).await
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.sip.listening()[0].address
    }

    pub(crate) async fn event(&mut self) -> SipEvent {
        soon("an event", self.events.recv()).await.unwrap()
    }

    pub(crate) async fn response(&mut self) -> sip::Response {
        match self.event().await {
            SipEvent::Response(response) => response,
            other => panic!("no response but {other:?}"),
        }
    }

    pub(crate) async fn answer(&mut self) -> sip::Response {
        match self.event().await {
            SipEvent::Answer(answer) => answer,
            other => panic!("no answer but {other:?}"),
        }
    }

    pub(crate) async fn request(&mut self) -> Incoming {
        match self.event().await {
            SipEvent::Request(incoming) => incoming,
            other => panic!("no request but {other:?}"),
        }
    }

    pub(crate) async fn no_response(&mut self) -> (CallIdHeader, Tx, NoResponse) {
        match self.event().await {
            SipEvent::NoResponse { call_id, tx, why } => (call_id, tx, why),
            other => panic!("no failure but {other:?}"),
        }
    }

    /// Lets the peer ask something. When the question has arrived, all that the peer sent before has been dealt with.
    pub(crate) async fn fence(&mut self, peer: &UdpPeer) {
        peer.send(&request("OPTIONS", "fence", 1, ""), self.address()).await;
        let asked = self.request().await;
        assert_eq!(asked.request.method, Method::Options);
        asked.reply(None, &sip::Reply::status(200));
        let next = peer.receive().await;
        assert!(
            next.is_response_to("OPTIONS"),
            "something was sent before: {}",
            next.text
        );
    }
}

/// A request as a peer sends it.
pub(crate) fn request(method: &str, call_id: &str, cseq: u32, extra: &str) -> String {
    format!(
        "{method} sip:onhook@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK-{call_id}-{cseq};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:peer@127.0.0.1>;tag=peer\r\nTo: <sip:onhook@127.0.0.1>\r\n\
         Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nContact: <sip:peer@127.0.0.1>\r\n{extra}Content-Length: 0\r\n\r\n"
    )
}

/// One request of ours, of a call without dialog state.
pub(crate) fn outgoing(method: Method, call_id: &str, cseq: u32, destination: &str, local: &Local) -> Outgoing {
    let branch = match method {
        Method::Ack => Branch::new(format!("z9hG4bK-ack-{call_id}-{cseq}")),
        _ => key().branch(
            &CallIdHeader::new(call_id),
            &CSeq {
                number: cseq,
                method: method.clone(),
            },
            None,
        ),
    };
    Outgoing {
        path: None,
        text: format!(
            "{method} {destination} SIP/2.0\r\nVia: {};branch={branch};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:onhook@127.0.0.1>;tag=ours\r\nTo: <sip:100@127.0.0.1>\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\nContact: <{}>\r\nContent-Length: 0\r\n\r\n",
            local.via, local.contact
        ),
        tx: Tx { branch, method },
        destination: destination.to_owned(),
    }
}

/// A message that a peer got.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) text: String,
    pub(crate) from: SocketAddr,
}

impl Message {
    pub(crate) fn is(&self, method: &str) -> bool {
        self.text.starts_with(&format!("{method} "))
    }

    pub(crate) fn status(&self) -> Option<u16> {
        self.text.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    pub(crate) fn is_response_to(&self, method: &str) -> bool {
        self.status().is_some() && self.header("CSeq").ends_with(method)
    }

    pub(crate) fn headers<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.text.lines().filter_map(move |line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers(name).next().unwrap_or_default()
    }

    /// The text of a response to this request. `extra` are whole header lines.
    pub(crate) fn answered(&self, status: u16, to_tag: &str, extra: &str) -> String {
        let mut text = format!("SIP/2.0 {status} Scripted\r\n");
        for via in self.headers("Via") {
            text += &format!("Via: {via}\r\n");
        }
        text += &format!(
            "From: {}\r\nTo: {};tag={to_tag}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: <sip:phone@127.0.0.1>\r\n{extra}\
             Content-Length: 0\r\n\r\n",
            self.header("From"),
            self.header("To"),
            self.header("Call-ID"),
            self.header("CSeq")
        );
        text
    }
}

pub(crate) struct UdpPeer(Arc<UdpSocket>);

impl UdpPeer {
    pub(crate) async fn bind() -> Self {
        Self::bind_at("127.0.0.1:0").await
    }

    pub(crate) async fn bind_at(address: &str) -> Self {
        Self(Arc::new(UdpSocket::bind(address).await.unwrap()))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    pub(crate) fn uri(&self) -> String {
        format!("sip:100@{}", self.address())
    }

    pub(crate) async fn send(&self, text: &str, to: SocketAddr) {
        self.send_bytes(text.as_bytes(), to).await;
    }

    pub(crate) async fn send_bytes(&self, bytes: &[u8], to: SocketAddr) {
        self.0.send_to(bytes, to).await.unwrap();
    }

    /// Holds that nothing has come that was not read.
    pub(crate) fn heard_nothing(&self) {
        let mut buffer = [0; 64];
        let heard = self.0.try_recv_from(&mut buffer);
        assert!(heard.is_err(), "{}", String::from_utf8_lossy(&buffer));
    }

    pub(crate) async fn receive(&self) -> Message {
        let mut buffer = vec![0; 65_536];
        let (length, from) = soon("a datagram", self.0.recv_from(&mut buffer)).await.unwrap();
        let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
        Message { text, from }
    }

    /// The next message that is no repetition: skips what `skip` says.
    pub(crate) async fn receive_but(&self, skip: impl Fn(&Message) -> bool) -> Message {
        loop {
            let message = self.receive().await;
            if !skip(&message) {
                return message;
            }
        }
    }

    pub(crate) async fn answer(&self, request: &Message, status: u16, to_tag: &str, extra: &str) {
        self.send(&request.answered(status, to_tag, extra), request.from).await;
    }
}

/// A connection of a peer, plain or TLS.
pub(crate) struct StreamPeer<S> {
    stream: S,
    buffer: Vec<u8>,
    from: SocketAddr,
}

impl<S: AsyncReadExt + AsyncWriteExt + Unpin> StreamPeer<S> {
    pub(crate) fn new(stream: S, from: SocketAddr) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            from,
        }
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next message; none here has a body. `None` at the end.
    pub(crate) async fn receive(&mut self) -> Option<Message> {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                let rest = self.buffer.split_off(end + 4);
                let text = String::from_utf8(std::mem::replace(&mut self.buffer, rest)).unwrap();
                return Some(Message { text, from: self.from });
            }
            let mut chunk = [0; 4096];
            match soon("bytes", self.stream.read(&mut chunk)).await {
                Ok(length) if length > 0 => self.buffer.extend_from_slice(&chunk[..length]),
                _ => return None,
            }
        }
    }

    pub(crate) async fn next(&mut self) -> Message {
        self.receive().await.expect("the connection ended")
    }
}

impl StreamPeer<tokio::net::TcpStream> {
    /// Says that nothing more will come; what the other side still sends can be read.
    pub(crate) async fn close_write(mut self) -> Self {
        self.stream.shutdown().await.unwrap();
        self
    }
}
