//! What is no message, or one of the shapes that are easily read wrong (RFC 4475 §3): it comes beside what peers say, and changes nothing.

use std::rc::Rc;

use crate::{
    message::{Message, Node},
    parts::Family,
    world::{Event, World},
};

/// Beyond what is looked at.
const MEGABYTE: usize = 1_000_000;

impl World {
    /// A peer speaks to us: what else comes from there.
    pub(crate) fn add_junk(&mut self, from: Node, call: usize, message: &Rc<Message>) {
        let odds = self.scenario.junk;
        if odds == 0 || self.scenario.is_calm(self.now) {
            return;
        }
        let lane = self.lane("junk", call);
        if !lane.chance(odds) {
            return;
        }
        let (which, wait) = (lane.below(SHAPES.len() as u64 + 2) as usize, 1 + lane.wait(&[3, 1000]));
        let bytes = match which.checked_sub(2) {
            Some(shape) => SHAPES[shape].as_bytes().to_vec(),
            None if which == 0 => (0..lane.below(64)).map(|_| lane.below(256) as u8).collect(),
            None => {
                let mut bytes = b"OPTIONS sip:onhook@192.0.2.1 SIP/2.0\r\nSubject: ".to_vec();
                bytes.resize(MEGABYTE, b'x');
                bytes
            }
        };
        self.watch.tally.fault(Family::Junk);
        let (path, _) = self.on_the_wire(from, message);
        self.ladder.note(self.now, || {
            format!("{} bytes of junk from {}", bytes.len(), path.remote)
        });
        self.after(wait, Event::Bytes { path, bytes });
    }
}

/// Of peers that write what nobody should, each in one regard. None belongs to a call.
const SHAPES: [&str; 18] = [
    "\r\n\r\n",
    "\0",
    "SIP/2.0 200 OK\r\n\r\n",
    "SIP/2.0 4294967301 Better Late\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
     To: <sip:b@b>;tag=2\r\nCall-ID: stranger\r\nCSeq: 9292394834772304023312 OPTIONS\r\n\r\n",
    "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@b>;tag=2\r\n\
     Call-ID: stranger\r\nCSeq: 1 INVITE\r\n\r\n",
    "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK2\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@b>;tag=2\r\n\
     Call-ID: stranger\r\nCSeq: 1 INVITE\r\nContact: <sip:b@127.0.0.1>\r\nContent-Length: -999\r\n\r\n",
    "INVITE sip:onhook@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK3\r\n\r\n",
    "INVITE <sip:onhook@192.0.2.1> SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK4\r\nFrom: <sip:a@b>;tag=1\r\n\
     To: <sip:b@b>\r\nCall-ID: stranger-4\r\nCSeq: 1 INVITE\r\nContent-Length: 9999\r\n\r\nv=0",
    "INVITE sip:onhook@192.0.2.1; lr SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK5\r\nFrom: <sip:a@b>;tag=1\r\n\
     To: <sip:b@b>\r\nCall-ID: stranger-5\r\nCSeq: 1 INVITE\r\n\r\n",
    "OPTIONS nobodyKnowsThisScheme:totally SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK6\r\n\
     From: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: stranger-6\r\nCSeq: 1 OPTIONS\r\n\r\n",
    "OPTIONS sip:onhook@192.0.2.1 SIP/7.0\r\nVia: SIP/7.0/UDP 192.0.2.9;branch=z9hG4bK7\r\nFrom: <sip:a@b>;tag=1\r\n\
     To: <sip:b@b>\r\nCall-ID: stranger-7\r\nCSeq: 1 OPTIONS\r\n\r\n",
    "OPTIONS sip:onhook@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK8\r\nFrom: <sip:a@b>;tag=1\r\n\
     To: <sip:b@b>\r\nCall-ID: stranger-8\r\nCSeq: 1 INVITE\r\n\r\n",
    "OPTIONS sip:onhook@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK9\r\nFrom: \"open <sip:a@b>;tag=1\r\n\
     To: \"Mr. J. User <sip:b@b>\r\nCall-ID: stranger-9\r\nCSeq: 1 OPTIONS\r\n\r\n",
    "OPTIONS sip:onhook@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKa,;,,\r\nFrom: <sip:a@b>;tag=1\r\n\
     To: <sip:b@b>;;,;,,\r\nCall-ID: stranger-a\r\nCSeq: 1 OPTIONS\r\nExpires: 0 0l@company.com\r\n\r\n",
    "!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@192.0.2.1 SIP/2.0\r\n\
     Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKb\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: stranger-b\r\n\
     CSeq: 1 !interesting-Method0123456789_*+`.%indeed'~\r\n\r\n",
    "REGISTER sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKc\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\n\
     Call-ID: stranger-c\r\nCall-ID: stranger-d\r\nCSeq: 8 REGISTER\r\nCSeq: 9 REGISTER\r\nMax-Forwards: 300\r\n\r\n",
    "CANCEL sip:onhook@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKe\r\nFrom: <sip:a@b>;tag=1\r\n\
     To: <sip:b@b>\r\nCall-ID: stranger-e\r\nCSeq: 1 CANCEL\r\n\r\n",
    "ACK sip:onhook@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKf\r\nFrom: <sip:a@b>;tag=1\r\n\
     To: <sip:b@b>;tag=2\r\nCall-ID: stranger-f\r\nCSeq: 1 ACK\r\n\r\n",
];
