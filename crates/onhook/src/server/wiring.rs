//! From the configuration's words to the rooms' own: each room keeps its types to itself, and they meet here.

use std::{net::IpAddr, time::Duration};

use call::Limits;
use dial::{CapsSettings, CountedNumbers, Plan, Reach};
use sip::{BranchKey, Destination, Timers, Transport, digest::Credentials, sdp};
use switch::{Identity, Registration, Sabotage, Srtp, TrunkSettings, journal::CallKey};

use crate::{
    calls::SocketSettings,
    config, journal,
    net::{Listener, TlsClient, TlsServer},
};

/// How long a connection may take to come about, its handshake included, and a stream to accept one message.
const CONNECT_LIMIT: Duration = Duration::from_secs(4);
/// A peer with a small socket buffer loses what comes too fast.
const INVITES_PER_HOP: usize = 24;
/// And what it drops of many BYEs is lost time.
const LEFTOVERS_AT_ONCE: usize = 128;
/// A busy server writes dozens at a time then. Whoever lists calls sees them so much later.
const ENDS_WAIT: Duration = Duration::from_millis(20);
/// What the simulation puts in to be found takes no room in a server: with its feature this does not compile (docs/decisions/0022).
const _: () = assert!(size_of::<Sabotage>() == 0);
/// The wait after the first REGISTER that failed.
const REGISTER_AGAIN: Duration = Duration::from_secs(2);

/// Why a trunk of the configuration leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum TrunkError {
    #[error("trunk {0}: next_hop and outbound_proxy are URIs such as sip:pbx.example;transport=tcp")]
    Uri(String),
    #[error("trunk {trunk}: no {transport} listener that reaches it")]
    Transport { trunk: String, transport: Transport },
}

/// What sockets are opened with.
///
/// # Errors
/// The trunk whose URI names no place.
pub(super) fn sockets(config: &config::Config) -> Result<SocketSettings, TrunkError> {
    let sip = &config.sip;
    let listeners = sip.listen.0.iter().map(|listen| Listener {
        transport: transport(listen.transport),
        address: listen.address,
    });
    let trunks = config.trunk.iter();
    let trunks = trunks.map(|trunk| Ok((first_hop(trunk)?.transport, tls_client(&sip.tls))));
    Ok(SocketSettings {
        listeners: listeners.collect(),
        tls: identity(&sip.tls),
        tls_client: tls_client(&sip.tls),
        trunks: trunks.collect::<Result<_, _>>()?,
        peers: sip.peers.clone(),
        limit: CONNECT_LIMIT,
    })
}

fn transport(transport: config::Transport) -> Transport {
    match transport {
        config::Transport::Udp => Transport::Udp,
        config::Transport::Tcp => Transport::Tcp,
        config::Transport::Tls => Transport::Tls,
    }
}

fn identity(tls: &config::SipTls) -> Option<TlsServer> {
    let (cert, key) = tls.cert.clone().zip(tls.key.clone())?;
    Some(TlsServer { cert, key })
}

fn tls_client(tls: &config::SipTls) -> TlsClient {
    TlsClient {
        ca_file: tls.ca.clone(),
        server_name: None,
        identity: identity(tls),
    }
}

