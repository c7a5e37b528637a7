//! Which kinds of values an error may show. Numbers, durations, addresses and names out of a list hold no secrets; free text
//! may, since passwords are also written into the wrong line. So of free text it is only said what is wanted.
//!
//! Every type that a key can have stands here: for a new one it must be decided.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use dial::{Country, Mask, Network, NumberFormat, Pattern, RuleAction, SipHost};
use serde::de::DeserializeOwned;

use super::dialling::{Prefix, RuleKind};
use super::login::{CertificateName, ClientCertificate, LoginMethod, SigningAlgorithm};
use super::next_hop::NextHop;
use super::values::{
    Codec, Level, ListenAddress, LogFormat, OneOrMany, Period, PlainBasic, PortRange, Readers, SchemaVersion, Secret,
    ServerVersion, SipToken, Size, Srtp,
};
use crate::store::UserName;

/// A type that a key can have.
pub(super) trait Value: DeserializeOwned {
    /// What is wanted, where an error must not show what stands there instead; `None` where it may.
    fn wanted_unseen() -> Option<String>;
}

macro_rules! shown {
    ($($Type:ty),* $(,)?) => {$(
        impl Value for $Type {
            fn wanted_unseen() -> Option<String> {
                None
            }
        }
    )*};
}

macro_rules! unseen {
    ($($Type:ty: $wanted:literal,)*) => {$(
        impl Value for $Type {
            fn wanted_unseen() -> Option<String> {
                Some($wanted.to_owned())
            }
        }
    )*};
}

shown!(
    bool,
    u32,
    Period,
    Size,
    SocketAddr,
    IpAddr,
    ListenAddress,
    Network,
    PortRange,
    Pattern,
    Prefix,
    Mask,
    SipHost,
    Country,
    ServerVersion,
    SchemaVersion,
    LoginMethod,
    ClientCertificate,
    CertificateName,
    SigningAlgorithm,
    PlainBasic,
    Readers,
    Codec,
    Srtp,
    Level,
    LogFormat,
    NumberFormat,
    RuleKind,
    RuleAction,
);

unseen! {
    String: "text in quotes",
    Secret: "a password in quotes",
    PathBuf: "the path of a file, in quotes",
    NextHop: r#"a SIP URI without user, like "sip:pbx.example.com:5060;transport=tcp", and a sips: URI over TLS"#,
    SipToken: "a name of letters, digits and -_.!~*'()+&=$, 128 characters at most, in quotes",
    UserName: r#"a user name: 1 to 128 characters, without spaces, control characters, ":", "\" and "/", in quotes"#,
}

impl<T: Value> Value for Option<T> {
    fn wanted_unseen() -> Option<String> {
        T::wanted_unseen()
    }
}

impl<T: Value> Value for Vec<T> {
    fn wanted_unseen() -> Option<String> {
        T::wanted_unseen().map(|wanted| format!("a list, each of which is {wanted}"))
    }
}

impl<T: Value> Value for OneOrMany<T> {
    fn wanted_unseen() -> Option<String> {
        T::wanted_unseen().map(|wanted| format!("{wanted}, nor a list of such"))
    }
}

impl<T: Value> Value for BTreeMap<String, T> {
    fn wanted_unseen() -> Option<String> {
        T::wanted_unseen().map(|wanted| format!("a table, whose every value is {wanted}"))
    }
}
