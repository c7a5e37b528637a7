//! Our side: the real call machine, and a model of what stands around it: the owner of calls, the journal with its
//! delay, the transactions below, and the death and return of the process.

mod wire;

use std::{collections::VecDeque, rc::Rc, time::Duration};

use call::{Call, Limits, Local, MediaCommand, Output, Placement, Record, Save, Surroundings};
use sip::{
    BranchKey, CallIdHeader, Moment, Tag, Tx,
    digest::Credentials,
    sdp::{Codec, LocalMedia},
};

use crate::{
    message::{CALL_ID, Message, Node},
    sabotage::Sabotage,
    scenario::{CrashAt, Millis, T1, TRANSACTION},
    world::{Event, World},
};

/// One process after the other.
pub(crate) struct House {
    pub(crate) up: bool,
    /// Counts processes: what an earlier one had ordered is not delivered to the next.
    pub(crate) incarnation: u32,
    pub(crate) live: Option<Live>,
    pub(crate) disk: Journal,
    clients: Vec<Client>,
    served: Vec<(Rc<Message>, Option<Rc<Message>>)>,
    outputs: u64,
    woken_for: Option<Millis>,
}

/// What the owner keeps about a call.
pub(crate) struct Live {
    pub(crate) call: Call,
    pub(crate) settled: Settled,
    linger_until: Option<Millis>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Settled {
    Open,
    Wished,
    WishLost,
    Ended,
}

#[derive(Default)]
pub(crate) struct Journal {
    /// What a crash leaves.
    pub(crate) durable: Option<Record>,
    pending: VecDeque<Pending>,
    /// When the last save in the queue will be done.
    busy_until: Millis,
}

struct Pending {
    save: Save,
    record: Record,
    fails: bool,
}

/// A client transaction.
struct Client {
    tx: Tx,
    request: Rc<Message>,
    to: Node,
    repeat: Option<usize>,
    /// A final response has come; of an INVITE, each one more is ACKed again.
    completed: bool,
}

impl Default for House {
    fn default() -> Self {
        Self {
            up: true,
            incarnation: 0,
            live: None,
            disk: Journal::default(),
            clients: Vec::new(),
            served: Vec::new(),
            outputs: 0,
            woken_for: None,
        }
    }
}

impl House {
    pub(crate) fn phase(&self) -> String {
        match &self.live {
            Some(live) => format!("the call is {:?}", live.call.phase()),
            None => "no call is live".to_owned(),
        }
    }

    pub(crate) fn answer_is_pending(&self) -> bool {
        self.disk
            .pending
            .iter()
            .any(|pending| matches!(pending.save, Save::Answer | Save::Fork(_)))
    }
}

fn key() -> BranchKey {
    BranchKey::new([7; 32])
}

fn local() -> Local {
    Local {
        via: "SIP/2.0/UDP 192.0.2.1:5060".to_owned(),
        contact: "sip:onhook@192.0.2.1:5060".to_owned(),
        transport: "udp".to_owned(),
    }
}

impl World {
    pub(crate) fn moment(&self) -> Moment {
        Moment::after_start(Duration::from_millis(self.now))
    }

    fn surroundings(&self) -> Surroundings {
        Surroundings {
            local: local(),
            media: LocalMedia {
                address: ([192, 0, 2, 1], 30_000).into(),
                session_id: 1,
                version: 1,
                codecs: vec![Codec::Pcma],
                protection: None,
            },
            credentials: (self.settings.sabotage != Sabotage::NoCredentials).then(|| Credentials {
                username: "onhook".to_owned(),
                password: "secret".to_owned(),
            }),
            key: key(),
            limits: Limits {
                ring: Duration::from_millis(self.scenario.ring_limit),
                max_duration: Duration::from_millis(self.scenario.max_duration),
                session_expires: self.scenario.session_timers.then_some(Duration::from_secs(90)),
                t1: Duration::from_millis(T1),
            },
        }
    }

    /// PlayOnPhone.
    pub(crate) fn place(&mut self) {
        let placement = Placement {
            trunk: "pbx".to_owned(),
            request_uri: "sip:4711@pbx.example".to_owned(),
            from: "<sip:onhook@example.org>".to_owned(),
            routes: Vec::new(),
            destination: "sip:192.0.2.5:5060".to_owned(),
            path: None,
            call_id: CallIdHeader::new(CALL_ID),
            local_tag: Tag::new("ours"),
        };
        let call = Call::place(placement, self.surroundings());
        self.admit(call);
    }

