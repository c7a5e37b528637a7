//! One call: its phones, its proxy, its client.

use std::fmt;

use sip::{Refresher, SHORTEST_INTERVAL, SessionExpires};

use super::{Elsewhere, Liberties, Millis, NameScript, Odds, Route};
use crate::{
    lanes::{Lane, LaneName, Lanes},
    message::Asks,
    parts::Family,
};

/// Moments within a call at which things like to go wrong.
const SOON_OR_LATER: [Millis; 5] = [1, 300, 3000, 20_000, 120_000];

#[derive(Clone, Debug)]
pub(crate) struct CallScript {
    /// What its Call-ID, its tag and its id are made from.
    pub(crate) name: u32,
    /// When PlayOnPhone is asked for.
    pub(crate) placed_at: Millis,
    pub(crate) phones: Vec<Script>,
    pub(crate) proxy: Option<ProxyScript>,
    /// Behind that.
    pub(crate) behind: Option<ProxyScript>,
    /// How long after that DisconnectPhoneCall is asked for.
    pub(crate) hang_ups: Vec<Millis>,
    /// How long the client of PlayOnPhone waits for its answer, when it does not wait for ever.
    pub(crate) leaves_after: Option<Millis>,
    /// How long the message plays.
    pub(crate) message: Millis,
    pub(crate) sound_fails: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answer,
    Refuse(u16),
    RingOn,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Script {
    pub(crate) outcome: Outcome,
    pub(crate) rings_for: Millis,
    /// Whether the INVITE is answered with a 100 at once, and how long until the 180.
    pub(crate) tries: bool,
    pub(crate) rings_after: Millis,
    pub(crate) asks_invite: Asks,
    pub(crate) asks_bye: Asks,
    pub(crate) hangs_up_after: Option<Millis>,
    pub(crate) reinvites_after: Option<Millis>,
    /// What its 2xx says of session timers, if it was asked, and whether it takes and sends UPDATE.
    pub(crate) session: Option<SessionExpires>,
    pub(crate) updates: bool,
    /// What it says of them against all agreement.
    pub(crate) quarrel: Option<Quarrel>,
    /// How long after the call is placed nothing is heard of it any more.
    pub(crate) vanishes_after: Option<Millis>,
    /// BYEs that are refused with a 503 before one is taken.
    pub(crate) refuses_byes: u64,
    pub(crate) usable_sdp: bool,
    /// Whether its Contact is by UDP where its trunk is not, and by TCP where it is; and whether it is a name.
    pub(crate) contact_by_other: bool,
    pub(crate) named: Option<NameScript>,
    /// Whether it names a place of our own network instead: its trunk, which is outside, may not send us there.
    pub(crate) is_inside: bool,
    /// Or another place where nobody may send us, and routers that lead there.
    pub(crate) elsewhere: Option<Elsewhere>,
    pub(crate) records: Option<Route>,
    pub(crate) liberties: Liberties,
    /// How it writes: compact names, folded lines, odd case and spaces.
    pub(crate) hand: Hand,
}

/// How a phone disagrees about session timers (RFC 4028).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quarrel {
    /// So many times every interval is too small.
    TooSmall(u32),
    /// It names intervals that are shorter than may be, in its answer and in refreshes of its own.
    Short,
    /// Its answers to refreshes swap who refreshes, or say nothing of it.
    Swapped,
    Silent,
    /// It refuses refreshes.
    Refused(u16),
    /// It refreshes, too.
    Both,
}

/// How a peer writes its messages; all of it is valid (RFC 3261 §7.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hand {
    Plain,
    Compact,
    /// Folded lines, names in capitals, spaces before and after the colon.
    Baroque,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct ProxyScript {
    pub(crate) asks: Asks,
    /// Whether the other phones are cancelled when one answers.
    pub(crate) cancels_others: bool,
    /// Whether a CANCEL is followed by a 487 before the phones have said theirs.
    pub(crate) early_487: bool,
    /// Whether it says that a fork rings no more (RFC 6228), and stays on the way of what is inside a dialog.
    pub(crate) says_199: bool,
    pub(crate) records_route: bool,
    /// How long after an INVITE it says 408 on its own, and cancels.
    pub(crate) gives_up_after: Option<Millis>,
    /// The phones that it forks to: from this one, before that one.
    pub(crate) phones: (usize, usize),
}

