//! What operations ask for: place, look, end.

use std::time::SystemTime;

use call::{Call, Limits};
use dial::Permit;
use media::RtpPort;
use tokio::sync::watch;

use super::{Command, Key, Live, Owner, Settled, Waiting, local_ip};
use crate::{
    calls::{
        Information, PhoneCallId, PlaceError,
        live::{Placed, Stage},
        place::{Names, Order},
    },
    crash_points,
    journal::IdHash,
    messages::Message,
};

impl Owner {
    pub(super) fn handle_command(&mut self, command: Command) {
        match command {
            Command::Place(order) => self.place(*order),
            Command::Information { owner, id, reply } => {
                let _ = reply.send(self.information(owner, id));
            }
            Command::Disconnect { owner, id, reply } => {
                let _ = reply.send(self.disconnect(owner, id));
            }
            Command::Live { reply } => {
                let _ = reply.send(self.caps.live());
            }
            Command::Drain { reply } => {
                self.draining = true;
                self.ending.push(reply);
            }
            Command::EndAll { reply } => {
                self.draining = true;
                self.ending.push(reply);
                let now = self.now();
                let keys: Vec<Key> = self.live.keys().copied().collect();
                for key in keys {
                    self.with(key, |live| live.call.drain(now));
                }
            }
        }
    }

    fn place(&mut self, order: Order) {
        let Order {
            permit,
            message,
            port,
            reply,
        } = order;
        if reply.is_closed() {
            return;
        }
        match self.try_place(permit, message, port) {
            // The caller hears of it when the intent is durable.
            Ok((key, id)) => {
                if let Some(live) = self.live.get_mut(&key) {
                    live.placed = Some(Placed { id, reply });
                }
                self.act(key);
            }
            Err(error) => {
                let _ = reply.send(Err(error));
            }
        }
    }

    fn try_place(&mut self, permit: Permit, message: Message, port: RtpPort) -> Result<(Key, PhoneCallId), PlaceError> {
        if self.draining {
            return Err(PlaceError::Draining);
        }
        if !self.journal.takes_new_calls() {
            return Err(PlaceError::NotJournaled);
        }
        let ways: Vec<_> = self
            .settings
            .trunks
            .iter()
            .filter(|trunk| self.sip.trunk(&trunk.name).is_some_and(|state| state.is_up()))
            .filter_map(|trunk| Some((trunk, self.sip.local(&trunk.name).ok()?)))
            .collect();
        if ways.is_empty() {
            return Err(PlaceError::NoTrunk);
        }
        let names = Names::random()?;
        let (longest, now) = (self.settings.limits.max_duration, self.wall_clock());
        let trunks: Vec<&str> = ways.iter().map(|(trunk, _)| trunk.name.as_str()).collect();
        // What the grant holds is given back at the call's end, or here when there will be no call.
        let grant = self.caps.grant(permit, &trunks, longest, now)?;
        let granted = ways.into_iter().find(|(trunk, _)| trunk.name == grant.trunk());
        let protected = granted
            .ok_or(PlaceError::NoTrunk)
            .and_then(|(trunk, local)| Ok((trunk, local, trunk.srtp.protection()?)));
        let (trunk, local, protection) = match protected {
            Ok(protected) => protected,
            Err(error) => {
                self.caps.give_back(grant.into_hold(), now);
                return Err(error);
            }
        };
        let media = self.sounds.local_media(
            &port,
            local_ip(&local),
            names.session_id,
            trunk.codecs.clone(),
            protection,
        );
        let reach = self.sip.reach(&trunk.name).unwrap_or_default();
        let limits = Limits {
            max_duration: grant.longest(),
            ..self.settings.limits
        };
        let around = trunk.surroundings(local, media, &self.settings.branch_key, limits);
        let call = Call::place(trunk.placement(&grant, &names), around);

        let key = self.journal.next_key();
        tracing::info!(call = %key, sip.call_id = %call.record().dialog.call_id, trunk = trunk.name, number = %grant.number(), "placing a call");
        let live = Live {
            stage: Some(Stage {
                message,
                port,
                reach,
                own_key: protection.map(|protection| protection.key),
            }),
            address: grant.address(),
            own_phone: grant.own_phone(),
            ..Live::new(*grant.owner(), names.id.hash(), call, SystemTime::now())
        };
        self.admit(
            key,
            Live {
                hold: Some(grant.into_hold()),
                ..live
            },
        );
        Ok((key, names.id))
    }

    /// From here on the call can be found.
    pub(super) fn admit(&mut self, key: Key, live: Live) {
        self.by_id.insert(live.id, key);
        let record = live.call.record();
        self.sip.begin(&record.dialog.call_id, &record.trunk);
        self.by_call_id.insert(record.dialog.call_id.clone(), key);
        self.live.insert(key, live);
    }

    /// The caller's call; a foreign one is as unknown as one that never was (promise 7).
    fn find(&mut self, owner: [u8; 32], id: IdHash) -> Option<Key> {
        let key = *self.by_id.get(&id)?;
        let of_leftover = || self.leftovers.get(&key).and_then(Waiting::owner);
        let of_live = self.live.get(&key).map(|live| live.owner);
        let of_past = || self.past.get(&key).map(|past| past.owner);
        if of_live.or_else(of_leftover).or_else(of_past) != Some(owner) {
            return None;
        }
        self.take_up_early(key);
        // A leftover without a way to its phone is still waiting.
        (self.live.contains_key(&key) || self.past.contains_key(&key)).then_some(key)
    }

    fn information(&mut self, owner: [u8; 32], id: IdHash) -> Option<Information> {
        let key = self.find(owner, id)?;
        match self.live.get(&key) {
            Some(live) => Some(Information::of(&live.call)),
            None => self.past.get(&key).map(|past| past.information.clone()),
        }
    }

    fn disconnect(&mut self, owner: [u8; 32], id: IdHash) -> Option<watch::Receiver<Settled>> {
        let key = self.find(owner, id)?;
        crash_points::panic_at("owner");
        let now = self.now();
        self.with(key, |live| live.call.disconnect(now));
        match self.live.get(&key) {
            Some(live) => Some(live.settled.subscribe()),
            None => {
                let settled = Settled {
                    ended: true,
                    durable: Some(true),
                };
                Some(watch::channel(settled).1)
            }
        }
    }
}