    fn admit(&mut self, call: Call) {
        self.watch.admitted();
        self.house.live = Some(Live {
            call,
            settled: Settled::Open,
            linger_until: None,
        });
        self.act();
    }

    /// One input, then all that the machine wants done for it.
    fn with(&mut self, input: impl FnOnce(&mut Call, Moment)) -> bool {
        let now = self.moment();
        self.check_session();
        let Some(live) = &mut self.house.live else { return false };
        input(&mut live.call, now);
        self.act();
        true
    }

    fn act(&mut self) {
        let was_over = self.house.live.as_ref().is_some_and(|live| live.linger_until.is_some());
        while let Some(output) = self.house.live.as_mut().and_then(|live| live.call.poll_output()) {
            self.house.outputs += 1;
            let due = CrashAt::Output(self.house.outputs);
            if self.scenario.crashes.iter().any(|crash| crash.at == due) {
                self.crash();
                if !self.house.up {
                    return;
                }
            }
            self.check_output(&output, was_over);
            self.put(output);
        }
        self.check_call();
        let now = self.now;
        let Some(live) = &mut self.house.live else { return };
        if live.linger_until.is_none() && live.call.end().is_some() {
            live.linger_until = Some(now + TRANSACTION);
            live.settled = Settled::Ended;
            self.watch.returned();
        }
        self.promise();
        self.schedule_wake();
    }

    fn put(&mut self, output: Output) {
        match output {
            Output::Save(save) => self.save(save),
            Output::Send(outgoing) => self.house_sends(&outgoing),
            Output::Resume(invite) => {
                let request = Rc::new(Message::of(&invite));
                self.ladder.note(self.now, || "INVITE taken up again".to_owned());
                let to = self.entry();
                self.house.clients.push(Client {
                    tx: invite.tx,
                    request,
                    to,
                    repeat: None,
                    completed: false,
                });
            }
            Output::Stop(tx) => {
                if let Some(at) = self.house.clients.iter().position(|client| client.tx == tx) {
                    let client = self.house.clients.swap_remove(at);
                    self.stop_repeat(client.repeat);
                }
            }
            Output::Reply(id, reply) => self.reply(id, &reply),
            Output::Media(MediaCommand::Start(_)) => {
                let incarnation = self.house.incarnation;
                self.after(self.scenario.message, Event::Finished(incarnation));
            }
            Output::Media(MediaCommand::Change(_) | MediaCommand::Stop) => {}
        }
    }

    fn schedule_wake(&mut self) {
        let Some(live) = &self.house.live else { return };
        let timer = live
            .call
            .poll_timeout()
            .map(|(due, _)| due.since_start().as_millis() as Millis);
        let due = match live.linger_until.filter(|_| live.call.is_drained()) {
            Some(until) => Some(timer.map_or(until, |due| due.min(until))),
            None => timer,
        };
        if let Some(due) = due
            && self.house.woken_for != Some(due)
        {
            self.house.woken_for = Some(due);
            self.after(due.saturating_sub(self.now), Event::Wake);
        }
    }

    pub(crate) fn wake(&mut self) {
        let (now, moment) = (self.now, self.moment());
        let Some(live) = &mut self.house.live else { return };
        let due = live.call.poll_timeout().is_some_and(|(due, _)| due <= moment);
        if live.linger_until.is_some_and(|until| until <= now) && live.call.is_drained() {
            self.ladder.note(now, || "the call is forgotten".to_owned());
            self.watch.forgotten();
            if self.settings.sabotage == Sabotage::GrantTwice {
                self.watch.returned();
            }
            self.house.live = None;
        } else if due {
            self.house.woken_for = None;
            self.with(|call, moment| call.handle_timeout(moment));
        } else {
            self.schedule_wake();
        }
    }

    /// DisconnectPhoneCall. A client that reaches nobody asks again.
    pub(crate) fn hang_up(&mut self) {
        if !self.house.up {
            return self.after(500, Event::HangUp);
        }
        self.ladder.note(self.now, || "DisconnectPhoneCall".to_owned());
        self.watch.asked();
        if self.settings.sabotage == Sabotage::EarlyPromise {
            self.check_promise();
        }
        if self.settings.sabotage == Sabotage::WishForgotten && self.house.live.is_some() {
            return;
        }
        if !self.with(Call::disconnect) {
            self.check_promise();
        }
    }

