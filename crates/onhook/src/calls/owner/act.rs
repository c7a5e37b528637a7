//! Doing what a machine says, in its order.

use std::{net::IpAddr, time::SystemTime};

use call::{MediaCommand, Output, Phase, Record, Save};
use media::{Clip, ClipError, PlayEnd, Playing};
use serde::{Deserialize, Serialize};
use sip::{
    Moment, Reply,
    sdp::{Agreed, Codec},
};

use super::{Key, Note, Owner, SoundUnavailable};
use crate::{
    calls::{
        live::{Live, Row, Stage},
        past,
    },
    crash_points,
    journal::{CallState, Journal, Written},
    panics::{caught, vital},
    sip::InviteProgress,
};

impl Owner {
    /// Takes every output of a call's machine, then notes when it wants to be woken.
    pub(super) fn act(&mut self, key: Key) {
        let mut messages = Vec::new();
        while let Some(output) = self.live.get_mut(&key).and_then(|live| live.call.poll_output()) {
            match output {
                Output::Send(outgoing) => messages.push(outgoing),
                Output::Save(save) => self.save(key, save),
                Output::Resume(invite) => {
                    if let Some(live) = self.live.get(&key) {
                        self.sip.resume(&live.call.record().dialog.call_id, invite);
                    }
                }
                Output::Stop(tx) => {
                    if let Some(live) = self.live.get(&key) {
                        self.sip.stop(&live.call.record().dialog.call_id, &tx);
                    }
                }
                Output::Reply(id, reply) => self.reply(key, id, reply),
                Output::Media(command) => self.change_sound(key, command),
            }
        }
        let now = self.now();
        let Some(live) = self.live.get_mut(&key) else { return };
        if !messages.is_empty() {
            self.sip.send(&live.call.record().dialog.call_id, messages);
        }
        if live.ended_at.is_none() && live.call.end().is_some() {
            live.ended_at = Some((now, SystemTime::now()));
            self.ended(key);
        }
        self.keep_place(key);
        let limits = &self.settings.limits;
        let due = self.live.get(&key).and_then(|live| live.next_wake(limits));
        self.schedule.set(key, due);
    }

    /// What the end of a call means here: once for each call.
    fn ended(&mut self, key: Key) {
        let Some(live) = self.live.get_mut(&key) else { return };
        live.playing = None;
        live.stage = None;
        live.settled.send_modify(|settled| settled.ended = true);
        if let Some(end) = live.call.end() {
            let cause = past::cause(end);
            tracing::info!(call = %key, cause, confirmed = end.confirmed, "call ended");
            if let Some(why) = live.call.unusable_answer() {
                tracing::warn!(call = %key, trunk = live.call.record().trunk, %why, "the answer was not taken");
            }
        }
        self.turns.over(key);
    }

    /// A call holds its place until the phones of all its forks are on-hook, and again when one of them answers later.
    fn keep_place(&mut self, key: Key) {
        let (now, longest) = (self.wall_clock(), self.longest());
        let Some(live) = self.live.get_mut(&key) else { return };
        match (live.hold.take(), live.call.is_drained()) {
            (Some(hold), true) => self.caps.give_back(hold, now),
            (None, false) => {
                let trunk = &live.call.record().trunk;
                live.hold = Some(self.caps.hold(live.owner, trunk, now, longest, live.own_phone));
            }
            (held, _) => live.hold = held,
        }
    }

    fn save(&mut self, key: Key, save: Save) {
        let Some(live) = self.live.get_mut(&key) else { return };
        crash_points::before(save);
        let durable = write(&self.journal, key, live, save);
        let notes = self.notes.clone();
        report(async move {
            let done = match durable.await {
                Ok(()) => true,
                Err(error) => {
                    tracing::error!(call = %key, ?save, %error, "the journal did not take a record");
                    false
                }
            };
            let _ = notes.send(Note::Saved { key, save, done }).await;
        });
    }

    fn reply(&mut self, key: Key, id: u64, reply: Reply) {
        let Some(live) = self.live.get_mut(&key) else { return };
        let Some(mut incoming) = live.requests.remove(&id) else {
            return;
        };
        let awaits_ack = incoming.request.method == sip::Method::Invite && (200..300).contains(&reply.status);
        incoming.reply(None, &reply);
        if awaits_ack {
            let notes = self.notes.clone();
            report(async move {
                let note = loop {
                    match incoming.next().await {
                        Some(InviteProgress::Acked(request)) => {
                            break Note::Acked { key, request };
                        }
                        Some(InviteProgress::NeverAcked) => break Note::NeverAcked { key },
                        Some(InviteProgress::Cancelled) => {} // too late: it was answered (RFC 3261 §9.2)
                        Some(InviteProgress::Gone) | None => return,
                    }
                };
                let _ = notes.send(note).await;
            });
        }
    }

    fn change_sound(&mut self, key: Key, command: MediaCommand) {
        let Some(live) = self.live.get_mut(&key) else { return };
        match command {
            MediaCommand::Start(agreed) => self.fetch_clip(key, agreed),
            MediaCommand::Change(agreed) => {
                let before = live.agreed;
                let same_codec = before
                    .is_some_and(|before| before.codec == agreed.codec && before.payload_type == agreed.payload_type);
                match &live.playing {
                    Some(playing) if same_codec => {
                        live.agreed = Some(agreed);
                        redirect(playing, live.stage.as_ref(), before, &agreed);
                        if agreed.direction.sends() {
                            playing.resume()
                        } else {
                            playing.hold()
                        }
                    }
                    _ => self.fetch_clip(key, agreed),
                }
            }
            MediaCommand::Stop => {
                live.stream += 1;
                live.playing = None;
                live.stage = None;
            }
        }
    }

