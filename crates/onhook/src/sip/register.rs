//! REGISTER: makes our Contact known to a trunk, and keeps it known (RFC 3261 §10.2).
//!
//! The binding is asked for again ahead of its end, withdrawn when the room closes, and tried again with growing
//! pauses when the registrar refuses or is silent.

use std::{sync::Arc, time::Duration};

use sip::{
    CallIdHeader, Method,
    digest::{Authenticator, Subject},
};
use tokio::time::{sleep, timeout};

use super::{
    drive,
    out_of_call::{OutOfCall, request_uri, uri_without_parameters},
    shared::{Core, random_text},
    trunk::{Kept, RegisterError, Registration, RegistrationState},
    wire,
};

/// The longest pause between two attempts.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long the end of the room waits for a registrar.
const FAREWELL: Duration = Duration::from_secs(2);
/// A registrar may ask for a password, call a nonce stale and the time too short; then it is enough.
const ATTEMPTS: usize = 8;

/// Keeps the trunk's binding until the room closes.
pub(super) async fn keep(core: Arc<Core>, kept: Arc<Kept>, registration: Registration) {
    let mut binding = Binding::new(&kept, registration.expires);
    let closing = core.leaving.clone();
    let mut pause = registration.retry;
    loop {
        let Some(asked) = closing.run_until_cancelled(binding.refresh(&core, &kept)).await else {
            break;
        };
        let (state, wait) = match asked {
            Ok(granted) => {
                pause = registration.retry;
                (RegistrationState::Registered, ahead_of(granted))
            }
            Err(error) => {
                let wait = jittered(pause);
                pause = (pause * 2).min(PATIENCE);
                (RegistrationState::Failing(error), wait)
            }
        };
        note(&kept, state);
        if closing.run_until_cancelled(sleep(wait)).await.is_none() {
            break;
        }
    }
    if binding.bound {
        binding.expires = Duration::ZERO;
        let _ = timeout(FAREWELL, binding.refresh(&core, &kept)).await;
    }
}

fn note(kept: &Kept, registration: RegistrationState) {
    let name = &kept.trunk.name;
    kept.state.send_if_modified(|state| {
        if state.registration == registration {
            return false;
        }
        match &registration {
            RegistrationState::Failing(error) => tracing::warn!(trunk = %name, %error, "registration failed"),
            RegistrationState::Registered => tracing::info!(trunk = %name, "registered"),
            RegistrationState::Off | RegistrationState::Pending => {}
        }
        state.registration = registration;
        true
    });
}

/// Four fifths of the time, and never later than 30 s before the end of a long one.
fn ahead_of(granted: Duration) -> Duration {
    (granted * 4 / 5).max(granted.saturating_sub(Duration::from_secs(30)))
}

/// Between half and the whole of it, so that many clients of a registrar that comes back do not ask in step.
fn jittered(pause: Duration) -> Duration {
    let mut byte = [0];
    // Without a random source the whole pause is as good.
    let _ = getrandom::fill(&mut byte);
    pause - pause * u32::from(byte[0]) / 512
}

/// The host of a URI, as a URI writes it.
fn host(uri: &str) -> String {
    match wire::Destination::parse(uri) {
        Ok(place) if place.ip().is_some_and(|ip| ip.is_ipv6()) => format!("[{}]", place.host),
        Ok(place) => place.host,
        Err(_) => String::new(), // it was parsed when the trunk was taken
    }
}

/// What stays the same from one REGISTER to the next (RFC 3261 §10.2.4).
struct Binding {
    call_id: CallIdHeader,
    from_tag: String,
    address_of_record: String,
    request_uri: String,
    cseq: u32,
    expires: Duration,
    /// The registrar may hold a Contact of ours.
    bound: bool,
}

