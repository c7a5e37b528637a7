//! A scripted SIP peer on UDP: it says only what the test says.

use std::collections::HashSet;
use std::net::SocketAddr;

use tokio::net::UdpSocket;

use crate::scene::soon;

/// One message that came in.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) text: String,
    pub(crate) from: SocketAddr,
}

impl Message {
    /// The method of a request.
    pub(crate) fn method(&self) -> &str {
        self.text.split(' ').next().unwrap()
    }

    pub(crate) fn status(&self) -> Option<u16> {
        self.text.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.text.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        });
        found.unwrap_or_default()
    }

    pub(crate) fn branch(&self) -> &str {
        let via = self.header("Via").split_once("branch=").unwrap().1;
        via.split(';').next().unwrap()
    }

    /// The user part of the Request-URI.
    pub(crate) fn number(&self) -> &str {
        self.text.split_once("sip:").unwrap().1.split_once('@').unwrap().0
    }

    /// A response to this request. `more` is header lines, or an SDP body.
    pub(crate) fn answered(&self, status: u16, contact: &str, more: &str) -> String {
        let to = self.header("To");
        let tag = if to.contains(";tag=") || status == 100 {
            ""
        } else {
            ";tag=phone"
        };
        let (headers, body) = match more.starts_with("v=0") {
            true => ("Content-Type: application/sdp\r\n", more),
            false => (more, ""),
        };
        format!(
            "SIP/2.0 {status} Scripted {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
             Contact: <{contact}>\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            self.header("Via"),
            self.header("From"),
            self.header("Call-ID"),
            self.header("CSeq"),
            body.len()
        )
    }
}

/// A description of a phone that listens there with PCMU.
pub(crate) fn sdp(rtp: SocketAddr) -> String {
    format!(
        "v=0\r\no=- 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\nm=audio {} RTP/AVP 0\r\na=sendrecv\r\n",
        rtp.port(),
        family = if rtp.is_ipv4() { "IP4" } else { "IP6" },
        ip = rtp.ip()
    )
}

pub(crate) struct Peer {
    socket: UdpSocket,
    rtp: UdpSocket,
    seen: HashSet<String>,
}

impl Peer {
    pub(crate) async fn bind() -> Self {
        Self::bind_at("127.0.0.1:0").await
    }

    pub(crate) async fn bind_at(address: &str) -> Self {
        let socket = UdpSocket::bind(address).await.unwrap();
        let is_ipv4 = socket.local_addr().unwrap().is_ipv4();
        let own = if is_ipv4 { "127.0.0.1:0" } else { "[::1]:0" };
        Self {
            socket,
            rtp: UdpSocket::bind(own).await.unwrap(),
            seen: HashSet::new(),
        }
    }

    /// What a trunk's `next_hop` is.
    pub(crate) fn uri(&self) -> String {
        format!("sip:{}", self.socket.local_addr().unwrap())
    }

    /// Where it hears.
    pub(crate) fn rtp(&self) -> SocketAddr {
        self.rtp.local_addr().unwrap()
    }

    /// Holds that nothing has come that was not read.
    pub(crate) fn heard_nothing(&self) {
        let mut buffer = [0; 64];
        assert!(self.socket.try_recv_from(&mut buffer).is_err());
    }

    fn contact(&self) -> String {
        format!("sip:phone@{}", self.socket.local_addr().unwrap())
    }

    /// Waits until something has come that was not read.
    pub(crate) async fn is_called(&self) -> bool {
        self.socket.readable().await.is_ok()
    }

    async fn receive(&self) -> Message {
        let mut buffer = vec![0; 65_536];
        let (length, from) = self.socket.recv_from(&mut buffer).await.unwrap();
        let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
        Message { text, from }
    }

    /// The next message that is no repetition.
    pub(crate) async fn next_ever(&mut self) -> Message {
        loop {
            let message = self.receive().await;
            if self.seen.insert(message.text.clone()) {
                return message;
            }
        }
    }

    pub(crate) async fn next(&mut self) -> Message {
        soon("a message", self.next_ever()).await
    }

    /// The next one, which must be this request.
    pub(crate) async fn expect(&mut self, method: &str) -> Message {
        let message = soon(method, self.next_ever()).await;
        assert_eq!(message.method(), method, "{}", message.text);
        message
    }

    /// Waits until a message has come once more.
    pub(crate) async fn repeated(&self, message: &Message) {
        let again = async { while self.receive().await.text != message.text {} };
        soon("a repetition", again).await;
    }

