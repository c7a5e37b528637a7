//! Where a call stands, and what a crash leaves of it.

/// One of the two phones that an INVITE may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phone {
    A,
    B,
}

impl Phone {
    pub const ALL: [Self; 2] = [Self::A, Self::B];

    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// Where a call stands, in the order a call lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    Placing,
    Calling,
    Early,
    Cancelling { sent: bool },
    Answered,
    Confirmed,
    Terminating,
    Ended { confirmed: bool },
}

/// What a crash leaves of a call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    pub phase: Phase,
    pub wish: bool,
    /// The phone whose answer is the call, and the last CSeq number that was used towards it.
    pub own: Option<Phone>,
    pub number: u16,
    /// The same of phones that have answered beside it and are not known to be on-hook.
    pub forks: [Option<u16>; 2],
}

impl Record {
    /// Whether no phone is left to be hung up.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Ended { .. }) && self.forks == [None; 2]
    }

    /// Whether a restart would know of this phone's answer.
    #[must_use]
    pub fn knows(&self, phone: Phone) -> bool {
        self.own == Some(phone) || self.forks[phone as usize].is_some()
    }
}
