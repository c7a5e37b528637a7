//! Trunks: where calls go out, and whether anybody is there.
//!
//! OPTIONS asks (RFC 3261 §11): any final response says that a trunk is up, silence or a failed connection that it is down. A trunk that is
//! down is asked often, so that it takes calls soon after it is back; one that leaves an INVITE without any response is asked
//! at once.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use call::Silence;
use dial::Reach;
use sabotage::Fault;
use sip::{CSeq, CallIdHeader, Message, Method, Moment, Tx};

use crate::{
    addresses::{Found, NOT_YET},
    journal::CallKey,
    out_of_call::OutOfCall,
    output::{Event, TrunkSilence},
    registration::Registering,
    settings::TrunkSettings,
    switch::{Switch, Wake},
    ways::Way,
};

/// Pauses between two OPTIONS to a trunk that is down; the last one goes on.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(3)];
/// How many T1 an INVITE may go without any response before its trunk is asked whether it is there.
const T1_TO_DOUBT: u32 = 4;
/// How many T1 an OPTIONS may: with those a dead peer is known as down within 10 s.
const T1_TO_ANSWER: u32 = 12;

pub(crate) struct Trunk {
    pub(crate) reach: Reach,
    /// Of its first hop, in the order in which they are tried.
    pub(crate) addresses: Vec<Found>,
    /// Where it was before it moved. What it sent from there may still come, by a connection of then.
    pub(crate) moved_from: Vec<IpAddr>,
    /// Those of its addresses that the last connection could not be had to.
    pub(crate) failing: BTreeSet<IpAddr>,
    /// Who may speak because of it.
    hosts: Vec<IpAddr>,
    reachability: Reachability,
    probe: Probe,
    /// An INVITE has left, and nothing has come back since; at this moment that is odd.
    doubt_at: Option<Moment>,
    /// When the last message came from there.
    pub(crate) heard_at: Option<Moment>,
    probes: u64,
    failures: usize,
    /// The last OPTIONS met nobody.
    is_refused: bool,
    pub(crate) registering: Option<Registering>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Reachability {
    /// Nobody asked yet, or asking is off.
    Assumed,
    Up,
    Down(TrunkSilence),
}

/// The OPTIONS that asks whether a trunk is there.
enum Probe {
    /// Asking is off.
    Never,
    /// The next one leaves then.
    At(Moment),
    /// It waits for a name or a connection.
    Waiting { until: Moment },
    /// It waits for its answer.
    Sent { tx: Tx, until: Moment },
}

impl Trunk {
    pub(crate) fn new(settings: &TrunkSettings) -> Self {
        Self {
            reach: settings.reach.clone(),
            addresses: Vec::new(),
            moved_from: Vec::new(),
            failing: BTreeSet::new(),
            hosts: Vec::new(),
            reachability: Reachability::Assumed,
            probe: Probe::Never,
            doubt_at: None,
            heard_at: None,
            probes: 0,
            failures: 0,
            is_refused: false,
            registering: settings.register.clone().map(Registering::new),
        }
    }

    /// Whether calls may be tried.
    pub(crate) fn is_up(&self) -> bool {
        !matches!(self.reachability, Reachability::Down(_))
    }

    fn next_wake(&self) -> Option<Moment> {
        let probe = match self.probe {
            Probe::Never => None,
            Probe::At(at) => Some(at),
            Probe::Waiting { until } | Probe::Sent { until, .. } => Some(until),
        };
        let registering = self.registering.as_ref().and_then(Registering::next_wake);
        probe.into_iter().chain(self.doubt_at).chain(registering).min()
    }
}

impl Switch {
    pub(crate) fn begin_trunks(&mut self) {
        for trunk in 0..self.trunks.len() {
            let settings = &self.settings.trunks[trunk];
            if settings.keepalive.is_some() && !self.settings.sabotage.is(Fault::ProbeNever) {
                self.trunks[trunk].probe = Probe::At(self.now);
            }
            let host = settings.first_hop.host.clone();
            if let Some(ip) = settings.first_hop.ip() {
                // Which of our own addresses it sees is still asked for below.
                let found = Found {
                    remote: ip,
                    local: None,
                };
                self.trunk_is_at(trunk, vec![found]);
            }
            self.refresh_addresses(&host);
            self.schedule_trunk(trunk);
        }
    }

