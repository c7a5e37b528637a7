//! One stream: the clip, how far it has played, and the handle that steers it.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use tokio::sync::oneshot;

use super::batch::Batch;
use super::learning::{Learning, Permits, Seen};
use super::lock;
use super::remote::Remote;
use crate::clip::{Clip, FRAME_BYTES, FRAME_DURATION};
use crate::ports::RtpPort;
use crate::rtcp::{self, SenderReport};
use crate::rtp::RtpHeader;
use crate::srtp::{Protection, Protector};

/// Samples of a frame on the RTP clock, the same in all our codecs.
const FRAME_TICKS: u32 = 160;
const TICKS_PER_MS: u64 = 8;
/// Turns after the last frame before the stream has ended: what follows is usually a BYE, and a phone throws away what
/// its jitter buffer still holds.
const TAIL_TURNS: u32 = 10;
/// Frames for those who have never said anything and whom the house does not know, in one stream whatever it is moved to:
/// ten seconds of sound. A receiver's first RTCP report comes within three (RFC 3550 §6.2, §6.3.1).
const TRIAL_FRAMES: u32 = 500;
/// Turns between sender reports.
const REPORT_TURNS: u32 = (rtcp::REPORT_INTERVAL.as_millis() / FRAME_DURATION.as_millis()) as u32;

/// What to play, from where to where. The numbers should be random (RFC 3550 §5.1).
#[derive(Clone, Debug)]
pub struct Stream {
    pub clip: Clip,
    pub port: RtpPort,
    /// `None` while the listener has to show itself first; without `learn` nothing is ever sent then.
    pub remote: Option<Remote>,
    /// Looks for the listener in the first five seconds, among those who may be sent to, and whether it says anything. Not on a
    /// shared port, and not where somebody else reads the port.
    pub learn: Option<Permits>,
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

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlayEnd {
    /// The last frame was sent, and 200 ms have passed in which a jitter buffer has played it.
    Played,
    /// It was stopped, its handle dropped, or the pacer closed.
    Stopped,
    /// Nobody showed itself to send to.
    NoListener,
    /// It was sent to somebody who has not said anything for ten seconds of sound.
    Unasked,
}

/// Steers a stream; dropping it stops the stream. Every wish takes effect within 20 ms and none blocks.
#[derive(Debug)]
pub struct Playing {
    shared: Arc<Shared>,
}

/// Resolves when the stream has ended and given up its port.
#[derive(Debug)]
pub struct Finished {
    ended: oneshot::Receiver<PlayEnd>,
}

#[derive(Debug)]
struct Shared {
    wish: Mutex<Wish>,
    frames_played: AtomicU32,
}

#[derive(Debug)]
struct Wish {
    clip: Clip,
    remote: Option<Remote>,
    /// Raised when the listener is to be looked for anew.
    moves: u32,
    protection: Option<Protection>,
    payload_type: u8,
    held: bool,
    stopped: bool,
}

impl Playing {
    /// Stops sending for a while: the peer put us on hold. Progress stands still, RTP time runs on.
    pub fn hold(&self) {
        lock(&self.shared.wish).held = true;
    }

    /// Goes on where it was held.
    pub fn resume(&self) {
        lock(&self.shared.wish).held = false;
    }

    pub fn stop(&self) {
        lock(&self.shared.wish).stopped = true;
    }

    /// Goes on to another address and other keys, after a re-INVITE. Our own key stays what it was, or begins here. The
    /// listener is looked for again.
    pub fn redirect(&self, remote: Option<Remote>, protection: Option<Protection>) {
        let mut wish = lock(&self.shared.wish);
        wish.remote = remote;
        wish.protection = protection;
        wish.moves = wish.moves.wrapping_add(1);
    }

    /// Goes on from the same moment of the message in another codec or under another payload type. `clip` must be the same
    /// message.
    pub fn switch(&self, clip: Clip, payload_type: u8) {
        let mut wish = lock(&self.shared.wish);
        wish.clip = clip;
        wish.payload_type = payload_type;
    }

    /// How much of the message has been sent.
    pub fn played(&self) -> Duration {
        FRAME_DURATION * self.shared.frames_played.load(Ordering::Relaxed)
    }

