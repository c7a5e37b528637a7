//! Rules about messages: what may leave, when, and which way.

use call::End;
use sip::{Method, Path};
use switch::journal::CallKey;

use super::{CallWatch, Watch};
use crate::{
    message::{At, Message},
    scenario::{Millis, TRANSACTION},
    streams::Peer,
    world::World,
};

/// Its patience begins when a BYE is to leave: one that waits for two connections, to its phone and then to its trunk, leaves as late.
const LATE_WAY: Millis = 8000;

/// One dialog, known by its remote tag.
#[derive(Default)]
pub(super) struct Dialog {
    /// A 2xx came, and its ACK has not left yet.
    awaits_ack: bool,
    /// This process has heard of it.
    is_known: bool,
    pub(super) acks: u64,
    pub(super) byes: u64,
    /// The BYE under way: its branch, and since when. Of this process.
    bye: Option<(String, Millis)>,
    /// The far end has confirmed our BYE, or said its own. To this process.
    over: bool,
}

impl CallWatch {
    pub(super) fn forget_dialogs(&mut self) {
        // The next process may say the same where it then has to go: only an INVITE's way stands in the record.
        self.requests.retain(|(_, method), _| *method == Method::Invite);
        for dialog in self.dialogs.values_mut() {
            dialog.awaits_ack = false;
            dialog.is_known = false;
            dialog.bye = None;
            dialog.over = false;
        }
    }

    pub(super) fn forget_ends(&mut self) {
        for dialog in self.dialogs.values_mut() {
            dialog.bye = None;
            dialog.over = false;
        }
    }

    pub(crate) fn acks_of(&self, tag: &str) -> u64 {
        self.dialogs.get(tag).map_or(0, |dialog| dialog.acks)
    }

    /// Whether a BYE other than this one has left.
    pub(crate) fn has_other_bye(&self, tag: &str, branch: &str) -> bool {
        let byes = self.dialogs.get(tag).map_or(0, |dialog| dialog.byes);
        byes > 0
            && !self
                .requests
                .keys()
                .any(|(of, method)| **of == *branch && *method == Method::Bye)
    }

    /// Whether this is the branch of an INVITE: then an ACK with it is a refusal's.
    pub(crate) fn is_invite(&self, branch: &str) -> bool {
        self.requests
            .keys()
            .any(|(of, method)| **of == *branch && *method == Method::Invite)
    }

    fn dialog(&mut self, tag: &str) -> &mut Dialog {
        if !self.dialogs.contains_key(tag) {
            self.dialogs.insert(tag.to_owned(), Dialog::default());
        }
        self.dialogs.entry(tag.to_owned()).or_default()
    }
}

impl World {
    /// A peer's message is handed in. One for a call that an earlier process has left and this one has not taken up is passed over,
    /// and so is one about no call while nobody knows where its trunk is: the peer says it again.
    pub(super) fn heard_message(&mut self, call: usize, message: &Message) {
        let Watch { calls, left, .. } = &self.watch;
        let is_left = calls[call].keys.iter().any(|key| left.contains(key));
        let is_known = message.path.is_none_or(|path| self.knows(&path));
        let is_unknown = !is_known && (calls[call].known.is_none() || calls[call].has_ended());
        if is_left || is_unknown {
            return;
        }
        let now = self.now;
        // A BYE that waits for its way does not know yet that the phone has hung up itself.
        let is_waiting = self.is_dialling_for(call);
        let watched = &mut self.watch.calls[call];
        if message.is_answer() {
            let tag = message.to_tag().unwrap_or_default();
            let dialog = watched.dialog(tag);
            dialog.awaits_ack = true;
            dialog.is_known = true;
            watched.first.get_or_insert_with(|| tag.to_owned());
            self.watch.tally.answers += 1;
            self.watch.unacked.insert(call);
        } else if message.is_request() && message.method == Method::Bye {
            let dialog = watched.dialog(message.sender_tag().unwrap_or_default());
            if dialog.is_known {
                dialog.over = !is_waiting;
                dialog.bye = None;
            }
        } else if message.method == Method::Bye && message.status >= 200 {
            let dialog = watched.dialog(message.to_tag().unwrap_or_default());
            let of_this =
                |(branch, since): &mut (String, Millis)| **branch == *message.branch && now < *since + TRANSACTION;
            if dialog.bye.take_if(of_this).is_some() {
                dialog.over |= matches!(message.status, 200..300 | 408 | 481);
            }
        }
    }

