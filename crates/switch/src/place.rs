//! What the house asks for: place a call, end one, end all.

use std::net::SocketAddr;

use call::{Call, Limits, Placement, Surroundings};
use dial::{Grant, Permit};
use sabotage::Fault;
use sip::{
    CallIdHeader, Tag,
    sdp::{LocalMedia, Protection, SrtpKey},
};

use crate::{
    journal::{CallKey, IdHash},
    live::{Disconnecting, Live, Placing},
    output::{Answer, DisconnectRefusal, Event, Output, Patience, PlaceRefusal, Sound},
    settings::{Srtp, TrunkSettings},
    switch::Switch,
};

/// An order to place a call: the right to do so, and its names, which are random and come from outside.
#[derive(Debug)]
pub struct Order {
    pub permit: Permit,
    /// What the call will be asked about by.
    pub id: IdHash,
    pub call_id: CallIdHeader,
    pub local_tag: Tag,
    pub session_id: u64,
    /// The key for our sound, should the trunk want it protected.
    pub srtp_key: SrtpKey,
    /// Where sound can be received, an address for each family; the call takes that of its trunk's. With an unspecified host, that of
    /// the SIP socket stands for it.
    pub rtp: Vec<SocketAddr>,
}

impl Switch {
    /// Places a call to the permitted number if no cap stands against it (promise 6). The answer under `request` comes when its
    /// intent is durable, or waits no longer than `patience` for the disk.
    pub fn place(&mut self, request: u64, order: Order, patience: Patience) {
        match self.try_place(request, order) {
            Ok(key) => {
                let until = self.now + patience.disk;
                if let Some(live) = self.live.get_mut(&key) {
                    live.placing = Some(Placing {
                        request,
                        until,
                        is_abandoned: false,
                    });
                }
                self.act(key);
                if self.is_sabotaged(Fault::EarlyPlaced) {
                    self.answer(request, Answer::Placed(key));
                }
            }
            Err(refusal) => self.answer(request, Answer::NotPlaced(refusal)),
        }
    }

    /// Whoever gave this order waits no longer: if its intent is not durable yet, nothing is sent.
    pub fn abandon(&mut self, request: u64) {
        let placing = self.live.values_mut().filter_map(|live| live.placing.as_mut());
        if let Some(placing) = placing.into_iter().find(|placing| placing.request == request) {
            placing.is_abandoned = !self.settings.sabotage.is(Fault::AbandonedIsPlaced);
        }
    }

    /// Nobody holds the id of this call, and so nobody else can end it.
    pub fn never_delivered(&mut self, key: CallKey) {
        self.tell(Event::NeverDelivered(key));
        if self.is_sabotaged(Fault::UndeliveredGoesOn) {
            return;
        }
        self.with_call(key, |live, now| live.call.disconnect(now));
    }

    /// Ends the caller's call; a foreign one is as unknown as one that never was (promise 7). The hang-up waits for nothing; its
    /// answer waits until the far end has confirmed, or as long as `patience` says, and for the disk (promise 3).
    pub fn disconnect(&mut self, request: u64, owner: [u8; 32], id: IdHash, patience: Patience) {
        let Some(key) = self.find(owner, id) else {
            return self.answer(request, Answer::NotDisconnected(DisconnectRefusal::Unknown));
        };
        let disconnecting = Disconnecting::new(request, patience, self.now);
        if self.is_left(key) {
            self.disconnect_leftover(key, disconnecting);
        } else {
            self.disconnect_call(key, disconnecting);
        }
    }

    pub(crate) fn disconnect_call(&mut self, key: CallKey, disconnecting: Disconnecting) {
        let is_forgotten = self.is_sabotaged(Fault::WishForgotten);
        let known = self.with_call(key, |live, now| {
            live.disconnecting.push(disconnecting);
            if !is_forgotten {
                live.call.disconnect(now);
            }
        });
        // Of a call that has ended by itself its end is what the answer waits for.
        if self.batch.holds(key) {
            self.batch.hurry();
        }
        if !known {
            let answer = match self.past.get(&key).map(|past| past.is_certain) {
                Some(true) => Answer::Disconnected,
                Some(false) => Answer::NotDisconnected(DisconnectRefusal::NotJournaled),
                None => Answer::NotDisconnected(DisconnectRefusal::Unknown),
            };
            self.answer(disconnecting.request, answer);
        }
    }

    /// Takes no new calls from now on, and answers when none lives any more, each having ended by itself.
    pub fn drain(&mut self, request: u64) {
        self.draining = true;
        self.batch.hurry();
        self.ending.push(request);
    }

    /// Takes no new calls, ends all that live, and answers when none does.
    pub fn end_all(&mut self, request: u64) {
        self.drain(request);
        let keys: Vec<CallKey> = self.live.keys().copied().collect();
        for key in keys {
            self.with_call(key, |live, now| live.call.drain(now));
        }
    }

