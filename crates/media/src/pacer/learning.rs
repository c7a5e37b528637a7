//! Where a stream's listener really is, learned from its own first packets (symmetric RTP, RFC 4961).
//!
//! A phone behind NAT names an address that nobody can reach, and sends from one that works. For the first five seconds
//! of a stream the port is read; what is believed is a packet from the host that the answer named, or, when it named
//! none that we may send to, from any host that we may. Then nothing is read any more, and who comes later changes
//! nothing.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::stream::Remote;
use crate::ports::RtpPort;
use crate::rtp::RtpPacket;
use crate::srtp::{Opener, Protection};

/// Turns of 20 ms in which the listener may show itself.
const TURNS: u32 = 250;
/// Datagrams that are looked at in one turn; a flood waits in the socket, and is thrown away there.
const A_TURN: usize = 4;

/// Who may be sent to: the policy of the house.
#[derive(Clone)]
pub struct Permits(Arc<dyn Fn(IpAddr) -> bool + Send + Sync>);

impl Permits {
    pub fn new(permits: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(permits))
    }
}

impl fmt::Debug for Permits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permits(…)")
    }
}

pub(super) struct Learning {
    permits: Permits,
    turns: u32,
    /// With the keys it was made from.
    opener: Option<(Protection, Opener)>,
}

impl Learning {
    pub(super) fn new(permits: Permits) -> Self {
        Self {
            permits,
            turns: TURNS,
            opener: None,
        }
    }

    /// Whether the listener may still show itself; one turn less from now on.
    pub(super) fn goes_on(&mut self) -> bool {
        self.turns = self.turns.saturating_sub(1);
        self.turns > 0
    }

    /// Where the listener is, once it has shown itself.
    pub(super) fn look(
        &mut self,
        port: &RtpPort,
        named: Option<Remote>,
        protection: Option<&Protection>,
    ) -> Option<SocketAddr> {
        let mut bytes = [0; 2048];
        for _ in 0..A_TURN {
            let (length, source) = port.rtp().recv_from(&mut bytes).ok()?;
            let is_it = match named {
                Some(named) => named.rtp.ip() == source.ip(),
                None => (self.permits.0)(source.ip()),
            };
            if is_it && self.is_sound(&bytes[..length], protection) {
                return Some(source);
            }
        }
        None
    }

    fn is_sound(&mut self, packet: &[u8], protection: Option<&Protection>) -> bool {
        let Some(protection) = protection else {
            return RtpPacket::parse(packet).is_ok();
        };
        if self
            .opener
            .as_ref()
            .is_none_or(|(made_from, _)| made_from != protection)
        {
            self.opener = Some((protection.clone(), Opener::new(&protection.peer)));
        }
        self.opener
            .as_mut()
            .is_some_and(|(_, opener)| opener.rtp(packet).is_ok())
    }
}
