//! The values of `[login]`, and of the keys beside a listener that say who may come in there.

use serde::Deserialize;

use super::values::from_text;
use crate::store::UserName;

from_text!(UserName);

/// One way for callers to prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoginMethod {
    /// Basic, against the users of the store.
    Users,
    /// Basic, against a directory.
    Ldap,
    /// Bearer.
    OAuth,
    /// The client's certificate.
    Certificate,
}

/// Whether a client must have a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificate {
    Optional,
    Required,
}

/// A kind of name in subjectAltName (RFC 5280 §4.2.1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CertificateName {
    /// otherName with a user principal name.
    Upn,
    /// rfc822Name.
    Email,
    /// dNSName.
    Dns,
}

/// How a token is signed (RFC 7518 §3.1). Only with keys that have a public half; there is no `none` and no HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SigningAlgorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
}
