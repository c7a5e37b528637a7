//! What an answered call has agreed on with its phone.

use sabotage::Fault;
use sip::{
    Moment,
    sdp::{self, Agreed},
};

use super::{
    Call,
    session::{Session, Terms},
    state::State,
};
use crate::{
    output::{Event, MediaCommand, Output},
    record::Wish,
    timer::Timer,
};

/// A call that is up.
#[derive(Debug)]
pub(super) struct Established {
    pub(super) agreed: Agreed,
    /// What we said last about our end of the stream: the offer in the INVITE, later also an answer.
    pub(super) description: String,
    /// Our 200 to a re-INVITE carried an offer; its answer comes in the ACK.
    pub(super) offered: bool,
    /// Nothing without session timers (RFC 4028).
    pub(super) session: Option<Session>,
}

impl Call {
    /// The ACK is on its way: the sound begins, unless the answer is of no use.
    pub(super) fn establish(&mut self, now: Moment) {
        let State::Answered(answer) = &self.state else { return };
        let agreed = match sdp::accept(&self.around.media, &answer.body) {
            Ok(agreed) => agreed,
            Err(error) => {
                self.tell(Event::UnusableAnswer(error));
                return self.end_answered(Wish::MediaRefused, now);
            }
        };
        let terms = answer.session.expires.map(Terms::answered);
        let terms = terms.filter(|_| !self.is_sabotaged(Fault::SessionIgnored));
        self.state = State::Confirmed(Box::new(Established {
            agreed,
            description: sdp::offer(&self.around.media),
            offered: false,
            session: self.asked.map(|asked| Session::begun(asked, answer)),
        }));
        if !self.is_sabotaged(Fault::LastsForEver) {
            self.timers
                .set(Timer::MaxDuration, now + self.around.limits.max_duration);
        }
        if let Some(terms) = terms {
            // The interval began when the answer came; what the disk took of it is little beside the lead that a BYE has.
            self.agree(terms, now);
        }
        self.outputs.push_back(Output::Media(MediaCommand::Start(agreed)));
    }

    pub(super) fn established(&self) -> Option<&Established> {
        let State::Confirmed(established) = &self.state else {
            return None;
        };
        Some(established)
    }

    pub(super) fn established_mut(&mut self) -> Option<&mut Established> {
        let State::Confirmed(established) = &mut self.state else {
            return None;
        };
        Some(established)
    }

    pub(super) fn session(&self) -> Option<&Session> {
        self.established()?.session.as_ref()
    }

    pub(super) fn session_mut(&mut self) -> Option<&mut Session> {
        self.established_mut()?.session.as_mut()
    }

    /// The peer has moved the stream, put it on hold or taken it back; or has done nothing of this.
    pub(super) fn change_media(&mut self, agreed: Agreed) {
        if let Some(established) = self.established_mut()
            && std::mem::replace(&mut established.agreed, agreed) != agreed
        {
            self.outputs.push_back(Output::Media(MediaCommand::Change(agreed)));
        }
    }

    /// Before the call leaves [`State::Confirmed`].
    pub(super) fn stop_media(&mut self) {
        if self.established().is_some() {
            self.outputs.push_back(Output::Media(MediaCommand::Stop));
        }
    }
}
