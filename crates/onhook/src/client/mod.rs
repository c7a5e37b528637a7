//! A small EWS client: what `onhook play`, `info` and `hangup` are made of. It works with any server that has the
//! phone operations, Exchange included.
//!
//! It blocks; whoever has something else to do meanwhile gives it a thread.

mod address;
mod error;

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ews::{
    DisconnectPhoneCall, GetPhoneCallInformation, ItemId, PhoneCallId, PhoneCallInformation, PlayOnPhone, ReplyError,
    ServerVersion,
};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::config::Secret;
use crate::pem;
use address::Way;

pub use error::ClientError;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a request may take as a whole; a server may wait with its answer for a phone to confirm.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// The longest answer that is read, in bytes.
const ANSWER_LIMIT: u64 = 1024 * 1024;

/// Whose certificates are believed.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Those of the public authorities.
    Public,
    /// Those that the ones in this PEM file signed, or that are in it.
    File(PathBuf),
    /// Anyone's: the password goes to whoever answers; over plain HTTP also to everybody on the way.
    Anyone,
}

/// A server, and who we are there. Cloning is cheap.
#[derive(Clone)]
pub struct Client {
    agent: Agent,
    url: String,
    authorization: Secret,
}

impl Client {
    /// Whether a password may be sent to this address.
    ///
    /// # Errors
    /// When it is no `https://` address, unless it is one of this machine or anyone is trusted; and when it holds a user.
    pub fn check_address(url: &str, trust: &Trust) -> Result<(), ClientError> {
        address::way(url, trust).map(drop)
    }

    /// Prepares; nothing is sent yet.
    ///
    /// # Errors
    /// As [`Self::check_address`], and when the certificates to trust cannot be read.
    pub fn new(url: &str, user: &str, password: &Secret, trust: &Trust) -> Result<Self, ClientError> {
        let way = address::way(url, trust)?;
        let tls = TlsConfig::builder().root_certs(roots(trust)?);
        let tls = tls.disable_verification(matches!(trust, Trust::Anyone)).build();
        let agent = Agent::config_builder();
        // A proxy that the environment names is another machine, mostly.
        let agent = match way {
            Way::OnThisMachine => agent.proxy(None),
            Way::OverTheNetwork => agent,
        };
        let agent = agent
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(REQUEST_TIMEOUT))
            .user_agent(concat!("onhook/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        let credentials = BASE64_STANDARD.encode(format!("{user}:{}", password.expose()));
        Ok(Self {
            agent,
            url: url.to_owned(),
            authorization: Secret::new(format!("Basic {credentials}")),
        })
    }

    /// Asks the server to ring `number` and play a message; returns when the call has been placed.
    ///
    /// # Errors
    /// When the server cannot be asked, or refuses.
    pub fn play_on_phone(&self, item_id: &str, number: &str) -> Result<PhoneCallId, ClientError> {
        let operation = PlayOnPhone {
            item_id: ItemId {
                id: item_id.to_owned(),
                change_key: None,
            },
            dial_string: number.to_owned(),
        };
        self.ask(
            &operation.encode(ServerVersion::EXCHANGE_2013),
            PlayOnPhone::decode_response,
        )
    }

    /// Asks how a call is going.
    ///
    /// # Errors
    /// When the server cannot be asked, or refuses.
    pub fn information(&self, phone_call_id: &PhoneCallId) -> Result<PhoneCallInformation, ClientError> {
        let phone_call_id = phone_call_id.clone();
        let request = GetPhoneCallInformation { phone_call_id }.encode(ServerVersion::EXCHANGE_2013);
        self.ask(&request, GetPhoneCallInformation::decode_response)
    }

    /// Asks the server to end a call.
    ///
    /// # Errors
    /// When the server cannot be asked, or refuses.
    pub fn disconnect(&self, phone_call_id: &PhoneCallId) -> Result<(), ClientError> {
        let phone_call_id = phone_call_id.clone();
        let request = DisconnectPhoneCall { phone_call_id }.encode(ServerVersion::EXCHANGE_2013);
        self.ask(&request, DisconnectPhoneCall::decode_response)
    }

    fn ask<T>(&self, request: &str, decode: impl FnOnce(&[u8]) -> Result<T, ReplyError>) -> Result<T, ClientError> {
        let unreachable = |source| ClientError::Unreachable {
            url: self.url.clone(),
            source: Box::new(source),
        };
        let answer = self
            .agent
            .post(&self.url)
            .header("Authorization", self.authorization.expose())
            .content_type("text/xml; charset=utf-8")
            .send(request);
        let mut answer = answer.map_err(unreachable)?;
        match answer.status().as_u16() {
            // Faults come with 500, everything else of EWS with 200.
            200 | 500 => {}
            401 => return Err(ClientError::Unauthorised),
            status => return Err(ClientError::Status(status)),
        }
        let body = answer.body_mut().with_config().limit(ANSWER_LIMIT).read_to_vec();
        Ok(decode(&body.map_err(unreachable)?)?)
    }
}

fn roots(trust: &Trust) -> Result<RootCerts, ClientError> {
    let Trust::File(path) = trust else {
        return Ok(RootCerts::WebPki);
    };
    let found = pem::certificates(path)?;
    let found: Vec<_> = found.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    Ok(RootCerts::new_with_certs(&found))
}
