//! What is going to happen, and in which order.

use std::{
    net::{IpAddr, SocketAddr},
    rc::Rc,
};

use sip::{Path, Transport};

use crate::{
    message::{At, Message, Node},
    phone::Act,
    scenario::Millis,
    streams::Trouble,
};

pub(crate) enum Event {
    Arrive {
        from: Node,
        to: Node,
        message: Rc<Message>,
    },
    /// What was wanted becomes a connection, or does not.
    Dialled {
        incarnation: u32,
        number: u64,
        transport: Transport,
        remote: SocketAddr,
        trouble: Option<Trouble>,
    },
    /// What a peer has written comes, and what we have is read there.
    Segment {
        connection: usize,
        bytes: Vec<u8>,
    },
    ArriveThere {
        connection: usize,
        call: usize,
        message: Rc<Message>,
    },
    Trouble(usize, Trouble),
    ConnectionEnds(usize),
    Idle(usize),
    /// A repeated message of a call is due once more.
    Repeat(usize, usize),
    Phone {
        at: At,
        leg: usize,
        act: Act,
    },
    Vanish(At),
    /// A proxy has waited long enough for this INVITE.
    ProxyGivesUp(Node, usize),
    /// PlayOnPhone, and its client that waits no longer.
    Place(usize),
    Leave(usize),
    HangUp(usize),
    /// The switch wants to be woken.
    Wake,
    /// What has come in is handed to the switch.
    Turn,
    /// The journal's oldest batch is done.
    Journal(u32),
    /// The sound room has played what it began under this number.
    Finished(u32, u64),
    /// What is known of a name now, and whether that is all that this look-up comes to.
    LookedUp {
        incarnation: u32,
        host: String,
        found: Result<Vec<IpAddr>, &'static str>,
        is_last: bool,
    },
    TrunkAnswers {
        incarnation: u32,
        trunk: usize,
        path: Path,
        answer: Vec<u8>,
        granted: Option<u32>,
    },
    /// A datagram has met nobody.
    Refused(u32, usize, Vec<u8>),
    /// What is nobody's comes this way.
    Bytes {
        path: Path,
        bytes: Vec<u8>,
    },
    /// The next part of a flood, of this number.
    Flood(usize, u64),
    /// By now all calls have ended.
    Rest,
    /// Nobody is at this trunk until then.
    Away(usize, Millis),
    /// The clock on the wall is set by so many seconds.
    ClockSet(i64),
    /// The process is killed, and away for so long.
    Crash(Millis),
    Restart,
    /// By now the phones of this call must be on-hook.
    Deadline(usize),
}

impl Event {
    /// Whether it may happen again and again though no call is there any more.
    pub(super) fn is_of_trunks(&self) -> bool {
        matches!(
            self,
            Self::Wake
                | Self::Turn
                | Self::Idle(_)
                | Self::Away(..)
                | Self::ClockSet(_)
                | Self::Rest
                | Self::Refused(..)
                | Self::TrunkAnswers { .. }
                | Self::LookedUp { .. }
                | Self::Dialled { .. }
                | Self::Trouble(..)
                | Self::ConnectionEnds(_)
        )
    }
}

/// An event and its moment; what was planned first comes first of those at one moment.
pub(super) struct Scheduled {
    pub(super) at: Millis,
    pub(super) order: u64,
    pub(super) event: Event,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}
impl Eq for Scheduled {}
impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}
