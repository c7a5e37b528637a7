//! Rules about what clients hear: answers, and what can be asked.

use switch::{Answer, DisconnectRefusal, Known, State};

use super::is_of_journal;
use crate::{
    house::What,
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
        let (Some(before), Some(after)) = (before, &self.watch.calls[call].known) else {
            return;
        };
        let (before, after) = (before.information, after.information.clone());
        if rank(after.state) < rank(before.state) {
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

    pub(crate) fn check_answer(&mut self, call: usize, what: What, answer: &Answer) {
        let now = self.now;
        let is_told = self.watch.calls[call].known.is_some();
        match (what, answer) {
            (What::Place { .. }, Answer::Placed(_)) => {
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
        let is_refused =
            (ended.is_some() || watched.had_ended) && watched.end_refused || ended.is_some_and(is_of_journal);
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

    fn promised(&mut self, call: usize) {
        let now = self.now;
        if self.watch.calls[call].promised.is_none() {
            self.watch.calls[call].promised = Some(now);
            self.after(BOUND + 1, Event::Deadline(call));
        }
    }
}
