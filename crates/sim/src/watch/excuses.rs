//! Why a phone may ring or be up after the bound: each reason is proven by what happened in the world, and counted.

use crate::{
    message::At,
    phone::Hook,
    scenario::{BOUND, Millis, T1, TRANSACTION},
    world::World,
};

/// A reason that nothing which we could send would help against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Excuse {
    /// Nothing is heard of the phone any more.
    Vanished,
    /// It wants a password that nobody can give; the call is recorded as unconfirmed.
    Unanswerable,
    /// Its proxy cancels nobody when another phone answers; the bound runs from its own answer.
    NotCancelled,
    /// Three processes died of its call.
    LeftAlone,
    /// The disk refused to take down that it was up, or where it then was, and the process that knew was killed.
    Unrecorded,
    /// Its connection failed, broke or hung; the bound runs from then.
    BrokenWay,
    /// Nobody was at its trunk; the bound runs from the trunk's return, or the phone's answer after it.
    AwayTrunk,
    /// The name of its trunk was not found; the bound runs from when it was, if its call had not been given up by then.
    NoName,
}

impl Excuse {
    pub const ALL: [Self; 8] = [
        Self::Vanished,
        Self::Unanswerable,
        Self::NotCancelled,
        Self::LeftAlone,
        Self::Unrecorded,
        Self::BrokenWay,
        Self::AwayTrunk,
        Self::NoName,
    ];
}

/// From when on a phone should be on its way down, and what makes that later than the promise.
pub(super) enum Due {
    From(Millis, Option<Excuse>),
    Never(Excuse),
}

impl World {
    /// From the promise on, or from the return of the process or the turn of its call in recovery. Nothing without a promise.
    pub(super) fn due_down(&self, at: At, leg: usize, hook: Hook) -> Option<Due> {
        let party = &self.parties[at.call];
        let (phone, watched) = (&party.phones[at.phone], &self.watch.calls[at.call]);
        let leg = &phone.legs[leg];
        let promised = watched.promised?.max(self.watch.restarted).max(watched.taken_up);
        if phone.gone {
            return Some(Due::Never(Excuse::Vanished));
        }
        if self.script(at).asks_bye.is_unanswerable() {
            return Some(Due::Never(Excuse::Unanswerable));
        }
        if watched.is_left_alone {
            return Some(Due::Never(Excuse::LeftAlone));
        }
        if watched.is_unrecorded {
            return Some(Due::Never(Excuse::Unrecorded));
        }
        let trunk = watched
            .trunk
            .map(|trunk| (&self.scenario.trunks[trunk], &self.watch.trunks[trunk]));
        if trunk.is_some_and(|(_, known)| known.at.is_none()) {
            return Some(Due::Never(Excuse::NoName));
        }
        // It may have been given up meanwhile, and promised since.
        let since = if self.is_unconfirmed(at.call) {
            self.scenario.calls[at.call].placed_at
        } else {
            promised
        };
        if self.is_found_too_late(at) {
            return Some(Due::Never(Excuse::NoName));
        }
        if trunk.is_some_and(|(script, _)| script.is_away(self.now).is_some()) || self.is_away_too_long(at) {
            return Some(Due::Never(Excuse::AwayTrunk));
        }
        let away = trunk.and_then(|(script, _)| {
            script
                .outages
                .iter()
                .filter(|(from, _)| *from <= self.now)
                .map(|(_, until)| *until)
                .rfind(|until| *until > since)
        });
        let away = away.filter(|until| *until <= self.now + BOUND);
        let uncancelled = if self.is_abandoned(at.call, leg.branch()) {
            Some(Excuse::NotCancelled)
        } else if self.is_unconfirmed(at.call)
            && self.broken(at.call) >= promised.max(watched.cancelled_at).max(watched.ended_at)
        {
            // No CANCEL follows the one that had its chance when the call was given up.
            Some(Excuse::BrokenWay)
        } else {
            away.map(|_| Excuse::AwayTrunk)
        };
        if let Some(excuse) = uncancelled.filter(|_| hook == Hook::Ringing) {
            return Some(Due::Never(excuse));
        }
        let reasons = [
            (self.broken(at.call), Some(Excuse::BrokenWay)),
            (away.unwrap_or(0), Some(Excuse::AwayTrunk)),
            (trunk.map_or(0, |(_, known)| known.found_at), Some(Excuse::NoName)),
            (uncancelled.map_or(0, |_| leg.answered_at), uncancelled),
        ];
        let (from, excuse) = reasons
            .into_iter()
            .filter(|(from, _)| *from > promised)
            .max_by_key(|(from, _)| *from)
            .unwrap_or((promised, None));
        Some(Due::From(from, excuse))
    }