    /// Has the message made ready in the codec agreed on; [`Note::Clip`] brings it.
    fn fetch_clip(&mut self, key: Key, agreed: Agreed) {
        let Some(live) = self.live.get_mut(&key) else { return };
        live.agreed = Some(agreed);
        let stream = live.stream;
        let Some(message) = live.stage.as_ref().map(|stage| stage.message.clone()) else {
            return;
        };
        let (sounds, notes) = (self.sounds.clone(), self.notes.clone());
        report(async move {
            let codec = agreed.codec;
            let clip = caught(sounds.clip(&message, codec)).await;
            let clip = clip.unwrap_or(Err(SoundUnavailable::Clip(ClipError::Interrupted)));
            let _ = notes
                .send(Note::Clip {
                    key,
                    stream,
                    codec,
                    clip,
                })
                .await;
        });
    }

    pub(super) fn handle_clip(
        &mut self,
        key: Key,
        stream: u64,
        codec: Codec,
        clip: Result<Clip, SoundUnavailable>,
        now: Moment,
    ) {
        let wanted = self.live.get(&key).is_some_and(|live| {
            // The peer may have changed its mind about the codec while the clip was made.
            live.stream == stream && live.agreed.is_some_and(|agreed| agreed.codec == codec)
        });
        if !wanted {
            return;
        }
        if let Err(error) = clip.and_then(|clip| self.start_sound(key, clip)) {
            tracing::error!(call = %key, %error, "no sound for this call");
            self.with(key, |live| live.call.media_failed(now));
        }
    }

    fn start_sound(&mut self, key: Key, clip: Clip) -> Result<(), SoundUnavailable> {
        let Some(live) = self.live.get_mut(&key) else {
            return Ok(());
        };
        let (Some(agreed), Some(stage)) = (live.agreed, live.stage.clone()) else {
            return Ok(());
        };
        let stream = live.stream;
        let playing = match live.playing.take() {
            Some(playing) => {
                playing.switch(clip, agreed.payload_type);
                redirect(&playing, Some(&stage), None, &agreed);
                playing
            }
            None => {
                let (playing, finished) = self.sounds.play(clip, stage, &agreed)?;
                let notes = self.notes.clone();
                report(async move {
                    let note = match finished.await {
                        PlayEnd::Played => Note::Played { key, stream },
                        PlayEnd::NoListener => Note::Unheard { key, stream },
                        PlayEnd::Unasked => {
                            let host = agreed.remote.ip();
                            tracing::warn!(
                                call = %key, %host,
                                "sound is no longer sent to a host that has sent nothing back, no RTCP either; \
                                 allowed_hosts of the trunk can name it"
                            );
                            Note::Unheard { key, stream }
                        }
                        PlayEnd::Stopped => return,
                    };
                    let _ = notes.send(note).await;
                });
                playing
            }
        };
        if agreed.direction.sends() {
            playing.resume()
        } else {
            playing.hold()
        }
        live.playing = Some(playing);
        Ok(())
    }
}

/// A task that brings the owner a [`Note`]: a call waits for it, and would for ever.
fn report(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(vital("a report to the owner of the calls", task));
}

/// The stream goes on elsewhere, or as it was: a session that is only refreshed does not look for its listener again.
fn redirect(playing: &Playing, stage: Option<&Stage>, before: Option<Agreed>, agreed: &Agreed) {
    let Some(stage) = stage else { return };
    let moved = before.is_none_or(|before| before.remote != agreed.remote || before.srtp != agreed.srtp);
    if moved {
        playing.redirect(stage.remote(agreed), stage.protection(agreed));
    }
}

/// The row that this makes of a call: a detail record at its end; else, while there is none that a crash would leave, a new
/// one; and what has changed.
fn write(journal: &Journal, key: Key, live: &mut Live, save: Save) -> Written {
    if save == Save::End
        && let Some(end) = live.call.end()
    {
        live.row = Row::Closed;
        let ended_at = live.ended_at.map_or_else(SystemTime::now, |(_, at)| at);
        return journal.ended(key, past::ended(live, end, ended_at));
    }
    match std::mem::replace(&mut live.row, Row::Open) {
        Row::Closed => journal.intent(key, live.id, intent(live)),
        Row::Open => journal.state(key, state(live.call.record())),
    }
}

/// What is written first: who may ask about the call, and the record that a CANCEL can be made from.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Intent {
    pub(super) owner: [u8; 32],
    pub(super) started: SystemTime,
    #[serde(default)]
    pub(super) address: Option<IpAddr>,
    /// Records of versions before this field count as calls to somebody else.
    #[serde(default)]
    pub(super) own_phone: bool,
    pub(super) record: Record,
}

fn intent(live: &Live) -> Vec<u8> {
    let intent = Intent {
        owner: live.owner,
        started: live.started,
        address: live.address,
        own_phone: live.own_phone,
        record: live.call.record().clone(),
    };
    serde_json::to_vec(&intent).unwrap_or_default()
}

/// The first phase in which a phone is known to be up, as [`state`] writes it.
const ANSWERED: u8 = 4;

/// Whether a phone is known to have been up.
pub(super) fn is_answered(state: &CallState) -> bool {
    state.phase >= ANSWERED
}

fn state(record: &Record) -> CallState {
    CallState {
        phase: match record.phase {
            Phase::Placing => 0,
            Phase::Calling { .. } => 1,
            Phase::Early => 2,
            Phase::Cancelling { .. } => 3,
            Phase::Answered => ANSWERED,
            Phase::Confirmed => 5,
            Phase::Terminating => 6,
            Phase::Ended(_) => 7,
        },
        wish: record.wish.is_some(),
        dialog: serde_json::to_vec(record).unwrap_or_default(),
    }
}
