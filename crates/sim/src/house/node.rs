//! What our node is told when it starts: its trunks and its own address; and no bound that the calls of a run could meet, but those that are drawn.

use std::time::Duration;

use call::Limits;
use dial::{CapsSettings, CountedNumbers, DialPolicy, Dialler, Plan, PlanSettings, Reach};
use sip::{BranchKey, Destination, Timers, Transport, digest::Credentials, sdp::Codec};
use switch::{Identity, Listener, Registration, Settings, Srtp, TrunkSettings, journal::CallKey};

use crate::{
    message::{HOUSE, trunk_address},
    scenario::{T1, TrunkScript},
    strangers::A_SECOND,
    world::World,
};

/// How long an ended call can be asked about.
const RETENTION: Duration = Duration::from_secs(300);

/// What a trunk is called, and its host where that is a name.
pub(crate) fn host_of(trunk: &TrunkScript) -> String {
    format!("pbx{}.example", trunk.number)
}

impl World {
    pub(super) fn switch_settings(&self) -> Settings {
        let most = 10_000;
        let bounds = self.scenario.bounds;
        Settings {
            identity: Identity {
                branch_key: BranchKey::new([7; 32]),
                before: CallKey::before(i64::from(self.house.incarnation) + 1),
                secret: [self.house.incarnation as u8; 32],
            },
            limits: Limits {
                ring: Duration::from_millis(self.scenario.ring_limit),
                max_duration: Duration::from_millis(self.scenario.max_duration),
                session_expires: self.scenario.session_timers.then_some(Duration::from_secs(90)),
                t1: Duration::from_millis(T1),
            },
            timers: Timers::default(),
            ended_retention: RETENTION,
            caps: CapsSettings {
                live: most,
                live_per_mailbox: most,
                live_per_trunk: bounds.calls_per_trunk,
                starts_per_second_per_trunk: most,
                starts_per_minute_per_mailbox: most,
                starts_per_hour_per_mailbox: most,
                time_per_day_per_mailbox: Duration::from_secs(86_400),
                starts_per_minute_per_address: most,
                starts_per_ten_minutes_per_number: most,
                starts_per_minute_to_own_phone: most,
                time_per_day_to_own_phone: Duration::from_secs(86_400),
            },
            counted: CountedNumbers::new(Plan::new(PlanSettings::default())),
            trunks: self
                .scenario
                .trunks
                .iter()
                .map(|trunk| self.trunk_settings(trunk))
                .collect(),
            listeners: [Transport::Udp, Transport::Tcp, Transport::Tls]
                .map(|transport| Listener {
                    transport,
                    address: (HOUSE.0, transport.default_port()).into(),
                })
                .into(),
            external_address: None,
            peers: vec![
                "198.51.0.0/16"
                    .parse()
                    .unwrap_or_else(|_| unreachable!("it is a network")),
            ],
            requests_per_second: (!self.scenario.floods.is_empty()).then_some(A_SECOND),
            user_agent: "onhook".to_owned(),
            connect_limit: Duration::from_secs(4),
            invites_per_hop: bounds.window,
            leftovers_at_once: bounds.leftovers,
            ends_wait: Duration::from_millis(20),
            sabotage: self.settings.sabotage.of_switch(),
        }
    }

    fn trunk_settings(&self, trunk: &TrunkScript) -> TrunkSettings {
        let next_hop = match trunk.named {
            Some(_) => host_of(trunk),
            None => trunk_address(trunk.number, trunk.transport).ip().to_string(),
        };
        let next_hop = match trunk.transport {
            Transport::Udp => format!("sip:{next_hop}"),
            transport => format!("sip:{next_hop}:{};transport={transport}", transport.default_port()),
        };
        TrunkSettings {
            name: host_of(trunk),
            first_hop: Destination::parse(&next_hop).unwrap_or_else(|_| unreachable!("it is a SIP URI")),
            next_hop,
            domain: host_of(trunk),
            from: "<sip:onhook@example.org>".to_owned(),
            outbound_proxy: None,
            credentials: Some(Credentials {
                username: "onhook".to_owned(),
                password: "secret".to_owned(),
            }),
            codecs: vec![Codec::Pcma],
            srtp: Srtp::Off,
            keepalive: trunk.keepalive.map(Duration::from_millis),
            register: trunk.registrar.map(|_| Registration {
                expires: Duration::from_secs(600),
                retry: Duration::from_secs(5),
                address_of_record: "<sip:onhook@example.org>".to_owned(),
                request_uri: "sip:example.org".to_owned(),
            }),
            reach: Reach::new(None),
        }
    }

    /// Which trunk has this name, or this address.
    pub(crate) fn trunk_called(&self, host: &str) -> Option<usize> {
        let mut trunks = self.scenario.trunks.iter();
        trunks.position(|trunk| {
            host_of(trunk) == host
                || trunk.named.is_none() && trunk_address(trunk.number, trunk.transport).ip().to_string() == host
        })
    }
}

/// Everybody may call the own extension.
pub(super) fn policy() -> DialPolicy {
    DialPolicy::new(Plan::new(PlanSettings::default()), Vec::new())
}

pub(super) fn dialler(extension: &str) -> Dialler {
    Dialler {
        name: None,
        extension: Some(extension.to_owned()),
        phones: Vec::new(),
    }
}