    /// Whether a call was given up without the far end's word. The disk may have refused to take that it was.
    pub(super) fn is_unconfirmed(&self, call: usize) -> bool {
        let watched = &self.watch.calls[call];
        let is_told = watched.ended.as_ref().is_some_and(|(end, _)| !end.confirmed);
        is_told || watched.keys.iter().any(|key| self.house.disk.is_unconfirmed(*key))
    }

    /// The longest time from a BYE that has no way, or that the phone refuses, to the next: 8·T1 from its answer on.
    fn pause_of_byes(&self) -> Millis {
        let network = &self.scenario.network;
        let late = if network.late > 0 { 1000 } else { 0 };
        8 * T1 + 2 * (1 + network.delay + late)
    }

    /// Whether a call was given up when its trunk had been nowhere for long, and is still or had just come back: it is said BYE a pause later, and
    /// again for each that the phone refuses.
    pub(super) fn is_found_too_late(&self, at: At) -> bool {
        let watched = &self.watch.calls[at.call];
        let Some(trunk) = watched.trunk.map(|trunk| &self.watch.trunks[trunk]) else {
            return false;
        };
        let (ended_at, byes) = (watched.ended_at, 1 + self.script(at).refuses_byes);
        let is_before_the_last = trunk.at.is_none() || ended_at < trunk.found_at + self.pause_of_byes() * byes;
        trunk.lost_at + TRANSACTION <= ended_at && is_before_the_last && self.is_unconfirmed(at.call)
    }

    /// Whether a call was given up while nobody was at its trunk, or before what was said next could be heard there: two outages in a
    /// row last longer than all that is said to end a call.
    pub(super) fn is_away_too_long(&self, at: At) -> bool {
        let watched = &self.watch.calls[at.call];
        let (ended_at, byes) = (watched.ended_at, 1 + self.script(at).refuses_byes);
        let said_last = ended_at.saturating_sub(self.pause_of_byes() * byes);
        let was_away = |at| {
            watched
                .trunk
                .is_some_and(|trunk| self.scenario.trunks[trunk].is_away(at).is_some())
        };
        (was_away(ended_at) || was_away(said_last)) && self.is_unconfirmed(at.call)
    }

    /// Whether the last BYE of this dialog was said when nobody was at its trunk, to a phone that refuses some: no other one follows.
    pub(super) fn is_back_too_late(&self, at: At, tag: &str) -> bool {
        let watched = &self.watch.calls[at.call];
        let bye_at = watched.dialogs.get(tag).map(|dialog| dialog.bye_at);
        let script = watched.trunk.map(|trunk| &self.scenario.trunks[trunk]);
        let was_away = script
            .zip(bye_at)
            .is_some_and(|(trunk, bye_at)| trunk.is_away(bye_at).is_some());
        was_away && self.script(at).refuses_byes > 0
    }

    /// When the way to the phones of this call was broken last.
    pub(super) fn broken(&self, call: usize) -> Millis {
        let watched = &self.watch.calls[call];
        let of_trunk = watched.trunk.map_or(0, |trunk| self.watch.broken[trunk]);
        watched.broken.max(of_trunk)
    }
}
