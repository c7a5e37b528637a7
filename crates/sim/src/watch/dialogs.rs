//! Rules about messages: what may leave, and when.

use call::End;
use sip::{Method, Path};
use switch::journal::CallKey;

use super::{CallWatch, Watch};
use crate::{
    message::{At, Message},
    scenario::{Bounds, Millis, T1, TRANSACTION},
    world::World,
};

/// Its patience begins when a BYE is to leave: one that waits for two connections, to its phone and then to its trunk, leaves as late.
const LATE_WAY: Millis = 8000;

/// INVITEs of one call that refusals may ask for: four realms that call four nonces stale each, four intervals.
const MOST_INVITES: u32 = 32;
/// BYEs in one dialog of one process: one every 4 s for three transactions, and as many as challenges ask for.
const MOST_BYES: u64 = 64;

/// One dialog, known by its remote tag.
#[derive(Default)]
pub(super) struct Dialog {
    /// A 2xx came, and its ACK has not left yet.
    pub(super) awaits_ack: bool,
    /// This process has heard of it, and has ACKed it.
    is_known: bool,
    is_acked: bool,
    pub(super) acks: u64,
    acked_at: Millis,
    pub(super) byes: u64,
    /// When the last one was said for the first time.
    pub(super) bye_at: Millis,
    /// The BYE under way: its branch, and since when. Of this process.
    pub(super) bye: Option<(String, Millis)>,
    /// The far end has confirmed our BYE, or said its own. To this process.
    over: bool,
    /// It has said its own to this process, though ours may have been on its way by then.
    has_hung_up: bool,
}

impl CallWatch {
    pub(super) fn forget_dialogs(&mut self) {
        // The next process may say the same where it then has to go: only an INVITE's way stands in the record.
        self.requests.retain(|(_, method), _| *method == Method::Invite);
        self.heard_byes.clear();
        for dialog in self.dialogs.values_mut() {
            dialog.awaits_ack = false;
            dialog.is_known = false;
            dialog.is_acked = false;
            dialog.bye = None;
            dialog.over = false;
            dialog.has_hung_up = false;
        }
    }

    pub(super) fn forget_ends(&mut self) {
        for dialog in self.dialogs.values_mut() {
            dialog.bye = None;
            dialog.over = false;
            dialog.has_hung_up = false;
        }
    }

    pub(crate) fn acks_of(&self, tag: &str) -> u64 {
        self.dialogs.get(tag).map_or(0, |dialog| dialog.acks)
    }

    /// Whether this is the branch of an INVITE: then an ACK with it is a refusal's.
    pub(crate) fn is_invite(&self, branch: &str) -> bool {
        self.requests
            .keys()
            .any(|(of, method)| **of == *branch && *method == Method::Invite)
    }

    /// Whether its last word on an INVITE of ours is that it rings, or is tried.
    pub(super) fn rings(&self) -> bool {
        self.sent_requests
            .iter()
            .any(|((_, method), sent)| *method == Method::Invite && sent.is_proceeding())
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
        let of_invite = !message.is_request() && message.method == Method::Invite;
        self.watch.calls[call].was_answered |= message.is_answer();
        self.watch.calls[call].heard_target(message);
        // A 199 says that somebody rings no more (RFC 6228 §4).
        self.watch.calls[call].was_ringing |= of_invite && (101..199).contains(&message.status);
        let is_known = message.path.is_none_or(|path| self.knows(&path));
        let Watch {
            calls, left, hurried, ..
        } = &mut self.watch;
        let left = calls[call].keys.iter().filter(|key| left.contains(key));
        let is_left = left.clone().next().is_some();
        hurried.extend(left);
        // As long as a BYE is out to one of its phones, those that the call went by are listened to, wherever its trunk is now.
        let is_drained = calls[call].dialogs.values().all(|dialog| dialog.bye.is_none());
        let is_unknown = !is_known && (calls[call].known.is_none() || calls[call].has_ended()) && is_drained;
        if is_left && message.method == Method::Bye {
            let watched = &mut self.watch.calls[call];
            // One of a dialog that is not known yet is answered when the call is taken up, and its repetitions alike.
            let heard = match message.status {
                0 => Some(&mut watched.heard_byes),
                200.. => Some(&mut watched.answered_early),
                _ => None,
            };
            heard.map(|heard| heard.insert(message.branch.clone()));
        }
        if !message.is_request() {
            self.heard_response(call, message, is_known);
            self.leaves_window(call, message);
        }
        if is_left || is_unknown {
            return;
        }
        self.duties_of_heard(call, message);
        let now = self.now;
        // A BYE that waits for its way does not know yet that the phone has hung up itself.
        let (is_waiting, is_nowhere) = (self.is_dialling_for(call), self.has_no_trunk(call));
        let watched = &mut self.watch.calls[call];
        watched.is_called_again |= message.method == Method::Invite && matches!(message.status, 401 | 407 | 422);
        if message.is_answer() {
            let tag = message.to_tag().unwrap_or_default();
            let dialog = watched.dialog(tag);
            dialog.awaits_ack = true;
            dialog.is_known = true;
            self.watch.tally.answers += 1;
            self.watch.unacked.insert(call);
        } else if message.is_request() && message.method == Method::Bye {
            // One that comes again is answered as it was, and tells nobody anything: not of a dialog that has become known since (RFC 3261 §17.2.2).
            let is_repeated = watched.heard_byes.contains(&message.branch);
            let dialog = watched.dialog(message.sender_tag().unwrap_or_default());
            let is_known = dialog.is_known;
            if is_known && !is_repeated {
                dialog.over = !is_waiting;
                dialog.has_hung_up = true;
                dialog.bye = None;
                // What finds no way is not said later either: a phone that has hung up does not ask for it again.
                dialog.awaits_ack &= !is_nowhere;
            }
            if !(is_known && is_waiting) {
                watched.heard_byes.insert(message.branch.clone());
            }
        } else if message.method == Method::Bye && message.status >= 200 {
            let dialog = watched.dialog(message.to_tag().unwrap_or_default());
            let of_this =
                |(branch, since): &mut (String, Millis)| **branch == *message.branch && now < *since + TRANSACTION;
            if dialog.bye.take_if(of_this).is_some() {
                dialog.over |= matches!(message.status, 200..300 | 408 | 481);
                // It says its 2xx no more (RFC 3261 §15.1.2).
                dialog.awaits_ack &= !dialog.over;
            }
        }
    }

