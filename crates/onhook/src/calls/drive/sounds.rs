//! What is played for which call: one task for all of them, in which what takes time for one holds up no other.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use dial::Reach;
use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use media::{Clip, ClipError, PlayEnd, Playing, RtpPort};
use sip::sdp::{Agreed, SrtpKey};
use switch::{Sound, journal::CallKey};
use tokio::{runtime::Handle, sync::Notify};

use super::inbox::{News, Reports};
use crate::{
    calls::sound::{LocalEnd, SoundUnavailable, Sounds},
    messages::Message,
    panics::{caught, vital},
};

/// What an order is to play, with a port for each family that it may come to.
pub(super) struct Ordered {
    pub(super) message: Message,
    pub(super) ports: Vec<RtpPort>,
    /// Our key, should the sound be protected.
    pub(super) key: [u8; 30],
}

impl Ordered {
    /// With this port; the others are given back.
    pub(super) fn at(mut self, rtp: usize) -> Playable {
        Playable {
            message: self.message,
            port: self.ports.swap_remove(rtp),
            key: self.key,
        }
    }
}

/// What a call plays, and from where.
pub(super) struct Playable {
    message: Message,
    port: RtpPort,
    key: [u8; 30],
}

/// The end that the switch's thread holds. Nothing that is put in waits.
///
/// A stream that is held, moved or over is so before the message that says so can leave; what takes longer, a message that is made ready,
/// is the room's.
pub(super) struct SoundRoom {
    calls: Arc<Calls>,
    orders: Arc<Orders>,
}

type Calls = Mutex<HashMap<CallKey, OfCall>>;

/// Each live call has a few at most.
#[derive(Default)]
struct Orders {
    waiting: Mutex<VecDeque<(CallKey, Agreed)>>,
    is_there: Notify,
}

impl SoundRoom {
    pub(super) fn start(sounds: Arc<Sounds>, reports: Reports, runtime: &Handle) -> Self {
        let (calls, orders) = (Arc::<Calls>::default(), Arc::new(Orders::default()));
        let room = Room {
            sounds,
            reports,
            calls: calls.clone(),
            preparing: FuturesUnordered::new(),
            playing: FuturesUnordered::new(),
        };
        runtime.spawn(vital("the sound of the calls", room.run(orders.clone())));
        Self { calls, orders }
    }

    /// The call will play this.
    pub(super) fn has(&self, key: CallKey, playable: Playable) {
        let call = OfCall {
            playable,
            agreed: None,
            reach: Reach::default(),
            playing: None,
        };
        lock(&self.calls).insert(key, call);
    }

    pub(super) fn put(&self, key: CallKey, sound: Sound) {
        match sound {
            Sound::Start { agreed, reach } | Sound::Change { agreed, reach } => {
                let mut calls = lock(&self.calls);
                let Some(call) = calls.get_mut(&key) else { return };
                call.reach = reach;
                if !call.change(agreed) {
                    drop(calls);
                    self.make_ready(key, agreed);
                }
            }
            // Its order is with the thread.
            Sound::Prepare { .. } => {}
            Sound::Stop => drop(lock(&self.calls).remove(&key)),
        }
    }

