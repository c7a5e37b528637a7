//! What a phone does that nobody expects, and where it says that it is.

use super::{Millis, Odds};
use crate::{
    lanes::{LaneName, Lanes},
    parts::Family,
};

/// What it does out of turn, of all that the RFCs let it do or that is seen all the same.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Liberties {
    /// How long after its answer.
    pub(crate) asks: [Option<(Millis, Liberty)>; 2],
    /// Provisional responses that it sends at once instead of one.
    pub(crate) rings: u64,
    /// Its provisional responses have no tag; want to be acknowledged (RFC 3262), though nobody has offered that.
    pub(crate) rings_untagged: bool,
    pub(crate) rings_reliably: bool,
    /// What it refuses with says where else, and when, to call.
    pub(crate) refers: bool,
    /// A CANCEL is taken, and answered with this; 0 is never.
    pub(crate) cancel: Option<u16>,
    /// A BYE is taken, and answered with this; 0 is never.
    pub(crate) bye: Option<u16>,
}

/// A request of its own inside the dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Liberty {
    Asks(&'static str),
    /// With a CSeq number that was before.
    AsksAgain(&'static str),
    /// An UPDATE with an offer.
    Offer,
    /// Two at once.
    Reinvite,
    /// A re-INVITE, and its CANCEL.
    Cancel,
    /// It hangs up twice.
    Bye,
}

/// Where its Contact leads: no place that its trunk may send us to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Elsewhere {
    Private,
    LinkLocal,
    Multicast,
    /// A name that is known to nobody; about which the resolver never says anything; that leads into our own network.
    NoName,
    SilentName,
    NameInside,
    /// No place at all.
    Telephone,
}

/// The routers that its answer records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Trunk,
    Twice,
    /// The first one is where we may not go.
    Inside,
    /// Strict ones: there, and the trunk.
    StrictInside,
    StrictTrunk,
    /// What is no place.
    Nobody,
}

impl Liberties {
    pub(super) fn draw(lanes: &mut Lanes, odds: &Odds, (call, phone): (u32, u32)) -> Self {
        let lane = LaneName::phone(Family::Liberties.name(), call, phone);
        let Some(lane) = odds.happens(lanes, Family::Liberties, lane, 1000) else {
            return Self::default();
        };
        let mut asks = || {
            let wait = lane.wait(&[300, 3000, 20_000, 1]);
            let liberty = lane.pick(&[
                None,
                Some(Liberty::Asks("INFO")),
                Some(Liberty::Asks("OPTIONS")),
                Some(Liberty::Asks("NOTIFY")),
                Some(Liberty::Asks("PRACK")),
                Some(Liberty::Asks("REFER")),
                Some(Liberty::Asks("MESSAGE")),
                Some(Liberty::AsksAgain("INFO")),
                Some(Liberty::Offer),
                Some(Liberty::Reinvite),
                Some(Liberty::Cancel),
                Some(Liberty::Bye),
            ]);
            liberty.map(|liberty| (wait, liberty))
        };
        Self {
            asks: [asks(), asks()],
            rings: lane.pick(&[1, 1, 1, 5, 40]),
            rings_untagged: lane.chance(200),
            rings_reliably: lane.chance(200),
            refers: lane.chance(500),
            cancel: lane.pick(&[None, None, None, Some(481), Some(0)]),
            bye: lane.pick(&[None, None, None, None, Some(481), Some(408), Some(503), Some(0)]),
        }
    }
}

impl Elsewhere {
    pub(super) fn draw(lanes: &mut Lanes, odds: &Odds, (call, phone): (u32, u32)) -> (Option<Self>, Option<Route>) {
        let lane = LaneName::phone(Family::Elsewhere.name(), call, phone);
        let Some(lane) = odds.happens(lanes, Family::Elsewhere, lane, 1000) else {
            return (None, None);
        };
        let elsewhere = lane.pick(&[
            None,
            Some(Self::Private),
            Some(Self::LinkLocal),
            Some(Self::Multicast),
            Some(Self::NoName),
            Some(Self::SilentName),
            Some(Self::NameInside),
            Some(Self::Telephone),
        ]);
        let route = lane.pick(&[
            None,
            None,
            None,
            None,
            Some(Route::Trunk),
            Some(Route::Twice),
            Some(Route::Inside),
            Some(Route::StrictInside),
            Some(Route::StrictTrunk),
            Some(Route::Nobody),
        ]);
        (elsewhere, route)
    }

    /// What its name begins with, where it is one.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::NoName => Some("nowhere"),
            Self::SilentName => Some("silent"),
            Self::NameInside => Some("inside"),
            Self::Private | Self::LinkLocal | Self::Multicast | Self::Telephone => None,
        }
    }
}