    /// What was out on a connection that is gone will not be answered.
    pub(super) fn forget_what_was_out_on(&mut self, path: &Path) {
        for watched in &mut self.watch.calls {
            let CallWatch { dialogs, requests, .. } = watched;
            for dialog in dialogs.values_mut() {
                dialog.bye.take_if(|(branch, _)| {
                    let bye = (branch.as_str().into(), Method::Bye);
                    requests.get(&bye) == Some(path)
                });
            }
        }
    }

    /// This leaves us.
    pub(crate) fn check_transmit(&mut self, call: usize, message: &Message, path: &Path, bytes: &[u8]) {
        let now = self.now;
        let sent = &mut self.watch.calls[call].sent;
        sent.number(now);
        sent.number(u64::from(path.remote.port()));
        sent.bytes(bytes);
        if !message.is_request() {
            return;
        }
        let is_first = self.check_way(call, message, path);
        match message.method {
            Method::Ack if !self.watch.calls[call].is_invite(&message.branch) => return self.check_ack(call, message),
            Method::Invite if is_first => self.check_invite(call, message),
            Method::Bye if is_first => self.check_bye(call, message),
            _ => {}
        }
        // What still waits for its way when its call ends leaves all the same: harmless, and not cured yet.
        let has_waited = self.watch.calls[call].ended_waiting;
        if is_first
            && !has_waited
            && self.watch.calls[call].ended.is_some()
            && !matches!(message.method, Method::Ack | Method::Bye)
        {
            self.watch.fail("nothing leaves after the end", || {
                format!("{} at {now} ms", message.label())
            });
        }
    }

    /// What belongs to one INVITE goes one way: its repeats, its CANCEL, the ACK of its refusal (RFC 3261 §9.1, §17.1.1.3). So do
    /// the repeats of everything else. True the first time.
    fn check_way(&mut self, call: usize, message: &Message, path: &Path) -> bool {
        let now = self.now;
        let requests = &mut self.watch.calls[call].requests;
        let own = (message.branch.clone(), message.method.clone());
        let before = requests.get(&own).copied();
        let of_invite = requests.get(&(message.branch.clone(), Method::Invite)).copied();
        // The ACK of a 2xx is a request of its own each time, and goes where the phone can be reached.
        let before = before.filter(|_| message.method != Method::Ack);
        if let Some(way) = of_invite.or(before).filter(|way| !is_same(way, path)) {
            self.watch.fail("what belongs to an INVITE goes its way", || {
                format!(
                    "{} to {} and not {} at {now} ms",
                    message.label(),
                    path.remote,
                    way.remote
                )
            });
        } else if before.is_none() {
            requests.insert(own, *path);
        }
        before.is_none()
    }

