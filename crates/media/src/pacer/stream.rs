//! One stream: the clip, how far it has played, and what it does next.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::oneshot;

use super::batch::Batch;
use super::learning::{Learning, Permits, Seen};
use super::lock;
use super::playing::{Finished, PlayEnd, Playing, Shared, Wish};
use super::readiness::{Readiness, Wakeups};
use super::remote::Remote;
use crate::clip::{Clip, FRAME_BYTES, FRAME_DURATION};
use crate::ports::RtpPort;
use crate::rtcp::{self, SenderReport};
use crate::rtp::RtpHeader;
use crate::srtp::{Protection, Protector};

/// Of the RTP clock, the same in all our codecs.
const TICKS_PER_MS: u32 = 8;
/// Turns after the last frame before the stream has ended: what follows is usually a BYE, and a phone throws away what
/// its jitter buffer still holds.
const TAIL_TURNS: u32 = 10;
/// Frames for those who have never said anything and whom the house does not know, in one stream whatever it is moved to:
/// ten seconds of sound. A receiver's first RTCP report comes within three (RFC 3550 §6.2, §6.3.1).
const TRIAL_FRAMES: u32 = 500;

/// What to play, from where to where. The numbers should be random (RFC 3550 §5.1).
#[derive(Clone, Debug)]
pub struct Stream {
    pub clip: Clip,
    pub port: RtpPort,
    /// `None` while the listener has to show itself first; without `learn` nothing is ever sent then.
    pub remote: Option<Remote>,
    /// Looks for the listener in the first five seconds, among those who may be sent to, and whether it says anything; after that
    /// the kernel keeps next to nothing of what comes to the port, and of a shared port from the beginning. `None` where somebody else
    /// reads the port.
    pub learn: Option<Permits>,
    /// Begins on hold, until [`Playing::resume`].
    pub held: bool,
    /// SRTP, when it was agreed on.
    pub protection: Option<Protection>,
    /// As the answer numbers the clip's codec; 0 to 127.
    pub payload_type: u8,
    pub ssrc: u32,
    /// Of the first packet.
    pub sequence_number: u16,
    /// Of the first packet.
    pub timestamp: u32,
}

fn is_known(permits: &Permits, remote: Option<Remote>) -> bool {
    remote.is_some_and(|remote| permits.knows(remote.rtp.ip()))
}

/// What the thread holds of a stream.
pub(super) struct Active {
    shared: Arc<Shared>,
    port: RtpPort,
    ssrc: u32,
    sequence_number: u16,
    /// Of the moment at `clock`.
    timestamp: u32,
    clock: Option<Instant>,
    next_frame: u32,
    /// Turns left once the last frame is sent.
    tail: u32,
    /// The next packet is the first after silence.
    marker: bool,
    packets: u32,
    report_at: Instant,
    protector: Option<Box<Protector>>,
    learn: Option<Permits>,
    /// While there is one, the port is open and read.
    learning: Option<Box<Learning>>,
    /// Whoever is sent to has said something, or is known to the house.
    is_welcome: bool,
    /// Frames sent to those who are neither.
    on_trial: u32,
    moves: u32,
    ended: oneshot::Sender<PlayEnd>,
}

/// What a stream does next.
pub(super) enum Next {
    /// A turn every 20 ms.
    Sounds,
    /// Nothing before that moment, unless somebody wishes something or its port has something to read.
    Rests(Instant),
    Ends(PlayEnd),
}

