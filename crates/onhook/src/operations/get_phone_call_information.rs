//! `GetPhoneCallInformation`: how the caller's call goes, or how it ended, in the words of the schema.

use call::{End, EndCause, Wish};
use ews::{
    ConnectionFailureCause, PhoneCallId, PhoneCallInformation, PhoneCallState, ResponseCode, ResponseError, SipResponse,
};

use super::{Operations, of_store};
use crate::auth::Caller;
use crate::calls::{Information, State};

impl Operations {
    pub(super) async fn get_phone_call_information(
        &self,
        caller: &Caller,
        id: &PhoneCallId,
    ) -> Result<PhoneCallInformation, ResponseError> {
        match self.calls.information(caller, &id.0).await {
            Ok(Some(information)) => Ok(phone_call_information(information)),
            Err(error) => {
                tracing::error!(%error, "a call cannot be looked up");
                Err(of_store(&error).into())
            }
            Ok(None) => Err(ResponseCode::InvalidPhoneCallId.into()),
        }
    }
}

fn phone_call_information(information: Information) -> PhoneCallInformation {
    let state = match information.state {
        State::Connecting => PhoneCallState::Connecting,
        State::Alerted => PhoneCallState::Alerted,
        State::Connected => PhoneCallState::Connected,
        State::Disconnected => PhoneCallState::Disconnected,
    };
    let Some(End { cause, .. }) = information.end else {
        return PhoneCallInformation {
            state,
            failure_cause: ConnectionFailureCause::None,
            sip_response: None,
        };
    };
    let failure_cause = failure_cause(&cause);
    PhoneCallInformation {
        state,
        failure_cause,
        sip_response: sip_response(failure_cause, cause, information.refusal),
    }
}

fn failure_cause(cause: &EndCause) -> ConnectionFailureCause {
    match cause {
        EndCause::Wished(Wish::Hangup | Wish::Finished | Wish::MaxDuration | Wish::Drain) | EndCause::RemoteHangup => {
            ConnectionFailureCause::None
        }
        EndCause::Wished(Wish::NoAnswer) => ConnectionFailureCause::NoAnswer,
        EndCause::Rejected { status, .. } => match status {
            486 | 600 => ConnectionFailureCause::UserBusy,
            408 | 480 => ConnectionFailureCause::NoAnswer,
            404 | 410 | 484 | 503 | 604 => ConnectionFailureCause::Unavailable,
            _ => ConnectionFailureCause::Other,
        },
        EndCause::Wished(Wish::SessionExpired | Wish::TimedOut) | EndCause::Unreachable => {
            ConnectionFailureCause::Unavailable
        }
        EndCause::Wished(Wish::MediaRefused | Wish::MediaFailed | Wish::NoAck | Wish::NotJournaled)
        | EndCause::Unauthorized { .. }
        | EndCause::NotJournaled => ConnectionFailureCause::Other,
    }
}

/// The response behind a failure. Clients take a missing one for 200, so where the peer sent none it is the one that
/// stands for what happened (RFC 3261 §8.1.3.1).
fn sip_response(
    failure_cause: ConnectionFailureCause,
    cause: EndCause,
    refusal: Option<(u16, String)>,
) -> Option<SipResponse> {
    if failure_cause == ConnectionFailureCause::None {
        return None;
    }
    let response = |code, text: &str| SipResponse {
        code,
        text: text.to_owned(),
    };
    Some(match cause {
        EndCause::Rejected { status: code, reason } | EndCause::Unauthorized { status: code, reason } => SipResponse {
            code,
            text: if reason.is_empty() { code.to_string() } else { reason },
        },
        // Not the 487 that our own CANCEL brought about.
        EndCause::Wished(Wish::NoAnswer | Wish::SessionExpired | Wish::TimedOut) => response(408, "Request Timeout"),
        EndCause::Unreachable => response(503, "Service Unavailable"),
        EndCause::Wished(Wish::MediaRefused) => response(488, "Not Acceptable Here"),
        EndCause::Wished(_) | EndCause::RemoteHangup | EndCause::NotJournaled => match refusal {
            Some((code, text)) => SipResponse { code, text },
            None => response(500, "Server Internal Error"),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(cause: EndCause) -> PhoneCallInformation {
        phone_call_information(Information {
            state: State::Disconnected,
            end: Some(End { cause, confirmed: true }),
            refusal: Some((487, "Request Terminated".into())),
        })
    }

    fn rejected(status: u16) -> EndCause {
        EndCause::Rejected {
            status,
            reason: "Reason".into(),
        }
    }

    #[test]
    fn every_end_has_the_cause_of_the_contract() {
        use ConnectionFailureCause::{NoAnswer, None, Other, Unavailable, UserBusy};
        let causes = [
            (EndCause::Wished(Wish::Hangup), None),
            (EndCause::Wished(Wish::Finished), None),
            (EndCause::Wished(Wish::MaxDuration), None),
            (EndCause::Wished(Wish::Drain), None),
            (EndCause::RemoteHangup, None),
            (rejected(486), UserBusy),
            (rejected(600), UserBusy),
            (rejected(408), NoAnswer),
            (rejected(480), NoAnswer),
            (EndCause::Wished(Wish::NoAnswer), NoAnswer),
            (rejected(404), Unavailable),
            (rejected(410), Unavailable),
            (rejected(484), Unavailable),
            (rejected(503), Unavailable),
            (rejected(604), Unavailable),
            (EndCause::Wished(Wish::TimedOut), Unavailable),
            (EndCause::Unreachable, Unavailable),
            (EndCause::Wished(Wish::SessionExpired), Unavailable),
            (rejected(603), Other),
            (rejected(500), Other),
            (EndCause::NotJournaled, Other),
            (EndCause::Wished(Wish::MediaFailed), Other),
            (EndCause::Wished(Wish::MediaRefused), Other),
            (EndCause::Wished(Wish::NoAck), Other),
            (EndCause::Wished(Wish::NotJournaled), Other),
        ];
        for (cause, expected) in causes {
            let reported = ended(cause.clone());
            assert_eq!(reported.state, PhoneCallState::Disconnected);
            assert_eq!(reported.failure_cause, expected, "{cause:?}");
            assert_eq!(reported.sip_response.is_some(), expected != None, "{cause:?}");
        }
    }

    #[test]
    fn the_peers_own_words_are_passed_on() {
        let reported = ended(rejected(486)).sip_response.unwrap();
        assert_eq!((reported.code, reported.text.as_str()), (486, "Reason"));
        let reported = ended(EndCause::Wished(Wish::NoAnswer)).sip_response.unwrap();
        assert_eq!(reported.code, 408);
    }

    #[test]
    fn a_call_under_way_has_no_cause() {
        for (state, expected) in [
            (State::Connecting, PhoneCallState::Connecting),
            (State::Alerted, PhoneCallState::Alerted),
            (State::Connected, PhoneCallState::Connected),
        ] {
            let reported = phone_call_information(Information {
                state,
                end: None,
                refusal: None,
            });
            assert_eq!(reported.state, expected);
            assert_eq!(
                (reported.failure_cause, reported.sip_response),
                (ConnectionFailureCause::None, None)
            );
        }
    }
}
