//! Checks that take more than one key, or a look at another file; and what follows from the file's place on disk.

mod bounds;
mod dialling;
mod login;
mod masks;
mod passwords;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls::crypto::ring;
use rustls::sign::CertifiedKey;
use thiserror::Error;

use super::error::Problem;
use super::next_hop::NextHop;
use super::read::Document;
use super::sections::{Config, Trunk};
use super::values::{Readers, Srtp, Transport};
use crate::pem::{self, PemError};
use passwords::Given;

/// Makes every relative path relative to the folder of the file.
pub(super) fn resolve(config: &mut Config, folder: &Path) {
    let tls = config.http.tls.iter_mut();
    let tls = tls.flat_map(|tls| {
        let clients = [&mut tls.client_ca, &mut tls.client_crl].into_iter().flatten();
        [&mut tls.cert, &mut tls.key].into_iter().chain(clients)
    });
    let sip = [
        &mut config.sip.tls.cert,
        &mut config.sip.tls.key,
        &mut config.sip.tls.ca,
    ]
    .into_iter()
    .flatten();
    let ldap = &mut config.login.ldap;
    let login = [&mut ldap.ca, &mut ldap.search_password_file, &mut config.login.oauth.ca];
    let login = login.into_iter().flatten();
    let passwords = config.trunk.iter_mut().filter_map(|trunk| trunk.password_file.as_mut());
    for path in tls
        .chain(sip)
        .chain(login)
        .chain(passwords)
        .chain([&mut config.store.path])
    {
        *path = folder.join(&*path);
    }
}

/// Everything that is wrong between keys. Reads passwords from where the file says they are.
pub(super) fn check(document: &mut Document<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    http(document, &mut problems);
    login::login(document, &mut problems);
    sip(document, &mut problems);
    trunks(document, &mut problems);
    media(document, &mut problems);
    limits(document, &mut problems);
    bounds::check(document, &mut problems);
    metrics(document, &mut problems);
    texts(document, &mut problems);
    addresses(document, &mut problems);
    dialling::check(document, &mut problems);
    masks::check(document, &mut problems);
    problems
}

fn http(document: &Document<'_>, problems: &mut Vec<Problem>) {
    let http = &document.config.http;
    if http.listen.0.is_empty() && http.tls.is_empty() {
        problems.push(
            Problem::new(document.place("http.listen"), "there is no HTTP listener at all")
                .help("give [http] listen an address, or add an [[http.tls]]"),
        );
    }
    for (index, network) in http.trusted_proxies.iter().enumerate() {
        if network.is_of_many() {
            problems.push(
                Problem::new(
                    document.place(&format!("http.trusted_proxies.{index}")),
                    "whoever is in this network is believed to be any client they say: it is wider than one holder's can be",
                )
                .help("name the proxies, or their network: /8 of IPv4 or /16 of IPv6 at most, fc00::/7 and fe80::/10 apart"),
            );
        }
    }
    for (index, tls) in http.tls.iter().enumerate() {
        if let Err(error) = check_key_pair(&tls.cert, &tls.key) {
            problems.push(Problem::new(
                document.place(&format!("http.tls.{index}.{}", error.key())),
                error.to_string(),
            ));
        }
    }
}

