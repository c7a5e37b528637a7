//! The outbox of a call: its requests leave in order, behind the first one, which may have to wait.
//!
//! That one waits for a name, for a connection, or for room in the window if it is the INVITE of a new call. It holds up the requests of its own call
//! alone, and not for long: as long as its own destination may take, and once more as long as its trunk may.

use std::collections::VecDeque;

use call::Silence;
use sabotage::Fault;
use sip::{Method, Outgoing, Path, Tx};

use crate::{
    journal::CallKey,
    output::{Event, NoWay, Output},
    switch::Switch,
    ways::Way,
    window::T1_TO_WAIT,
};

/// Hosts that may speak because requests of one call have gone there: its phone, its forks, a proxy or two.
const HOSTS: usize = 8;
/// Requests in one call's outbox; one more counts as one that could not be sent.
const QUEUED: usize = 32;

/// A request in an outbox.
#[derive(Debug)]
pub(crate) struct Queued {
    outgoing: Outgoing,
    /// False for an INVITE that an earlier process sent: only its transaction is taken up.
    leaves: bool,
    pub(crate) waited: Waited,
}

/// What a request has waited for in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    Nothing,
    /// For the way to where it is to go; its trunk may know one.
    ForDestination,
    /// For the way to its trunk.
    ForTrunk,
}

impl Queued {
    fn new(outgoing: Outgoing, leaves: bool) -> Self {
        Self {
            outgoing,
            leaves,
            waited: Waited::Nothing,
        }
    }

    pub(crate) fn tx(&self) -> &Tx {
        &self.outgoing.tx
    }

    /// Whether it is of use only until the INVITE is answered: the CANCEL, and an INVITE that has left before.
    fn is_over_once_answered(&self) -> bool {
        !self.leaves || self.outgoing.tx.method == Method::Cancel
    }

    /// Whether an INVITE leaves with it.
    fn is_invite(&self) -> bool {
        self.leaves && self.outgoing.tx.method == Method::Invite
    }
}

impl Switch {
    /// Sends one request of a call, behind those that wait.
    pub(crate) fn send(&mut self, key: CallKey, outgoing: Outgoing) {
        self.enqueue(key, Queued::new(outgoing, true));
    }

    /// Takes up an INVITE that an earlier process sent: nothing leaves, what comes back is matched.
    pub(crate) fn resume(&mut self, key: CallKey, invite: Outgoing) {
        self.enqueue(key, Queued::new(invite, false));
    }

    fn enqueue(&mut self, key: CallKey, queued: Queued) {
        let Some(live) = self.live.get_mut(&key) else { return };
        if live.outbox.len() >= QUEUED {
            let (tx, now) = (queued.outgoing.tx, self.now);
            return live.call.handle_silence(&tx, Silence::Unreachable, now);
        }
        if self.settings.sabotage.is(Fault::OutboxOvertaken) {
            live.outbox.push_front(queued);
        } else {
            live.outbox.push_back(queued);
        }
        self.flush(key);
    }

    /// Sends what waits, as far as it can go now.
    pub(crate) fn flush(&mut self, key: CallKey) {
        loop {
            let now = self.now;
            let Some(live) = self.live.get_mut(&key) else { return };
            let Some(mut queued) = live.outbox.pop_front() else {
                // An empty queue keeps its room, and most calls have nothing to send most of the time.
                live.outbox = VecDeque::new();
                return;
            };
            if live.outbox_until.take_if(|until| *until <= now).is_some() {
                queued.waited = match queued.waited {
                    Waited::Nothing => Waited::ForDestination,
                    Waited::ForDestination | Waited::ForTrunk => Waited::ForTrunk,
                };
            }
            // What was answered meanwhile, by another connection, is neither waited for nor taken back.
            if queued.is_over_once_answered() && live.call.was_answered() {
                self.waits_no_more(key);
                continue;
            }
            // A session is not lost because new calls wait for their first answers.
            let begins_call = queued.is_invite() && !live.call.was_answered();
            // After a hang-up no INVITE leaves, also none that was ready to (promise 5).
            let is_unwanted = queued.is_invite() && live.call.is_unwanted();
            let is_unwanted = is_unwanted && !self.settings.sabotage.is(Fault::InviteAfterWish);
            let way = if is_unwanted {
                Way::None(NoWay::Unwanted)
            } else {
                self.way(key, &queued.outgoing, queued.waited)
            };
            let way = match way {
                Way::Open(path) if begins_call && !self.windows.enter(&path, queued.tx(), key) => match queued.waited {
                    Waited::Nothing => Way::Wait(self.settings.timers.t1 * T1_TO_WAIT),
                    Waited::ForDestination | Waited::ForTrunk => Way::None(NoWay::WindowFull),
                },
                way => way,
            };
            match way {
                Way::Open(path) => {
                    self.waits_no_more(key);
                    let next = if begins_call { self.windows.next(&path) } else { None };
                    self.transmit(key, path, queued);
                    self.enter_next(next);
                }
                Way::Wait(most) => {
                    self.ways.waiting.insert(key);
                    if let Some(live) = self.live.get_mut(&key) {
                        live.outbox.push_front(queued);
                        live.outbox_until.get_or_insert(now + most);
                    }
                    return self.schedule_call(key);
                }
                Way::None(why) => {
                    self.waits_no_more(key);
                    let next = self.windows.give_up(key);
                    if let Some(live) = self.live.get_mut(&key) {
                        live.call.handle_silence(queued.tx(), Silence::Unreachable, now);
                    }
                    if why != NoWay::Unwanted {
                        self.tell(Event::Unreachable { key, why: Some(why) });
                    }
                    self.enter_next(next);
                }
            }
        }
    }