    fn try_place(&mut self, request: u64, order: Order) -> Result<CallKey, PlaceRefusal> {
        if self.draining {
            return Err(PlaceRefusal::Draining);
        }
        self.refresh_trunk_addresses();
        let is_up = |trunk: usize| self.trunks[trunk].is_up() || self.is_sabotaged(Fault::DownTrunkTaken);
        let is_there = |trunk: &usize| is_up(*trunk) && self.reached_at(*trunk).is_some();
        let mut up: Vec<usize> = (0..self.trunks.len()).filter(is_there).collect();
        if up.is_empty() {
            return Err(PlaceRefusal::NoTrunk);
        }
        up.retain(|trunk| self.receives_at(*trunk, &order.rtp).is_some());
        if up.is_empty() {
            return Err(PlaceRefusal::NoPort);
        }
        let names: Vec<&str> = up
            .iter()
            .map(|trunk| self.settings.trunks[*trunk].name.as_str())
            .collect();
        let longest = self.settings.limits.max_duration;
        // What the grant holds is given back at the call's end.
        let (caller, number) = (order.permit.caller().clone(), order.permit.number().clone());
        let now = self.time_of_caps();
        let granted = self.caps.grant(order.permit, &names, longest, now);
        let grant = granted.inspect_err(|capped| {
            let (number, capped) = (number.clone(), *capped);
            self.outputs
                .push_back(Output::Event(Event::Capped { caller, number, capped }));
        })?;
        let Some((trunk, local, rtp)) = up
            .into_iter()
            .find(|trunk| self.settings.trunks[*trunk].name == grant.trunk())
            .and_then(|trunk| Some((trunk, self.local(trunk)?, self.receives_at(trunk, &order.rtp)?)))
        else {
            self.caps.give_back(grant.into_hold(), now);
            return Err(PlaceRefusal::NoTrunk);
        };
        let settings = &self.settings.trunks[trunk];
        let protection = (settings.srtp != Srtp::Off).then_some(Protection {
            key: order.srtp_key,
            required: settings.srtp == Srtp::Require,
        });
        let receives = order.rtp[rtp];
        let host = match (receives.ip().is_unspecified(), self.local_ip(trunk)) {
            (true, Some(own)) => own,
            _ => receives.ip(),
        };
        let around = Surroundings {
            local,
            media: LocalMedia {
                address: SocketAddr::new(host, receives.port()),
                session_id: order.session_id,
                version: 1,
                codecs: settings.codecs.clone(),
                protection,
            },
            credentials: settings.credentials.clone(),
            key: self.settings.identity.branch_key.clone(),
            limits: Limits {
                max_duration: grant.longest(),
                ..self.settings.limits
            },
            sabotage: self.settings.sabotage,
        };
        let placement = placement(
            settings,
            &grant,
            order.call_id,
            order.local_tag,
            self.invite_path(trunk),
        );
        let call = Call::place(placement, around);
        let key = self.next_key();
        self.put(Output::Sound(key, Sound::Prepare { request, rtp }));
        self.tell(Event::Placing {
            key,
            call_id: call.record().dialog.call_id.to_string(),
            trunk: call.record().trunk.clone(),
            number,
        });
        let live = Live {
            address: grant.address(),
            own_phone: grant.own_phone(),
            ..Live::new(*grant.owner(), order.id, trunk, call, self.clock)
        };
        let live = Live {
            hold: Some(grant.into_hold()),
            ..live
        };
        self.tell(Event::Live(self.caps.live()));
        self.admit(key, live);
        Ok(key)
    }

    /// Which of these is of the family that the trunk is reached by.
    fn receives_at(&self, trunk: usize, rtp: &[SocketAddr]) -> Option<usize> {
        let is_ipv4 = self.reached_at(trunk)?.remote.is_ipv4();
        rtp.iter().position(|address| address.is_ipv4() == is_ipv4)
    }

    /// From here on the call can be found.
    pub(crate) fn admit(&mut self, key: CallKey, live: Live) {
        self.by_id.insert(live.id, key);
        self.by_call_id.insert(live.call.record().dialog.call_id.clone(), key);
        self.live.insert(key, Box::new(live));
        self.publish(key);
    }

    /// The caller's call.
    fn find(&self, owner: [u8; 32], id: IdHash) -> Option<CallKey> {
        let key = *self.by_id.get(&id)?;
        let of_live = self.live.get(&key).map(|live| live.owner);
        let of_past = || self.past.get(&key).map(|past| past.owner);
        let known = of_live.or_else(|| self.recovery.owner(key)).or_else(of_past);
        (known == Some(owner) || self.is_sabotaged(Fault::OwnerIgnored)).then_some(key)
    }
}

/// What an INVITE is printed from: there is none without a grant (promise 6).
fn placement(
    trunk: &TrunkSettings,
    grant: &Grant,
    call_id: CallIdHeader,
    local_tag: Tag,
    path: Option<sip::Path>,
) -> Placement {
    Placement {
        trunk: trunk.name.clone(),
        request_uri: grant.number().request_uri(&trunk.domain),
        from: trunk.from.clone(),
        routes: trunk
            .outbound_proxy
            .iter()
            .map(|proxy| format!("<{proxy};lr>"))
            .collect(),
        destination: trunk.outbound_proxy.as_ref().unwrap_or(&trunk.next_hop).clone(),
        path,
        call_id,
        local_tag,
    }
}
