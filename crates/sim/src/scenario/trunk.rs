//! One trunk: what it is reached by, what becomes of its name, when nobody is there, and what its registrar wants.

use sip::Transport;

use super::{Millis, Odds};
use crate::{
    lanes::{LaneName, Lanes},
    parts::Family,
};

#[derive(Clone, Debug)]
pub(crate) struct TrunkScript {
    /// What its names and addresses are made from; it counts from 1.
    pub(crate) number: u32,
    pub(crate) transport: Transport,
    /// It is configured by a name.
    pub(crate) named: Option<NameScript>,
    /// Time between two OPTIONS.
    pub(crate) keepalive: Option<Millis>,
    pub(crate) registrar: Option<RegistrarScript>,
    /// When nobody is there, from and until; in order, and apart.
    pub(crate) outages: Vec<(Millis, Millis)>,
    /// Whether who sends a datagram there meanwhile is told so.
    pub(crate) refuses: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct NameScript {
    /// How long it takes to be found, when nothing goes wrong.
    pub(crate) wait: Millis,
    /// From when on it leads to another address of its trunk.
    pub(crate) moves_at: Option<Millis>,
    /// Whether it has an address of the other family, too, where we cannot speak from.
    pub(crate) has_both: bool,
    /// Look-ups of a thousand that come to nothing, or late, or to the other family alone; three at most.
    pub(crate) troubles: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct RegistrarScript {
    pub(crate) challenges: bool,
    /// Grants no more than this, in seconds; wants no less than that.
    pub(crate) grants: u32,
    pub(crate) least: u32,
    /// REGISTERs that it refuses before it takes one.
    pub(crate) refuses: u64,
    /// REGISTERs of a thousand that it has a whim about.
    pub(crate) whims: u64,
}

impl TrunkScript {
    /// One by UDP that is always there.
    pub(super) fn plain(number: u32) -> Self {
        Self {
            number,
            transport: Transport::Udp,
            named: None,
            keepalive: None,
            registrar: None,
            outages: Vec::new(),
            refuses: false,
        }
    }

    pub(super) fn draw(number: u32, lanes: &mut Lanes, odds: &Odds) -> Self {
        let of = |family: Family| LaneName::of(family.name(), number);
        let transport = odds.happens(lanes, Family::Streams, of(Family::Streams), 1000);
        let transport = transport.map_or(Transport::Udp, |lane| lane.pick(&[Transport::Tcp, Transport::Tls]));
        let troubles = odds.permille(Family::Names, 500);
        let named = odds.happens(lanes, Family::Names, of(Family::Names), 800);
        let named = named.map(|lane| NameScript {
            wait: 1 + lane.wait(&[3, 100, 3000]),
            moves_at: lane.chance(300).then(|| lane.wait(&[20_000, 120_000, 3000])),
            has_both: lane.chance(200),
            troubles,
        });
        let keepalive = odds.happens(lanes, Family::KeepAlive, of(Family::KeepAlive), 1000);
        let keepalive = keepalive.map(|lane| lane.pick(&[30_000, 10_000, 60_000]));
        let registrar = odds.happens(lanes, Family::Registrars, of(Family::Registrars), 1000);
        let registrar = registrar.map(|lane| RegistrarScript {
            challenges: lane.chance(500),
            grants: lane.pick(&[3600, 60, 120]),
            least: lane.pick(&[0, 0, 900]),
            refuses: if lane.chance(200) { lane.between(1, 3) } else { 0 },
            whims: odds.permille(Family::FickleRegistrars, 700),
        });
        let mut outages = Vec::new();
        let mut refuses = false;
        if let Some(lane) = odds.happens(lanes, Family::Outages, of(Family::Outages), 700) {
            refuses = lane.chance(300);
            let mut from = 0;
            for _ in 0..lane.between(1, 3) {
                from += 1 + lane.wait(&[120_000, 20_000, 3000]);
                let until = from + 1 + lane.wait(&[3000, 20_000, 60_000]);
                outages.push((from, until));
                from = until;
            }
        }
        Self {
            number,
            transport,
            named,
            keepalive,
            registrar,
            outages,
            refuses,
        }
    }

    /// Whether it is asked whether it is there, or registered with.
    pub(crate) fn is_tended(&self) -> bool {
        self.keepalive.is_some() || self.registrar.is_some()
    }

    /// Until when nobody is there, if so now.
    pub(crate) fn is_away(&self, now: Millis) -> Option<Millis> {
        let mut outages = self.outages.iter();
        outages
            .find(|(from, until)| (*from..*until).contains(&now))
            .map(|(_, until)| *until)
    }
}
