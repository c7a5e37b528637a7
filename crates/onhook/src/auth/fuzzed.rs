//! For fuzzing: the readers of this room that strangers reach, by themselves. Nothing else uses them from here.

use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use serde_json::{Map, Value};

use super::certificate::Certificates;
use super::credentials::Credentials;
use super::domains::Domains;
use super::oauth;
use crate::config::{CertificateName, LoginCertificate, SigningAlgorithm};

/// Credentials of HTTP Basic.
#[derive(Debug)]
pub struct Basic {
    /// Whom they may mean, the likeliest first.
    pub names: Vec<String>,
    /// As whom a wrong password counts.
    pub counted: Option<String>,
    pub password: String,
}

/// What follows the word Basic.
pub fn basic(encoded: &str) -> Option<Basic> {
    let credentials = Credentials::decode(encoded)?;
    Some(Basic {
        names: credentials.names.iter().map(ToString::to_string).collect(),
        counted: credentials.counted().map(ToString::to_string),
        password: credentials.password.expose().to_owned(),
    })
}

/// The user that a certificate names, where `own` is the mail domain of the site.
pub fn certificate(der: &[u8], kinds: &[CertificateName], own: &str) -> Option<String> {
    let config = LoginCertificate { user: kinds.to_vec() };
    let certificates = Certificates::new(&config, Arc::new(Domains::new(&[own.to_owned()])));
    let user = certificates.user(&CertificateDer::from(der));
    user.map(|user| user.to_string())
}

/// The algorithm that a token says it is signed with, if it is one of `allowed`; and its claims, if one of the keys in the
/// JWKS has signed them.
pub fn token(
    token: &str,
    jwks: &[u8],
    allowed: &[SigningAlgorithm],
) -> Option<(SigningAlgorithm, Option<Map<String, Value>>)> {
    oauth::read(token, jwks, allowed)
}