impl ProxyScript {
    /// One behind another one, and how many phones each has beside it.
    fn draw_behind(lane: &mut Lane, before: &mut Self) -> Self {
        let own = lane.between(1, 4) as usize;
        let behind = lane.between(1, 4) as usize;
        before.phones = (0, own);
        before.records_route = !lane.chance(300);
        before.says_199 = lane.chance(500);
        Self {
            asks: Asks::Nothing,
            cancels_others: !lane.chance(400),
            early_487: lane.chance(300),
            says_199: lane.chance(500),
            records_route: !lane.chance(300),
            gives_up_after: None,
            phones: (own, own + behind),
        }
    }
}

impl CallScript {
    pub(super) fn draw(name: u32, lanes: &mut Lanes, odds: &Odds) -> Self {
        let of = |what| LaneName::of(what, name);
        let forks = odds.happens(lanes, Family::Forks, of("forks"), 1000);
        let (phones, cancels_others, early_487) = match forks {
            Some(lane) => (1 + lane.between(1, 3), !lane.chance(400), lane.chance(300)),
            None => (1, true, false),
        };
        let forked = phones > 1;
        let asks = challenge(lanes, odds, [of("challenges-by-proxy"), of("endless-by-proxy")], 600);
        let gives_up = odds.happens(lanes, Family::Liberties, of("liberties-of-proxy"), 400);
        let gives_up_after = gives_up.map(|lane| 1 + lane.wait(&[20_000, 3000, 60_000]));
        let mut proxy = forked.then_some(ProxyScript {
            asks,
            cancels_others,
            early_487,
            says_199: false,
            records_route: false,
            gives_up_after,
            phones: (0, phones as usize),
        });
        let behind = proxy.as_mut().and_then(|before| {
            let lane = odds.happens(lanes, Family::DeepForks, of(Family::DeepForks.name()), 1000)?;
            Some(ProxyScript::draw_behind(lane, before))
        });
        let phones = behind.map_or(phones, |behind| behind.phones.1 as u64);
        let phones = (1..=phones as u32).map(|phone| Script::draw(lanes, odds, (name, phone), forked));
        let phones = phones.collect();
        let leaves = odds.happens(lanes, Family::Leaving, of("leaving"), 160);
        let leaves_after = leaves.map(|lane| lane.wait(&[10, 100, 3000]));
        let sound_fails = odds.happens(lanes, Family::Sound, of("sound"), 80).is_some();
        let lane = lanes.lane(of("call"));
        let placed_at = lane.wait(&[1, 1, 100, 5000, 60_000]);
        let hang_ups = lane.pick(&[0, 0, 1, 1, 1, 2, 3]);
        Self {
            name,
            placed_at,
            phones,
            proxy,
            behind,
            message: 1 + lane.wait(&[60_000, 2_000, 20_000, 600_000]),
            hang_ups: (0..hang_ups)
                .map(|_| lane.wait(&[20_000, 120_000, 60_000, 3000, 300]))
                .collect(),
            leaves_after,
            sound_fails,
        }
    }
}

