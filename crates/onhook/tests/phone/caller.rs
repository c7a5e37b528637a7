//! A caller made of text and a socket: what it sends and expects is written out in each test, and shares nothing with the
//! SIP room under test.

use std::net::SocketAddr;
use std::time::Duration;

use media::{Clip, Codec, Finished, Pacer, Playing, PortPool, PortPoolOptions, Remote, RtpPort, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

enum Wire {
    Udp(UdpSocket),
    Tcp(TcpStream, Vec<u8>),
}

/// One call of the caller.
pub(crate) struct Caller {
    wire: Wire,
    local: SocketAddr,
    remote: SocketAddr,
    pub(crate) call_id: String,
    cseq: u32,
    /// The phone's To tag.
    to_tag: Option<String>,
    pub(crate) rtp: RtpPort,
    _ports: PortPool,
}

/// A message from the phone.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) text: String,
}

impl Message {
    /// `200` of a response, `BYE` of a request.
    pub(crate) fn kind(&self) -> &str {
        let mut words = self.text.split(' ');
        let first = words.next().unwrap_or_default();
        if first == "SIP/2.0" {
            words.next().unwrap_or_default()
        } else {
            first
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let head = self.text.split("\r\n\r\n").next().unwrap();
        head.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .unwrap_or_else(|| panic!("no {name} in {}", self.text))
    }

    pub(crate) fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    /// Where the phone wants its sound.
    pub(crate) fn rtp_address(&self) -> SocketAddr {
        let line = |start: &str| {
            self.body()
                .lines()
                .find_map(|line| line.strip_prefix(start))
                .unwrap()
                .trim()
        };
        let port = line("m=audio ").split(' ').next().unwrap();
        format!("{}:{port}", line("c=IN IP4 ")).parse().unwrap()
    }
}

impl Caller {
    pub(crate) async fn udp(phone: SocketAddr, call_id: &str) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let local = socket.local_addr().unwrap();
        Self::new(Wire::Udp(socket), local, phone, call_id)
    }

    pub(crate) async fn tcp(phone: SocketAddr, call_id: &str) -> Self {
        let stream = TcpStream::connect(phone).await.unwrap();
        let local = stream.local_addr().unwrap();
        Self::new(Wire::Tcp(stream, Vec::new()), local, phone, call_id)
    }

    fn new(wire: Wire, local: SocketAddr, remote: SocketAddr, call_id: &str) -> Self {
        let ports = PortPool::new(PortPoolOptions::default());
        let rtp = ports.lease().unwrap();
        let call_id = call_id.to_owned();
        Self {
            wire,
            local,
            remote,
            call_id,
            cseq: 1,
            to_tag: None,
            rtp,
            _ports: ports,
        }
    }