impl Active {
    pub(super) fn new(stream: Stream, wakeups: Arc<Wakeups>, now: Instant) -> (Self, Playing, Finished) {
        let Stream {
            clip,
            port,
            remote,
            learn,
            held,
            protection,
            payload_type,
            ssrc,
            sequence_number,
            timestamp,
        } = stream;
        if learn.is_some() && port.is_shared() {
            port.stop_listening();
        }
        let learn = learn.filter(|_| !port.is_shared());
        let wish = Mutex::new(Wish {
            clip,
            remote,
            moves: 0,
            protection,
            payload_type,
            held,
            stopped: false,
            rests: None,
        });
        let shared = Arc::new(Shared {
            wish,
            frames_played: AtomicU32::new(0),
            wakeups,
        });
        let (ended, end) = oneshot::channel();
        // Reports of many streams that began together are spread by their random SSRC (RFC 3550 §6.2).
        let spread = Duration::from_millis(u64::from(ssrc) % rtcp::REPORT_INTERVAL.as_millis() as u64);
        let active = Self {
            shared: Arc::clone(&shared),
            port,
            ssrc,
            sequence_number,
            timestamp,
            clock: None,
            next_frame: 0,
            tail: TAIL_TURNS,
            marker: true,
            packets: 0,
            report_at: now + rtcp::REPORT_INTERVAL / 2 + spread,
            protector: None,
            learning: learn.clone().map(|permits| Box::new(Learning::new(permits, now))),
            is_welcome: learn.as_ref().is_none_or(|permits| is_known(permits, remote)),
            on_trial: 0,
            learn,
            moves: 0,
            ended,
        };
        (active, Playing { shared }, Finished { ended: end })
    }

    /// Streams on one port belong into one slot, so that they leave together.
    pub(super) fn preferred_slot(&self) -> Option<usize> {
        self.port
            .is_shared()
            .then(|| usize::from(self.port.address().port() / 2))
    }

    /// Its port has something to read: the next turn looks.
    pub(super) fn is_ready(&mut self, readiness: &Readiness) {
        if let Some(learning) = &mut self.learning {
            learning.unwatch(&self.port, readiness);
        }
    }

    /// Sends the frame that is due.
    pub(super) fn turn(&mut self, key: usize, now: Instant, readiness: &Readiness, batch: &mut Batch) -> Next {
        let shared = Arc::clone(&self.shared);
        let mut wish = lock(&shared.wish);
        let next = self.look(&mut wish, key, now, readiness);
        if let (Next::Sounds, Some(remote)) = (&next, wish.remote) {
            self.send(&wish, remote, batch);
        }
        next
    }

    /// The same for one that rests: nothing is sent but reports.
    pub(super) fn rest(&mut self, key: usize, now: Instant, readiness: &Readiness) -> Next {
        let shared = Arc::clone(&self.shared);
        let mut wish = lock(&shared.wish);
        self.look(&mut wish, key, now, readiness)
    }

    /// Looks at what is wished, at who is there and at the time.
    fn look(&mut self, wish: &mut Wish, key: usize, now: Instant, readiness: &Readiness) -> Next {
        self.run_clock(now);
        if wish.stopped {
            return Next::Ends(PlayEnd::Stopped);
        }
        self.find_listener(wish, key, now, readiness);
        if now >= self.report_at {
            self.report_at = now + rtcp::REPORT_INTERVAL;
            self.report(wish, false);
        }
        if wish.remote.is_none() && self.learning.is_none() {
            return Next::Ends(PlayEnd::NoListener);
        }
        if wish.remote.is_none() || wish.held {
            self.marker = true;
            wish.rests = Some(key);
            let look = self.learning.as_ref().and_then(|learning| learning.next_look(now));
            return Next::Rests(look.map_or(self.report_at, |look| look.min(self.report_at)));
        }
        let is_over = wish.clip.frame(self.next_frame as usize).is_none();
        if is_over && self.tail == 0 {
            return Next::Ends(PlayEnd::Played);
        }
        if !is_over && !self.is_welcome && self.on_trial == TRIAL_FRAMES {
            return Next::Ends(PlayEnd::Unasked);
        }
        Next::Sounds
    }

    /// RTP time runs on, with or without frames; it knows whole milliseconds.
    fn run_clock(&mut self, now: Instant) {
        let clock = self.clock.get_or_insert(now);
        let passed = now.saturating_duration_since(*clock).as_millis();
        // The thread was kept from running.
        self.marker |= passed > FRAME_DURATION.as_millis();
        *clock += Duration::from_millis(passed as u64);
        self.timestamp = self.timestamp.wrapping_add((passed as u32).wrapping_mul(TICKS_PER_MS));
    }

