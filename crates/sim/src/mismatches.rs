//! Answers of another request: beside what a peer says comes, now and then, something like it that belongs to no request of ours, or to
//! another one. What is nobody's must change nothing.

use std::rc::Rc;

use sip::{Method, Path};

use crate::{
    message::{Message, Node},
    parts::Family,
    scenario::{Hand, Millis},
    wire,
    world::{Event, World},
};

/// How far behind the message beside which it comes.
const BEHIND: [Millis; 4] = [3, 1, 1000, 40_000];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mismatch {
    /// Nobody's, each of them.
    OtherBranch,
    OtherCall,
    OtherMethod,
    NoVia,
    TwoVias,
    Cut,
    /// A provisional that has been overtaken by whatever comes first, this message too.
    Late(u16),
    /// A final response once more, that does not say the same.
    Again,
    /// Another dialog of a 2xx, with a phone that is nowhere.
    OtherTo,
    OtherFrom,
}

impl Mismatch {
    const ALL: [Self; 12] = [
        Self::OtherBranch,
        Self::OtherCall,
        Self::OtherMethod,
        Self::OtherCall,
        Self::NoVia,
        Self::TwoVias,
        Self::Cut,
        Self::Late(100),
        Self::Late(183),
        Self::Again,
        Self::OtherTo,
        Self::OtherFrom,
    ];
}

impl World {
    /// This is on its way to us: what else comes then.
    pub(crate) fn add_mismatch(&mut self, from: Node, call: usize, message: &Rc<Message>) {
        let odds = self.scenario.mismatches;
        if odds == 0 || message.is_request() || self.scenario.is_calm(self.now) {
            return;
        }
        let others = self.scenario.calls.len() as u64;
        let lane = self.lane("mismatches", call);
        if !lane.chance(odds) {
            return;
        }
        let (mismatch, wait) = (lane.pick(&Mismatch::ALL), 1 + lane.wait(&BEHIND));
        let which = lane.below(others + 1) as usize;
        self.watch.tally.fault(Family::Mismatches);
        if let Some(other) = self.beside(call, message, mismatch) {
            return self.after(
                wait,
                Event::Arrive {
                    from,
                    to: Node::House,
                    message: Rc::new(other),
                },
            );
        }
        let Some((path, bytes)) = self.nobodys(from, message, mismatch, which) else {
            return;
        };
        let length = bytes.len() as u64;
        let bytes = match mismatch {
            Mismatch::Cut => bytes[..self.lane("mismatches", call).below(length) as usize].to_vec(),
            _ => bytes,
        };
        self.ladder
            .note(self.now, || format!("{mismatch:?} of {} follows", message.label()));
        self.after(wait, Event::Bytes { path, bytes });
    }

    /// One that is to a request of ours, and is handled as what it says.
    fn beside(&mut self, call: usize, message: &Message, mismatch: Mismatch) -> Option<Message> {
        // On a stream nothing overtakes, and what comes there is counted.
        if message.is_by_stream() {
            return None;
        }
        match mismatch {
            Mismatch::Late(status) if message.method == Method::Invite => Some(Message {
                status,
                contact: None,
                sdp: false,
                ..message.clone()
            }),
            // Not instead of a challenge, and not another word about a BYE.
            Mismatch::Again
                if message.method == Method::Invite
                    && ((300..400).contains(&message.status) || message.status > 407) =>
            {
                Some(Message {
                    status: 486,
                    to: format!("{}-again", message.to).into(),
                    ..message.clone()
                })
            }
            // Not of a re-INVITE: that is of one dialog alone.
            Mismatch::OtherTo if message.is_answer() && self.began_a_dialog(call, message) => {
                let phantoms = &mut self.parties[call].phantoms;
                *phantoms += 1;
                (*phantoms <= 2).then(|| Message {
                    to: format!("{}-{phantoms}", message.to).into(),
                    ..message.clone()
                })
            }
            // Not of a 2xx: of a call that nobody remembers, its From is all that tells who we are.
            Mismatch::OtherFrom if !message.is_answer() => Some(Message {
                from: format!("{}-other", message.from).into(),
                ..message.clone()
            }),
            _ => None,
        }
    }

    /// Whether the INVITE that this answers is one that a phone was called by.
    fn began_a_dialog(&self, call: usize, answer: &Message) -> bool {
        let mut legs = self.parties[call].phones.iter().flat_map(|phone| &phone.legs);
        legs.any(|leg| answer.to_tag() == Some(&leg.tag) && leg.invite_number() == answer.number)
    }

    /// One that is nobody's, as bytes, and the way it comes.
    fn nobodys(&self, from: Node, message: &Message, mismatch: Mismatch, which: usize) -> Option<(Path, Vec<u8>)> {
        let mut other = message.clone();
        match mismatch {
            Mismatch::OtherCall => {
                let called = self.scenario.calls.get(which).map_or(9999, |call| call.name);
                if called == message.name {
                    return None;
                }
                other.name = called;
            }
            // One that no request of ours with this branch has.
            Mismatch::OtherMethod if message.method == Method::Invite => other.method = Method::Bye,
            Mismatch::OtherMethod if message.method == Method::Bye => other.method = Method::Invite,
            Mismatch::NoVia | Mismatch::TwoVias | Mismatch::Cut => {}
            Mismatch::OtherBranch | Mismatch::OtherMethod => {
                other.via = message.via.replace(&*message.branch, "z9hG4bK-of-somebody").into();
            }
            Mismatch::Late(_) | Mismatch::Again | Mismatch::OtherTo | Mismatch::OtherFrom => return None,
        }
        let (path, _) = self.on_the_wire(from, &other);
        let bytes = wire::print(&other, Hand::Plain, &path);
        let text = String::from_utf8_lossy(&bytes);
        let bytes = match mismatch {
            Mismatch::NoVia => text.replacen("\r\nVia: ", "\r\nX-Via: ", 1).into_bytes(),
            Mismatch::TwoVias => text
                .replacen(
                    "\r\nFrom: ",
                    "\r\nVia: SIP/2.0/UDP 203.0.113.7;branch=z9hG4bK-behind\r\nFrom: ",
                    1,
                )
                .into_bytes(),
            _ => bytes,
        };
        Some((path, bytes))
    }
}
