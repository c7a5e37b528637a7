//! Doing what a machine says, in its order.

use std::net::IpAddr;

use call::{End, MediaCommand, Phase, Record, Save};
use dial::WallTime;
use sabotage::{Fault, Sabotage};
use serde::{Deserialize, Serialize};
use sip::Moment;

use crate::{
    information::{Information, State},
    journal::{CallKey, CallState, Write},
    live::{Live, Placing, Row},
    output::{Answer, DisconnectRefusal, Event, Known, Output, PlaceRefusal, Sound, cause},
    past,
    switch::{Switch, Wake},
};

impl Switch {
    /// One input, then everything the machine wants done for it. False when there is no such live call.
    pub(crate) fn with_call(&mut self, key: CallKey, input: impl FnOnce(&mut Live, Moment)) -> bool {
        let now = self.now;
        let Some(live) = self.live.get_mut(&key) else {
            return false;
        };
        input(live, now);
        self.act(key);
        true
    }

    /// Takes every output of a call's machine, then notes when it wants to be woken.
    pub(crate) fn act(&mut self, key: CallKey) {
        while let Some(output) = self.live.get_mut(&key).and_then(|live| live.call.poll_output()) {
            match output {
                call::Output::Send(outgoing) => self.send(key, outgoing),
                call::Output::Save(save) => self.save(key, save),
                call::Output::Resume(invite) => self.resume(key, invite),
                call::Output::Stop(tx) => self.stop(key, &tx),
                call::Output::Media(command) => self.change_sound(key, command),
                call::Output::Event(event) => self.happened(key, event),
            }
        }
        self.settle(key);
        self.schedule_call(key);
    }

    fn happened(&mut self, key: CallKey, event: call::Event) {
        match event {
            call::Event::Answered if self.is_sabotaged(Fault::AnswerUntold) => {}
            call::Event::Ringing | call::Event::Reconnecting | call::Event::Answered | call::Event::Unconfirmed => {
                self.publish(key)
            }
            call::Event::UnusableAnswer(why) => {
                if let Some(live) = self.live.get(&key) {
                    let trunk = live.call.record().trunk.clone();
                    self.tell(Event::UnusableAnswer { key, trunk, why });
                }
            }
            // An INVITE that waits for its way is not to leave any more.
            call::Event::Ending(_) => {
                if self.is_sabotaged(Fault::EndToldEarly) {
                    self.publish(key);
                }
                self.flush(key);
            }
            call::Event::Ended(end) => self.ended(key, end),
            call::Event::Drained => self.drained(key),
            call::Event::LateFork => self.take_place(key),
        }
    }

    /// A call's next wake-up.
    pub(crate) fn schedule_call(&mut self, key: CallKey) {
        let limits = &self.settings.limits;
        let due = self.live.get(&key).and_then(|live| live.next_wake(limits));
        self.schedule.set(Wake::Call(key), due);
    }

    pub(crate) fn wake_call(&mut self, key: CallKey) {
        let now = self.now;
        let Some(live) = self.live.get_mut(&key) else {
            return self.forget(key);
        };
        if live.may_retire(now, &self.settings.limits) {
            return self.retire(key);
        }
        if let Some(placing) = live.placing.take_if(|placing| placing.until <= now) {
            // Should the journal take it later, nothing is sent all the same.
            live.call.disconnect(now);
            self.act(key);
            self.answer(placing.request, Answer::NotPlaced(PlaceRefusal::NotInTime));
        }
        self.flush(key);
        self.with_call(key, |live, now| live.call.handle_timeout(now));
    }

    /// What can be asked about a call is told before anything that follows from it.
    pub(crate) fn publish(&mut self, key: CallKey) {
        let Some(live) = self.live.get(&key) else { return };
        let mut known = Known {
            owner: live.owner,
            information: Information::of(&live.call),
        };
        if self.is_sabotaged(Fault::EndToldEarly) && live.call.is_unwanted() {
            known.information.state = State::Disconnected;
        }
        self.put(Output::Snapshot(live.id, Some(known)));
    }

    /// The journal's word about a record of this call.
    pub(crate) fn saved(&mut self, key: CallKey, save: Save, durable: bool) {
        let now = self.now;
        let Some(live) = self.live.get_mut(&key) else { return };
        let placing = match save {
            Save::Intent => live.placing.take(),
            _ => None,
        };
        if placing.is_some_and(|placing| placing.is_abandoned) {
            live.call.disconnect(now);
            self.tell(Event::Abandoned(key));
        }
        let Some(live) = self.live.get_mut(&key) else { return };
        if durable {
            live.call.handle_saved(save, now);
        } else {
            live.call.handle_save_failed(save, now);
        }
        if matches!(save, Save::Wish | Save::End) {
            // What is durable stays so, whatever becomes of later records.
            live.end_is_durable = Some(durable || live.end_is_durable == Some(true));
        }
        self.act(key);
        if let Some(Placing { request, .. }) = placing {
            let answer = if durable {
                Answer::Placed(key)
            } else {
                Answer::NotPlaced(PlaceRefusal::NotJournaled)
            };
            self.answer(request, answer);
        }
    }

    /// Answers those who wait for the end, as far as it is time.
    fn settle(&mut self, key: CallKey) {
        let now = self.now;
        let mut settled = self.live.get_mut(&key).map(|live| live.settle(now)).unwrap_or_default();
        if self.is_sabotaged(Fault::AnswerNever) {
            settled.clear();
        }
        if self.is_sabotaged(Fault::AnswerTwice) {
            settled.extend(settled.clone());
        }
        for (request, settled) in settled {
            let answer = settled.map_or_else(
                |refusal: DisconnectRefusal| Answer::NotDisconnected(refusal),
                |()| Answer::Disconnected,
            );
            self.answer(request, answer);
        }
    }

