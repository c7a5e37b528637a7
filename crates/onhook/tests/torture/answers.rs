//! The responses of RFC 4475, as answers to an INVITE of ours: what is odd is taken, what is broken does no harm.

use std::{net::SocketAddr, time::Duration};

use onhook::sip::{Listen, Sip, SipEvent, Transport};
use sip::{Branch, BranchKey, CSeq, CallIdHeader, Method, Outgoing, Tx};
use tokio::{net::UdpSocket, sync::mpsc, time::timeout};

use crate::{message, panics};

const PATIENCE: Duration = Duration::from_secs(10);
const CALL_ID: &str = "called";

/// An INVITE of ours that has reached its peer.
struct Calling {
    sip: Sip,
    events: mpsc::Receiver<SipEvent>,
    peer: UdpSocket,
    server: SocketAddr,
    branch: Branch,
}

impl Calling {
    async fn start() -> Self {
        panics::watch();
        let key = BranchKey::new([7; 32]);
        let mut listen = Listen::new(vec!["udp:127.0.0.1:0".parse().unwrap()], key.clone());
        listen.peers = vec!["127.0.0.1".parse().unwrap()];
        let (sip, events) = Sip::start(listen, Vec::new()).await.unwrap();
        let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = peer.local_addr().unwrap();
        let local = sip.local_for(Transport::Udp, address.ip()).unwrap();
        let cseq = CSeq {
            number: 35,
            method: Method::Invite,
        };
        let call_id = CallIdHeader::new(CALL_ID);
        let branch = key.branch(&call_id, &cseq, None);
        let invite = Outgoing {
            path: None,
            text: format!(
                "INVITE sip:100@{address} SIP/2.0\r\nVia: {};branch={branch};rport\r\nMax-Forwards: 70\r\n\
                 From: <sip:onhook@127.0.0.1>;tag=ours\r\nTo: <sip:100@127.0.0.1>\r\nCall-ID: {CALL_ID}\r\n\
                 CSeq: 35 INVITE\r\nContact: <{}>\r\nContent-Length: 0\r\n\r\n",
                local.via, local.contact
            ),
            tx: Tx {
                branch: branch.clone(),
                method: Method::Invite,
            },
            destination: format!("sip:100@{address}"),
        };
        sip.send(&call_id, vec![invite]);
        let mut buffer = vec![0; 4096];
        let (_, server) = timeout(PATIENCE, peer.recv_from(&mut buffer)).await.unwrap().unwrap();
        Self {
            sip,
            events,
            peer,
            server,
            branch,
        }
    }

    /// Answers with a message of the RFC, made to fit the INVITE.
    async fn answer_with(&self, name: &str) {
        let bytes = message::load(name);
        let mut fitting = Vec::new();
        let mut vias = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let is = |header: &str| line.starts_with(header.as_bytes());
            if is("Via:") {
                vias += 1;
            }
            if is("Via:") && vias == 1 {
                fitting.extend(format!("Via: SIP/2.0/UDP {};branch={}\r\n", self.server, self.branch).bytes());
            } else if is("From:") {
                fitting.extend(b"From: <sip:onhook@127.0.0.1>;tag=ours\r\n");
            } else if is("Call-ID:") {
                fitting.extend(format!("Call-ID: {CALL_ID}\r\n").bytes());
            } else {
                fitting.extend(line);
            }
        }
        self.peer.send_to(&fitting, self.server).await.unwrap();
    }

    /// Answers with an ordinary refusal: when it is told, all that was sent before has been read.
    async fn refuse(&self) {
        let text = format!(
            "SIP/2.0 486 Busy Here\r\nVia: SIP/2.0/UDP {};branch={}\r\nFrom: <sip:onhook@127.0.0.1>;tag=ours\r\n\
             To: <sip:100@127.0.0.1>;tag=theirs\r\nCall-ID: {CALL_ID}\r\nCSeq: 35 INVITE\r\nContent-Length: 0\r\n\r\n",
            self.server, self.branch
        );
        self.peer.send_to(text.as_bytes(), self.server).await.unwrap();
    }

    async fn event(&mut self) -> SipEvent {
        timeout(PATIENCE, self.events.recv()).await.unwrap().unwrap()
    }

    async fn status(&mut self) -> u16 {
        match self.event().await {
            SipEvent::Response(response) => response.status,
            other => panic!("no response but {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_answer_with_an_unusual_reason_is_an_answer() {
    let mut calling = Calling::start().await;
    calling.answer_with("rfc4475/unreason").await;
    let SipEvent::Answer(answer) = calling.event().await else {
        panic!("the 200 was not taken");
    };
    assert_eq!(answer.status, 200);
    assert!(answer.reason.starts_with("= 2**3 * 5**2 но сто"));
    assert_eq!(answer.contact.as_deref(), Some("sip:anna@host198.example.com"));
    assert!(answer.body.starts_with(b"v=0\r\n"));
    calling.sip.shutdown().await;
}

#[tokio::test]
async fn a_provisional_without_a_reason_is_taken() {
    let mut calling = Calling::start().await;
    calling.answer_with("rfc4475/noreason").await;
    assert_eq!(calling.status().await, 100);
    calling.sip.shutdown().await;
}

#[tokio::test]
async fn broken_answers_are_discarded_and_the_call_goes_on() {
    for name in ["rfc4475/bigcode", "rfc4475/scalarlg", "rfc4475/bcast"] {
        let before = panics::seen();
        let mut calling = Calling::start().await;
        calling.answer_with(name).await;
        calling.refuse().await;
        assert_eq!(calling.status().await, 486, "after {name}");
        calling.sip.shutdown().await;
        assert_eq!(panics::seen(), before, "{name}");
    }
}