    pub(crate) fn flush_all(&mut self) {
        let waiting: Vec<CallKey> = self.ways.waiting.iter().copied().collect();
        for key in waiting {
            self.flush(key);
            self.act(key);
        }
    }

    /// Something has come back to an INVITE, or nothing will: another one may leave.
    pub(crate) fn leave_window(&mut self, tx: &Tx) {
        if self.is_sabotaged(Fault::WindowNever) {
            return;
        }
        let next = self.windows.leave(tx);
        self.enter_next(next);
    }

    /// One after the other, also when one that cannot go leaves its place to the next.
    fn enter_next(&mut self, next: Option<CallKey>) {
        self.ways.entering.extend(next);
        if std::mem::replace(&mut self.ways.is_entering, true) {
            return;
        }
        while let Some(next) = self.ways.entering.pop_front() {
            self.flush(next);
            self.act(next);
        }
        self.ways.is_entering = false;
    }

    /// The first request has left the outbox.
    fn waits_no_more(&mut self, key: CallKey) {
        if let Some(live) = self.live.get_mut(&key) {
            live.outbox_until = None;
        }
        self.ways.waiting.remove(&key);
    }

    fn transmit(&mut self, key: CallKey, path: Path, queued: Queued) {
        let place = path.remote.ip().to_canonical();
        if let Some(live) = self.live.get_mut(&key)
            && live.hosts.len() < HOSTS
            && !live.hosts.contains(&place)
        {
            live.hosts.push(place);
            self.enter(place);
        }
        let is_invite = queued.is_invite();
        let Queued {
            mut outgoing, leaves, ..
        } = queued;
        let trunk = self.live.get(&key).map(|live| live.trunk);
        if let Some(via) = trunk.and_then(|trunk| self.via_towards(trunk, &path)) {
            outgoing.leaves_by(&via);
        }
        let (tx, bytes) = (outgoing.tx, outgoing.bytes);
        if tx.method == Method::Ack {
            return self.put(Output::Transmit(sip::Transmit { path, bytes }));
        }
        self.ways.requests.insert(tx.clone(), key);
        if !leaves {
            return self.transactions.resume(self.now, path, tx, bytes);
        }
        if is_invite {
            self.expect_trunk_to_speak(key);
        }
        self.transactions.send(self.now, path, tx, bytes);
        self.transmit_due();
    }

    /// The far end has said that the call is over: of what waits for its way only what phones need still leaves, an ACK and a BYE.
    pub(crate) fn stop_what_waits(&mut self, key: CallKey) {
        let Some(live) = self.live.get(&key) else { return };
        let waits = live.outbox.iter().map(Queued::tx);
        let is_moot = |tx: &&Tx| !matches!(tx.method, Method::Ack | Method::Bye);
        let moot: Vec<Tx> = waits.filter(is_moot).cloned().collect();
        for tx in moot {
            self.stop(key, &tx);
        }
    }

    /// Nobody waits for what comes back to this request; if it has not left, it never does.
    pub(crate) fn stop(&mut self, key: CallKey, tx: &Tx) {
        let Some(live) = self.live.get_mut(&key) else { return };
        let is_first = live.outbox.front().is_some_and(|queued| queued.tx() == tx);
        live.outbox.retain(|queued| queued.tx() != tx);
        if is_first {
            live.outbox_until = None;
            self.ways.waiting.remove(&key);
            let next = self.windows.give_up(key);
            self.enter_next(next);
            self.flush(key);
        }
        self.leave_window(tx);
        self.ways.requests.remove(tx);
        self.transactions.stop(tx);
    }
}
