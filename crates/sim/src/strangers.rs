//! What belongs to no call: floods, and what is nobody's. It is answered sparingly, and only to whom we listen to.

use std::{collections::BTreeSet, net::SocketAddr};

use sip::{Path, Transport};
use switch::{Event as Told, Output};

use crate::{
    house::Input,
    message::{HOUSE, trunk_address},
    parts::Family,
    scenario::{Millis, Stranger},
    world::{Event, World},
};

/// Requests that belong to no call and are looked at in a second, where there are floods; two seconds' worth at once.
pub(crate) const A_SECOND: u32 = 10;

/// What strangers have said, and were told.
#[derive(Default)]
pub(crate) struct Strangers {
    /// Where something that is nobody's has come from.
    heard: BTreeSet<SocketAddr>,
    /// Thousandths of answers that are left, and since when they were counted.
    left: u64,
    counted_at: Millis,
    /// Requests that were ever made.
    made: u64,
}

impl Strangers {
    /// Whether this is somebody whom nobody has heard of.
    pub(crate) fn is_unlisted(&self, path: &Path) -> bool {
        path.remote.ip() == std::net::IpAddr::from(UNLISTED)
    }

    /// A process starts, and has its two seconds' worth.
    pub(crate) fn restarted(&mut self, now: Millis) {
        (self.left, self.counted_at) = (MOST, now);
    }
}

/// The address of somebody whom nobody has heard of.
const UNLISTED: [u8; 4] = [203, 0, 113, 9];

const MOST: u64 = 2 * A_SECOND as u64 * 1000;

impl World {
    /// Whether there is anything that belongs to no call.
    pub(crate) fn hears_strangers(&self) -> bool {
        !self.scenario.floods.is_empty() || self.scenario.junk > 0
    }

    /// One part of a flood.
    pub(crate) fn flood(&mut self, flood: usize, part: u64) {
        let script = self.scenario.floods[flood];
        if self.scenario.is_calm(self.now) || part >= script.parts {
            return;
        }
        let path = self.path_of(script.from, script.transport);
        self.ladder.note(self.now, || {
            format!("{} requests from {:?}", script.at_once, script.from)
        });
        for _ in 0..script.at_once {
            self.strangers.made += 1;
            let bytes = request_of_nobody(self.strangers.made, &path);
            self.watch.tally.fault(Family::Floods);
            self.bytes_come(path, bytes);
        }
        if path.transport.is_stream() && part + 1 == script.parts {
            self.hand_over(Input::Closed(path));
        }
        self.after(script.pause, Event::Flood(flood, part + 1));
    }

    fn path_of(&self, stranger: Stranger, transport: Transport) -> Path {
        let remote: SocketAddr = match stranger {
            Stranger::Trunk(trunk) => {
                let trunk = &self.scenario.trunks[trunk];
                trunk_address(trunk.number, trunk.transport)
            }
            Stranger::Listed => ([198, 51, 255, 255], 5060).into(),
            Stranger::Unlisted => (UNLISTED, 5060).into(),
        };
        // Of a connection that the peer has opened.
        let port = if transport.is_stream() { 40_000 } else { remote.port() };
        Path {
            transport,
            local: (HOUSE.0, transport.default_port()).into(),
            remote: (remote.ip(), port).into(),
        }
    }

    /// What is nobody's comes; down a connection only while that is there.
    pub(crate) fn bytes_come(&mut self, path: Path, bytes: Vec<u8>) {
        let is_of_flood = path.remote.port() == 40_000;
        if path.transport.is_stream() && !is_of_flood && !self.streams.is_open(&path) {
            return;
        }
        if self.house.up {
            self.strangers.heard.insert(path.remote);
        }
        self.hand_over(Input::Bytes(path, bytes));
    }

    /// What is nobody's changes nothing: at most whoever said it is answered, or turned away.
    pub(crate) fn check_nobodys(&mut self, path: &Path, outputs: &[Output]) {
        let now = self.now;
        let is_harmless = |output: &&Output| match output {
            Output::Event(Told::TurnedAway { .. }) => true,
            // A refusal that seems to come again has its ACK again: it matches by branch and method (RFC 3261 §17.1.1.2, §17.1.3).
            Output::Transmit(transmit) => {
                let is_reply = transmit.bytes.starts_with(b"SIP/2.0 ") || transmit.bytes.starts_with(b"ACK ");
                is_reply && transmit.path.remote.ip() == path.remote.ip()
            }
            _ => false,
        };
        if let Some(output) = outputs.iter().find(|output| !is_harmless(output)) {
            self.watch
                .fail("what is nobody's changes nothing", || format!("{output:?} at {now} ms"));
        }
    }

    /// An answer to a stranger leaves: to where something came from, to nobody whom we do not listen to, and no more than are allowed.
    pub(crate) fn answer_to_stranger(&mut self, path: &Path) {
        let now = self.now;
        self.watch.tally.strangers_answered += 1;
        if !self.strangers.heard.contains(&path.remote) {
            self.watch
                .fail("only who has asked is answered", || format!("{path} at {now} ms"));
        }
        if self.strangers.is_unlisted(path) {
            self.watch
                .fail("nobody who is unknown is answered", || format!("{path} at {now} ms"));
        }
        if self.scenario.floods.is_empty() {
            return;
        }
        let Strangers { left, counted_at, .. } = &mut self.strangers;
        *left = (*left + (now - *counted_at) * u64::from(A_SECOND)).min(MOST);
        *counted_at = now;
        match left.checked_sub(1000) {
            Some(rest) => *left = rest,
            None => self.watch.fail("strangers are answered within their allowance", || {
                format!("{path} at {now} ms")
            }),
        }
    }
}

/// A request that belongs to no call.
fn request_of_nobody(number: u64, path: &Path) -> Vec<u8> {
    let (method, tag) = match number % 7 {
        0 => ("INVITE", ""),
        1 => ("REGISTER", ""),
        2 => ("BYE", ";tag=nobody"),
        3 => ("SUBSCRIBE", ""),
        4 => ("CANCEL", ""),
        5 => ("FLOOD", ""),
        _ => ("OPTIONS", ""),
    };
    let (sent_by, protocol) = (path.remote, path.transport.sent_protocol());
    format!(
        "{method} sip:onhook@192.0.2.1 SIP/2.0\r\nVia: {protocol} {sent_by};branch=z9hG4bK-flood-{number}\r\nMax-Forwards: 70\r\n\
         From: <sip:stranger@example.net>;tag={number}\r\nTo: <sip:onhook@192.0.2.1>{tag}\r\nCall-ID: stranger-{number}\r\n\
         CSeq: 1 {method}\r\nContact: <sip:stranger@{sent_by}>\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// Whether this answers a request that belongs to no call.
pub(crate) fn is_to_stranger(bytes: &[u8]) -> bool {
    const OF_A_CALL: &[u8] = b"\r\nCall-ID: call-";
    bytes.starts_with(b"SIP/2.0 ") && !bytes.windows(OF_A_CALL.len()).any(|part| part == OF_A_CALL)
}
