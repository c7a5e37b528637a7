//! Where a stream's listener really is, learned from its own first packets (symmetric RTP, RFC 4961); and whether it wants
//! the sound at all.
//!
//! A phone behind NAT names an address that nobody can reach, and sends from one that works. For the first five seconds
//! of a stream the port is read when it has something; what is believed is a packet from the host that the answer named, or,
//! when it named none that we may send to, from any host that we may. Who comes later changes nothing.
//!
//! And an answer can name somebody who never asked for a call. Whoever listens to a call says something too, sound or
//! RTCP: a host that the house does not know is listened to until it does, and then nothing is read or kept any more.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::readiness::Readiness;
use super::remote::Remote;
use crate::ports::RtpPort;
use crate::rtcp;
use crate::rtp::RtpPacket;
use crate::srtp::{Opener, Protection};

/// In which the listener may show itself.
const TIME: Duration = Duration::from_secs(5);
/// Datagrams that are looked at in one turn; a flood waits in the socket's small buffer, and is thrown away there.
const A_TURN: usize = 4;

/// Who may be sent to: the policy of the house.
#[derive(Clone)]
pub struct Permits {
    permits: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
    knows: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
}

impl Permits {
    /// `permits`: these may be sent to at all. `knows`: of these, the ones that are sent to although they never say anything.
    pub fn new(
        permits: impl Fn(IpAddr) -> bool + Send + Sync + 'static,
        knows: impl Fn(IpAddr) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            permits: Arc::new(permits),
            knows: Arc::new(knows),
        }
    }

    pub(super) fn knows(&self, host: IpAddr) -> bool {
        (self.knows)(host)
    }
}

impl fmt::Debug for Permits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permits(…)")
    }
}

pub(super) struct Learning {
    permits: Permits,
    until: Instant,
    /// The port has had nothing more when it was last looked at, and [`Readiness`] tells when it has.
    watched: bool,
    /// With the keys it was made from.
    opener: Option<(Protection, Opener)>,
}

/// What one look at the port has brought.
pub(super) enum Seen {
    Nothing,
    /// The named host has said something.
    Host,
    /// The listener is here.
    Listener(SocketAddr),
}

impl Learning {
    pub(super) fn new(permits: Permits, now: Instant) -> Self {
        Self {
            permits,
            until: now + TIME,
            watched: false,
            opener: None,
        }
    }

    /// Whoever shows itself now is no longer followed elsewhere.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        now >= self.until
    }

    /// When this has something to do, if its port stays silent.
    pub(super) fn next_look(&self, now: Instant) -> Option<Instant> {
        if self.watched {
            Some(self.until).filter(|&until| until > now)
        } else {
            Some(now)
        }
    }

    pub(super) fn watch(&mut self, port: &RtpPort, key: usize, readiness: &Readiness) {
        self.watched = self.watched || readiness.watch(port, key);
    }

    pub(super) fn unwatch(&mut self, port: &RtpPort, readiness: &Readiness) {
        if std::mem::take(&mut self.watched) {
            readiness.unwatch(port);
        }
    }

    /// One turn's look, if there may be something.
    pub(super) fn look(
        &mut self,
        port: &RtpPort,
        named: Option<Remote>,
        protection: Option<&Protection>,
        now: Instant,
    ) -> Seen {
        if self.watched {
            return Seen::Nothing;
        }
        let mut bytes = [0; 2048];
        for _ in 0..A_TURN {
            let Ok((length, source)) = port.rtp().recv_from(&mut bytes) else {
                break;
            };
            let is_it = match named {
                Some(named) => named.rtp.ip() == source.ip(),
                None => (self.permits.permits)(source.ip()),
            };
            if is_it && self.is_sound(&bytes[..length], protection) {
                return if self.is_late(now) {
                    Seen::Host
                } else {
                    Seen::Listener(source)
                };
            }
        }
        for _ in 0..A_TURN {
            let Ok((length, source)) = port.rtcp().recv_from(&mut bytes) else {
                break;
            };
            let is_it = named.is_some_and(|named| named.rtp.ip() == source.ip());
            if is_it && self.is_report(&bytes[..length], protection) {
                return Seen::Host;
            }
        }
        Seen::Nothing
    }

    fn is_report(&mut self, packet: &[u8], protection: Option<&Protection>) -> bool {
        match protection {
            Some(protection) => self.opener(protection).rtcp(packet).is_ok(),
            None => rtcp::parse(packet).next().is_some(),
        }
    }

    fn is_sound(&mut self, packet: &[u8], protection: Option<&Protection>) -> bool {
        match protection {
            Some(protection) => self.opener(protection).rtp(packet).is_ok(),
            None => RtpPacket::parse(packet).is_ok(),
        }
    }

    fn opener(&mut self, protection: &Protection) -> &mut Opener {
        let kept = self.opener.take().filter(|(made_from, _)| made_from == protection);
        let kept = kept.unwrap_or_else(|| (protection.clone(), Opener::new(&protection.peer)));
        &mut self.opener.insert(kept).1
    }
}