impl Script {
    fn draw(lanes: &mut Lanes, odds: &Odds, (call, phone): (u32, u32), forked: bool) -> Self {
        let named = |what| LaneName::phone(what, call, phone);
        let mut when = |family: Family, most| {
            let lane = odds.happens(lanes, family, named(family.name()), most);
            lane.map(|lane| lane.wait(&SOON_OR_LATER))
        };
        let hangs_up_after = when(Family::HangUps, 600);
        let reinvites_after = when(Family::Reinvites, 600);
        let vanishes_after = when(Family::Vanishing, 500);
        let refuses = odds.happens(lanes, Family::Refusers, named("refusers"), 1000);
        let outcome = refuses.map_or(Outcome::Answer, |lane| {
            lane.pick(&[
                Outcome::RingOn,
                Outcome::Refuse(486),
                Outcome::Refuse(603),
                Outcome::Refuse(302),
            ])
        });
        let asks_invite = if forked {
            Asks::Nothing
        } else {
            challenge(lanes, odds, [named("challenges-invite"), named("endless-invite")], 700)
        };
        let asks_bye = challenge(lanes, odds, [named("challenges-bye"), named("endless-bye")], 700);
        let sessions = odds.happens(lanes, Family::Sessions, named("sessions"), 1000);
        let (session, updates) = match sessions {
            Some(lane) => {
                let expires = SessionExpires {
                    interval: lane.pick(&[SHORTEST_INTERVAL, 120]),
                    refresher: Some(lane.pick(&[Refresher::Uac, Refresher::Uas])),
                };
                (Some(expires), !lane.chance(400))
            }
            None => (None, true),
        };
        let quarrel = odds.happens(lanes, Family::SessionQuarrels, named("session-quarrels"), 700);
        let quarrel = quarrel.map(|lane| {
            lane.pick(&[
                Quarrel::Both,
                Quarrel::TooSmall(1),
                Quarrel::TooSmall(3),
                Quarrel::TooSmall(20),
                Quarrel::Short,
                Quarrel::Swapped,
                Quarrel::Silent,
                Quarrel::Refused(481),
                Quarrel::Refused(408),
                Quarrel::Refused(500),
                Quarrel::Refused(491),
            ])
        });
        let session = session.or_else(|| {
            quarrel.map(|_| SessionExpires {
                interval: SHORTEST_INTERVAL,
                refresher: Some(Refresher::Uac),
            })
        });
        let refuses_byes = odds.happens(lanes, Family::BusyByes, named("busy-byes"), 250);
        let refuses_byes = refuses_byes.map_or(0, |lane| lane.between(1, 3));
        let usable_sdp = odds.happens(lanes, Family::BadSdp, named("bad-sdp"), 120).is_none();
        let contacts = odds.happens(lanes, Family::Contacts, named("contacts"), 1000);
        let contacts = contacts.map_or((false, false, 0, false), |lane| {
            let (by_other, is_named) = (lane.chance(500), lane.chance(400));
            (by_other, is_named, lane.wait(&[3, 100, 3000]), lane.chance(200))
        });
        let (contact_by_other, is_named, wait, is_inside) = contacts;
        let moves = odds.happens(lanes, Family::Names, named("moves"), 500);
        let moves_at = moves.map(|lane| lane.wait(&[120_000, 20_000, 3000]));
        let name = is_named.then(|| NameScript {
            wait: 1 + wait,
            moves_at,
            has_both: false,
            troubles: odds.permille(Family::Names, 500),
        });
        let (elsewhere, records) = Elsewhere::draw(lanes, odds, (call, phone));
        let liberties = Liberties::draw(lanes, odds, (call, phone));
        let hand = odds.happens(lanes, Family::Hands, named("hands"), 1000);
        let hand = hand.map_or(Hand::Plain, |lane| lane.pick(&[Hand::Compact, Hand::Baroque]));
        let lane = lanes.lane(named("phone"));
        Self {
            outcome,
            rings_for: lane.wait(&[3000, 300, 20_000, 1, 70_000]),
            tries: !lane.chance(300),
            rings_after: lane.wait(&[1, 50, 2000]),
            asks_invite,
            asks_bye,
            hangs_up_after,
            reinvites_after,
            session,
            updates,
            quarrel,
            vanishes_after,
            refuses_byes,
            usable_sdp,
            contact_by_other,
            named: name,
            is_inside,
            elsewhere,
            records,
            liberties,
            hand,
        }
    }
}

fn challenge(lanes: &mut Lanes, odds: &Odds, [name, endless]: [LaneName; 2], most: u64) -> Asks {
    if let Some(lane) = odds.happens(lanes, Family::EndlessDigest, endless, 200) {
        return lane.pick(&Asks::ENDLESS);
    }
    let lane = odds.happens(lanes, Family::Challenges, name, most);
    lane.map_or(Asks::Nothing, |lane: &mut Lane| {
        lane.pick(&[
            Asks::Md5,
            Asks::Sha256,
            Asks::Both,
            Asks::Md5,
            Asks::Sha256,
            Asks::Both,
            Asks::Unknown,
        ])
    })
}

impl fmt::Display for CallScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fails = if self.sound_fails { ", fails" } else { "" };
        write!(
            f,
            "\n    call {} at {}: hang-ups {:?}, client leaves {:?}, message {}{fails}",
            self.name, self.placed_at, self.hang_ups, self.leaves_after, self.message,
        )?;
        for phone in &self.phones {
            write!(f, "\n      {phone:?}")?;
        }
        for proxy in self.proxy.iter().chain(&self.behind) {
            write!(f, "\n      {proxy:?}")?;
        }
        Ok(())
    }
}