/// Everything about the node that the switch is told.
///
/// # Errors
/// The trunk whose URI names no place, or whose transport nobody listens on.
pub(super) fn switch(
    config: &config::Config,
    branch_key: BranchKey,
    (secret, before): ([u8; 32], CallKey),
    listening: &[Listener],
) -> Result<switch::Settings, TrunkError> {
    let (calls, sip) = (&config.calls, &config.sip);
    let trunks = config.trunk.iter().map(|trunk| trunk_settings(trunk, listening));
    Ok(switch::Settings {
        identity: Identity {
            branch_key,
            before,
            secret,
        },
        limits: Limits {
            ring: calls.ring_limit.0,
            max_duration: calls.max_duration.0,
            session_expires: Some(calls.session_expires.0).filter(|interval| !interval.is_zero()),
            t1: sip.timers.t1.0,
        },
        timers: Timers {
            t1: sip.timers.t1.0,
            t2: sip.timers.t2.0,
            t4: sip.timers.t4.0,
        },
        ended_retention: calls.ended_retention.0,
        caps: caps(calls),
        counted: CountedNumbers::new(Plan::from(&config.dial.plan)),
        trunks: trunks.collect::<Result<_, _>>()?,
        listeners: listening
            .iter()
            .map(|listener| switch::Listener {
                transport: listener.transport,
                address: listener.address,
            })
            .collect(),
        external_address: sip.external_address,
        peers: sip.peers.clone(),
        requests_per_second: Some(sip.requests_per_second),
        user_agent: sip.user_agent.clone(),
        connect_limit: CONNECT_LIMIT,
        invites_per_hop: INVITES_PER_HOP,
        leftovers_at_once: LEFTOVERS_AT_ONCE,
        ends_wait: ENDS_WAIT,
        sabotage: Sabotage::default(),
    })
}

fn first_hop(trunk: &config::Trunk) -> Result<Destination, TrunkError> {
    let uri = trunk.outbound_proxy.as_ref().unwrap_or(&trunk.next_hop).to_string();
    Destination::parse(&uri).map_err(|_| TrunkError::Uri(trunk.name.to_string()))
}

fn trunk_settings(trunk: &config::Trunk, listening: &[Listener]) -> Result<TrunkSettings, TrunkError> {
    let name = trunk.name.to_string();
    let first_hop = first_hop(trunk)?;
    let listens = |listener: &Listener| listener.transport == first_hop.transport;
    // A TLS peer may send down the connection that we opened.
    if first_hop.transport != Transport::Tls && !listening.iter().any(listens) {
        let transport = first_hop.transport;
        return Err(TrunkError::Transport { trunk: name, transport });
    }
    let next_hop = &trunk.next_hop;
    let host = match next_hop.port {
        Some(port) => format!("{}:{port}", next_hop.host),
        None => next_hop.host.clone(),
    };
    let username = trunk.username.as_ref().map(ToString::to_string);
    let from_user = trunk.from_user.as_ref().map(ToString::to_string);
    let user = from_user
        .or_else(|| username.clone())
        .unwrap_or_else(|| "onhook".to_owned());
    let from = format!("<sip:{user}@{}>", trunk.domain.as_ref().unwrap_or(&next_hop.host));
    let credentials = credentials(trunk);
    let own = || credentials.as_ref().map(|credentials| credentials.username.clone());
    let registered = username.or_else(own).unwrap_or_else(|| "onhook".to_owned());
    Ok(TrunkSettings {
        first_hop,
        register: trunk.register.then(|| Registration {
            expires: trunk.register_expires.0,
            retry: REGISTER_AGAIN,
            address_of_record: format!("<sip:{registered}@{}>", trunk.domain.as_ref().unwrap_or(&next_hop.host)),
            request_uri: format!("sip:{}", trunk.domain.as_ref().unwrap_or(&host)),
        }),
        keepalive: Some(trunk.keepalive.0).filter(|interval| *interval > Duration::ZERO),
        reach: Reach::new(trunk.allowed_hosts.clone()),
        next_hop: next_hop.to_string(),
        domain: trunk.domain.clone().unwrap_or(host),
        from: match &trunk.from_name {
            Some(name) => format!("\"{}\" {from}", name.replace(['"', '\\'], "")),
            None => from,
        },
        outbound_proxy: trunk.outbound_proxy.as_ref().map(ToString::to_string),
        credentials,
        codecs: trunk.codecs.iter().copied().map(codec).collect(),
        srtp: match trunk.srtp {
            config::Srtp::Off => Srtp::Off,
            config::Srtp::Prefer => Srtp::Prefer,
            config::Srtp::Require => Srtp::Require,
        },
        name,
    })
}