fn sip(document: &Document<'_>, problems: &mut Vec<Problem>) {
    let sip = &document.config.sip;
    let tls_listener = sip
        .listen
        .0
        .iter()
        .position(|listen| listen.transport == Transport::Tls);
    match (&sip.tls.cert, &sip.tls.key) {
        (Some(cert), Some(key)) => {
            if let Err(error) = check_key_pair(cert, key) {
                problems.push(Problem::new(
                    document.place(&format!("sip.tls.{}", error.key())),
                    error.to_string(),
                ));
            }
        }
        (None, None) => {
            if let Some(index) = tls_listener {
                problems.push(
                    Problem::new(
                        document.place(&format!("sip.listen.{index}")),
                        "a tls: listener needs a certificate",
                    )
                    .help("give [sip.tls] a cert and a key"),
                );
            }
        }
        (Some(_), None) => problems.push(Problem::new(
            document.place("sip.tls.cert"),
            "cert without key in [sip.tls]",
        )),
        (None, Some(_)) => problems.push(Problem::new(
            document.place("sip.tls.key"),
            "key without cert in [sip.tls]",
        )),
    }
    if let Some(ca) = &sip.tls.ca
        && let Err(error) = pem::authorities(ca)
    {
        problems.push(Problem::new(document.place("sip.tls.ca"), error.of_what_was_written()));
    }
    if sip.listen.0.is_empty() {
        problems.push(
            Problem::new(document.place("sip.listen"), "there is no SIP listener")
                .help(r#"for example: listen = ["udp:127.0.0.1:5060"]"#),
        );
    }
    if sip.timers.t1.0.is_zero() || sip.timers.t1 > sip.timers.t2 {
        problems.push(Problem::new(
            document.place("sip.timers.t1"),
            "t1 must be more than nothing and not more than t2",
        ));
    }
}

fn trunks(document: &mut Document<'_>, problems: &mut Vec<Problem>) {
    let mut names = HashSet::new();
    let mut passwords = Vec::new();
    for (index, trunk) in document.config.trunk.iter().enumerate() {
        let place = |key: &str| document.place(&format!("trunk.{index}.{key}"));
        if !names.insert(&trunk.name) {
            problems.push(Problem::new(
                place("name"),
                format!("there are two trunks named `{}`", trunk.name),
            ));
        }
        if trunk.codecs.is_empty() {
            problems.push(Problem::new(place("codecs"), "a trunk needs at least one codec"));
        }
        let udp_listener = document
            .config
            .sip
            .listen
            .0
            .iter()
            .any(|listen| listen.transport == Transport::Udp);
        if first_hop(trunk).transport == Transport::Udp && !udp_listener {
            problems.push(
                Problem::new(
                    place("next_hop"),
                    "this trunk is reached over UDP, and [sip] has no udp: listener",
                )
                .help("add one to [sip] listen, or write ;transport=tcp or ;transport=tls"),
            );
        }
        if trunk.srtp != Srtp::Off && first_hop(trunk).transport != Transport::Tls {
            problems.push(
                Problem::new(place("srtp"), "the keys of SRTP would travel in clear")
                    .help("write ;transport=tls behind the next_hop (or the outbound_proxy), or srtp = \"off\""),
            );
        }
        let given = Given {
            password: trunk.password.as_ref(),
            file: trunk.password_file.as_deref(),
            env: trunk.password_env.as_deref(),
        };
        let has_password = given.is_any();
        match given.fetch() {
            Ok(password) => passwords.push((index, password)),
            Err(error) => {
                let key = format!("password{}", error.key_ending());
                problems.push(Problem::new(place(&key), error.to_string()));
            }
        }
        if has_password && trunk.username.is_none() && trunk.auth_username.is_none() {
            problems.push(Problem::new(place("password"), "a password without a username"));
        }
        if trunk.register && trunk.username.is_none() {
            problems.push(Problem::new(
                place("register"),
                "register = true needs a username to register",
            ));
        }
        if trunk.register && trunk.register_expires.0.as_secs() < 60 {
            problems.push(Problem::new(
                place("register_expires"),
                "a registration must be asked for at least \"60s\"",
            ));
        }
    }
    for (index, password) in passwords {
        document.config.trunk[index].password = password;
    }
}

fn first_hop(trunk: &Trunk) -> &NextHop {
    trunk.outbound_proxy.as_ref().unwrap_or(&trunk.next_hop)
}

fn limits(document: &Document<'_>, problems: &mut Vec<Problem>) {
    let Config {
        calls,
        media,
        http,
        store,
        ..
    } = &document.config;
    for (key, limit) in [("ring_limit", calls.ring_limit), ("max_duration", calls.max_duration)] {
        if limit.0.is_zero() {
            problems.push(Problem::new(
                document.place(&format!("calls.{key}")),
                format!("{key} cannot be nothing"),
            ));
        }
    }
    if store.disk_wait.0.is_zero() {
        problems.push(Problem::new(
            document.place("store.disk_wait"),
            "disk_wait cannot be nothing",
        ));
    }
    let session_expires = calls.session_expires.0;
    if !session_expires.is_zero() && session_expires.as_secs() < sip::SHORTEST_INTERVAL.into() {
        problems.push(
            Problem::new(
                document.place("calls.session_expires"),
                format!(
                    "session_expires cannot be shorter than {} s (RFC 4028)",
                    sip::SHORTEST_INTERVAL
                ),
            )
            .help(r#"for no session timers: session_expires = "0s""#),
        );
    }
    // Even RTP ports with an odd RTCP port beside each.
    let pairs = u32::from(*media.rtp_ports.0.end()).div_ceil(2) - u32::from(*media.rtp_ports.0.start()).div_ceil(2);
    if pairs < calls.max_live {
        problems.push(
            Problem::new(
                document
                    .place("media.rtp_ports")
                    .or_else(|| document.place("calls.max_live")),
                format!(
                    "rtp_ports has room for {pairs} calls, and [calls] max_live is {}",
                    calls.max_live
                ),
            )
            .help("widen rtp_ports (two ports a call), or lower max_live"),
        );
    }
    for (key, is_nothing) in [
        ("max_connections", http.max_connections == 0),
        ("max_connections_per_address", http.max_connections_per_address == 0),
        ("header_timeout", http.header_timeout.0.is_zero()),
        ("body_timeout", http.body_timeout.0.is_zero()),
    ] {
        if is_nothing {
            let place = document.place(&format!("http.{key}"));
            problems.push(Problem::new(place, format!("{key} = 0 lets nobody in")));
        }
    }
    // The caps that count a day are rebuilt from these records.
    if store.keep_records.0 < Duration::from_secs(24 * 60 * 60) {
        problems.push(Problem::new(
            document.place("store.keep_records"),
            "records are kept for a day at least: caps are counted from them after a restart",
        ));
    }
    if http.bodies_limit < http.body_limit {
        problems.push(Problem::new(
            document.place("http.bodies_limit"),
            "bodies_limit has no room for one body: body_limit is more",
        ));
    }
    if http.body_limit < 1024 {
        problems.push(Problem::new(
            document.place("http.body_limit"),
            "body_limit is in bytes; 1024 is the least",
        ));
    }
}

fn media(document: &Document<'_>, problems: &mut Vec<Problem>) {
    let bind = document.config.media.bind.iter().flatten();
    let four = bind.clone().filter(|address| address.is_ipv4()).count();
    if four > 1 || bind.count() - four > 1 {
        problems.push(
            Problem::new(
                document.place("media.bind"),
                "two addresses of one family: a call could not tell which",
            )
            .help("name one of IPv4 and one of IPv6 at most"),
        );
    }
}

fn metrics(document: &Document<'_>, problems: &mut Vec<Problem>) {
    let metrics = &document.config.metrics;
    let is_open = metrics.listen.is_some_and(|address| !address.ip().is_loopback());
    if is_open && metrics.readers == Readers::LoopbackOnly {
        problems.push(
            Problem::new(
                document.place("metrics.listen"),
                "counts are served without a login, and this address is not of this machine alone",
            )
            .help("give it an address like 127.0.0.1:9464, or say readers = \"everywhere\""),
        );
    }
}

/// What is put into headers as it is must not end them.
fn texts(document: &Document<'_>, problems: &mut Vec<Problem>) {
    let Config { http, sip, trunk, .. } = &document.config;
    let mut texts = vec![
        ("http.realm".to_owned(), Some(&http.realm)),
        ("http.public_url".to_owned(), http.public_url.as_ref()),
        ("sip.user_agent".to_owned(), Some(&sip.user_agent)),
    ];
    for (index, trunk) in trunk.iter().enumerate() {
        for (key, text) in [
            ("domain", &trunk.domain),
            ("auth_username", &trunk.auth_username),
            ("from_name", &trunk.from_name),
        ] {
            texts.push((format!("trunk.{index}.{key}"), text.as_ref()));
        }
    }
    for (path, text) in texts {
        let Some(text) = text else { continue };
        if text.is_empty() || text.chars().any(|c| c.is_control() || c == '"' || c == '\\') {
            problems.push(
                Problem::new(document.place(&path), "this text cannot stand in a header")
                    .help(r#"it must not be empty, and hold no quotation mark, backslash or control character"#),
            );
        } else if path.ends_with(".domain") && format!("sip:{text}").parse::<NextHop>().is_err() {
            problems.push(
                Problem::new(document.place(&path), "this is not a domain")
                    .help(r#"for example: domain = "example.com""#),
            );
        }
    }
}

/// Addresses are told to clients and stand in the log.
fn addresses(document: &Document<'_>, problems: &mut Vec<Problem>) {
    let Config { http, login, .. } = &document.config;
    for (path, address) in [
        ("http.public_url", &http.public_url),
        ("login.ldap.url", &login.ldap.url),
        ("login.oauth.issuer", &login.oauth.issuer),
        ("login.oauth.jwks_url", &login.oauth.jwks_url),
    ] {
        let host = address.as_deref().and_then(|address| address.split_once("://"));
        if host.is_some_and(|(_, rest)| {
            rest.split(['/', '?', '#'])
                .next()
                .is_some_and(|host| host.contains('@'))
        }) {
            problems.push(
                Problem::new(document.place(path), "an address holds no user and no password")
                    .help("write what follows the @ alone"),
            );
        }
    }
}

#[derive(Debug, Error)]
enum KeyPairError {
    #[error("{}", .0.of_what_was_written())]
    Pem(#[from] PemError),
    #[error("the key in {} cannot be used with the certificate: {source}", path.display())]
    Mismatch { path: PathBuf, source: rustls::Error },
}

impl KeyPairError {
    /// Which of the two keys of a certificate and its key is to blame.
    fn key(&self) -> &'static str {
        match self {
            Self::Pem(error) if !error.is_of_a_key() => "cert",
            Self::Pem(_) | Self::Mismatch { .. } => "key",
        }
    }
}

fn check_key_pair(cert: &Path, key: &Path) -> Result<(), KeyPairError> {
    CertifiedKey::from_der(
        pem::certificates(cert)?,
        pem::private_key(key)?,
        &ring::default_provider(),
    )
    .map(drop)
    .map_err(|source| KeyPairError::Mismatch {
        path: key.to_owned(),
        source,
    })
}