    pub(crate) async fn send(&self, text: &str, to: SocketAddr) {
        self.send_bytes(text.as_bytes(), to).await;
    }

    pub(crate) async fn send_bytes(&self, bytes: &[u8], to: SocketAddr) {
        self.socket.send_to(bytes, to).await.unwrap();
    }

    pub(crate) async fn reply(&self, request: &Message, status: u16) {
        self.reply_with(request, status, "").await;
    }

    pub(crate) async fn reply_with(&self, request: &Message, status: u16, more: &str) {
        self.send(&request.answered(status, &self.contact(), more), request.from)
            .await;
    }

    /// A re-INVITE that says where and whether to hear, up to its ACK.
    pub(crate) async fn change(&mut self, invite: &Message, number: u32, description: &str) {
        let (own, contact) = (self.socket.local_addr().unwrap(), self.contact());
        let request = |method: &str, body: &str| {
            format!(
                "{method} {} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK-{method}-{number}\r\nMax-Forwards: 70\r\n\
                 From: {};tag=phone\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {number} {method}\r\nContact: <{}>\r\n\
                 Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
                invite.header("Contact").trim_matches(['<', '>']),
                invite.header("To"),
                invite.header("From"),
                invite.header("Call-ID"),
                contact,
                body.len()
            )
        };
        self.send(&request("INVITE", description), invite.from).await;
        while self.next().await.status() != Some(200) {}
        self.send(&request("ACK", ""), invite.from).await;
    }

    /// Whether sound has come that was not read.
    pub(crate) fn has_heard(&self) -> bool {
        self.rtp.try_recv(&mut [0; 2048]).is_ok()
    }

    /// A packet of sound comes.
    pub(crate) async fn hears(&self) {
        soon("sound", self.rtp.recv(&mut [0; 2048])).await.unwrap();
    }

    /// Where the next packet of sound comes from.
    pub(crate) async fn hears_from(&self) -> SocketAddr {
        let packet = soon("sound", self.rtp.recv_from(&mut [0; 2048])).await;
        packet.unwrap().1
    }

    /// From where it hears.
    pub(crate) async fn send_sound(&self, packet: &[u8], to: SocketAddr) {
        self.rtp.send_to(packet, to).await.unwrap();
    }

    /// Takes the call.
    pub(crate) async fn answer(&self, invite: &Message) {
        self.answer_as("phone", invite).await;
    }

    /// Takes the call as the phone with this tag.
    pub(crate) async fn answer_as(&self, tag: &str, invite: &Message) {
        let sdp = sdp(self.rtp.local_addr().unwrap());
        let answer = invite.answered(200, &self.contact(), &sdp);
        self.send(&answer.replace(";tag=phone", &format!(";tag={tag}")), invite.from)
            .await;
    }

    /// Takes the next call, up to the ACK.
    pub(crate) async fn take_call(&mut self) -> Message {
        let invite = self.expect("INVITE").await;
        self.answer(&invite).await;
        self.expect("ACK").await;
        invite
    }

    /// The far end hangs up a call that it has taken.
    pub(crate) async fn hang_up(&self, invite: &Message) {
        let bye = format!(
            "BYE {} SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bK-bye-{}\r\nMax-Forwards: 70\r\nFrom: {};tag=phone\r\n\
             To: {}\r\nCall-ID: {}\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n",
            invite.header("Contact").trim_matches(['<', '>']),
            self.socket.local_addr().unwrap(),
            invite.header("Call-ID"),
            invite.header("To"),
            invite.header("From"),
            invite.header("Call-ID"),
        );
        self.send(&bye, invite.from).await;
    }

    /// Holds that nothing but repetitions was sent up to now: what the server sends next answers a question of ours.
    pub(crate) async fn nothing_new(&mut self, server: SocketAddr) {
        let fence = format!("fence-{}", self.seen.len());
        let own = self.socket.local_addr().unwrap();
        let options = format!(
            "OPTIONS sip:{server} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK-{fence}\r\nMax-Forwards: 70\r\n\
             From: <sip:peer@{own}>;tag=f\r\nTo: <sip:{server}>\r\nCall-ID: {fence}-{own}\r\nCSeq: 1 OPTIONS\r\n\
             Content-Length: 0\r\n\r\n"
        );
        self.send(&options, server).await;
        let next = self.next().await;
        assert_eq!(next.header("CSeq"), "1 OPTIONS", "came before: {}", next.text);
        assert_eq!(next.status(), Some(200));
    }
}
