//! Rules about what clients hear: answers, and what can be asked.

use call::End;
use sip::Method;
use switch::{Answer, DisconnectRefusal, Known, State};

use super::is_of_journal;
use crate::{
    house::What,
    message::{At, Message},
    phone::Hook,
    scenario::BOUND,
    world::{Event, World},
};

/// How far a call has come by what is said of it.
fn rank(state: State) -> u8 {
    match state {
        State::Connecting => 0,
        State::Alerted => 1,
        State::Connected => 2,
        State::Disconnected => 3,
    }
}

impl World {
    /// What can be asked about a call goes on and not back, and an end stays.
    pub(crate) fn check_told(&mut self, call: usize, known: Option<Known>) {
        let now = self.now;
        let before = std::mem::replace(&mut self.watch.calls[call].known, known);
        self.check_true(call);
        let (Some(before), Some(after)) = (before, &self.watch.calls[call].known) else {
            return;
        };
        let (before, after) = (before.information, after.information.clone());
        // A provisional may have overtaken the challenge of its own INVITE: the phone does not ring any more, and is called again.
        let is_called_again = self.watch.calls[call].is_called_again && before.state == State::Alerted;
        if rank(after.state) < rank(before.state) && !is_called_again {
            self.watch.fail("what is told goes on", || {
                format!("{:?} after {:?} at {now} ms", after.state, before.state)
            });
        }
        if let Some(end) = before.end
            && after
                .end
                .as_ref()
                .is_none_or(|after| after.cause != end.cause || after.confirmed && !end.confirmed)
        {
            self.watch
                .fail("an end stays", || format!("{end:?} became {:?}", after.end));
        }
    }

    /// What is told has happened.
    fn check_true(&mut self, call: usize) {
        let (now, watched) = (self.now, &self.watch.calls[call]);
        let Some(known) = &watched.known else { return };
        let state = known.information.state;
        let is_true = match state {
            State::Connecting => true,
            State::Alerted => watched.was_ringing,
            State::Connected => watched.was_answered,
            State::Disconnected => known.information.end.is_some(),
        };
        if !is_true {
            self.watch
                .fail("what is told is true", || format!("{state:?} at {now} ms"));
        }
    }

    fn is_told(&self, call: usize, least: State) -> bool {
        let known = self.watch.calls[call].known.as_ref();
        known.is_none_or(|known| rank(known.information.state) >= rank(least))
    }

    /// Whether all dialogs of a call are of one phone, as far as anyone can tell: a 2xx that comes with another To tag is another phone's
    /// (RFC 3261 §13.2.2.4), and the call may be that one's.
    fn has_one_phone(&self, call: usize) -> bool {
        self.scenario.calls[call].proxy.is_none() && self.scenario.mismatches == 0
    }

    /// The first ACK of a dialog leaves: it is told that the phone was answered. Another fork may be, while the call itself rings on.
    pub(super) fn check_answer_told(&mut self, call: usize, ack: &Message) {
        let now = self.now;
        if self.has_one_phone(call) && !self.is_told(call, State::Connected) {
            self.watch.fail("what can be asked is told before what follows", || {
                format!("{} at {now} ms", ack.label())
            });
        }
    }

    /// A response of ours leaves.
    pub(super) fn check_reply(&mut self, call: usize, reply: &Message) {
        let now = self.now;
        // What its method is owed, or that there is no dialog, or that it is out of order.
        let is_owed = match &reply.method {
            Method::Info | Method::Options | Method::Bye | Method::Cancel => reply.status == 200,
            Method::Invite | Method::Update => matches!(reply.status, 100 | 200 | 422 | 488 | 491),
            Method::Other(_) => matches!(reply.status, 405 | 501),
            Method::Notify | Method::Ack | Method::Register => false,
        };
        if !is_owed && !matches!(reply.status, 481 | 500) {
            self.watch.fail("a request has an answer of its kind", || {
                format!("{} at {now} ms", reply.label())
            });
        }
        let is_end = reply.method == Method::Bye && reply.status == 200;
        if is_end && self.has_one_phone(call) && !self.is_told(call, State::Disconnected) {
            self.watch.fail("what can be asked is told before what follows", || {
                format!("{} at {now} ms", reply.label())
            });
        }
    }

