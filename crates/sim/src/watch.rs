//! What must hold, checked after every step, and what is counted on the way.

use std::{collections::BTreeMap, fmt};

use call::{End, Output, Phase, Save};
use sip::{Method, SessionExpires};

use crate::{
    Tally,
    message::{Asks, Message},
    phone::{Hook, Phone},
    scenario::{BOUND, Millis, TRANSACTION},
    world::World,
};

/// Broken: the name of the rule, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub rule: &'static str,
    pub how: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.how)
    }
}

#[derive(Default)]
pub(crate) struct Watch {
    pub(crate) violation: Option<Violation>,
    pub(crate) tally: Tally,
    asked: bool,
    waiting: bool,
    promised: Option<Millis>,
    /// When the last process started.
    restarted: Millis,
    grants: i64,
    ended: Option<End>,
    dialogs: BTreeMap<String, Dialog>,
    /// How long the session of each phone may go on unrefreshed, and since when nothing is heard of it.
    sessions: BTreeMap<usize, (Millis, Option<Millis>)>,
}

/// One dialog, known by its remote tag.
#[derive(Default)]
struct Dialog {
    /// A 2xx came, and its ACK has not left yet.
    awaits_ack: bool,
    acks: u64,
    byes: u64,
    /// The BYE under way: its branch, and since when. Of this process.
    bye: Option<(String, Millis)>,
    /// The far end has confirmed our BYE, or said its own. To this process.
    over: bool,
}

impl Watch {
    pub(crate) fn fail(&mut self, rule: &'static str, how: impl FnOnce() -> String) {
        if self.violation.is_none() {
            self.violation = Some(Violation { rule, how: how() });
        }
    }

    pub(crate) fn admitted(&mut self) {
        self.grants += 1;
        self.ended = None;
    }

    pub(crate) fn returned(&mut self) {
        self.grants -= 1;
        if self.grants != 0 {
            let grants = self.grants;
            self.fail("a grant is returned once", || format!("{grants} are out"));
        }
    }

    /// The call is remembered no more. A 2xx that the network has kept until now may cost another BYE.
    pub(crate) fn forgotten(&mut self) {
        for dialog in self.dialogs.values_mut() {
            dialog.over = false;
        }
    }

    pub(crate) fn asked(&mut self) {
        self.asked = true;
        self.waiting = true;
        self.tally.hang_ups += 1;
    }

    pub(crate) fn awaits_promise(&self) -> bool {
        self.waiting
    }

    pub(crate) fn promise(&mut self, now: Millis) {
        self.waiting = false;
        self.promised.get_or_insert(now);
    }

    pub(crate) fn crashed(&mut self) {
        self.tally.crashes += 1;
        // The client's connection broke: it has no answer.
        self.waiting = false;
        self.grants = 0;
        self.ended = None;
        for dialog in self.dialogs.values_mut() {
            dialog.awaits_ack = false;
            dialog.bye = None;
            dialog.over = false;
        }
    }

    pub(crate) fn restarted(&mut self, now: Millis) {
        self.restarted = now;
    }

    pub(crate) fn answered(&mut self, tag: &str) {
        self.dialogs.entry(tag.to_owned()).or_default().awaits_ack = true;
        self.tally.answers += 1;
    }

    /// A phone answers, and says this of session timers.
    pub(crate) fn in_session(&mut self, phone: usize, session: Option<SessionExpires>) {
        if let Some(session) = session {
            self.sessions
                .insert(phone, (Millis::from(session.interval) * 1000, None));
        }
    }

    pub(crate) fn vanished(&mut self, phone: usize, now: Millis) {
        if let Some((_, since)) = self.sessions.get_mut(&phone) {
            since.get_or_insert(now);
        }
    }

    pub(crate) fn acks_of(&self, tag: &str) -> u64 {
        self.dialogs.get(tag).map_or(0, |dialog| dialog.acks)
    }

    pub(crate) fn byes_of(&self, tag: &str) -> u64 {
        self.dialogs.get(tag).map_or(0, |dialog| dialog.byes)
    }

    pub(crate) fn sent(&mut self, request: &Message) {
        let dialog = self
            .dialogs
            .entry(request.to_tag().unwrap_or_default().to_owned())
            .or_default();
        match request.method {
            Method::Ack => {
                dialog.awaits_ack = false;
                dialog.acks += 1;
            }
            Method::Bye => dialog.byes += 1,
            _ => {}
        }
    }

    /// A phone's request that the call takes for its own.
    pub(crate) fn asked_by_phone(&mut self, request: &Message) {
        if request.method == Method::Bye {
            let tag = request.sender_tag().unwrap_or_default().to_owned();
            let dialog = self.dialogs.entry(tag).or_default();
            dialog.over = true;
            dialog.bye = None;
        }
    }
}

