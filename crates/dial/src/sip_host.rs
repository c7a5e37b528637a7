//! Hosts of SIP addresses.

use std::{fmt, net::Ipv6Addr, str::FromStr};

use thiserror::Error;

use crate::from_text::from_text;

from_text!(SipHost);

/// A host name or IP address (IPv6 in brackets) in lower case, perhaps with a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SipHost(String);

/// Why a text names no host.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not a host, like \"pbx.example.com\" or \"192.0.2.1:5062\"")]
pub struct NoHost(String);

impl FromStr for SipHost {
    type Err = NoHost;

    fn from_str(text: &str) -> Result<Self, NoHost> {
        let lower = text.to_ascii_lowercase();
        let (host, port) = match lower.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (lower.as_str(), None),
        };
        let is_port =
            |port: &str| port.bytes().all(|c| c.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
        let is_label = |label: &str| {
            let inner = label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
            inner && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
        };
        let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => host.split('.').all(is_label),
        };
        if !is_host || !port.is_none_or(is_port) {
            return Err(NoHost(text.to_owned()));
        }
        Ok(Self(lower))
    }
}

impl fmt::Display for SipHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
