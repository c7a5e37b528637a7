//! Faults put in on purpose: each must be found, or the simulation proves nothing. They are done around the switch, which ships
//! as it is: something that it wants done is not done, or it is told what is not true.

use clap::ValueEnum as _;
use sip::Method;

use crate::{message::Message, world::World};

/// What is broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Sabotage {
    #[default]
    Nothing,
    /// No ACK of a 2xx leaves.
    NoAck,
    /// A 2xx that is repeated is not ACKed again.
    NoSecondAck,
    NoCancel,
    NoBye,
    /// Only the call's own dialog is hung up.
    NoForkBye,
    /// A BYE that failed is not tried again, nor is a challenge answered.
    OneByeOnly,
    /// A 2xx after the end is swallowed.
    LateAnswersLost,
    /// The next process takes up nothing.
    NoTakeUp,
    NoCredentials,
    /// `NoError` is said before the wish is durable.
    EarlyPromise,
    /// DisconnectPhoneCall does not reach the switch.
    WishForgotten,
    /// The switch is told that its intent is durable when it is not.
    EarlyInvite,
    /// The same of the call's own answer.
    EarlyAck,
    /// And of that of another fork.
    EarlyForkAck,
    /// One place too many is given back.
    GrantTwice,
    /// None is given back.
    GrantNever,
    /// Nobody looks at what the 2xx says of session timers.
    SessionIgnored,
    /// A hang-up is followed by another INVITE.
    AnotherInvite,
    /// CANCEL goes to where the phone is.
    CancelElsewhere,
    /// The house hears an answer twice, or never.
    AnswerTwice,
    AnswerNever,
    /// What can be asked about a call is told at the end of the turn.
    LateSnapshot,
    /// A message has one byte too few.
    CutShort,
    /// One process takes up what it never said it would.
    TakenUpUnsaid,
}

impl Sabotage {
    /// Each that breaks something.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::value_variants()
            .iter()
            .copied()
            .filter(|sabotage| *sabotage != Self::Nothing)
    }

    /// Whether this message does not leave.
    pub(crate) fn drops(self, message: &Message, call: usize, world: &World) -> bool {
        if !message.is_request() {
            return false;
        }
        let tag = message.to_tag().unwrap_or_default();
        let watch = &world.watch.calls[call];
        let acks_answer = message.method == Method::Ack && !watch.is_invite(&message.branch);
        match (self, &message.method) {
            (Self::NoAck, Method::Ack) => acks_answer,
            (Self::NoSecondAck, Method::Ack) => acks_answer && watch.acks_of(tag) > 0,
            (Self::NoCancel, Method::Cancel) | (Self::NoBye, Method::Bye) => true,
            (Self::OneByeOnly, Method::Bye) => watch.has_other_bye(tag, &message.branch),
            (Self::NoForkBye, Method::Bye) => watch.first_tag() != Some(tag),
            _ => false,
        }
    }
}