    fn make_ready(&self, key: CallKey, agreed: Agreed) {
        lock(&self.orders.waiting).push_back((key, agreed));
        self.orders.is_there.notify_one();
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Room {
    sounds: Arc<Sounds>,
    reports: Reports,
    calls: Arc<Calls>,
    /// Messages that are being made ready.
    preparing: FuturesUnordered<BoxFuture<'static, Ready>>,
    /// Streams, until they end.
    playing: FuturesUnordered<BoxFuture<'static, Ended>>,
}

struct OfCall {
    playable: Playable,
    /// The stream as last agreed on.
    agreed: Option<Agreed>,
    reach: Reach,
    playing: Option<Playing>,
}

/// A clip that was made ready.
struct Ready {
    key: CallKey,
    agreed: Agreed,
    clip: Result<Clip, SoundUnavailable>,
}

/// A stream that is over.
struct Ended {
    key: CallKey,
    /// Whom it was for.
    host: IpAddr,
    how: PlayEnd,
}

impl Room {
    async fn run(mut self, orders: Arc<Orders>) {
        loop {
            let next = || lock(&orders.waiting).pop_front();
            while let Some((key, agreed)) = next() {
                self.prepare(key, agreed);
            }
            let news = tokio::select! {
                () = orders.is_there.notified() => None,
                Some(ready) = self.preparing.next() => self.handle_ready(ready),
                Some(ended) = self.playing.next() => handle_end(ended),
            };
            if let Some(news) = news {
                self.reports.tell(news).await;
            }
        }
    }

    /// Has the message made ready in the codec agreed on.
    fn prepare(&self, key: CallKey, agreed: Agreed) {
        let message = match lock(&self.calls).get(&key) {
            Some(call) => call.playable.message.clone(),
            None => return,
        };
        let sounds = self.sounds.clone();
        let ready = async move {
            let clip = caught(sounds.clip(&message, agreed.codec)).await;
            let clip = clip.unwrap_or(Err(SoundUnavailable::Clip(ClipError::Interrupted)));
            Ready { key, agreed, clip }
        };
        self.preparing.push(ready.boxed());
    }

    fn handle_ready(&self, Ready { key, agreed, clip }: Ready) -> Option<News> {
        let playing = clip.and_then(|clip| self.play(key, agreed, clip));
        playing.err().map(|error| {
            tracing::error!(call = %key, %error, "no sound for this call");
            News::SoundFailed(key)
        })
    }

    fn play(&self, key: CallKey, ready_for: Agreed, clip: Clip) -> Result<(), SoundUnavailable> {
        let mut calls = lock(&self.calls);
        // The peer may have changed its mind about the codec while the clip was made, or have hung up.
        let Some(call) = calls.get_mut(&key) else {
            return Ok(());
        };
        let Some(agreed) = call.agreed.filter(|agreed| agreed.codec == ready_for.codec) else {
            return Ok(());
        };
        let local_end = call.local_end();
        let playing = match call.playing.take() {
            Some(playing) => {
                playing.switch(clip, agreed.payload_type);
                redirect(&playing, &local_end, None, &agreed);
                playing
            }
            None => {
                let (playing, finished) = self.sounds.play(clip, local_end, &agreed)?;
                let host = agreed.remote.ip();
                self.playing
                    .push(finished.map(move |how| Ended { key, host, how }).boxed());
                playing
            }
        };
        hold_or_resume(&playing, &agreed);
        call.playing = Some(playing);
        Ok(())
    }
}

fn handle_end(Ended { key, host, how }: Ended) -> Option<News> {
    match how {
        PlayEnd::Played => Some(News::Played(key)),
        PlayEnd::NoListener => Some(News::SoundFailed(key)),
        PlayEnd::Unasked => {
            tracing::warn!(
                call = %key, %host,
                "sound is no longer sent to a host that has sent nothing back, no RTCP either; \
                 allowed_hosts of the trunk can name it"
            );
            Some(News::SoundFailed(key))
        }
        PlayEnd::Stopped => None,
    }
}

impl OfCall {
    /// Lets the stream go on as is agreed on now; false when the message has to be made ready for that first.
    fn change(&mut self, agreed: Agreed) -> bool {
        let before = self.agreed.replace(agreed);
        let is_ready =
            before.is_some_and(|before| before.codec == agreed.codec && before.payload_type == agreed.payload_type);
        let local_end = self.local_end();
        let Some(playing) = self.playing.as_ref().filter(|_| is_ready) else {
            return false;
        };
        redirect(playing, &local_end, before, &agreed);
        hold_or_resume(playing, &agreed);
        true
    }

    fn local_end(&self) -> LocalEnd {
        LocalEnd {
            port: self.playable.port.clone(),
            reach: self.reach.clone(),
            own_key: SrtpKey(self.playable.key),
        }
    }
}

fn hold_or_resume(playing: &Playing, agreed: &Agreed) {
    if agreed.direction.sends() {
        playing.resume();
    } else {
        playing.hold();
    }
}

/// The stream goes on elsewhere, or as it was: a session that is only refreshed does not look for its listener again.
fn redirect(playing: &Playing, local_end: &LocalEnd, before: Option<Agreed>, agreed: &Agreed) {
    let moved = before.is_none_or(|before| before.remote != agreed.remote || before.srtp != agreed.srtp);
    if moved {
        playing.redirect(local_end.remote(agreed), local_end.protection(agreed));
    }
}