    /// A name was found; it may be a trunk's.
    pub(crate) fn trunks_found(&mut self, host: &str, found: &[Found]) {
        for trunk in self.trunks_at(host) {
            self.trunk_is_at(trunk, found.to_vec());
            if matches!(self.trunks[trunk].probe, Probe::Waiting { .. }) {
                self.probe(trunk);
            }
            self.register_when_found(trunk);
        }
    }

    /// It never was: who waits for it waits in vain.
    pub(crate) fn trunks_not_found(&mut self, host: &str, why: &str) {
        for trunk in self.trunks_at(host) {
            if matches!(self.trunks[trunk].probe, Probe::Waiting { .. }) {
                self.probe_ended(trunk, Err(TrunkSilence::NoAddress(why.to_owned())));
            }
            self.not_registered(trunk, &TrunkSilence::NoAddress(why.to_owned()).to_string());
        }
    }

    fn trunk_is_at(&mut self, trunk: usize, found: Vec<Found>) {
        let next_hop = self.next_hop_ip(trunk);
        let hosts: Vec<IpAddr> = found.iter().map(|found| found.remote).chain(next_hop).collect();
        let known = &mut self.trunks[trunk];
        known.reach.found_at(hosts.iter().copied());
        known.failing.retain(|host| hosts.contains(host));
        known.addresses = found;
        let before = std::mem::replace(&mut known.hosts, hosts.clone());
        if before.iter().any(|host| !hosts.contains(host)) {
            known.moved_from.clone_from(&before);
        }
        for host in hosts {
            self.enter(host);
        }
        self.leave_hosts(before);
    }

    /// Behind an outbound proxy stands the next hop, which may speak, too.
    fn next_hop_ip(&self, trunk: usize) -> Option<IpAddr> {
        sip::Destination::parse(&self.settings.trunks[trunk].next_hop)
            .ok()?
            .ip()
    }

    pub(crate) fn wake_trunk(&mut self, trunk: usize) {
        let now = self.now;
        if self.trunks[trunk].doubt_at.is_some_and(|at| at <= now) {
            self.trunks[trunk].doubt_at = None;
            if matches!(self.trunks[trunk].probe, Probe::At(_)) {
                self.probe(trunk);
            }
        }
        match &self.trunks[trunk].probe {
            Probe::At(at) if *at <= now => {
                if !self.trunks[trunk].is_up() {
                    // However fresh what is known is: it may have moved, or be in the zone by now.
                    let host = self.settings.trunks[trunk].first_hop.host.clone();
                    self.look_up(&host);
                }
                self.probe(trunk);
            }
            Probe::Waiting { until } if *until <= now => {
                let why = if self.trunks[trunk].addresses.is_empty() {
                    TrunkSilence::NoAddress(NOT_YET.to_owned())
                } else {
                    TrunkSilence::TimedOut
                };
                self.probe_ended(trunk, Err(why));
            }
            Probe::Sent { tx, until } if *until <= now => {
                let tx = tx.clone();
                self.transactions.stop(&tx);
                self.probe_ended(trunk, Err(TrunkSilence::TimedOut));
            }
            Probe::Never | Probe::At(_) | Probe::Waiting { .. } | Probe::Sent { .. } => {}
        }
        self.wake_registration(trunk);
        self.schedule_trunk(trunk);
    }

    pub(crate) fn schedule_trunk(&mut self, trunk: usize) {
        let due = self.trunks[trunk].next_wake();
        self.schedule.set(Wake::Trunk(trunk), due);
    }

    /// An INVITE of this call has left.
    pub(crate) fn expect_trunk_to_speak(&mut self, key: CallKey) {
        let Some(trunk) = self.live.get(&key).map(|live| live.trunk) else {
            return;
        };
        let odd = self.now + self.settings.timers.t1 * T1_TO_DOUBT;
        if !matches!(self.trunks[trunk].probe, Probe::Never) {
            self.trunks[trunk].doubt_at.get_or_insert(odd);
            self.schedule_trunk(trunk);
        }
    }

