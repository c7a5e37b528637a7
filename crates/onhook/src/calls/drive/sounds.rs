//! What is played for which call: a task of its own, so that nothing of it holds up the switch.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use dial::Reach;
use media::{Clip, ClipError, PlayEnd, Playing, RtpPort};
use sip::sdp::{Agreed, SrtpKey};
use switch::{Sound, journal::CallKey};
use tokio::{
    runtime::Handle,
    sync::{Notify, mpsc},
};

use super::inbox::{News, Reports};
use crate::{
    calls::sound::{SoundUnavailable, Sounds, Stage},
    messages::Message,
    panics::{caught, vital},
};

/// Clips and ends that wait for the room; whoever brings more waits.
const MADE_READY: usize = 256;

/// What a call plays, and from where.
pub(super) struct Playable {
    pub(super) message: Message,
    pub(super) port: RtpPort,
    /// Our key, should the sound be protected.
    pub(super) key: [u8; 30],
}

/// The end that the switch's thread holds. What is put in never waits: each live call has a few orders at most.
pub(super) struct SoundRoom {
    orders: Arc<Orders>,
}

#[derive(Default)]
struct Orders {
    waiting: Mutex<VecDeque<(CallKey, Order)>>,
    is_there: Notify,
}

enum Order {
    Has(Box<Playable>),
    Sound(Sound),
}

impl SoundRoom {
    pub(super) fn start(sounds: Arc<Sounds>, reports: Reports, runtime: &Handle) -> Self {
        let orders = Arc::new(Orders::default());
        let (ready, made_ready) = mpsc::channel(MADE_READY);
        let room = Room {
            sounds,
            reports,
            ready,
            calls: HashMap::new(),
        };
        runtime.spawn(vital("the sound of the calls", room.run(orders.clone(), made_ready)));
        Self { orders }
    }

    /// The call will play this.
    pub(super) fn has(&self, key: CallKey, playable: Box<Playable>) {
        self.order(key, Order::Has(playable));
    }

    pub(super) fn put(&self, key: CallKey, sound: Sound) {
        self.order(key, Order::Sound(sound));
    }

    fn order(&self, key: CallKey, order: Order) {
        let mut waiting = self.orders.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push_back((key, order));
        drop(waiting);
        self.orders.is_there.notify_one();
    }
}

struct Room {
    sounds: Arc<Sounds>,
    reports: Reports,
    ready: mpsc::Sender<Ready>,
    calls: HashMap<CallKey, OfCall>,
}

struct OfCall {
    playable: Box<Playable>,
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

impl Room {
    async fn run(mut self, orders: Arc<Orders>, mut made_ready: mpsc::Receiver<Ready>) {
        loop {
            let next = || {
                orders
                    .waiting
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .pop_front()
            };
            while let Some((key, order)) = next() {
                self.follow(key, order);
            }
            tokio::select! {
                () = orders.is_there.notified() => {}
                Some(ready) = made_ready.recv() => self.handle_ready(ready).await,
            }
        }
    }

    fn follow(&mut self, key: CallKey, order: Order) {
        match order {
            Order::Has(playable) => {
                let call = OfCall {
                    playable,
                    agreed: None,
                    reach: Reach::default(),
                    playing: None,
                };
                self.calls.insert(key, call);
            }
            Order::Sound(Sound::Start { agreed, reach }) => {
                if let Some(call) = self.calls.get_mut(&key) {
                    call.reach = reach;
                    self.fetch(key, agreed);
                }
            }
            Order::Sound(Sound::Change { agreed, reach }) => self.change(key, agreed, reach),
            Order::Sound(Sound::Stop) => drop(self.calls.remove(&key)),
        }
    }

    fn change(&mut self, key: CallKey, agreed: Agreed, reach: Reach) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        call.reach = reach;
        let before = call.agreed;
        let same_codec =
            before.is_some_and(|before| before.codec == agreed.codec && before.payload_type == agreed.payload_type);
        match &call.playing {
            Some(playing) if same_codec => {
                let stage = call.stage();
                redirect(playing, &stage, before, &agreed);
                hold_or_resume(playing, &agreed);
                call.agreed = Some(agreed);
            }
            _ => self.fetch(key, agreed),
        }
    }

    /// Has the message made ready in the codec agreed on.
    fn fetch(&mut self, key: CallKey, agreed: Agreed) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        call.agreed = Some(agreed);
        let (sounds, ready) = (self.sounds.clone(), self.ready.clone());
        let message = call.playable.message.clone();
        tokio::spawn(vital("a message made ready", async move {
            let clip = caught(sounds.clip(&message, agreed.codec)).await;
            let clip = clip.unwrap_or(Err(SoundUnavailable::Clip(ClipError::Interrupted)));
            let _ = ready.send(Ready { key, agreed, clip }).await;
        }));
    }

    async fn handle_ready(&mut self, Ready { key, agreed, clip }: Ready) {
        // The peer may have changed its mind about the codec while the clip was made, or have hung up.
        let Some(call) = self.calls.get_mut(&key) else { return };
        if call.agreed.is_none_or(|now| now.codec != agreed.codec) {
            return;
        }
        if let Err(error) = clip.and_then(|clip| self.play(key, clip)) {
            tracing::error!(call = %key, %error, "no sound for this call");
            self.reports.tell(News::SoundFailed(key)).await;
        }
    }

    fn play(&mut self, key: CallKey, clip: Clip) -> Result<(), SoundUnavailable> {
        let Some(call) = self.calls.get_mut(&key) else {
            return Ok(());
        };
        let Some(agreed) = call.agreed else { return Ok(()) };
        let stage = call.stage();
        let playing = match call.playing.take() {
            Some(playing) => {
                playing.switch(clip, agreed.payload_type);
                redirect(&playing, &stage, None, &agreed);
                playing
            }
            None => {
                let (playing, finished) = self.sounds.play(clip, stage, &agreed)?;
                let reports = self.reports.clone();
                tokio::spawn(vital("the end of a message", async move {
                    let news = match finished.await {
                        PlayEnd::Played => News::Played(key),
                        PlayEnd::NoListener => News::SoundFailed(key),
                        PlayEnd::Unasked => {
                            let host = agreed.remote.ip();
                            tracing::warn!(
                                call = %key, %host,
                                "sound is no longer sent to a host that has sent nothing back, no RTCP either; \
                                 allowed_hosts of the trunk can name it"
                            );
                            News::SoundFailed(key)
                        }
                        PlayEnd::Stopped => return,
                    };
                    reports.tell(news).await;
                }));
                playing
            }
        };
        hold_or_resume(&playing, &agreed);
        call.playing = Some(playing);
        Ok(())
    }
}

impl OfCall {
    fn stage(&self) -> Stage {
        Stage {
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
fn redirect(playing: &Playing, stage: &Stage, before: Option<Agreed>, agreed: &Agreed) {
    let moved = before.is_none_or(|before| before.remote != agreed.remote || before.srtp != agreed.srtp);
    if moved {
        playing.redirect(stage.remote(agreed), stage.protection(agreed));
    }
}