    fn transport(&self) -> &'static str {
        match self.wire {
            Wire::Udp(_) => "UDP",
            Wire::Tcp(..) => "TCP",
        }
    }

    /// A session description with these formats and this direction.
    pub(crate) fn sdp(&self, formats: &str, direction: &str) -> String {
        format!(
            "v=0\r\no=caller 1 {} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {} RTP/AVP {formats}\r\na=rtpmap:101 telephone-event/8000\r\na={direction}\r\n",
            self.cseq,
            self.rtp.address().port()
        )
    }

    pub(crate) async fn send_request(&mut self, method: &str, body: &str) {
        if !matches!(method, "ACK" | "CANCEL" | "INVITE") || self.to_tag.is_some() && method == "INVITE" {
            self.cseq += 1;
        }
        // An ACK of a 2xx is a transaction of its own, a CANCEL shares the INVITE's.
        let branch = if method == "ACK" {
            format!("ack{}", self.cseq)
        } else {
            self.cseq.to_string()
        };
        let to_tag = match (&self.to_tag, method) {
            (Some(tag), method) if method != "CANCEL" => format!(";tag={tag}"),
            _ => String::new(),
        };
        let content = if body.is_empty() {
            ""
        } else {
            "Content-Type: application/sdp\r\n"
        };
        let text = format!(
            "{method} sip:4711@{remote} SIP/2.0\r\n\
             Via: SIP/2.0/{transport} {local};branch=z9hG4bK-{call_id}-{branch}\r\n\
             Max-Forwards: 70\r\n\
             From: \"A caller\" <sip:caller@{local}>;tag=caller\r\n\
             To: <sip:4711@{remote}>{to_tag}\r\n\
             Call-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\n\
             Contact: <sip:caller@{local};transport={transport}>\r\n\
             {content}Content-Length: {length}\r\n\r\n{body}",
            remote = self.remote,
            transport = self.transport(),
            local = self.local,
            call_id = self.call_id,
            cseq = self.cseq,
            length = body.len(),
        );
        self.send_text(&text).await;
    }

    pub(crate) async fn send_text(&mut self, text: &str) {
        match &mut self.wire {
            Wire::Udp(socket) => {
                socket.send_to(text.as_bytes(), self.remote).await.unwrap();
            }
            Wire::Tcp(stream, _) => stream.write_all(text.as_bytes()).await.unwrap(),
        }
    }

    /// Answers a request of the phone with 200.
    pub(crate) async fn accept(&mut self, request: &Message) {
        let text = format!(
            "SIP/2.0 200 OK\r\nVia: {}\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {}\r\nContent-Length: 0\r\n\r\n",
            request.header("Via"),
            request.header("From"),
            request.header("To"),
            request.header("Call-ID"),
            request.header("CSeq"),
        );
        self.send_text(&text).await;
    }

    /// The next message from the phone that is not a 100.
    pub(crate) async fn next(&mut self) -> Message {
        loop {
            let message = timeout(PATIENCE, self.receive())
                .await
                .expect("a message from the phone");
            if let Some((_, tag)) = message.header("To").split_once("tag=")
                && message.text.starts_with("SIP/2.0")
            {
                self.to_tag = Some(tag.to_owned());
            }
            if message.kind() != "100" {
                return message;
            }
        }
    }

    /// Reads on to the next message of this kind.
    pub(crate) async fn until(&mut self, kind: &str) -> Message {
        loop {
            let message = self.next().await;
            if message.kind() == kind {
                return message;
            }
        }
    }

    async fn receive(&mut self) -> Message {
        match &mut self.wire {
            Wire::Udp(socket) => {
                let mut bytes = vec![0; 65_536];
                let length = socket.recv(&mut bytes).await.unwrap();
                Message {
                    text: String::from_utf8(bytes[..length].to_vec()).unwrap(),
                }
            }
            Wire::Tcp(stream, waiting) => loop {
                let text = String::from_utf8_lossy(waiting);
                if let Some(end) = text.find("\r\n\r\n") {
                    let message = Message {
                        text: text[..end + 4].to_owned(),
                    };
                    let whole = end + 4 + message.header("Content-Length").parse::<usize>().unwrap();
                    if waiting.len() >= whole {
                        let bytes: Vec<u8> = waiting.drain(..whole).collect();
                        return Message {
                            text: String::from_utf8(bytes).unwrap(),
                        };
                    }
                }
                assert_ne!(
                    stream.read_buf(waiting).await.unwrap(),
                    0,
                    "the phone closed the connection"
                );
            },
        }
    }

    /// INVITE with an offer, up to the ACK; returns the 200.
    pub(crate) async fn call(&mut self, formats: &str) -> Message {
        let offer = self.sdp(formats, "sendrecv");
        self.send_request("INVITE", &offer).await;
        let answer = self.until("200").await;
        self.send_request("ACK", "").await;
        answer
    }

    /// BYE and its 200.
    pub(crate) async fn hang_up(&mut self) {
        self.send_request("BYE", "").await;
        assert_eq!(self.next().await.kind(), "200");
    }

    /// Plays a clip to the phone.
    pub(crate) fn play(&self, pacer: &Pacer, clip: &Clip, payload_type: u8, to: SocketAddr) -> (Playing, Finished) {
        let stream = Stream {
            clip: clip.clone(),
            port: self.rtp.clone(),
            remote: Some(Remote::new(to)),
            learn: None,
            held: false,
            protection: None,
            payload_type,
            ssrc: 7,
            sequence_number: 1,
            timestamp: 2,
        };
        pacer.play(stream).unwrap()
    }
}

/// The demo's message in a codec, with its samples at that codec's rate.
pub(crate) fn message(codec: Codec) -> (Clip, Vec<i16>) {
    let file = include_bytes!("../../assets/this-is-onhook.wav");
    let samples = media::Sound::decode(file, codec.sample_rate(), &media::Limits::default())
        .unwrap()
        .samples;
    // Two seconds are enough to be recognised.
    let samples = samples[..2 * codec.sample_rate() as usize].to_vec();
    (Clip::from_samples(&samples, codec), samples)
}
