//! Faults put in on purpose: each must be found, or the simulation proves nothing.

use sip::Method;

use crate::{message::Message, world::World};

/// What is broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Sabotage {
    #[default]
    Nothing,
    /// No ACK leaves.
    NoAck,
    /// A 2xx that is repeated is not ACKed again.
    NoSecondAck,
    NoCancel,
    NoBye,
    /// Only the call's own dialog is hung up.
    NoForkBye,
    /// A BYE that failed is not tried again, nor is a challenge answered.
    OneByeOnly,
    /// A 2xx after the end is swallowed, as the library below would.
    LateAnswersLost,
    /// The next process takes up nothing.
    NoTakeUp,
    NoCredentials,
    /// `NoError` is said before the wish is durable.
    EarlyPromise,
    /// DisconnectPhoneCall does not reach the machine.
    WishForgotten,
    /// The INVITE does not wait for the disk.
    EarlyInvite,
    /// Nor does the ACK of another fork.
    EarlyForkAck,
    GrantTwice,
    /// Nobody looks at what the 2xx says of session timers.
    SessionIgnored,
}

impl Sabotage {
    /// Whether this request does not leave.
    pub(crate) fn drops(self, request: &Message, world: &World) -> bool {
        let tag = request.to_tag().unwrap_or_default();
        match (self, &request.method) {
            (Self::NoAck, Method::Ack) | (Self::NoCancel, Method::Cancel) | (Self::NoBye, Method::Bye) => true,
            (Self::NoSecondAck, Method::Ack) => world.watch.acks_of(tag) > 0,
            (Self::OneByeOnly, Method::Bye) => world.watch.byes_of(tag) > 0,
            (Self::NoForkBye, Method::Bye) => {
                let live = world.house.live.as_ref();
                let own = live.and_then(|live| live.call.record().dialog.remote_tag.as_ref());
                own.is_none_or(|own| own.as_str() != tag)
            }
            _ => false,
        }
    }
}