    /// The whole message.
    pub fn duration(&self) -> Duration {
        lock(&self.shared.wish).clip.duration()
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Future for Finished {
    type Output = PlayEnd;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<PlayEnd> {
        Pin::new(&mut self.ended)
            .poll(context)
            .map(|ended| ended.unwrap_or(PlayEnd::Stopped))
    }
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
    timestamp: u32,
    next_frame: u32,
    /// Turns left once the last frame is sent.
    tail: u32,
    /// The next packet is the first after silence.
    marker: bool,
    packets: u32,
    turns_to_report: u32,
    protector: Option<Protector>,
    learn: Option<Permits>,
    learning: Option<Learning>,
    /// Whoever is sent to has said something, or is known to the house.
    is_welcome: bool,
    /// Frames sent to those who are neither.
    on_trial: u32,
    moves: u32,
    ended: oneshot::Sender<PlayEnd>,
}

/// What came of a turn.
pub(super) enum Turn {
    GoesOn,
    Ends(PlayEnd),
}

impl Active {
    pub(super) fn new(stream: Stream) -> (Self, Playing, Finished) {
        let Stream {
            clip,
            port,
            remote,
            learn,
            protection,
            payload_type,
            ssrc,
            sequence_number,
            timestamp,
        } = stream;
        let learn = learn.filter(|_| !port.is_shared());
        let wish = Mutex::new(Wish {
            clip,
            remote,
            moves: 0,
            protection,
            payload_type,
            held: false,
            stopped: false,
        });
        let shared = Arc::new(Shared {
            wish,
            frames_played: AtomicU32::new(0),
        });
        let (ended, end) = oneshot::channel();
        let active = Self {
            shared: Arc::clone(&shared),
            port,
            ssrc,
            sequence_number,
            timestamp,
            next_frame: 0,
            tail: TAIL_TURNS,
            marker: true,
            packets: 0,
            // Reports of many streams that began together are spread by their random SSRC (RFC 3550 §6.2).
            turns_to_report: REPORT_TURNS / 2 + ssrc % REPORT_TURNS,
            protector: None,
            learning: learn.clone().map(Learning::new),
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

    /// Sends the frame that is due.
    pub(super) fn turn(&mut self, batch: &mut Batch) -> Turn {
        let shared = Arc::clone(&self.shared);
        let mut wish = lock(&shared.wish);
        if wish.stopped {
            return Turn::Ends(PlayEnd::Stopped);
        }
        self.find_listener(&mut wish);
        let Some(remote) = wish.remote else {
            if self.learning.is_none() {
                return Turn::Ends(PlayEnd::NoListener);
            }
            self.marker = true;
            self.timestamp = self.timestamp.wrapping_add(FRAME_TICKS);
            return Turn::GoesOn;
        };
        let protector = match &wish.protection {
            Some(protection) => {
                let made = self.protector.get_or_insert_with(|| Protector::new(&protection.own));
                Some(made)
            }
            None => None,
        };
        if wish.held {
            self.marker = true;
        } else if let Some(frame) = wish.clip.frame(self.next_frame as usize) {
            if !self.is_welcome {
                if self.on_trial == TRIAL_FRAMES {
                    return Turn::Ends(PlayEnd::Unasked);
                }
                self.on_trial += 1;
            }
            let header = RtpHeader {
                marker: self.marker,
                payload_type: wish.payload_type,
                sequence_number: self.sequence_number,
                timestamp: self.timestamp,
                ssrc: self.ssrc,
            };
            batch.push(&self.port, remote.rtp, &header, frame, protector);
            self.marker = false;
            self.sequence_number = self.sequence_number.wrapping_add(1);
            self.packets = self.packets.wrapping_add(1);
            self.next_frame += 1;
            self.shared.frames_played.store(self.next_frame, Ordering::Relaxed);
        } else if self.tail == 0 {
            return Turn::Ends(PlayEnd::Played);
        } else {
            self.tail -= 1;
        }
        let protected = wish.protection.is_some();
        drop(wish);
        self.timestamp = self.timestamp.wrapping_add(FRAME_TICKS);
        self.turns_to_report -= 1;
        if self.turns_to_report == 0 {
            self.turns_to_report = REPORT_TURNS;
            self.report(remote, protected, false);
        }
        Turn::GoesOn
    }

    fn find_listener(&mut self, wish: &mut Wish) {
        let Some(permits) = &self.learn else { return };
        if self.moves != wish.moves {
            self.moves = wish.moves;
            self.learning = Some(Learning::new(permits.clone()));
            self.is_welcome = is_known(permits, wish.remote);
        }
        let Some(learning) = &mut self.learning else { return };
        let seen = learning.look(&self.port, wish.remote, wish.protection.as_ref());
        self.is_welcome |= !matches!(seen, Seen::Nothing);
        let is_over = !learning.goes_on() && (self.is_welcome || wish.remote.is_none());
        if let Seen::Listener(found) = seen {
            wish.remote = Some(Remote::new(found));
            self.learning = None;
        } else if is_over {
            self.learning = None;
        }
    }

    /// RTP time passed without a frame.
    pub(super) fn skip(&mut self, milliseconds: u64) {
        self.timestamp = self.timestamp.wrapping_add((milliseconds * TICKS_PER_MS) as u32);
        self.marker = true;
    }

    /// Says BYE on RTCP, gives the port back and tells who waits.
    pub(super) fn end(mut self, end: PlayEnd) {
        let (remote, protected) = {
            let wish = lock(&self.shared.wish);
            (wish.remote, wish.protection.is_some())
        };
        if let Some(remote) = remote.filter(|_| self.packets > 0) {
            self.report(remote, protected, true);
        }
        let Self { port, ended, .. } = self;
        drop(port);
        let _ = ended.send(end);
    }

    fn report(&mut self, remote: Remote, protected: bool, bye: bool) {
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
        match &mut self.protector {
            Some(protector) if protected => protector.rtcp(self.ssrc, &mut packet),
            None if protected => return, // nothing was sent that could be reported on
            Some(_) | None => {}
        }
        // RTCP is best effort.
        let _ = self.port.rtcp().send_to(&packet, remote.rtcp);
    }
}
