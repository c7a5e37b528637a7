//! What a phone tells about its calls.

use std::{
    fmt,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use media::{Codec, Heard};
use sip::Transport;

/// Something happened to a call of the phone.
#[derive(Clone, Debug)]
pub struct PhoneEvent {
    /// Calls are numbered from 1.
    pub call: u32,
    pub at: Instant,
    pub what: What,
}

/// What happened. Each call begins with [`What::Invited`] and ends with [`What::Ended`].
#[derive(Clone, Debug)]
pub enum What {
    /// A SIP message, for the ladder: its request line's or status line's essence.
    Message(Direction, String),
    Invited {
        /// The caller's URI.
        from: String,
        /// The user part of the Request-URI.
        number: String,
        call_id: String,
        source: SocketAddr,
        transport: Transport,
    },
    Ringing,
    /// The 200 has left. Without a codec, the caller's answer to our offer is still to come.
    Answered {
        codec: Option<Codec>,
    },
    Acked,
    /// The caller's first sound came.
    Heard,
    /// A re-INVITE or UPDATE was answered.
    Changed {
        codec: Codec,
        /// The caller may send to us; `false` on hold.
        listening: bool,
    },
    /// The last event of a call.
    Ended {
        why: Ending,
        /// What was heard, when the call was answered.
        heard: Option<Arc<Heard>>,
    },
}

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Received,
    Sent,
}

impl Direction {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Sent => "sent",
        }
    }
}

/// Why a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// We answered with this status.
    Refused(u16),
    /// The caller gave up while it rang.
    Cancelled,
    /// The caller hung up.
    CallerHungUp,
    /// We hung up; with the status that our BYE got, if any came.
    HungUp(Option<u16>),
    /// Our 200 was never ACKed; a BYE was sent.
    NeverAcked,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(status) => write!(f, "refused with {status}"),
            Self::Cancelled => f.write_str("the caller gave up"),
            Self::CallerHungUp => f.write_str("the caller hung up"),
            Self::HungUp(Some(200)) => f.write_str("we hung up"),
            Self::HungUp(Some(status)) => write!(f, "we hung up and the caller said {status}"),
            Self::HungUp(None) => f.write_str("we hung up and the caller said nothing"),
            Self::NeverAcked => f.write_str("the caller never acknowledged our answer"),
        }
    }
}

impl fmt::Display for What {
    /// One line for a person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(Direction::Received, line) => write!(f, "<-- {line}"),
            Self::Message(Direction::Sent, line) => write!(f, "--> {line}"),
            Self::Invited {
                from,
                number,
                source,
                transport,
                ..
            } => write!(f, "{number} is called by {from} ({transport} from {source})"),
            Self::Ringing => f.write_str("ringing"),
            Self::Answered { codec: Some(codec) } => write!(f, "answered, {codec}"),
            Self::Answered { codec: None } => f.write_str("answered"),
            Self::Acked => f.write_str("connected"),
            Self::Heard => f.write_str("hears the caller"),
            Self::Changed { codec, listening: true } => write!(f, "goes on, {codec}"),
            Self::Changed { listening: false, .. } => f.write_str("on hold"),
            Self::Ended { why, heard: None } => write!(f, "ended: {why}"),
            Self::Ended {
                why,
                heard: Some(heard),
            } => {
                write!(
                    f,
                    "ended: {why}; heard {} in {} packets",
                    seconds(heard.duration()),
                    heard.stats.packets
                )?;
                if heard.stats.lost > 0 {
                    write!(f, ", {} lost", heard.stats.lost)?;
                }
                if !heard.keys.is_empty() {
                    write!(f, ", keys {}", heard.keys)?;
                }
                Ok(())
            }
        }
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}
