//! The configuration file: one TOML file, read whole and checked whole before anything is opened or bound.
//!
//! `sections` is the list of all keys. Each has its documentation, its type and its default in one place; the example
//! file and the checks follow from it. Nothing here opens a port or the store.

mod check;
mod dialling;
mod error;
mod example;
mod login;
mod next_hop;
mod place;
mod read;
mod section;
mod sections;
mod unseen;
mod values;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use dial::Network;

pub use dialling::{Dial, DialGroup, DialPlan, DialRule, Prefix, RuleKind};
pub use error::{ConfigError, Finding, Findings};
pub use example::{MINIMAL, example};
pub use login::{CertificateName, ClientCertificate, LoginMethod, SigningAlgorithm};
pub use next_hop::NextHop;
pub use sections::{
    Calls, Config, Http, HttpTls, Log, Login, LoginCertificate, LoginImpersonation, LoginLdap, LoginOAuth,
    LoginOAuthApp, Media, Metrics, Sip, SipTimers, SipTls, Store, Trunk,
};
pub use values::{
    Codec, Level, ListenAddress, LogFormat, OneOrMany, Period, PlainBasic, PortRange, Readers, SchemaVersion, Secret,
    ServerVersion, SipToken, Size, Srtp, Transport, ValueError,
};

use error::Problem;
use read::Document;

impl Config {
    /// Reads and checks a file. Relative paths in it become relative to its folder, and each trunk's `password_file`
    /// or `password_env` has been read into its `password`.
    ///
    /// # Errors
    /// When the file cannot be read, or with everything in it that is wrong.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, path)
    }

    /// Reads and checks the text of the file at `path`.
    ///
    /// # Errors
    /// With everything in it that is wrong.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let folder = path.parent().map_or_else(PathBuf::new, Path::to_owned);
        let invalid = |problems: Vec<Problem>| ConfigError::Invalid(Findings::new(path, text, problems));
        let mut document = Document::read(text).map_err(invalid)?;
        check::resolve(&mut document.config, &folder);
        let problems = check::check(&mut document);
        if problems.is_empty() {
            Ok(document.config)
        } else {
            Err(invalid(problems))
        }
    }

    /// What is allowed but probably not meant, for people to read.
    pub fn notes(&self) -> Vec<&'static str> {
        let mut notes = Vec::new();
        if self.trunk.is_empty() {
            notes.push("there is no [[trunk]]: no call can leave");
        }
        if self.dial.allow.is_empty() && self.dial.rule.is_empty() {
            notes.push("[dial] has no rules: users can be called on their own extension and phones alone");
        }
        if !self.dial.plan.outside_line.0.is_empty() && self.dial.plan.country.is_none() {
            notes.push("[dial.plan] outside_line without a country: of the numbers behind it only those with a + are recognised");
        }
        if self.sip.peers.iter().any(Network::is_of_many) {
            notes.push("[sip] peers names more than one holder's network: who is in it gets answers to SIP");
        }
        if self
            .media
            .bind
            .iter()
            .flatten()
            .any(|address| !self.sip.listens_in_family_of(*address))
        {
            notes.push("[media] bind names an address of a family that [sip] listen has none of: no call will use it");
        }
        if self.http.basic_over_plain_http == PlainBasic::Everywhere {
            notes
                .push("[http] basic_over_plain_http = \"everywhere\": passwords and tokens travel unprotected to plain listeners");
        }
        if self.metrics.listen.is_some_and(|address| !address.ip().is_loopback()) {
            notes.push("[metrics] readers = \"everywhere\": who reaches that address reads the counts without a login");
        }
        notes
    }
}

impl Sip {
    /// Whether a listener is of the family of this address: trunks are only called in one that there is a listener in.
    pub fn listens_in_family_of(&self, address: IpAddr) -> bool {
        let mut listeners = self.listen.0.iter();
        listeners.any(|listen| listen.address.is_ipv4() == address.is_ipv4())
    }
}
