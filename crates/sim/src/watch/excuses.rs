//! Why a phone may ring or be up after the bound: each reason is proven by what happened in the world, and counted.

use crate::{
    message::{Asks, At},
    phone::Hook,
    scenario::Millis,
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
    /// The connection that its INVITE went by was gone before anything came back; the bound runs from its answer.
    LostInvite,
}

impl Excuse {
    pub const ALL: [Self; 6] = [
        Self::Vanished,
        Self::Unanswerable,
        Self::NotCancelled,
        Self::LeftAlone,
        Self::BrokenWay,
        Self::LostInvite,
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
        let uncancelled = if party.proxy.abandoned.contains(leg.branch()) {
            Some(Excuse::NotCancelled)
        } else {
            watched.lost_invite.then_some(Excuse::LostInvite)
        };
        if let Some(excuse) = uncancelled {
            if hook == Hook::Ringing {
                return Some(Due::Never(excuse));
            }
            if leg.answered_at > promised {
                return Some(Due::From(leg.answered_at.max(self.broken(at.call)), Some(excuse)));
            }
        }
        let broken = self.broken(at.call);
        Some(if broken > promised {
            Due::From(broken, Some(Excuse::BrokenWay))
        } else {
            Due::From(promised, None)
        })
    }

    /// When the way to the phones of this call was broken last.
    pub(super) fn broken(&self, call: usize) -> Millis {
        let watched = &self.watch.calls[call];
        let of_trunk = watched.trunk.map_or(0, |trunk| self.watch.broken[trunk]);
        watched.broken.max(of_trunk)
    }
}
