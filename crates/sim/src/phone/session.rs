//! What a phone says of session timers that nobody else would (RFC 4028).

use sip::{Method, Refresher, SessionExpires, SessionHeaders};

use crate::{
    message::{Asks, At, Message},
    parts::Family,
    scenario::{Quarrel, Script},
    world::World,
};

/// An interval that is shorter than may be, in seconds.
const FAR_TOO_SHORT: u32 = 10;

impl World {
    /// A challenge leaves.
    pub(crate) fn asks(&mut self, asks: Asks) {
        if asks.is_endless() {
            self.watch.tally.fault(Family::EndlessDigest);
        }
    }

    /// The refusal of an INVITE whose session interval is too small, whatever it is.
    pub(super) fn session_is_too_small(&mut self, at: At, request: &Message) -> Option<Message> {
        let Some(Quarrel::TooSmall(times)) = self.script(at).quarrel else {
            return None;
        };
        let expires = request.session.expires?;
        let phone = self.phone(at);
        if phone.too_small >= times {
            return None;
        }
        phone.too_small += 1;
        self.watch.tally.fault(Family::SessionQuarrels);
        let mut refusal = request.answered(422, Some("ua"));
        refusal.session.min_se = Some(expires.interval.saturating_add(30));
        Some(refusal)
    }

    /// A request that refreshes is refused.
    pub(super) fn quarrel_about_session(&mut self, at: At, request: &Message, response: &mut Message) {
        let refreshes = matches!(request.method, Method::Update | Method::Invite) && request.session.expires.is_some();
        let Some(quarrel) = self.script(at).quarrel.filter(|_| refreshes) else {
            return;
        };
        if let Quarrel::Refused(status) = quarrel {
            response.status = status;
        }
        if let Some(refusal) = self.session_is_too_small(at, request) {
            (response.status, response.session) = (422, refusal.session);
        }
        self.watch.tally.fault(Family::SessionQuarrels);
    }
}

impl Quarrel {
    /// Whether the phone refreshes also where we do.
    pub(super) fn refreshes_too(self) -> bool {
        matches!(self, Self::Both | Self::Short)
    }

    /// What the 2xx of the INVITE says instead of this.
    pub(super) fn answers(self, session: Option<SessionExpires>) -> Option<SessionExpires> {
        match self {
            Self::Short => session.map(short),
            _ => session,
        }
    }

    /// And what the phone's own refreshes do.
    pub(super) fn asks(self, session: SessionExpires) -> SessionExpires {
        match self {
            Self::Short => short(session),
            _ => session,
        }
    }
}

fn short(session: SessionExpires) -> SessionExpires {
    SessionExpires {
        interval: FAR_TOO_SHORT,
        ..session
    }
}

impl Script {
    /// What its 2xx to a refresh says.
    pub(super) fn refreshed(&self, request: &Message) -> Option<SessionExpires> {
        let expires = request.session.expires?;
        match self.quarrel {
            Some(Quarrel::Silent) => None,
            Some(Quarrel::Swapped) => {
                let refresher = match expires.refresher {
                    Some(Refresher::Uas) => Refresher::Uac,
                    Some(Refresher::Uac) | None => Refresher::Uas,
                };
                Some(SessionExpires {
                    refresher: Some(refresher),
                    ..expires
                })
            }
            _ => Some(expires),
        }
    }

    pub(super) fn says(&self, expires: Option<SessionExpires>) -> SessionHeaders {
        SessionHeaders {
            expires,
            min_se: None,
            timer: expires.is_some(),
            update: self.updates,
        }
    }
}
