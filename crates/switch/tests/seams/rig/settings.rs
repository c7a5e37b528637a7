//! Settings of a switch with one trunk, and what goes in from the house.

use std::time::Duration;

use call::Limits;
use dial::{Caller, CapsSettings, CountedNumbers, DialPolicy, Dialler, Permit, Plan, PlanSettings, Reach};
use sip::{
    BranchKey, CallIdHeader, Destination, Path, Tag, Timers, Transport,
    sdp::{Codec, SrtpKey},
};
use switch::{
    Found, Identity, Listener, Order, Patience, Sabotage, Settings, Srtp, TrunkSettings,
    journal::{CallKey, IdHash},
};

pub(crate) const T1: Duration = Duration::from_millis(500);
pub(crate) const CONNECT_LIMIT: Duration = Duration::from_secs(4);
pub(crate) const PATIENCE: Patience = Patience {
    disconnect: Duration::from_secs(2),
    disk: Duration::from_secs(5),
};
pub(crate) const OWNER: [u8; 32] = [1; 32];
pub(crate) const OURS: &str = "192.0.2.1:5060";
pub(crate) const TRUNK: &str = "192.0.2.5:5060";
/// A host beyond the trunk, which it may send us to.
pub(crate) const PHONE: &str = "192.0.2.9:5060";

pub(crate) fn path(transport: Transport, local: &str, remote: &str) -> Path {
    Path {
        transport,
        local: local.parse().unwrap(),
        remote: remote.parse().unwrap(),
    }
}

pub(crate) fn udp(remote: &str) -> Path {
    path(Transport::Udp, OURS, remote)
}

/// A connection that somebody has made to us.
pub(crate) fn connection_from(remote: &str) -> Path {
    path(Transport::Tcp, OURS, remote)
}

/// The connection that we make to the trunk.
pub(crate) fn tcp() -> Path {
    path(Transport::Tcp, "192.0.2.1:40000", TRUNK)
}

pub(crate) fn found(remote: &str) -> Found {
    Found {
        remote: remote.parse().unwrap(),
        local: Some("192.0.2.1".parse().unwrap()),
    }
}

/// One trunk at this URI, whom nobody asks whether it is there.
pub(crate) fn trunk(name: &str, next_hop: &str) -> TrunkSettings {
    let first_hop = Destination::parse(next_hop).unwrap();
    TrunkSettings {
        name: name.to_owned(),
        next_hop: next_hop.to_owned(),
        domain: first_hop.host.clone(),
        first_hop,
        from: "<sip:onhook@example.org>".to_owned(),
        outbound_proxy: None,
        credentials: None,
        codecs: vec![Codec::Pcma],
        srtp: Srtp::Off,
        keepalive: None,
        register: None,
        reach: Reach::new(None),
    }
}

pub(crate) fn settings() -> Settings {
    Settings {
        identity: Identity {
            branch_key: BranchKey::new([7; 32]),
            before: CallKey::before(1),
            secret: [9; 32],
        },
        limits: Limits {
            ring: Duration::from_secs(30),
            max_duration: Duration::from_secs(1800),
            session_expires: None,
            t1: T1,
        },
        timers: Timers::default(),
        ended_retention: Duration::from_secs(60),
        caps: CapsSettings {
            live: 100_000,
            live_per_mailbox: 100_000,
            live_per_trunk: 100_000,
            starts_per_second_per_trunk: 100_000,
            starts_per_minute_per_mailbox: 100_000,
            starts_per_hour_per_mailbox: 100_000,
            time_per_day_per_mailbox: Duration::from_secs(1 << 40),
            starts_per_minute_per_address: 100_000,
            starts_per_ten_minutes_per_number: 100_000,
            starts_per_minute_to_own_phone: 100_000,
            time_per_day_to_own_phone: Duration::from_secs(1 << 40),
        },
        counted: CountedNumbers::new(plan()),
        trunks: vec![trunk("pbx", "sip:192.0.2.5:5060")],
        listeners: vec![Listener {
            transport: Transport::Udp,
            address: OURS.parse().unwrap(),
        }],
        external_address: None,
        peers: Vec::new(),
        requests_per_second: None,
        user_agent: "onhook".to_owned(),
        connect_limit: CONNECT_LIMIT,
        invites_per_hop: 24,
        leftovers_at_once: 128,
        ends_wait: Duration::ZERO,
        sabotage: Sabotage::default(),
    }
}

/// The same with one trunk that is reached by TCP.
pub(crate) fn settings_tcp() -> Settings {
    let listener = Listener {
        transport: Transport::Tcp,
        address: OURS.parse().unwrap(),
    };
    Settings {
        trunks: vec![trunk("pbx", "sip:192.0.2.5:5060;transport=tcp")],
        listeners: vec![listener],
        ..settings()
    }
}

fn plan() -> Plan {
    Plan::new(PlanSettings {
        country: Some("DE".parse().unwrap()),
        ..PlanSettings::default()
    })
}

fn permit() -> Permit {
    let alice = Dialler {
        name: Some("alice".to_owned()),
        extension: None,
        phones: vec!["0171 2345678".to_owned()],
    };
    let caller = Caller {
        key: OWNER,
        name: alice.name.clone(),
        address: None,
    };
    DialPolicy::new(plan(), Vec::new())
        .permit(caller, &alice, "+49 171 2345678")
        .unwrap()
}

pub(crate) fn order(number: u64) -> Order {
    Order {
        permit: permit(),
        id: id(number),
        call_id: CallIdHeader::new(format!("call-{number}@onhook")),
        local_tag: Tag::new(format!("ours-{number}")),
        session_id: number,
        srtp_key: SrtpKey([0; 30]),
        rtp: ["0.0.0.0:30000", "[::]:30002"].map(|rtp| rtp.parse().unwrap()).into(),
    }
}

pub(crate) fn id(number: u64) -> IdHash {
    IdHash::of(&number.to_string())
}
