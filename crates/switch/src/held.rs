//! Requests of calls on their way out: each call's in order, behind the one that waits.
//!
//! A request waits for a name, a connection, or its INVITE's place in the window. It holds up those of its own call behind it,
//! nobody else's, and not for long: first as long as its own place may take, then as long as its trunk may.

use call::Silence;
use sip::{Method, Outgoing, Path, Tx};

use crate::{
    journal::CallKey,
    output::{Event, NotThere, Output},
    switch::Switch,
    ways::Way,
    window::T1_TO_WAIT,
};

/// How many hosts one call's requests may go to and still be heard from: its phone, its forks, a proxy or two.
const PLACES: usize = 8;
/// How many requests of one call wait; what is beyond could not be sent.
const HELD: usize = 32;

/// A request of a call that is about to leave, or one that has left in an earlier process.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    outgoing: Outgoing,
    leaves: bool,
    pub(crate) waited: Waited,
}

/// What a request has waited for in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    Nothing,
    /// The place where it is to go; its trunk may know the way.
    ItsPlace,
    ItsTrunk,
}

impl Held {
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

    /// Whether an INVITE leaves with it.
    fn is_invite(&self) -> bool {
        self.leaves && self.outgoing.tx.method == Method::Invite
    }
}

impl Switch {
    /// Sends one request of a call, behind those that wait.
    pub(crate) fn send(&mut self, key: CallKey, outgoing: Outgoing) {
        self.hold(key, Held::new(outgoing, true));
    }

    /// Takes up an INVITE that an earlier process sent: nothing leaves, what comes back is matched.
    pub(crate) fn resume(&mut self, key: CallKey, invite: Outgoing) {
        self.hold(key, Held::new(invite, false));
    }

    fn hold(&mut self, key: CallKey, held: Held) {
        let Some(live) = self.live.get_mut(&key) else { return };
        if live.held.len() >= HELD {
            let (tx, now) = (held.outgoing.tx, self.now);
            return live.call.handle_silence(&tx, Silence::Unreachable, now);
        }
        live.held.push_back(held);
        self.flush(key);
    }

    /// Sends what waits, as far as it can go now.
    pub(crate) fn flush(&mut self, key: CallKey) {
        loop {
            let now = self.now;
            let Some(live) = self.live.get_mut(&key) else { return };
            let Some(front) = live.held.front_mut() else { return };
            if live.held_until.take_if(|until| *until <= now).is_some() {
                front.waited = match front.waited {
                    Waited::Nothing => Waited::ItsPlace,
                    Waited::ItsPlace | Waited::ItsTrunk => Waited::ItsTrunk,
                };
            }
            let held = front.clone();
            // After a hang-up no INVITE leaves, also none that was ready to (promise 5).
            let is_unwanted = held.is_invite() && live.call.is_unwanted();
            let way = if is_unwanted {
                Way::None(NotThere::Unwanted)
            } else {
                self.way(key, &held.outgoing, held.waited)
            };
            let way = match way {
                Way::Open(path) if held.is_invite() && !self.windows.enter(&path, held.tx(), key) => {
                    match held.waited {
                        Waited::Nothing => Way::Wait(self.settings.timers.t1 * T1_TO_WAIT),
                        Waited::ItsPlace | Waited::ItsTrunk => Way::None(NotThere::NoTurn),
                    }
                }
                way => way,
            };
            match way {
                Way::Open(path) => {
                    self.unhold(key);
                    let next = if held.is_invite() {
                        self.windows.next(&path)
                    } else {
                        None
                    };
                    self.transmit(key, path, held);
                    self.take_turn(next);
                }
                Way::Wait(most) => {
                    self.ways.waiting.insert(key);
                    if let Some(live) = self.live.get_mut(&key) {
                        live.held_until.get_or_insert(now + most);
                    }
                    return self.schedule_call(key);
                }
                Way::None(why) => {
                    self.unhold(key);
                    let next = self.windows.give_up(key);
                    if let Some(live) = self.live.get_mut(&key) {
                        live.call.handle_silence(held.tx(), Silence::Unreachable, now);
                    }
                    if why != NotThere::Unwanted {
                        self.tell(Event::Unreachable { key, why: Some(why) });
                    }
                    self.take_turn(next);
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
        let next = self.windows.leave(tx);
        self.take_turn(next);
    }

    /// One after the other, also when one that cannot go hands its turn on.
    fn take_turn(&mut self, next: Option<CallKey>) {
        self.ways.turns.extend(next);
        if std::mem::replace(&mut self.ways.is_taking_turns, true) {
            return;
        }
        while let Some(next) = self.ways.turns.pop_front() {
            self.flush(next);
            self.act(next);
        }
        self.ways.is_taking_turns = false;
    }

    /// The first one waits no longer.
    fn unhold(&mut self, key: CallKey) {
        if let Some(live) = self.live.get_mut(&key) {
            live.held.pop_front();
            live.held_until = None;
        }
        self.ways.waiting.remove(&key);
    }

    fn transmit(&mut self, key: CallKey, path: Path, held: Held) {
        let place = path.remote.ip().to_canonical();
        if let Some(live) = self.live.get_mut(&key)
            && live.places.len() < PLACES
            && !live.places.contains(&place)
        {
            live.places.push(place);
            self.enter(place);
        }
        let is_invite = held.is_invite();
        let Held { outgoing, leaves, .. } = held;
        let (tx, bytes) = (outgoing.tx, outgoing.bytes);
        if tx.method == Method::Ack {
            return self.put(Output::Transmit(sip::Transmit { path, bytes }));
        }
        self.ways.requests.insert(tx.clone(), key);
        if !leaves {
            return self.transactions.resume(self.now, path, tx, bytes);
        }
        if is_invite {
            self.expect_trunk(key);
        }
        self.transactions.send(self.now, path, tx, bytes);
        self.transmit_due();
    }

    /// Nobody waits for what comes back to this request; if it has not left, it never does.
    pub(crate) fn stop(&mut self, key: CallKey, tx: &Tx) {
        let Some(live) = self.live.get_mut(&key) else { return };
        let is_first = live.held.front().is_some_and(|held| held.tx() == tx);
        live.held.retain(|held| held.tx() != tx);
        if is_first {
            live.held_until = None;
            self.ways.waiting.remove(&key);
            let next = self.windows.give_up(key);
            self.take_turn(next);
            self.flush(key);
        }
        self.leave_window(tx);
        self.ways.requests.remove(tx);
        self.transactions.stop(tx);
    }
}