    /// What was out on a connection that is gone will not be answered.
    pub(super) fn forget_what_was_out_on(&mut self, path: &Path) {
        let now = self.now;
        self.watch.unanswered.retain(|_, (way, _)| way != path);
        let mut lost: Vec<(usize, String)> = Vec::new();
        for (call, watched) in self.watch.calls.iter_mut().enumerate() {
            watched.forget_sent_on(path);
            let CallWatch { dialogs, requests, .. } = watched;
            for (tag, dialog) in dialogs {
                let bye = dialog.bye.take_if(|(branch, _)| {
                    let bye = (branch.as_str().into(), Method::Bye);
                    requests.get(&bye) == Some(path)
                });
                // One that nobody has answered in its time was given up, or has another behind it; nor is one owed to who has hung up.
                let is_owed = watched.ended.is_none() && !dialog.has_hung_up;
                let is_out = |(_, since): &(String, Millis)| is_owed && now < *since + TRANSACTION;
                lost.extend(bye.filter(is_out).map(|_| (call, tag.clone())));
            }
        }
        for (call, tag) in lost {
            self.bye_is_lost(call, &tag);
        }
    }

    /// This leaves us.
    pub(crate) fn check_transmit(&mut self, call: usize, message: &Message, path: &Path, bytes: &[u8]) {
        let now = self.now;
        self.meet_leaving(call, message, path);
        self.check_reach(path.remote);
        let sent = &mut self.watch.calls[call].sent;
        sent.number(now);
        sent.number(u64::from(path.remote.port()));
        sent.bytes(bytes);
        if !message.is_request() {
            return self.check_reply(call, message);
        }
        self.check_via(message, path);
        self.check_target(call, message);
        let is_first = self.check_way(call, message, path);
        let of_answer = message.method == Method::Ack && !self.watch.calls[call].is_invite(&message.branch);
        if !of_answer {
            self.check_repeat(call, message, path);
        }
        if is_first {
            self.duties_of_sent(call, message);
        }
        match message.method {
            Method::Invite if is_first && message.to_tag().is_none() => self.check_window(call, message, path),
            Method::Cancel if is_first => self.check_cancel(call, message),
            _ => {}
        }
        if message.method == Method::Cancel {
            self.watch.calls[call].cancelled_at = now;
        }
        match message.method {
            Method::Ack if of_answer => return self.check_ack(call, message),
            Method::Invite if is_first => self.check_invite(call, message),
            Method::Bye if is_first => self.check_bye(call, message),
            _ => {}
        }
        // What waits for its way when its call is given up leaves all the same: a phone that nothing is heard of may still ring.
        let watched = &self.watch.calls[call];
        let is_over = watched
            .ended
            .as_ref()
            .is_some_and(|(end, _)| end.confirmed || !watched.ended_waiting);
        if is_first && is_over && !matches!(message.method, Method::Ack | Method::Bye) {
            self.watch.fail("nothing leaves after the end", || {
                format!("{} at {now} ms", message.label())
            });
        }
    }

    fn check_invite(&mut self, call: usize, request: &Message) {
        let (now, number) = (self.now, request.number);
        let watched = &mut self.watch.calls[call];
        watched.invites += u32::from(request.to_tag().is_none());
        if watched.invites > MOST_INVITES {
            self.watch.fail("an INVITE is not repeated for ever", || {
                format!("INVITE {number} at {now} ms")
            });
            return;
        }
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
        dialog.is_acked = true;
        dialog.acks += 1;
        if is_first {
            dialog.acked_at = now;
        }
        if is_first {
            // Nor is one up that has had its BYE before an ACK could leave.
            if !has_hung_up && !has_had_bye {
                self.duties_of_dialog(call, tag);
            }
            self.check_answer_told(call, ack);
        }
    }