    /// `NoError`, once it is true.
    fn promise(&mut self) {
        let settled = self.house.live.as_ref().map(|live| live.settled);
        if matches!(settled, Some(Settled::Wished | Settled::Ended)) && self.watch.awaits_promise() {
            self.ladder.note(self.now, || "NoError".to_owned());
            self.check_promise();
        }
    }

    pub(crate) fn message_finished(&mut self, incarnation: u32) {
        if incarnation == self.house.incarnation && self.house.up {
            self.ladder.note(self.now, || "the message has played".to_owned());
            let fails = self.scenario.sound_fails;
            self.with(if fails {
                Call::media_failed
            } else {
                Call::media_finished
            });
        }
    }

    // The journal.

    fn save(&mut self, save: Save) {
        let Some(live) = &self.house.live else { return };
        let record = live.call.record().clone();
        let disk = self.scenario.disk;
        let fails = disk.fails > 0 && self.tape.chance(disk.fails);
        let delay = 1 + self.tape.below(disk.delay);
        let done = (self.now + delay).max(self.house.disk.busy_until);
        self.house.disk.busy_until = done;
        self.house.disk.pending.push_back(Pending { save, record, fails });
        self.ladder.note(self.now, || format!("save {save:?}"));
        self.after(done - self.now, Event::Journal(self.house.incarnation));
        let early = match self.settings.sabotage {
            Sabotage::EarlyInvite => save == Save::Intent,
            Sabotage::EarlyForkAck => matches!(save, Save::Fork(_)),
            _ => false,
        };
        if early {
            let now = self.moment();
            if let Some(live) = &mut self.house.live {
                live.call.handle_saved(save, now);
            }
        }
    }

    pub(crate) fn journal_done(&mut self, incarnation: u32) {
        if incarnation != self.house.incarnation || !self.house.up {
            return;
        }
        let Some(Pending { save, record, fails }) = self.house.disk.pending.pop_front() else {
            return;
        };
        self.ladder.note(self.now, || {
            format!("{save:?} {}", if fails { "is not saved" } else { "is durable" })
        });
        if !fails {
            self.house.disk.durable = Some(record);
        }
        if let Some(live) = self.house.live.as_mut().filter(|_| save == Save::Wish) {
            let settled = if fails { Settled::WishLost } else { Settled::Wished };
            live.settled = live.settled.max(settled);
        }
        self.with(|call, now| {
            if fails {
                call.handle_save_failed(save, now);
            } else {
                call.handle_saved(save, now);
            }
        });
    }

    // Death and return.

    pub(crate) fn crash(&mut self) {
        if !self.house.up {
            return;
        }
        self.ladder.note(self.now, || "the process is killed".to_owned());
        self.watch.crashed();
        // Some of what was under way may have reached the disk, though nobody was told.
        let pending = std::mem::take(&mut self.house.disk.pending);
        let reached = self.tape.below(pending.len() as u64 + 1) as usize;
        if let Some(last) = pending.into_iter().take(reached).next_back() {
            self.house.disk.durable = Some(last.record);
        }
        let house = &mut self.house;
        house.up = false;
        house.live = None;
        house.clients.clear();
        house.served.clear();
        house.disk.busy_until = 0;
        house.woken_for = None;
        for repeat in &mut self.repeats {
            repeat.alive &= repeat.from() != Node::House;
        }
        let crashes = &self.scenario.crashes;
        let nth = (self.house.incarnation as usize).min(crashes.len().saturating_sub(1));
        let down = crashes.get(nth).map_or(1, |crash| crash.down);
        self.after(down, Event::Restart);
    }

    pub(crate) fn restart(&mut self) {
        self.house.up = true;
        self.house.incarnation += 1;
        self.watch.restarted(self.now);
        let left = self.house.disk.durable.clone();
        self.ladder.note(self.now, || {
            let phase = left.as_ref().map(|record| &record.phase);
            let forks = left.as_ref().map_or(0, |record| record.forks.len());
            format!("the next process starts and finds {phase:?}, {forks} other forks")
        });
        if let Some(record) = left.filter(|record| !record.is_over())
            && self.settings.sabotage != Sabotage::NoTakeUp
        {
            let call = Call::take_up(record, self.surroundings(), self.moment());
            self.admit(call);
        }
    }
}