fn credentials(trunk: &config::Trunk) -> Option<Credentials> {
    let username = trunk
        .auth_username
        .clone()
        .or_else(|| trunk.username.as_ref().map(ToString::to_string))?;
    Some(Credentials {
        username,
        password: trunk.password.as_ref()?.expose().to_owned(),
    })
}

fn codec(codec: config::Codec) -> sdp::Codec {
    match codec {
        config::Codec::Pcmu => sdp::Codec::Pcmu,
        config::Codec::Pcma => sdp::Codec::Pcma,
        config::Codec::G722 => sdp::Codec::G722,
    }
}

fn caps(calls: &config::Calls) -> CapsSettings {
    CapsSettings {
        live: calls.max_live,
        live_per_mailbox: calls.max_live_per_mailbox,
        live_per_trunk: calls.max_live_per_trunk,
        starts_per_second_per_trunk: calls.starts_per_second_per_trunk,
        starts_per_minute_per_mailbox: calls.starts_per_minute_per_mailbox,
        starts_per_hour_per_mailbox: calls.starts_per_hour_per_mailbox,
        time_per_day_per_mailbox: Duration::from_secs(60 * u64::from(calls.minutes_per_day_per_mailbox)),
        starts_per_minute_per_address: calls.starts_per_minute_per_address,
        starts_per_ten_minutes_per_number: calls.starts_per_ten_minutes_per_number,
        starts_per_minute_to_own_phone: calls.starts_per_minute_to_own_phone,
        time_per_day_to_own_phone: Duration::from_secs(60 * u64::from(calls.minutes_per_day_to_own_phone)),
    }
}

pub(super) fn journal(config: &config::Config) -> journal::Settings {
    journal::Settings {
        keep_records: config.store.keep_records.0,
        ballast: config.store.ballast.0,
    }
}

/// Where sound is sent from, an address for each family: as configured, or where SIP listens first in that family.
pub(super) fn media_addresses(config: &config::Config) -> Vec<IpAddr> {
    let configured = config.media.bind.iter().flatten().copied();
    let of_sip = config.sip.listen.0.iter().map(|listen| listen.address.ip());
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in configured.chain(of_sip) {
        let is_first = addresses.iter().all(|other| other.is_ipv4() != address.is_ipv4());
        if is_first && config.sip.listens_in_family_of(address) {
            addresses.push(address);
        }
    }
    addresses
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn each_family_that_sip_listens_in_has_an_address_for_sound() {
        for (listen, bind, wanted) in [
            (r#""udp:192.0.2.1:5060""#, "", &["192.0.2.1"][..]),
            (r#""udp:192.0.2.1:5060", "tcp:192.0.2.2:5060""#, "", &["192.0.2.1"]),
            (r#""udp:192.0.2.1:5060""#, r#"bind = "192.0.2.9""#, &["192.0.2.9"]),
            (r#""udp:192.0.2.1:5060""#, r#"bind = "2001:db8::9""#, &["192.0.2.1"]),
            (r#""udp:[::1]:5060", "udp:0.0.0.0:5060""#, "", &["::1", "0.0.0.0"]),
            (
                r#""udp:[::1]:5060", "udp:0.0.0.0:5060""#,
                r#"bind = "192.0.2.9""#,
                &["192.0.2.9", "::1"],
            ),
            (
                r#""udp:[::1]:5060", "udp:0.0.0.0:5060""#,
                r#"bind = ["2001:db8::9", "192.0.2.9"]"#,
                &["2001:db8::9", "192.0.2.9"],
            ),
        ] {
            let text = format!("[sip]\nlisten = [{listen}]\n[media]\n{bind}\n");
            let config = config::Config::parse(&text, Path::new("onhook.toml")).unwrap();
            let wanted: Vec<IpAddr> = wanted.iter().map(|address| address.parse().unwrap()).collect();
            assert_eq!(media_addresses(&config), wanted, "{text}");
        }
    }
}