    /// Something has come for a call of it.
    pub(crate) fn trunk_has_spoken(&mut self, key: CallKey) {
        let Some(trunk) = self.live.get(&key).map(|live| live.trunk) else {
            return;
        };
        self.trunks[trunk].heard_at = Some(self.now);
        if self.trunks[trunk].doubt_at.take().is_some() {
            self.schedule_trunk(trunk);
        }
    }

    /// Whether the trunk of this call, whose INVITE has just timed out, has not said a word since that left: it was asked all
    /// the while, and is down.
    pub(crate) fn is_nobody_there(&self, key: CallKey) -> bool {
        let Some(live) = self.live.get(&key) else { return false };
        let trunk = &self.trunks[live.trunk];
        let transaction = self.settings.limits.transaction();
        !trunk.is_up() && trunk.heard_at.is_none_or(|heard| heard + transaction < self.now)
    }

    /// Asks whether a trunk is there.
    fn probe(&mut self, trunk: usize) {
        let until = match self.trunks[trunk].probe {
            // From when it began to wait, whatever is heard of names and connections meanwhile.
            Probe::Waiting { until } => until,
            Probe::Never | Probe::At(_) | Probe::Sent { .. } => self.now + self.settings.timers.t1 * T1_TO_ANSWER,
        };
        let host = self.settings.trunks[trunk].first_hop.host.clone();
        self.refresh_addresses(&host);
        if self.trunks[trunk].addresses.is_empty() {
            self.trunks[trunk].probe = Probe::Waiting { until };
            return self.schedule_trunk(trunk);
        }
        match (self.way_to_trunk(trunk), self.local(trunk)) {
            (Way::Open(path), Some(local)) => {
                self.trunks[trunk].probes += 1;
                let number = self.trunks[trunk].probes * self.trunks.len() as u64 + trunk as u64;
                let target = crate::out_of_call::request_uri(&self.settings.trunks[trunk].next_hop);
                let outgoing = OutOfCall {
                    request_uri: &target,
                    from: &format!("<{}>", crate::out_of_call::without_parameters(&local.contact)),
                    from_tag: &self.names.of("options-tag", number),
                    to: &format!("<{target}>"),
                    call_id: &CallIdHeader::new(self.names.of("options", number)),
                    cseq: CSeq {
                        number: 1,
                        method: Method::Options,
                    },
                    headers: &[("Accept", sip::APPLICATION_SDP.to_owned())],
                }
                .print(&self.settings, trunk, &local);
                self.trunks[trunk].probe = Probe::Sent {
                    tx: outgoing.tx.clone(),
                    until,
                };
                self.transactions.send(self.now, path, outgoing.tx, outgoing.bytes);
                self.transmit_due();
            }
            (Way::Wait(_) | Way::Open(_), _) => self.trunks[trunk].probe = Probe::Waiting { until },
            (Way::None(why), _) => return self.probe_ended(trunk, Err(TrunkSilence::Unreachable(why.to_string()))),
        }
        self.schedule_trunk(trunk);
    }

    fn probe_ended(&mut self, trunk: usize, outcome: Result<(), TrunkSilence>) {
        let name = self.settings.trunks[trunk].name.clone();
        let interval = self.settings.trunks[trunk].keepalive.unwrap_or(PAUSES[0]);
        let sabotage = self.settings.sabotage;
        let probed = &mut self.trunks[trunk];
        probed.is_refused &= outcome.is_err();
        let (reachability, pause) = match outcome {
            Ok(()) if sabotage.is(Fault::ProbeWithoutPause) => (Reachability::Up, Duration::ZERO),
            Err(_) if sabotage.is(Fault::SilenceIsAnAnswer) => (Reachability::Up, interval),
            Ok(()) => {
                probed.failures = 0;
                (Reachability::Up, interval)
            }
            Err(why) => {
                let pause = PAUSES[probed.failures.min(PAUSES.len() - 1)];
                probed.failures += 1;
                (Reachability::Down(why), pause.min(interval))
            }
        };
        probed.probe = Probe::At(self.now + pause);
        if probed.reachability != reachability {
            let event = match &reachability {
                Reachability::Down(why) => Some(Event::TrunkDown {
                    trunk: name,
                    why: why.clone(),
                }),
                Reachability::Up => Some(Event::TrunkUp(name)),
                Reachability::Assumed => None,
            };
            probed.reachability = reachability;
            if let Some(event) = event {
                self.tell(event);
            }
        }
        self.schedule_trunk(trunk);
    }

