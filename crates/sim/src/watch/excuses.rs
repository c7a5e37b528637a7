//! Why a phone may ring or be up after the bound: each reason is proven by what happened in the world, and counted.

use crate::{
    message::{Asks, At},
    phone::Hook,
    scenario::{BOUND, Millis},
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
    /// Its connection failed, broke or hung; the bound runs from then.
    BrokenWay,
    /// Nobody was at its trunk; the bound runs from the trunk's return, or the phone's answer after it.
    AwayTrunk,
    /// The name of its trunk was not found; the bound runs from when it was.
    NoName,
}

impl Excuse {
    pub const ALL: [Self; 7] = [
        Self::Vanished,
        Self::Unanswerable,
        Self::NotCancelled,
        Self::LeftAlone,
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
        if self.script(at).asks_bye == Asks::Unknown {
            return Some(Due::Never(Excuse::Unanswerable));
        }
        if watched.is_left_alone {
            return Some(Due::Never(Excuse::LeftAlone));
        }
        let trunk = watched
            .trunk
            .map(|trunk| (&self.scenario.trunks[trunk], self.watch.trunks[trunk]));
        if trunk.is_some_and(|(_, known)| known.at.is_none()) {
            return Some(Due::Never(Excuse::NoName));
        }
        // It may have been given up meanwhile, unconfirmed, and promised since.
        let is_unconfirmed = watched.keys.iter().any(|key| self.house.disk.is_unconfirmed(*key));
        let since = if is_unconfirmed {
            self.scenario.calls[at.call].placed_at
        } else {
            promised
        };
        if trunk.is_some_and(|(script, _)| script.is_away(self.now).is_some()) {
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
        let uncancelled = if party.proxy.abandoned.contains(leg.branch()) {
            Some(Excuse::NotCancelled)
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

    /// When the way to the phones of this call was broken last.
    pub(super) fn broken(&self, call: usize) -> Millis {
        let watched = &self.watch.calls[call];
        let of_trunk = watched.trunk.map_or(0, |trunk| self.watch.broken[trunk]);
        watched.broken.max(of_trunk)
    }
}