    /// An end is told: it can be asked about, and what it says of the far end is so. Behind a proxy that has said 487 phones may ring on.
    pub(super) fn check_end_told(&mut self, call: usize, end: &End) {
        let now = self.now;
        if !self.is_told(call, State::Disconnected) {
            self.watch.fail("what can be asked is told before what follows", || {
                format!("{end:?} at {now} ms")
            });
        }
        let phone = &self.parties[call].phones[0];
        let is_up = phone.legs.iter().any(|leg| leg.hook != Hook::Down) && !phone.gone;
        // Who says 2xx under a tag that is nobody's, and 481 to its BYE, is believed (RFC 3261 §15.1.1).
        let is_honest = self.has_one_phone(call);
        if end.confirmed && is_up && is_honest {
            let at = At { call, phone: 0 };
            self.watch.fail("what is confirmed is true", || {
                format!("{at} is not on-hook at {now} ms")
            });
        }
    }

    pub(crate) fn check_answer(&mut self, call: usize, what: What, answer: &Answer) {
        let now = self.now;
        let is_told = self.watch.calls[call].known.is_some();
        match (what, answer) {
            (What::Place { .. }, Answer::Placed(key)) => {
                if !self.house.disk.knows(*key) {
                    self.watch
                        .fail("no Placed without a durable intent", || format!("{key} at {now} ms"));
                }
                if !is_told {
                    self.watch.fail("what can be asked is told before the answer", || {
                        format!("Placed at {now} ms")
                    });
                }
            }
            (What::Place { .. }, Answer::NotPlaced(_)) => self.watch.tally.not_placed += 1,
            (What::HangUp, Answer::Disconnected) => {
                let known = self.watch.calls[call].known.as_ref();
                let is_over = known.is_some_and(|known| known.information.state == State::Disconnected);
                if self.watch.calls[call].has_ended() && !is_over {
                    self.watch.fail("what can be asked is told before the answer", || {
                        format!("NoError at {now} ms")
                    });
                }
                self.check_promise(call);
            }
            (What::HangUp, Answer::NotDisconnected(DisconnectRefusal::Unknown)) => self.check_unknown(call),
            (What::HangUpForeign, Answer::NotDisconnected(DisconnectRefusal::Unknown)) => {}
            (What::HangUpForeign, _) => {
                self.watch.fail("a call of someone else is unknown", || {
                    format!("{answer:?} at {now} ms")
                });
            }
            (What::HangUp, Answer::NotDisconnected(_)) => self.watch.tally.not_promised += 1,
            (What::Place { .. }, Answer::Disconnected | Answer::NotDisconnected(_))
            | (What::HangUp, Answer::Placed(_) | Answer::NotPlaced(_))
            | (What::Leave, _)
            | (_, Answer::AllEnded | Answer::Left) => {
                self.watch.fail("a request has an answer of its kind", || {
                    format!("{answer:?} at {now} ms")
                });
            }
        }
    }

    /// `NoError` is said: the wish is durable, or the end; or the disk has refused both, and the far end has confirmed.
    fn check_promise(&mut self, call: usize) {
        let now = self.now;
        let watched = &self.watch.calls[call];
        let is_durable = watched.keys.iter().any(|key| self.house.disk.is_to_end(*key));
        let ended = watched.ended.as_ref().map(|(end, _)| end);
        let is_confirmed = watched.had_ended || ended.is_some_and(|end| end.confirmed);
        let is_refused = is_confirmed && watched.end_refused || ended.is_some_and(is_of_journal);
        if !is_durable && !is_refused {
            self.watch
                .fail("no NoError without a durable wish", || format!("at {now} ms"));
        }
        self.promised(call);
    }

    /// "No such call" is said: none is live, nor does the journal hold one that is to be ended.
    fn check_unknown(&mut self, call: usize) {
        let now = self.now;
        let watched = &self.watch.calls[call];
        if watched.known.is_some() {
            self.watch
                .fail("a call that is known is not unknown", || format!("at {now} ms"));
        }
        if !self.watch.calls[call].is_left_alone {
            self.promised(call);
        }
    }

    pub(super) fn promised(&mut self, call: usize) {
        let now = self.now;
        if self.watch.calls[call].promised.is_none() {
            self.watch.calls[call].promised = Some(now);
            self.after(BOUND + 1, Event::Deadline(call));
        }
    }
}
