//! Rules about what is sent again (RFC 3261 §17.1): when, how long, and not before what it waits for. By what is due and not by what time has
//! passed: a turn may come late, but after it nothing that is due is missing.

use std::rc::Rc;

use sip::{Method, Path};

use super::CallWatch;
use crate::{
    message::Message,
    scenario::{Millis, T1, T2, TRANSACTION},
    world::World,
};

/// A request of ours, of this process.
pub(super) struct Sent {
    path: Path,
    first: Millis,
    /// How often it has left.
    times: u32,
    /// A provisional response has come; a final one.
    provisional: bool,
    answered: bool,
    /// Since when it is known to be refused.
    refused: Option<Millis>,
}

impl Sent {
    fn new(path: Path, now: Millis) -> Self {
        Self {
            path,
            first: now,
            times: 1,
            provisional: false,
            answered: false,
            refused: None,
        }
    }

    /// When it leaves once more, as long as nothing has come back.
    fn next(&self, method: &Method) -> Millis {
        let longest = if *method == Method::Invite { Millis::MAX } else { T2 };
        let pauses = (0..self.times).map(|nth| (T1 << nth.min(30)).min(longest));
        self.first + pauses.sum::<Millis>()
    }

    pub(super) fn is_proceeding(&self) -> bool {
        self.provisional && !self.answered
    }

    fn end(&self) -> Millis {
        self.first + TRANSACTION
    }
}

impl CallWatch {
    /// What was out on this way will not be answered.
    pub(super) fn forget_sent_on(&mut self, path: &Path) {
        self.sent_requests.retain(|_, sent| sent.path != *path);
    }
}

impl World {
    /// A response has come for a request of ours; `is_known`, from whom we certainly listen to.
    pub(super) fn heard_response(&mut self, call: usize, response: &Message, is_known: bool) {
        let now = self.now;
        let request = (response.branch.clone(), response.method.clone());
        let watched = &mut self.watch.calls[call];
        let has_ended = watched.has_ended();
        let Some(sent) = watched.sent_requests.get_mut(&request) else {
            watched.early.insert(request);
            return;
        };
        let is_over = sent.answered || now >= sent.end() && !sent.provisional;
        let is_refusal = response.method == Method::Invite && response.status >= 300;
        match response.status {
            ..200 => sent.provisional |= !is_over,
            _ => sent.answered = true,
        }
        // Over a stream none comes twice; of what is over, or was given up, nothing is known any more.
        let is_absorbed = match sent.refused {
            Some(since) => now < since + TRANSACTION,
            None => !is_over && !has_ended,
        };
        if is_known && is_refusal && is_absorbed && !sent.path.transport.is_stream() {
            sent.refused.get_or_insert(now);
            self.watch.refusals.insert((call, response.branch.clone()));
        }
    }

    /// A request leaves, for the first time or once more.
    pub(super) fn check_repeat(&mut self, call: usize, request: &Message, path: &Path) {
        let now = self.now;
        if request.method == Method::Ack {
            self.watch.refusals.remove(&(call, request.branch.clone()));
            return;
        }
        let name = (request.branch.clone(), request.method.clone());
        let sent = self.watch.calls[call].sent_requests.get_mut(&name);
        let Some(sent) = sent else {
            let watched = &mut self.watch.calls[call];
            let answered = watched.early.contains(&name);
            let sent = Sent {
                answered,
                ..Sent::new(*path, now)
            };
            watched.sent_requests.insert(name, sent);
            return self.watch_request(call, &request.branch, &request.method);
        };
        // A CANCEL that came too early over there leaves once more when the INVITE is over.
        if sent.answered {
            return;
        }
        let (due, end, times) = (sent.next(&request.method), sent.end(), sent.times);
        sent.times += 1;
        let is_by_stream = path.transport.is_stream();
        if is_by_stream || now < due && !sent.provisional || now >= end {
            self.watch.fail("a request is repeated when it is due", || {
                format!("{} for the {times}. time at {now} ms, due at {due} ms", request.label())
            });
        }
        self.watch_request(call, &request.branch, &request.method);
    }

    fn watch_request(&mut self, call: usize, branch: &Rc<str>, method: &Method) {
        let name = (branch.clone(), method.clone());
        let Some(sent) = self.watch.calls[call].sent_requests.get(&name) else {
            return;
        };
        if !sent.path.transport.is_stream() {
            let due = sent.next(method);
            self.watch.repeats.insert((due, call, branch.clone(), method.clone()));
        }
    }

    /// After every turn.
    pub(super) fn check_repeats(&mut self) {
        let now = self.now;
        while let Some((due, ..)) = self.watch.repeats.first()
            && *due <= now
        {
            let Some((due, call, branch, method)) = self.watch.repeats.pop_first() else {
                return;
            };
            let watched = &self.watch.calls[call];
            // What a call that is over has asked for is given up, but for its end.
            let matters = !watched.has_ended() || matches!(method, Method::Bye | Method::Cancel);
            let Some(sent) = watched.sent_requests.get(&(branch, method.clone())) else {
                continue;
            };
            let is_missing = sent.next(&method) == due && due < sent.end();
            if matters && is_missing && !sent.answered && !sent.provisional {
                self.watch.fail("a request is repeated when it is due", || {
                    format!("{method} was due at {due} ms and has not left at {now} ms")
                });
            }
        }
        if let Some((call, _)) = self.watch.refusals.pop_first() {
            self.watch.fail("every refusal is ACKed", || {
                format!("that of call {} is not at {now} ms", call + 1)
            });
        }
    }

    /// A CANCEL waits until something has come back to its INVITE, or nothing will (RFC 3261 §9.1).
    pub(super) fn check_cancel(&mut self, call: usize, cancel: &Message) {
        let now = self.now;
        let invite = (cancel.branch.clone(), Method::Invite);
        let invite = self.watch.calls[call].sent_requests.get(&invite);
        let is_early = invite.is_some_and(|sent| !sent.provisional && !sent.answered && now < sent.end());
        if is_early && self.broken(call) == 0 {
            self.watch.fail("a CANCEL waits for a provisional", || {
                format!("{} at {now} ms", cancel.label())
            });
        }
    }
}