    fn check_invite(&mut self, call: usize, request: &Message) {
        let (now, number) = (self.now, request.number);
        let watched = &self.watch.calls[call];
        if watched.asked {
            self.watch
                .fail("no INVITE after a hang-up", || format!("INVITE {number} at {now} ms"));
            return;
        }
        if watched.abandoned {
            self.watch.fail("no INVITE for a client that is gone", || {
                format!("INVITE {number} at {now} ms")
            });
            return;
        }
        if request.to_tag().is_some() {
            return; // the dialog is durable since its answer
        }
        let intent = format!(r#""invite_cseq":{number},"#);
        if !self.is_written(call, &intent) {
            self.watch.fail("no INVITE without a durable intent", || {
                format!("INVITE {number} at {now} ms")
            });
        }
    }

    /// Whether what is durable of this call says so.
    fn is_written(&self, call: usize, words: &str) -> bool {
        let keys = &self.watch.calls[call].keys;
        keys.iter().any(|key| self.house.disk.says(*key, words))
    }

    fn check_ack(&mut self, call: usize, ack: &Message) {
        let now = self.now;
        let tag = ack.to_tag().unwrap_or_default();
        let is_first = self.watch.calls[call].acks_of(tag) == 0;
        let mut legs = self.parties[call].phones.iter().flat_map(|phone| &phone.legs);
        // A phone that has hung up is only told to stop saying so.
        let has_hung_up = legs.any(|leg| leg.tag == tag && leg.said_bye());
        let watched = &self.watch.calls[call];
        // What had its BYE was written down before, and is not any more where the end is.
        let has_had_bye = watched.dialogs.get(tag).is_some_and(|dialog| dialog.byes > 0);
        let is_excused = watched.answer_refused || has_hung_up || has_had_bye;
        if is_first && !is_excused && !self.is_written(call, &format!("\"{tag}\"")) {
            self.watch.fail("no ACK without a durable answer", || {
                format!("{} at {now} ms", ack.label())
            });
        }
        let dialog = self.watch.calls[call].dialog(tag);
        dialog.awaits_ack = false;
        dialog.is_known = true;
        dialog.acks += 1;
    }

    fn check_bye(&mut self, call: usize, request: &Message) {
        let now = self.now;
        let dialog = self.watch.calls[call].dialog(request.to_tag().unwrap_or_default());
        dialog.byes += 1;
        let before = dialog.bye.replace((request.branch.to_string(), now));
        let over = dialog.over;
        if over {
            self.watch.fail("one BYE ends a dialog", || {
                format!("{} at {now} ms, after the end", request.label())
            });
        } else if let Some((_, since)) = before.filter(|(_, since)| now - since < TRANSACTION - LATE_WAY) {
            self.watch.fail("one BYE at a time", || {
                format!("{} at {now} ms beside that of {since} ms", request.label())
            });
        }
    }

    /// Whether its trunk is nowhere now, so that nothing can go there instead of to a phone that is not found.
    fn has_no_trunk(&self, call: usize) -> bool {
        let trunk = self.watch.calls[call].trunk;
        trunk.is_some_and(|trunk| self.watch.trunks[trunk].at.is_none())
    }

    /// Whether requests of this call may wait for a name or a connection.
    fn is_dialling_for(&self, call: usize) -> bool {
        let trunk = self.watch.calls[call].trunk;
        let is_dialling = self.streams.is_dialling(|peer| match peer {
            Peer::Trunk(of) => trunk == Some(of),
            Peer::Phone(at) => at.call == call,
        });
        is_dialling || self.is_looking_for(call)
    }

    /// Every 2xx is ACKed, at once or when the disk has it.
    pub(super) fn check_acks(&mut self) {
        if self.watch.unacked.is_empty() {
            return;
        }
        let now = self.now;
        for call in std::mem::take(&mut self.watch.unacked) {
            let watched = &self.watch.calls[call];
            let unacked = watched.dialogs.iter().find(|(_, dialog)| dialog.awaits_ack);
            let Some((tag, _)) = unacked else { continue };
            let waits = watched.keys.iter().any(|key| self.house.disk.holds_ack_of(*key));
            if waits || self.is_dialling_for(call) {
                self.watch.unacked.insert(call);
            } else if self.broken(call) == 0 && !self.has_no_trunk(call) {
                let tag = tag.clone();
                self.watch.fail("every 2xx is ACKed", || format!("{tag} at {now} ms"));
            }
        }
    }

    /// Before every turn: a session that a vanished phone no longer refreshes was over in time.
    pub(crate) fn check_sessions(&mut self) {
        let (now, slack) = (self.now, self.scenario.gathers.unwrap_or(0));
        for call in self.watch.vanished.clone() {
            let watched = &self.watch.calls[call];
            for (phone, (interval, since)) in &watched.sessions {
                let Some(since) = since.filter(|since| now > since + interval + slack) else {
                    continue;
                };
                let at = At { call, phone: *phone };
                let legs = self.parties[call].phones[*phone].legs.iter();
                let is_up = legs.filter_map(|leg| watched.dialogs.get(&leg.tag)).any(|dialog| {
                    dialog.is_known && dialog.acks > 0 && dialog.byes == 0 && !dialog.over && watched.ended.is_none()
                });
                if is_up {
                    return self.watch.fail("a phone that has vanished is noticed", || {
                        format!("{at} is gone since {since} ms, and the call is up at {now} ms")
                    });
                }
            }
        }
    }

    /// The end of a call is told: once in a process.
    pub(super) fn check_end(&mut self, key: CallKey, end: End) {
        let now = self.now;
        self.ladder.note(now, || format!("{key} has ended: {end:?}"));
        self.watch.tally.unconfirmed += u64::from(!end.confirmed);
        let Some(call) = self.house.keys.get(&key).copied() else {
            return;
        };
        let turn = self.watch.turns;
        self.watch.calls[call].ended_waiting = self.is_dialling_for(call);
        if let Some((before, _)) = self.watch.calls[call].ended.replace((end, turn)) {
            self.watch.fail("an end stays", || {
                format!("{before:?} is followed by another at {now} ms")
            });
        }
    }
}

/// Of a stream, whichever connection it is.
fn is_same(one: &Path, other: &Path) -> bool {
    one.transport == other.transport
        && one.remote == other.remote
        && (one.transport.is_stream() || one.local == other.local)
}
