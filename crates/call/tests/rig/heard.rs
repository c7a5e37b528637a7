//! What a call has told of itself, which is at any time what can be asked of it.

use call::{Call, End, Event};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    has_rung: bool,
    was_answered: bool,
    is_unwanted: bool,
    end: Option<End>,
    is_drained: bool,
}

impl Heard {
    /// What can be asked.
    pub fn of(call: &Call) -> Self {
        Self {
            has_rung: call.has_rung(),
            was_answered: call.was_answered(),
            is_unwanted: call.record().wish.is_some(),
            end: call.end().cloned(),
            is_drained: call.is_drained(),
        }
    }

    /// One that an earlier process has left tells of its end anew.
    pub fn taken_up(call: &Call) -> Self {
        Self {
            end: None,
            is_drained: false,
            ..Self::of(call)
        }
    }

    /// What is told: everything but ringing once.
    pub fn hear(&mut self, event: &Event) {
        match event {
            Event::Ringing => {
                assert!(!self.was_answered, "it rings after its answer");
                self.has_rung = true;
            }
            Event::Reconnecting => {
                assert!(
                    self.has_rung && !self.was_answered && !self.is_unwanted,
                    "another INVITE is of no use"
                );
            }
            Event::Answered => assert!(!std::mem::replace(&mut self.was_answered, true), "answered twice"),
            Event::UnusableAnswer(_) => assert!(self.was_answered && !self.is_unwanted, "of what answer?"),
            Event::Ending(_) => {
                assert!(self.end.is_none(), "it has ended");
                assert!(!std::mem::replace(&mut self.is_unwanted, true), "wished twice");
            }
            Event::Ended(end) => assert!(self.end.replace(end.clone()).is_none(), "ended twice"),
            Event::Unconfirmed => {
                let end = self.end.as_mut().expect("an end");
                assert!(std::mem::take(&mut end.confirmed), "it was not confirmed before");
            }
            Event::Drained => {
                assert!(self.end.is_some(), "it has not ended");
                assert!(!std::mem::replace(&mut self.is_drained, true), "drained twice");
            }
            Event::LateFork => assert!(std::mem::take(&mut self.is_drained), "it was not late"),
        }
    }
}