    /// A connection to this trunk cannot be had. With no other address to try it is down, whether or not it was being asked.
    pub(crate) fn trunk_connection_failed(&mut self, trunk: usize, why: &str) {
        let is_asking = match self.trunks[trunk].probe {
            Probe::Waiting { .. } => true,
            Probe::At(_) => self.trunks[trunk].is_up(),
            Probe::Never | Probe::Sent { .. } => false,
        };
        if is_asking && matches!(self.way_to_trunk(trunk), Way::None(_)) {
            self.probe_ended(trunk, Err(TrunkSilence::Unreachable(why.to_owned())));
        }
        self.register_when_connected(trunk);
    }

    pub(crate) fn trunks_connected(&mut self) {
        for trunk in 0..self.trunks.len() {
            if matches!(self.trunks[trunk].probe, Probe::Waiting { .. }) {
                self.probe(trunk);
            }
            self.register_when_connected(trunk);
        }
    }

    /// A response to a request of a trunk's own; false when it is to none.
    pub(crate) fn handle_trunk_response(&mut self, tx: &Tx, message: &Message<'_>) -> bool {
        if tx.method == Method::Register {
            return self.handle_register_response(tx, message);
        }
        let Some(trunk) = self.trunk_that_sent(tx) else {
            return false;
        };
        self.trunks[trunk].heard_at = Some(self.now);
        if message.status().is_some_and(|status| status >= 200) {
            self.probe_ended(trunk, Ok(()));
        }
        true
    }

    /// No response will come; false when it is to none of a trunk's own.
    pub(crate) fn handle_trunk_silence(&mut self, tx: &Tx, silence: Silence) -> bool {
        if tx.method == Method::Register {
            return self.handle_register_silence(tx, silence);
        }
        let Some(trunk) = self.trunk_that_sent(tx) else {
            return false;
        };
        let why = match silence {
            Silence::TimedOut | Silence::NobodyThere => TrunkSilence::TimedOut,
            Silence::Unreachable | Silence::ConnectionLost => {
                TrunkSilence::Unreachable("nobody takes what is sent there".to_owned())
            }
        };
        self.probe_ended(trunk, Err(why));
        true
    }

    /// A datagram met nobody, and here is what was quoted of it. Anybody at all can say so: it is believed of an OPTIONS whose branch is
    /// quoted, which only those on its way know. A call goes on trying, since it is true only for the moment; but a trunk that
    /// is being asked whether it is there is not.
    pub fn handle_refusal(&mut self, quoted: &[u8]) {
        let is_quoted = |tx: &Tx| {
            let branch = tx.branch.as_str().as_bytes();
            quoted.windows(branch.len().max(1)).any(|part| part == branch)
        };
        let probe_that_is_quoted = |trunk: &Trunk| match &trunk.probe {
            Probe::Sent { tx, .. } if is_quoted(tx) => Some(tx.clone()),
            _ => None,
        };
        for trunk in 0..self.trunks.len() {
            let Some(tx) = probe_that_is_quoted(&self.trunks[trunk]) else {
                continue;
            };
            self.transactions.stop(&tx);
            // Once may be the moment of a restart: it is asked again before it is believed.
            if std::mem::replace(&mut self.trunks[trunk].is_refused, true) {
                self.probe_ended(trunk, Err(TrunkSilence::Unreachable("nobody listens there".to_owned())));
            } else {
                let interval = self.settings.trunks[trunk].keepalive.unwrap_or(PAUSES[0]);
                self.trunks[trunk].probe = Probe::At(self.now + PAUSES[0].min(interval));
                self.schedule_trunk(trunk);
            }
        }
    }

    fn trunk_that_sent(&self, tx: &Tx) -> Option<usize> {
        let is_it = |trunk: &Trunk| matches!(&trunk.probe, Probe::Sent { tx: sent, .. } if sent == tx);
        self.trunks.iter().position(is_it)
    }
}
