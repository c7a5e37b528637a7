//! What becomes of names, as the shell's room for them (`onhook/src/net/names.rs`) tells the switch: at once for an address; else found, or not,
//! within four seconds; and what the resolver says later, later.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv6Addr},
};

use switch::Found;

use crate::{
    house::{Input, node::host_of},
    lanes::{Lane, LaneName},
    message::{At, HOUSE, MOVED, address, trunk_address},
    scenario::{Elsewhere, Millis, NameScript},
    world::{Event, World},
};

/// How long a look-up may take before it is said that nothing is known.
const LOOK_UP: Millis = 4000;

/// Look-ups that are under way, and whether it was said of them that they take too long.
#[derive(Default)]
pub(crate) struct Names {
    under_way: BTreeMap<String, bool>,
    /// Those that the switch waits for a word about.
    awaited: BTreeSet<String>,
    /// How many of each name have come to nothing.
    troubles: BTreeMap<String, u64>,
}

impl Names {
    /// The process is gone, and with it what it was looking for.
    pub(crate) fn crashed(&mut self) {
        self.under_way.clear();
        self.awaited.clear();
    }

    /// The switch has been told about this one.
    pub(crate) fn is_told(&mut self, host: &str) {
        self.awaited.remove(host);
    }
}

/// Whose name it is.
#[derive(Clone, Copy)]
enum Whose {
    Trunk(usize),
    Phone(At),
}

