//! A story: one thing happens to a switch after the other.

use std::{collections::BTreeSet, time::Duration};

use proptest::sample::Index;
use sip::{Path, Transport};
use switch::Found;

use super::happening::Happening;
use crate::rig::{Rig, Sent, TRUNK, answer_with, found, from_phone, path, udp};

const HOSTS: [&str; 5] = [
    "pbx.example",
    "192.0.2.5",
    "phone.example",
    "192.0.2.9",
    "never.asked.example",
];
const CONTACTS: [&str; 6] = [
    "<sip:phone@192.0.2.5>",
    "<sip:phone@192.0.2.9>",
    "<sip:phone@phone.example>",
    "<sip:phone@127.0.0.1>",
    "<sip:phone@192.0.2.9;transport=tcp>",
    "nonsense",
];
const METHODS: [&str; 9] = [
    "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "UPDATE", "NOTIFY", "NONSENSE",
];

fn connection(number: u64) -> Path {
    path(Transport::Tcp, &format!("192.0.2.1:{}", 40_000 + number), TRUNK)
}

/// One switch, and what has happened to it.
pub(super) struct Story {
    pub(super) rig: Rig,
    /// Calls that were ordered.
    pub(super) placed: u64,
    /// Other requests of the house.
    pub(super) requests: u64,
    /// The switch was asked to leave.
    has_left: bool,
}

impl Story {
    pub(super) fn begin(rig: Rig) -> Self {
        Self {
            rig,
            placed: 0,
            requests: 0,
            has_left: false,
        }
    }

    fn one_of<'s>(sent: &'s [Sent], of: &Index) -> Option<&'s Sent> {
        let requests: Vec<&Sent> = sent.iter().filter(|sent| !sent.text.starts_with("SIP/2.0")).collect();
        (!requests.is_empty()).then(|| requests[of.index(requests.len())])
    }

    fn keys(&self) -> Vec<switch::journal::CallKey> {
        let keys: BTreeSet<_> = self.rig.written.iter().map(|entry| entry.key).collect();
        keys.into_iter().collect()
    }

    pub(super) fn happens(&mut self, what: &Happening) {
        let sent = self.rig.sent.clone();
        match what {
            Happening::Place => {
                self.placed += 1;
                let number = self.placed;
                self.rig.place(number);
            }
            Happening::Disconnect(number) => {
                self.requests += 1;
                self.rig.disconnect(10_000 + self.requests, *number);
            }
            Happening::Abandon(number) => {
                self.rig.turn(|switch| switch.abandon(*number));
            }
            Happening::Never(of) | Happening::Played(of) | Happening::SoundFailed(of) => {
                let keys = self.keys();
                if !keys.is_empty() {
                    let key = keys[of.index(keys.len())];
                    self.rig.turn(|switch| match what {
                        Happening::Never(_) => switch.never_delivered(key),
                        Happening::Played(_) => switch.played(key),
                        _ => switch.sound_failed(key),
                    });
                }
            }
            Happening::Response(of, status, place, how) => {
                if let Some(request) = Self::one_of(&sent, of) {
                    let contact = format!("Contact: {}", CONTACTS[usize::from(*place)]);
                    let challenge = "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n\"";
                    let headers = [contact.as_str(), challenge, "Min-SE: 120", "Min-Expires: 700"];
                    let tag = ["one", "two"][usize::from(*place) % 2];
                    let text = answer_with(request, *status, tag, &headers);
                    let bytes = how.apply(&text);
                    self.rig.turn(|switch| switch.handle_message(request.path, &bytes));
                }
            }
            Happening::Request(of, method, cseq, how) => {
                let invites: Vec<Sent> = sent
                    .iter()
                    .filter(|sent| sent.text.starts_with("INVITE"))
                    .cloned()
                    .collect();
                if !invites.is_empty() {
                    let invite = &invites[of.index(invites.len())];
                    let text = from_phone(invite, METHODS[usize::from(*method)], *cseq).replace("tag=phone", "tag=one");
                    let bytes = how.apply(&text);
                    self.rig.turn(|switch| switch.handle_message(udp(TRUNK), &bytes));
                }
            }
            Happening::Bytes(from, bytes) => {
                let from = [udp(TRUNK), udp("192.0.2.66:5060"), connection(1)][usize::from(*from)];
                self.rig.turn(|switch| switch.handle_message(from, bytes));
            }
            Happening::Written(count, durable) => {
                let count = usize::from(*count).min(self.rig.entries.len());
                let entries: Vec<_> = self.rig.entries.drain(..count).collect();
                for entry in &entries {
                    self.rig.note(entry, *durable);
                }
                self.rig.turn(|switch| {
                    for entry in entries {
                        switch.written(entry.number, *durable);
                    }
                });
            }
            Happening::WrittenAnyhow(number, durable) => {
                // Only what is not waited for: a word is said once.
                if self.rig.entries.iter().all(|entry| entry.number != *number) {
                    self.rig.turn(|switch| switch.written(*number, *durable));
                }
            }
            Happening::Connected(back) => {
                let number = self.number(*back);
                self.rig.turn(|switch| switch.connected(number, connection(number)));
            }
            Happening::ConnectFailed(back) => {
                let number = self.number(*back);
                self.rig.turn(|switch| switch.connect_failed(number, "refused"));
            }
            Happening::Closed(of) => {
                if let Some(sent) = Self::one_of(&sent, of) {
                    self.rig.turn(|switch| switch.closed(sent.path));
                }
            }
            Happening::Refused(of) => {
                if let Some(sent) = Self::one_of(&sent, of) {
                    self.rig.turn(|switch| switch.handle_refusal(sent.text.as_bytes()));
                }
            }
            Happening::Found(host, what) => {
                let addresses: &[Found] = &[found("192.0.2.5"), found("192.0.2.9"), found("2001:db8::9")];
                self.rig
                    .turn(|switch| switch.found(HOSTS[usize::from(*host)], &addresses[..usize::from(*what)]));
            }
            Happening::Pass(millis) => {
                self.rig.pass(Duration::from_millis(u64::from(*millis)));
            }
            Happening::Leave => {
                if !std::mem::replace(&mut self.has_left, true) {
                    self.requests += 1;
                    let request = 10_000 + self.requests;
                    self.rig.turn(|switch| switch.leave(request));
                }
            }
        }
    }

    /// Of a connection that was wanted lately.
    fn number(&self, back: u64) -> u64 {
        let last = self.rig.connects.last().map_or(0, |(number, _)| *number);
        last.saturating_sub(back)
    }
}