    fn check_bye(&mut self, call: usize, request: &Message) {
        let now = self.now;
        let answered_early = self.watch.calls[call].answered_early.clone();
        let is_answered = |branch: &str| answered_early.contains(branch);
        let tag = request.to_tag().unwrap_or_default();
        // The ACK of the next 2xx is behind it.
        let has_trunk_again = self.has_trunk_again(call, tag) || self.has_trunk_lately(call);
        let dialog = self.watch.calls[call].dialog(tag);
        dialog.byes += 1;
        dialog.bye_at = now;
        let byes = dialog.byes;
        let before = dialog.bye.replace((request.branch.to_string(), now));
        let (over, is_acked) = (dialog.over, dialog.acks > 0);
        if byes > MOST_BYES * u64::from(self.house.incarnation + 1) {
            self.watch.fail("a BYE is not repeated for ever", || {
                format!("{} at {now} ms", request.label())
            });
        } else if !is_acked && byes == 1 && self.broken(call) == 0 && !self.has_no_trunk(call) && !has_trunk_again {
            self.watch
                .fail("no BYE before its ACK", || format!("{} at {now} ms", request.label()));
        } else if over {
            self.watch.fail("one BYE ends a dialog", || {
                format!("{} at {now} ms, after the end", request.label())
            });
        } else if let Some((_, since)) =
            before.filter(|(branch, since)| !is_answered(branch) && now - since < TRANSACTION - LATE_WAY)
        {
            self.watch.fail("one BYE at a time", || {
                format!("{} at {now} ms beside that of {since} ms", request.label())
            });
        }
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
            // One of a call that is over, and may be forgotten, waits while many leftovers are taken up: its phone says it again.
            let waits_for_place = (watched.known.is_none() || watched.has_ended())
                && self.scenario.bounds.leftovers < Bounds::WIDE.leftovers;
            if !waits_for_place && (waits || self.is_dialling_for(call)) {
                self.watch.unacked.insert(call);
            } else if waits_for_place || self.has_no_trunk(call) || self.has_trunk_again(call, tag) {
                // Whoever is up says it again. What waits for a place is nobody's until then.
                for dialog in self.watch.calls[call].dialogs.values_mut() {
                    dialog.is_known &= !(waits_for_place && dialog.awaits_ack) || dialog.is_acked;
                    dialog.awaits_ack = false;
                }
            } else if self.broken(call) == 0 {
                let tag = tag.clone();
                self.watch.fail("every 2xx is ACKed", || format!("{tag} at {now} ms"));
            }
        }
    }

    /// Whether its trunk was found so lately that a BYE which had no way before may not have left: it is tried 8·T1 after that at the
    /// latest, and waits as long for its connection.
    fn has_trunk_lately(&self, call: usize) -> bool {
        self.has_trunk_since(call)
            .is_some_and(|found_at| self.now <= found_at + LATE_WAY + T1)
    }

    /// Before every turn: a session that a vanished phone no longer refreshes was over in time.
    pub(crate) fn check_sessions(&mut self) {
        let (now, slack) = (self.now, self.scenario.gathers.unwrap_or(0));
        for call in self.watch.vanished.clone() {
            let watched = &self.watch.calls[call];
            if watched.ended.is_some() || watched.had_ended {
                continue;
            }
            for (phone, (interval, since)) in &watched.sessions {
                let Some(since) = *since else { continue };
                let at = At { call, phone: *phone };
                let legs = self.parties[call].phones[*phone].legs.iter();
                // The session begins with the ACK, which a slow disk holds.
                let is_over = |dialog: &Dialog| now > dialog.acked_at.max(since) + interval + slack;
                let is_up = legs.filter_map(|leg| watched.dialogs.get(&leg.tag)).any(|dialog| {
                    dialog.is_known && dialog.acks > 0 && dialog.byes == 0 && !dialog.over && is_over(dialog)
                });
                // The BYE may have no way to leave by.
                let trunk = watched.trunk.map(|trunk| &self.scenario.trunks[trunk]);
                let is_away = trunk.is_some_and(|trunk| trunk.is_away(now).is_some());
                let has_no_way = is_away || self.has_no_trunk(call) || self.has_trunk_lately(call);
                if is_up && !has_no_way && !self.is_dialling_for(call) {
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
        self.watch.lately.remove(&key);
        self.watch.unanswered.retain(|(of, _), _| *of != call);
        self.all_is_done(call);
        // What nobody remembers cannot be asked about.
        if self.watch.calls[call].keys.first() == Some(&key) {
            self.check_end_told(call, &end);
        }
        self.watch.calls[call].ended_at = self.now;
        let is_first = self.watch.calls[call].ended_keys.insert(key);
        let before = self.watch.calls[call].ended.replace((end, turn));
        if let Some((before, _)) = before.filter(|_| !is_first) {
            self.watch.fail("an end stays", || {
                format!("{before:?} is followed by another at {now} ms")
            });
        }
    }
}