impl World {
    /// Looks it up.
    pub(crate) fn look_up(&mut self, host: String) {
        self.names.awaited.insert(host.clone());
        let incarnation = self.house.incarnation;
        let told = |host, found: Result<Vec<IpAddr>, &'static str>, is_last| Event::LookedUp {
            incarnation,
            host,
            found,
            is_last,
        };
        if let Ok(ip) = host.parse() {
            return self.after(1, told(host, Ok(vec![ip]), true));
        }
        match self.names.under_way.get(&host) {
            Some(true) => return self.after(1, told(host, Err("the resolver does not answer"), false)),
            Some(false) => return,
            None => {}
        }
        if host.starts_with("silent") {
            self.names.under_way.insert(host.clone(), false);
            return self.after(LOOK_UP, told(host, Err("the resolver does not answer"), false));
        }
        if host.starts_with("inside") {
            return self.after(1, told(host, Ok(vec![[10, 9, 8, 7].into()]), true));
        }
        let Some((whose, script)) = self.name_script(&host) else {
            return self.after(1, told(host, Err("no such name"), true));
        };
        let (wait, found) = self.answer_of(&host, whose, script);
        self.names.under_way.insert(host.clone(), false);
        if wait > LOOK_UP {
            self.after(LOOK_UP, told(host.clone(), Err("the resolver does not answer"), false));
        }
        self.after(wait, told(host, found, true));
    }

    pub(crate) fn looked_up(&mut self, host: String, found: Result<Vec<IpAddr>, &'static str>, is_last: bool) {
        if is_last {
            self.names.under_way.remove(&host);
        } else if let Some(is_late) = self.names.under_way.get_mut(&host) {
            *is_late = true;
        }
        self.ladder.note(self.now, || format!("{host}: {found:?}"));
        let local = Some(HOUSE.0.into());
        let found = found.map(|addresses| addresses.into_iter().map(|remote| Found { remote, local }).collect());
        self.hand_over(Input::LookedUp(host, found));
    }

    /// Whether a name of one of these phones is being looked up.
    pub(crate) fn is_looking_for(&self, call: usize) -> bool {
        let phones = 0..self.parties[call].phones.len();
        let mut hosts = phones.map(|phone| self.host_of_phone(At { call, phone }));
        hosts.any(|host| self.names.awaited.contains(&host))
    }

    /// Whose name leads there, where we cannot speak to.
    pub(crate) fn phone_of_other_family(&self, ip: IpAddr) -> Option<At> {
        let IpAddr::V6(ip) = ip else { return None };
        let [_, _, 1, .., phone, call] = ip.segments() else {
            return None;
        };
        let at = At {
            call: call.into(),
            phone: phone.into(),
        };
        (at.call < self.parties.len()).then_some(at)
    }

    /// Which trunk's name leads there when it is found by the other family alone.
    pub(crate) fn trunk_of_other_family(&self, ip: Ipv6Addr) -> Option<usize> {
        let [0x2001, 0xDB8, 0, .., number] = ip.segments() else {
            return None;
        };
        let mut trunks = self.scenario.trunks.iter();
        trunks.position(|trunk| trunk.number == u32::from(number))
    }

    /// What a phone calls itself.
    pub(crate) fn host_of_phone(&self, at: At) -> String {
        let elsewhere = self.script(at).elsewhere.and_then(Elsewhere::name);
        let what = elsewhere.unwrap_or("phone");
        format!("{what}{}-{}.example", self.scenario.calls[at.call].name, at.phone + 1)
    }

    fn name_script(&self, host: &str) -> Option<(Whose, NameScript)> {
        let mut trunks = self.scenario.trunks.iter().enumerate();
        if let Some((at, trunk)) = trunks.find(|(_, trunk)| host_of(trunk) == host) {
            return Some((Whose::Trunk(at), trunk.named?));
        }
        let (call, phone) = host.strip_prefix("phone")?.strip_suffix(".example")?.split_once('-')?;
        let call = self.call_named(call.parse().ok()?)?;
        let phone = phone.parse::<usize>().ok()?.checked_sub(1)?;
        let named = self.scenario.calls[call].phones.get(phone)?.named?;
        Some((Whose::Phone(At { call, phone }), named))
    }

    /// How long it takes, and what it comes to.
    fn answer_of(
        &mut self,
        host: &str,
        whose: Whose,
        script: NameScript,
    ) -> (Millis, Result<Vec<IpAddr>, &'static str>) {
        let has_moved = script.moves_at.is_some_and(|at| at <= self.now);
        let (own, other): (IpAddr, IpAddr) = match whose {
            Whose::Trunk(at) => {
                let trunk = &self.scenario.trunks[at];
                let moved = if has_moved { 100 } else { 0 };
                let own = trunk_address(trunk.number + moved, trunk.transport).ip();
                (own, [0x2001, 0xDB8, 0, 0, 0, 0, 0, trunk.number as u16].into())
            }
            Whose::Phone(at) => {
                let call = self.scenario.calls[at.call].name;
                let moved = if has_moved { MOVED } else { 0 };
                let own = address(call, at.phone + moved, sip::Transport::Udp).ip();
                (own, [0x2001, 0xDB8, 1, 0, 0, 0, at.phone as u16, at.call as u16].into())
            }
        };
        let had = self.names.troubles.get(host).copied().unwrap_or(0);
        let is_calm = self.scenario.is_calm(self.now);
        let lane = self.name_lane(whose);
        if script.troubles > 0 && !is_calm && had < 3 && lane.chance(script.troubles) {
            let which = lane.below(4);
            *self.names.troubles.entry(host.to_owned()).or_default() += 1;
            return match which {
                0 => (script.wait, Err("it has no address")),
                1 => (LOOK_UP + 6000, Ok(vec![own])),
                2 => (script.wait, Ok(vec![other])),
                // As good as never.
                _ => (60_000, Err("the resolver has failed")),
            };
        }
        let found = if script.has_both { vec![other, own] } else { vec![own] };
        (script.wait, Ok(found))
    }

    fn name_lane(&mut self, whose: Whose) -> &mut Lane {
        self.lanes.lane(match whose {
            Whose::Trunk(at) => LaneName::of("look-ups", self.scenario.trunks[at].number),
            Whose::Phone(at) => LaneName::phone("look-ups", self.scenario.calls[at.call].name, at.phone as u32 + 1),
        })
    }
}