    fn send(&mut self, wish: &Wish, remote: Remote, batch: &mut Batch) {
        let Some(frame) = wish.clip.frame(self.next_frame as usize) else {
            self.tail = self.tail.saturating_sub(1);
            return;
        };
        if !self.is_welcome {
            self.on_trial += 1;
        }
        let header = RtpHeader {
            marker: self.marker,
            payload_type: wish.payload_type,
            sequence_number: self.sequence_number,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
        };
        let protector = protector(&mut self.protector, wish);
        batch.push(&self.port, remote.rtp, &header, frame, protector);
        self.marker = false;
        self.sequence_number = self.sequence_number.wrapping_add(1);
        self.packets = self.packets.wrapping_add(1);
        self.next_frame += 1;
        self.shared.frames_played.store(self.next_frame, Ordering::Relaxed);
    }

    fn find_listener(&mut self, wish: &mut Wish, key: usize, now: Instant, readiness: &Readiness) {
        let Some(permits) = &self.learn else { return };
        if self.moves != wish.moves {
            self.moves = wish.moves;
            match &mut self.learning {
                Some(learning) => learning.unwatch(&self.port, readiness),
                None => self.port.listen(),
            }
            self.learning = Some(Box::new(Learning::new(permits.clone(), now)));
            self.is_welcome = is_known(permits, wish.remote);
        }
        let Some(learning) = &mut self.learning else { return };
        let seen = learning.look(&self.port, wish.remote, wish.protection.as_ref(), now);
        self.is_welcome |= !matches!(seen, Seen::Nothing);
        let is_over = learning.is_late(now) && (self.is_welcome || wish.remote.is_none());
        let found = match seen {
            Seen::Listener(found) => Some(Remote::new(found)),
            Seen::Host | Seen::Nothing => None,
        };
        if found.is_some() || is_over {
            learning.unwatch(&self.port, readiness);
            self.learning = None;
            self.port.stop_listening();
        } else {
            learning.watch(&self.port, key, readiness);
        }
        wish.remote = found.or(wish.remote);
    }

    /// Says BYE on RTCP, gives the port back and tells who waits.
    pub(super) fn end(mut self, end: PlayEnd, readiness: &Readiness) {
        self.is_ready(readiness);
        if self.packets > 0 {
            let shared = Arc::clone(&self.shared);
            self.report(&lock(&shared.wish), true);
        }
        let Self { port, ended, .. } = self;
        drop(port);
        let _ = ended.send(end);
    }

    fn report(&mut self, wish: &Wish, bye: bool) {
        let Some(remote) = wish.remote else { return };
        let report = SenderReport {
            ssrc: self.ssrc,
            ntp_time: rtcp::ntp_time(SystemTime::now()),
            rtp_timestamp: self.timestamp,
            packet_count: self.packets,
            octet_count: self.packets.wrapping_mul(FRAME_BYTES as u32),
        };
        // A name that is unique to the stream and says nothing about the machine (RFC 7022 §4.2).
        let cname = format!("{:08x}@onhook", self.ssrc);
        let mut packet = rtcp::print(&report, &cname, bye);
        if let Some(protector) = protector(&mut self.protector, wish) {
            protector.rtcp(self.ssrc, &mut packet);
        }
        // RTCP is best effort.
        let _ = self.port.rtcp().send_to(&packet, remote.rtcp);
    }
}

/// Our side's, made when it is first needed: our key does not change within a stream.
fn protector<'a>(made: &'a mut Option<Box<Protector>>, wish: &Wish) -> Option<&'a mut Protector> {
    let protection = wish.protection.as_ref()?;
    Some(made.get_or_insert_with(|| Box::new(Protector::new(&protection.own))))
}
