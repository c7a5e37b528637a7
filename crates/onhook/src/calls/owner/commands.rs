//! What operations ask for: place, look, end.

use std::time::SystemTime;

use call::Call;
use media::RtpPort;
use tokio::sync::watch;

use super::{Command, Key, Live, Owner, Settled, local_ip};
use crate::{
    calls::{
        Information, PhoneCallId, PlaceError,
        live::{Placed, Stage},
        place::{Names, Order},
    },
    dial::Grant,
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
                let _ = reply.send(self.up.values().sum());
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
            grant,
            message,
            port,
            reply,
        } = order;
        match self.try_place(&grant, message, port) {
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

    fn try_place(&mut self, grant: &Grant, message: Message, port: RtpPort) -> Result<(Key, PhoneCallId), PlaceError> {
        if self.draining {
            return Err(PlaceError::Draining);
        }
        if !self.journal.takes_new_calls() {
            return Err(PlaceError::NotJournaled);
        }
        let up: usize = self.up.values().sum();
        let owner = *grant.owner();
        let own = self.up.get(&owner).copied().unwrap_or(0);
        if up >= self.settings.max_live || own >= self.settings.max_live_per_mailbox {
            return Err(PlaceError::Busy);
        }
        let (trunk, local) = self
            .settings
            .trunks
            .iter()
            .filter(|trunk| self.sip.trunk(&trunk.name).is_some_and(|state| state.is_up()))
            .find_map(|trunk| Some((trunk, self.sip.local(&trunk.name).ok()?)))
            .ok_or(PlaceError::NoTrunk)?;
        let names = Names::random()?;
        let protection = trunk.srtp.protection()?;
        let media = self.sounds.local_media(
            &port,
            local_ip(&local),
            names.session_id,
            trunk.codecs.clone(),
            protection,
        );
        let reach = self.sip.reach(&trunk.name).unwrap_or_default();
        let around = trunk.surroundings(local, media, &self.settings.branch_key, self.settings.limits);
        let call = Call::place(trunk.placement(grant, &names), around);

        let key = self.journal.next_key();
        tracing::info!(call = %key, sip.call_id = %call.record().dialog.call_id, trunk = trunk.name, number = %grant.number(), "placing a call");
        let live = Live {
            stage: Some(Stage {
                message,
                port,
                reach,
                own_key: protection.map(|protection| protection.key),
            }),
            ..Live::new(owner, names.id.hash(), call, SystemTime::now())
        };
        self.admit(key, live);
        Ok((key, names.id))
    }

    /// From here on the call can be found, and counts.
    pub(super) fn admit(&mut self, key: Key, live: Live) {
        self.by_id.insert(live.id, key);
        let record = live.call.record();
        self.sip.begin(&record.dialog.call_id, &record.trunk);
        self.by_call_id.insert(record.dialog.call_id.clone(), key);
        *self.up.entry(live.owner).or_default() += 1;
        self.live.insert(key, live);
    }

    /// The caller's call; a foreign one is as unknown as one that never was (promise 7).
    fn find(&mut self, owner: [u8; 32], id: IdHash) -> Option<Key> {
        let key = *self.by_id.get(&id)?;
        self.take_up(key);
        let of_live = self.live.get(&key).map(|live| live.owner);
        let of_past = self.past.get(&key).map(|past| past.owner);
        (of_live.or(of_past) == Some(owner)).then_some(key)
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