impl Binding {
    fn new(kept: &Kept, expires: Duration) -> Self {
        let trunk = &kept.trunk;
        let (request_uri, domain) = match &trunk.domain {
            Some(domain) => (format!("sip:{domain}"), domain.clone()),
            None => (
                uri_without_parameters(&request_uri(&trunk.next_hop)).to_owned(),
                host(&trunk.next_hop),
            ),
        };
        let of_credentials = || {
            trunk
                .credentials
                .as_ref()
                .map(|credentials| credentials.username.clone())
        };
        let user = trunk
            .user
            .clone()
            .or_else(of_credentials)
            .unwrap_or_else(|| "onhook".to_owned());
        Self {
            call_id: CallIdHeader::new(random_text()),
            from_tag: random_text(),
            address_of_record: format!("<sip:{user}@{domain}>"),
            request_uri,
            cseq: 0,
            expires,
            bound: false,
        }
    }

    /// Registers once, with the password when it is asked for; the time granted.
    async fn refresh(&mut self, core: &Arc<Core>, kept: &Kept) -> Result<Duration, RegisterError> {
        // Anew each time: registrars change their nonce between two refreshes without calling it stale.
        let mut authenticator = Authenticator::default();
        let mut last = 0;
        for _ in 0..ATTEMPTS {
            let local = core
                .local(kept)
                .await
                .map_err(|error| RegisterError::NoAddress(error.to_string()))?;
            self.cseq = self.cseq.saturating_add(1);
            let mut headers = vec![("Expires", self.expires.as_secs().to_string())];
            headers.extend(self.authorize(core, kept, &mut authenticator));
            let request = OutOfCall {
                method: Method::Register,
                request_uri: &self.request_uri,
                from: &self.address_of_record,
                from_tag: &self.from_tag,
                to: &self.address_of_record,
                call_id: &self.call_id,
                cseq: self.cseq,
                headers: &headers,
            };
            // Once it is on its way, the registrar may hold the binding whatever comes back.
            self.bound = true;
            let response = drive::ask(core, &request.print(core, kept, &local)).await?;
            last = response.status_code.code();
            match last {
                200..=299 => {
                    let granted = wire::granted_expiry(&response, &local.contact);
                    return Ok(granted.map_or(self.expires, |seconds| Duration::from_secs(seconds.max(1).into())));
                }
                401 | 407 => {
                    if kept.trunk.credentials.is_none() {
                        return Err(RegisterError::NoCredentials);
                    }
                    let challenges = wire::response(&response).map(|view| view.challenges);
                    authenticator.challenged(&challenges.unwrap_or_default())?;
                }
                423 => match wire::min_expires(&response) {
                    Some(least) if Duration::from_secs(least.into()) > self.expires => {
                        self.expires = Duration::from_secs(least.into());
                    }
                    _ => break,
                },
                _ => break,
            }
        }
        Err(RegisterError::Refused(last))
    }

    fn authorize(
        &self,
        core: &Core,
        kept: &Kept,
        authenticator: &mut Authenticator,
    ) -> impl Iterator<Item = (&'static str, String)> {
        let subject = Subject {
            method: &Method::Register,
            uri: &self.request_uri,
            body: b"",
            cnonce: &core.branch_key.cnonce(&self.call_id, self.cseq),
        };
        let answers = kept.trunk.credentials.as_ref();
        let answers = answers.map(|credentials| authenticator.authorize(credentials, subject));
        answers.into_iter().flatten().map(|answer| (answer.name, answer.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_is_refreshed_ahead_of_its_end() {
        assert_eq!(ahead_of(Duration::from_secs(10)), Duration::from_secs(8));
        assert_eq!(ahead_of(Duration::from_secs(3600)), Duration::from_secs(3570));
    }

    #[test]
    fn a_pause_is_never_shorter_than_half_of_it() {
        for _ in 0..64 {
            let pause = jittered(Duration::from_secs(8));
            assert!(
                pause > Duration::from_secs(4) && pause <= Duration::from_secs(8),
                "{pause:?}"
            );
        }
    }
}
