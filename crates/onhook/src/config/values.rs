//! The values that keys can have, each with its own spelling in the file and its own words for what is allowed.

use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use thiserror::Error;

/// Why a text is not a value of its type.
#[derive(Debug, Error)]
#[error("{given:?} is not {expected}")]
pub struct ValueError {
    pub(super) given: String,
    pub(super) expected: &'static str,
}

impl ValueError {
    pub(super) fn new(given: &str, expected: &'static str) -> Self {
        Self {
            given: given.to_owned(),
            expected,
        }
    }
}

/// Reads a type from a TOML string through its `FromStr`.
macro_rules! from_text {
    ($($Type:ty),*) => {$(
        impl<'de> serde::Deserialize<'de> for $Type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
pub(super) use from_text;

from_text!(
    Period,
    Size,
    ListenAddress,
    PortRange,
    SipToken,
    ServerVersion,
    SchemaVersion
);

/// A duration, written `"500ms"`, `"30s"`, `"30m"`, `"2h"` or `"7d"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

impl FromStr for Period {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let refused = || ValueError::new(text, r#"a duration like "500ms", "30s", "30m", "2h" or "7d""#);
        let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(refused)?;
        let (number, unit) = text.split_at(unit_at);
        let milliseconds: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(refused()),
        };
        let number: u64 = number.parse().map_err(|_| refused())?;
        // A hundred years: far more than any limit needs, far less than what a deadline can overflow by.
        let period = number
            .checked_mul(milliseconds)
            .filter(|ms| *ms <= 36_500 * 86_400_000)
            .ok_or_else(refused)?;
        Ok(Self(Duration::from_millis(period)))
    }
}

/// How SIP messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    Udp,
    Tcp,
    Tls,
}

impl FromStr for Transport {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.to_ascii_lowercase().as_str() {
            "udp" => Ok(Self::Udp),
            "tcp" => Ok(Self::Tcp),
            "tls" => Ok(Self::Tls),
            _ => Err(ValueError::new(text, "udp, tcp or tls")),
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        })
    }
}

/// A number of bytes, written `"64 MiB"`, `"512 KiB"`, `"1 GiB"` or `"0"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let refused = || ValueError::new(text, r#"a size like "64 MiB", "512 KiB" or "0", 64 GiB at most"#);
        let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(unit_at);
        let number: u64 = number.parse().map_err(|_| refused())?;
        let bytes: u64 = match unit.trim_start_matches(' ') {
            "" if number == 0 => 0,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return Err(refused()),
        };
        let size = number.checked_mul(bytes).filter(|size| *size <= 64 << 30);
        size.map(Self).ok_or_else(refused)
    }
}

/// Where SIP is listened for, written `"udp:127.0.0.1:5060"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenAddress {
    pub transport: Transport,
    pub address: SocketAddr,
}

impl FromStr for ListenAddress {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let refused = || {
            ValueError::new(
                text,
                r#"udp:, tcp: or tls: with an IP address and a port, like "udp:127.0.0.1:5060""#,
            )
        };
        let (transport, address) = text.split_once(':').ok_or_else(refused)?;
        let transport = transport.parse().map_err(|_| refused())?;
        let address = address.parse().map_err(|_| refused())?;
        Ok(Self { transport, address })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport, self.address)
    }
}

/// One value, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<'de, T: DeserializeOwned> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not an untagged enum: that would lose the words for what is allowed.
        match toml::Value::deserialize(deserializer)? {
            toml::Value::Array(values) => values.into_iter().map(T::deserialize).collect(),
            value => T::deserialize(value).map(|one| vec![one]),
        }
        .map(Self)
        .map_err(|error| D::Error::custom(error.message()))
    }
}

impl<'a, T> IntoIterator for &'a OneOrMany<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// A range of UDP ports, written `"16384-32767"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortRange(pub RangeInclusive<u16>);

impl FromStr for PortRange {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let refused = || {
            ValueError::new(
                text,
                r#"a range of at least two ports, lowest first, like "16384-32767""#,
            )
        };
        let (first, last) = text.split_once('-').ok_or_else(refused)?;
        let first: u16 = first.trim().parse().map_err(|_| refused())?;
        let last: u16 = last.trim().parse().map_err(|_| refused())?;
        if first == 0 || first >= last {
            return Err(refused());
        }
        Ok(Self(first..=last))
    }
}

/// A word that can stand in a SIP URI's user part as it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SipToken(pub String);

impl FromStr for SipToken {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.!~*'()+&=$".contains(c);
        if text.is_empty() || text.len() > 128 || !text.chars().all(plain) {
            return Err(ValueError::new(
                text,
                "a name of letters, digits and -_.!~*'()+&=$, 128 characters at most",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for SipToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Exchange's own version: major, minor, major build and minor build, written `"15.1.2507.61"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerVersion {
    pub major: u16,
    pub minor: u16,
    pub major_build: u16,
    pub minor_build: u16,
}

impl FromStr for ServerVersion {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let numbers: Result<Vec<u16>, _> = text.split('.').map(str::parse).collect();
        let Ok(&[major, minor, major_build, minor_build]) = numbers.as_deref() else {
            return Err(ValueError::new(
                text,
                r#"four numbers with dots between, like "15.1.2507.61""#,
            ));
        };
        Ok(Self {
            major,
            minor,
            major_build,
            minor_build,
        })
    }
}

/// The `Version` of ServerVersionInfo: a plain name of the schema's enumeration that knows the phone operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaVersion(pub String);

impl FromStr for SchemaVersion {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let known = [
            "Exchange2010",
            "Exchange2010_SP1",
            "Exchange2010_SP2",
            "Exchange2013",
            "Exchange2013_SP1",
            "Exchange2016",
        ];
        if !known.contains(&text) {
            return Err(ValueError::new(
                text,
                "one of Exchange2010, Exchange2010_SP1, Exchange2010_SP2, Exchange2013, Exchange2013_SP1, Exchange2016",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A password. It is never shown: not in logs, not by `Debug`.
#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The password itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where Basic credentials are taken without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlainBasic {
    LoopbackOnly,
    Everywhere,
}

/// From where counts may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Readers {
    LoopbackOnly,
    Everywhere,
}

/// A codec, by its name in SDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Codec {
    Pcmu,
    Pcma,
    G722,
}

/// Whether sound is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Srtp {
    Off,
    Prefer,
    Require,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}
