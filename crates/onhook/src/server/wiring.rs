//! From the configuration's words to the rooms' own: each room keeps its types to itself, and they meet here.

use std::{net::IpAddr, time::Duration};

use call::Limits;
use dial::{CapsSettings, CountedNumbers, Plan};
use sip::{BranchKey, Destination, Timers, Transport, digest::Credentials, sdp};

use crate::{
    calls, config, journal,
    net::{Listener, TlsClient, TlsServer},
    reach::Reach,
    sip::{Listen, Registration, SipError, Trunk},
};

pub(super) fn listen(sip: &config::Sip, branch_key: BranchKey) -> Listen {
    let listeners = sip.listen.0.iter().map(|listen| Listener {
        transport: transport(listen.transport),
        address: listen.address,
    });
    Listen {
        timers: Timers {
            t1: sip.timers.t1.0,
            t2: sip.timers.t2.0,
            t4: sip.timers.t4.0,
        },
        user_agent: sip.user_agent.clone(),
        external_address: sip.external_address.map(|address| address.to_string()),
        tls: identity(&sip.tls),
        tls_client: tls_client(&sip.tls),
        peers: sip.peers.clone(),
        requests_per_second: Some(sip.requests_per_second),
        takes_calls: false,
        ..Listen::new(listeners.collect(), branch_key)
    }
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

/// The trunk as the SIP room tends it.
pub(super) fn trunk(trunk: &config::Trunk, tls: &config::SipTls) -> Trunk {
    Trunk {
        outbound_proxy: trunk.outbound_proxy.as_ref().map(ToString::to_string),
        credentials: credentials(trunk),
        user: trunk.username.as_ref().map(ToString::to_string),
        domain: trunk.domain.clone(),
        register: trunk.register.then(|| Registration {
            expires: trunk.register_expires.0,
            ..Registration::default()
        }),
        keepalive: Some(trunk.keepalive.0).filter(|interval| *interval > Duration::ZERO),
        tls: tls_client(tls),
        reach: Reach::new(trunk.allowed_hosts.clone()),
        ..Trunk::new(trunk.name.to_string(), trunk.next_hop.to_string())
    }
}

/// The same trunk as the calls room uses it.
pub(super) fn route(trunk: &config::Trunk) -> calls::TrunkRoute {
    let next_hop = &trunk.next_hop;
    let host = match next_hop.port {
        Some(port) => format!("{}:{port}", next_hop.host),
        None => next_hop.host.clone(),
    };
    let user = trunk
        .from_user
        .as_ref()
        .or(trunk.username.as_ref())
        .map_or_else(|| "onhook".to_owned(), ToString::to_string);
    let from = format!("<sip:{user}@{}>", trunk.domain.as_ref().unwrap_or(&next_hop.host));
    calls::TrunkRoute {
        name: trunk.name.to_string(),
        next_hop: next_hop.to_string(),
        domain: trunk.domain.clone().unwrap_or(host),
        from: match &trunk.from_name {
            Some(name) => format!("\"{}\" {from}", name.replace(['"', '\\'], "")),
            None => from,
        },
        outbound_proxy: trunk.outbound_proxy.as_ref().map(ToString::to_string),
        credentials: credentials(trunk),
        codecs: trunk.codecs.iter().copied().map(codec).collect(),
        srtp: match trunk.srtp {
            config::Srtp::Off => calls::Srtp::Off,
            config::Srtp::Prefer => calls::Srtp::Prefer,
            config::Srtp::Require => calls::Srtp::Require,
        },
    }
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

pub(super) fn calls(config: &config::Config, branch_key: BranchKey) -> calls::Settings {
    let calls = &config.calls;
    calls::Settings {
        limits: Limits {
            ring: calls.ring_limit.0,
            max_duration: calls.max_duration.0,
            session_expires: Some(calls.session_expires.0).filter(|interval| !interval.is_zero()),
            t1: config.sip.timers.t1.0,
        },
        disconnect_wait: calls.disconnect_wait.0,
        disk_wait: config.store.disk_wait.0,
        ended_retention: calls.ended_retention.0,
        caps: caps(calls),
        counted: CountedNumbers::new(Plan::from(&config.dial.plan)),
        trunks: config.trunk.iter().map(route).collect(),
        branch_key,
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

/// Everything about the node that the switch is told.
///
/// # Errors
/// The trunk whose URI names no place, or whose transport nobody listens on.
pub(super) fn switch(
    config: &config::Config,
    branch_key: BranchKey,
    (secret, before): ([u8; 32], journal::CallKey),
    listening: &[Listener],
) -> Result<::switch::Settings, SipError> {
    let calls::Settings {
        limits,
        caps,
        counted,
        ended_retention,
        ..
    } = calls(config, branch_key.clone());
    let sip = listen(&config.sip, branch_key.clone());
    let trunks = config
        .trunk
        .iter()
        .map(|trunk| switch_trunk(trunk, &config.sip.tls, listening));
    Ok(::switch::Settings {
        identity: ::switch::Identity {
            branch_key,
            before: ::switch::journal::CallKey(before.row()),
            secret,
        },
        limits,
        timers: sip.timers,
        ended_retention,
        caps,
        counted,
        trunks: trunks.collect::<Result<_, _>>()?,
        listeners: listening
            .iter()
            .map(|listener| ::switch::Listener {
                transport: listener.transport,
                address: listener.address,
            })
            .collect(),
        external_address: config.sip.external_address,
        peers: sip.peers,
        requests_per_second: sip.requests_per_second,
        user_agent: sip.user_agent,
        connect_limit: sip.stream_limit,
    })
}

/// The transport of each trunk, and how it is verified where that is TLS.
///
/// # Errors
/// The trunk whose URI names no place.
pub(super) fn tls_of_trunks(config: &config::Config) -> Result<Vec<(Transport, TlsClient)>, SipError> {
    let of = |trunk: &config::Trunk| {
        let tended = self::trunk(trunk, &config.sip.tls);
        let place = Destination::parse(tended.first_hop()).map_err(|_| SipError::Trunk(tended.name.clone()))?;
        Ok((place.transport, tended.tls))
    };
    config.trunk.iter().map(of).collect()
}

fn switch_trunk(
    trunk: &config::Trunk,
    tls: &config::SipTls,
    listening: &[Listener],
) -> Result<::switch::TrunkSettings, SipError> {
    let (tended, route) = (self::trunk(trunk, tls), route(trunk));
    let bad = |_| SipError::Trunk(route.name.clone());
    let first_hop = Destination::parse(tended.first_hop()).map_err(bad)?;
    let next_hop = Destination::parse(&route.next_hop).map_err(bad)?;
    let listens = |listener: &Listener| listener.transport == first_hop.transport;
    // A TLS peer may send down the connection that we opened.
    if first_hop.transport != Transport::Tls && !listening.iter().any(listens) {
        return Err(SipError::TrunkTransport {
            trunk: route.name.clone(),
            transport: first_hop.transport,
        });
    }
    let host = match next_hop.ip() {
        Some(IpAddr::V6(ip)) => format!("[{ip}]"),
        _ => next_hop.host,
    };
    let user = tended
        .user
        .clone()
        .or_else(|| Some(tended.credentials.as_ref()?.username.clone()));
    let user = user.unwrap_or_else(|| "onhook".to_owned());
    let domain = tended.domain.clone().unwrap_or(host);
    let bare = route.next_hop.split(';').next().unwrap_or_default();
    let registrar = match (&tended.domain, bare.split_once(':'), bare.rsplit_once('@')) {
        (Some(domain), ..) => format!("sip:{domain}"),
        (None, Some((scheme, _)), Some((_, host))) => format!("{scheme}:{host}"),
        (None, ..) => bare.to_owned(),
    };
    Ok(::switch::TrunkSettings {
        first_hop,
        register: tended.register.map(|register| ::switch::Registration {
            expires: register.expires,
            retry: register.retry,
            address_of_record: format!("<sip:{user}@{domain}>"),
            request_uri: registrar,
        }),
        keepalive: tended.keepalive,
        reach: dial::Reach::new(trunk.allowed_hosts.clone()),
        name: route.name,
        next_hop: route.next_hop,
        domain: route.domain,
        from: route.from,
        outbound_proxy: route.outbound_proxy,
        credentials: route.credentials,
        codecs: route.codecs,
        srtp: match route.srtp {
            calls::Srtp::Off => ::switch::Srtp::Off,
            calls::Srtp::Prefer => ::switch::Srtp::Prefer,
            calls::Srtp::Require => ::switch::Srtp::Require,
        },
    })
}

pub(super) fn journal(config: &config::Config) -> journal::Settings {
    journal::Settings {
        keep_records: config.store.keep_records.0,
        ballast: config.store.ballast.0,
    }
}

/// Where sound is sent from: as configured, or where SIP listens.
pub(super) fn media_address(config: &config::Config) -> IpAddr {
    let of_sip = config.sip.listen.0.first().map(|listen| listen.address.ip());
    config.media.bind.or(of_sip).unwrap_or(IpAddr::from([127, 0, 0, 1]))
}