impl World {
    /// A final response to a BYE of ours.
    pub(crate) fn check_bye_answered(&mut self, response: &Message) {
        if response.method != Method::Bye || response.status < 200 {
            return;
        }
        let tag = response.to_tag().unwrap_or_default().to_owned();
        let dialog = self.watch.dialogs.entry(tag).or_default();
        dialog.bye = None;
        dialog.over |= matches!(response.status, 200..300 | 408 | 481);
    }

    /// The machine wants this done; `over` when the call had ended before.
    pub(crate) fn check_output(&mut self, output: &Output, over: bool) {
        let now = self.now;
        match output {
            Output::Send(outgoing) => {
                let request = Message::of(outgoing);
                match request.method {
                    Method::Invite => self.check_invite(&request),
                    Method::Bye => self.check_bye(&request),
                    _ => {}
                }
                if over && !matches!(request.method, Method::Ack | Method::Bye) {
                    self.watch.fail("nothing leaves after the end", || {
                        format!("{} at {now} ms", request.label())
                    });
                }
            }
            Output::Save(Save::Intent | Save::Answer | Save::Wish)
            | Output::Resume(_)
            | Output::Stop(_)
            | Output::Media(_)
                if over =>
            {
                self.watch
                    .fail("nothing leaves after the end", || format!("{output:?} at {now} ms"));
            }
            Output::Save(_) | Output::Resume(_) | Output::Stop(_) | Output::Media(_) | Output::Reply(..) => {}
        }
    }

    fn check_invite(&mut self, request: &Message) {
        let (now, number) = (self.now, request.number);
        if self.watch.asked {
            self.watch
                .fail("no INVITE after a hang-up", || format!("INVITE {number} at {now} ms"));
        }
        let durable = self.house.disk.durable.as_ref();
        if request.to_tag().is_some() {
            return; // the dialog is durable since its answer
        }
        if durable.is_none_or(|record| record.invite_cseq != number) {
            self.watch.fail("no INVITE without a durable intent", || {
                format!("INVITE {number} at {now} ms")
            });
        }
    }

    fn check_bye(&mut self, request: &Message) {
        let now = self.now;
        let tag = request.to_tag().unwrap_or_default().to_owned();
        let dialog = self.watch.dialogs.entry(tag).or_default();
        let before = dialog.bye.replace((request.branch.to_string(), now));
        let over = dialog.over;
        if over {
            self.watch.fail("one BYE ends a dialog", || {
                format!("{} at {now} ms, after the end", request.label())
            });
        } else if let Some((_, since)) = before.filter(|(_, since)| now - since < TRANSACTION) {
            self.watch.fail("one BYE at a time", || {
                format!("{} at {now} ms beside that of {since} ms", request.label())
            });
        }
    }

    /// `NoError` is said: the wish is durable, or the call has ended.
    pub(crate) fn check_promise(&mut self) {
        let now = self.now;
        let wished = self
            .house
            .disk
            .durable
            .as_ref()
            .is_some_and(|record| record.wish.is_some());
        let ended = self.house.live.as_ref().is_none_or(|live| live.call.end().is_some());
        if !wished && !ended {
            self.watch
                .fail("no NoError without a durable wish", || format!("at {now} ms"));
        }
        self.watch.promise(now);
    }

    /// Before every input of the machine: it must not have waited that long.
    pub(crate) fn check_session(&mut self) {
        let now = self.now;
        let Some(live) = &self.house.live else { return };
        let (Phase::Confirmed, Some(tag)) = (live.call.phase(), &live.call.record().dialog.remote_tag) else {
            return;
        };
        let of_tag = |phone: &Phone| phone.legs.iter().any(|leg| leg.tag == tag.as_str());
        let phone = self.phones.iter().position(of_tag);
        if let Some((interval, Some(since))) = phone.and_then(|phone| self.watch.sessions.get(&phone).copied())
            && now > since + interval
        {
            self.watch.fail("a phone that has vanished is noticed", || {
                format!("gone since {since} ms, and the call is up at {now} ms")
            });
        }
    }

    /// After every input of the machine.
    pub(crate) fn check_call(&mut self) {
        let moment = self.moment();
        let now = self.now;
        let Some(live) = &self.house.live else { return };
        if let Some((due, timer)) = live.call.poll_timeout()
            && due < moment
        {
            self.watch
                .fail("no timer lies in the past", || format!("{timer:?} at {now} ms"));
        }
        let end = live.call.end();
        if let Some(before) = &self.watch.ended
            && end.is_none_or(|end| end.cause != before.cause || end.confirmed && !before.confirmed)
        {
            let change = format!("{before:?} became {end:?}");
            self.watch.fail("an end stays", || change);
        }
        if let Some(end) = end
            && self.watch.ended.as_ref() != Some(end)
        {
            self.watch.tally.unconfirmed += u64::from(!end.confirmed);
            self.watch.ended = Some(end.clone());
            self.ladder.note(now, || format!("ended: {end:?}"));
        }
        self.check_acks();
    }