    /// What the end of a call means here.
    fn ended(&mut self, key: CallKey, end: End) {
        let Some(live) = self.live.get_mut(&key) else { return };
        live.ended_at = Some((self.now, self.clock));
        self.put(Output::Sound(key, Sound::Stop));
        if self.is_sabotaged(Fault::GrantEarly) {
            self.give_back_place(key);
        }
        if !self.is_sabotaged(Fault::EndUntold) {
            self.publish(key);
        }
        if end.confirmed {
            self.stop_what_waits(key);
        }
        let told = 1 + usize::from(self.is_sabotaged(Fault::EndToldTwice));
        for end in std::iter::repeat_n(end, told) {
            self.tell(Event::Ended {
                key,
                cause: cause(&end),
                end,
            });
        }
        self.recovery.over(key);
    }

    /// A call holds its place until the phones of all its forks are on-hook, and again when one of them answers later.
    pub(crate) fn take_place(&mut self, key: CallKey) {
        let (longest, now) = (self.longest(), self.time_of_caps());
        let Some(live) = self.live.get_mut(&key) else { return };
        let trunk = &live.call.record().trunk;
        live.hold = Some(self.caps.hold(live.owner, trunk, now, longest, live.own_phone));
        self.tell(Event::Live(self.caps.live()));
    }

    /// No phone of any fork is left to be hung up.
    fn drained(&mut self, key: CallKey) {
        if let Some(live) = self.live.get_mut(&key) {
            live.drained_at = Some(self.now);
        }
        self.give_back_place(key);
    }

    fn give_back_place(&mut self, key: CallKey) {
        if self.is_sabotaged(Fault::GrantNever) {
            return;
        }
        if let Some(hold) = self.live.get_mut(&key).and_then(|live| live.hold.take()) {
            self.caps.give_back(hold, self.time_of_caps());
            self.tell(Event::Live(self.caps.live()));
        }
    }

    /// The row that a save makes of a call: a detail record at its end; else, while there is none that a crash would leave, a
    /// new one; and what has changed.
    fn save(&mut self, key: CallKey, save: Save) {
        let clock = self.clock;
        let Some(live) = self.live.get_mut(&key) else { return };
        let end = live.call.end().filter(|_| save == Save::End);
        let write = match (end, live.row) {
            (Some(end), _) => Write::Ended(past::ended(live, end, live.ended_at.map_or(clock, |(_, at)| at))),
            (None, Row::Closed) => Write::Intent {
                id_hash: live.id,
                intent: intent(live, self.settings.sabotage),
            },
            (None, Row::Open) => Write::State(state(live.call.record())),
        };
        live.row = if end.is_some() { Row::Closed } else { Row::Open };
        self.write(key, save, write);
        let early = match save {
            Save::Intent => Fault::EarlyInvite,
            Save::Answer => Fault::EarlyAck,
            Save::Fork(_) => Fault::EarlyForkAck,
            Save::Wish | Save::End => Fault::EarlyPromise,
        };
        if self.is_sabotaged(early) {
            self.saved(key, save, true);
        }
    }

    fn change_sound(&mut self, key: CallKey, command: MediaCommand) {
        let Some(live) = self.live.get(&key) else { return };
        let reach = || self.trunks[live.trunk].reach.clone();
        let sound = match command {
            MediaCommand::Start(agreed) => Sound::Start { agreed, reach: reach() },
            MediaCommand::Change(agreed) => Sound::Change { agreed, reach: reach() },
            MediaCommand::Stop => Sound::Stop,
        };
        self.put(Output::Sound(key, sound));
    }

    /// The message has played to its end.
    pub fn played(&mut self, key: CallKey) {
        self.with_call(key, |live, now| live.call.media_finished(now));
    }

    /// There is nothing to play after all, or nobody showed himself to play it to.
    pub fn sound_failed(&mut self, key: CallKey) {
        self.with_call(key, |live, now| live.call.media_failed(now));
    }
}

/// What is written first: who may ask about the call, and the record that a CANCEL can be made from.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Intent {
    pub(crate) owner: [u8; 32],
    pub(crate) started: Since,
    #[serde(default)]
    pub(crate) address: Option<IpAddr>,
    /// Records of versions before this field count as calls to somebody else.
    #[serde(default)]
    pub(crate) own_phone: bool,
    pub(crate) record: Record,
}

/// A time on the wall as records have had it from the first version on.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Since {
    secs_since_epoch: u64,
    nanos_since_epoch: u32,
}

impl From<WallTime> for Since {
    fn from(time: WallTime) -> Self {
        let since = time.since_epoch();
        Self {
            secs_since_epoch: since.as_secs(),
            nanos_since_epoch: since.subsec_nanos(),
        }
    }
}

impl From<Since> for WallTime {
    fn from(time: Since) -> Self {
        let seconds = std::time::Duration::from_secs(time.secs_since_epoch);
        Self::after_epoch(seconds.saturating_add(std::time::Duration::from_nanos(time.nanos_since_epoch.into())))
    }
}

fn intent(live: &Live, sabotage: Sabotage) -> Vec<u8> {
    let mut intent = Intent {
        owner: live.owner,
        started: live.started.into(),
        address: live.address,
        own_phone: live.own_phone,
        record: live.call.record().clone(),
    };
    if let (true, Some(path)) = (sabotage.is(Fault::RecordSwapsAddresses), &mut intent.record.path) {
        std::mem::swap(&mut path.local, &mut path.remote);
    }
    serde_json::to_vec(&intent).unwrap_or_default()
}

/// The first phase in which a phone is known to be up, as [`state`] writes it.
const ANSWERED: u8 = 4;

/// Whether a phone is known to have been up.
pub(crate) fn is_answered(state: &CallState) -> bool {
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