    /// Every 2xx is ACKed, at once or when the disk has it.
    pub(crate) fn check_acks(&mut self) {
        if self.house.up && !self.house.answer_is_pending() {
            let unacked = self.watch.dialogs.iter().find(|(_, dialog)| dialog.awaits_ack);
            if let Some(tag) = unacked.map(|(tag, _)| tag.clone()) {
                let now = self.now;
                self.watch.fail("every 2xx is ACKed", || format!("{tag} at {now} ms"));
            }
        }
    }

    /// From when on the phone should be on its way down: the promise, the return of the process, or, where no CANCEL
    /// can reach, its answer.
    fn due_from(&self, phone: usize, leg: usize, hook: Hook) -> Option<Millis> {
        let this = &self.phones[phone];
        let leg = &this.legs[leg];
        // A phone that asks for what nobody can give is given up, and that is recorded.
        if this.gone || self.scenario.phones[phone].asks_bye == Asks::Unknown {
            return None;
        }
        let abandoned = self.proxy.abandoned.contains(leg.branch());
        if abandoned && hook == Hook::Ringing {
            return None;
        }
        let promised = self.watch.promised?.max(self.watch.restarted);
        Some(if abandoned {
            promised.max(leg.answered_at)
        } else {
            promised
        })
    }

    /// No phone rings or is up long after the promise.
    pub(crate) fn check_hooks(&mut self) {
        if self.watch.promised.is_none() || !self.house.up {
            return;
        }
        for phone in 0..self.phones.len() {
            for leg in 0..self.phones[phone].legs.len() {
                let hook = self.phones[phone].legs[leg].hook;
                if hook == Hook::Down {
                    continue;
                }
                let now = self.now;
                if self.due_from(phone, leg, hook).is_some_and(|from| now > from + BOUND) {
                    self.watch.fail("on-hook within 2·64·T1 of NoError", || {
                        format!("phone {} is still {hook:?} at {now} ms", phone + 1)
                    });
                }
            }
        }
    }

    /// The phone goes on-hook; `before`, it rang or was up.
    pub(crate) fn check_down(&mut self, phone: usize, leg: usize, before: Hook) {
        if let Some(from) = self.due_from(phone, leg, before)
            && self.house.up
        {
            let took = self.now.saturating_sub(from);
            self.watch.tally.took(took);
            // Nothing may have happened since the bound was passed.
            if took > BOUND {
                self.watch.fail("on-hook within 2·64·T1 of NoError", || {
                    format!("phone {} was {before:?} for {took} ms", phone + 1)
                });
            }
        }
    }

    /// Nothing more will happen.
    pub(crate) fn check_rest(&mut self) {
        let up = self.phones.iter().enumerate().find_map(|(phone, this)| {
            let asks = self.scenario.phones[phone].asks_bye;
            let up = this.legs.iter().any(|leg| leg.hook != Hook::Down);
            (up && !this.gone && asks != Asks::Unknown).then_some(phone + 1)
        });
        if let Some(phone) = up {
            self.watch
                .fail("nobody is left off-hook", || format!("phone {phone} is, for ever"));
        }
        if let Some(live) = &self.house.live {
            let phase = live.call.phase().clone();
            self.watch.fail("comes to rest", || {
                format!("nothing happens any more, and the call is {phase:?}")
            });
        }
        if self.watch.grants != 0 {
            let grants = self.watch.grants;
            self.watch
                .fail("a grant is returned once", || format!("{grants} are out"));
        }
        self.check_ends();
    }

    /// Every dialog that was ACKed has seen a BYE, ours or the phone's.
    fn check_ends(&mut self) {
        let ended_unconfirmed = matches!(&self.house.disk.durable, Some(record)
            if matches!(&record.phase, Phase::Ended(end) if !end.confirmed));
        for phone in &self.phones {
            for leg in &phone.legs {
                let Some(dialog) = self.watch.dialogs.get(&leg.tag) else {
                    continue;
                };
                if dialog.acks > 0 && dialog.byes == 0 && !leg.said_bye() && !ended_unconfirmed && !phone.gone {
                    let tag = leg.tag.clone();
                    return self.watch.fail("every dialog ends", || format!("no BYE for {tag}"));
                }
            }
        }
    }
}
