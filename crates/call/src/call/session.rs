//! Session timers (RFC 4028): a call whose far end has vanished without a BYE does not stay up.
//!
//! The interval, and who refreshes, are what the last 2xx of an INVITE or UPDATE said, ours or the peer's. Whoever
//! refreshes, a session that nobody has refreshed in time ends with a BYE. A peer whose 2xx to the INVITE names no
//! interval has no session timers, and the call has its longest duration for a limit. Nothing of this is recorded: a
//! crash ends the call anyway.

use std::time::Duration;

use sabotage::Fault;
use sip::{
    ALLOW, CSeq, Method, Moment, OPTION_TAG, Refresher, Reply, Request, Response, SHORTEST_INTERVAL, SessionExpires,
    Tx,
    digest::{Authenticator, Subject},
    sdp,
};

use super::{Call, InviteSent, Silence, established::Established, state::State};
use crate::{
    dialog::Header,
    output::{Output, Save},
    record::Wish,
    timer::Timer,
};

/// How often a 422 may raise the interval of one call.
const MOST_RAISES: u8 = 4;

/// How long before the end of the interval a call that was not refreshed gets its BYE, at most (RFC 4028 §10).
const MOST_LEAD: Duration = Duration::from_secs(32);

/// The interval that our requests ask for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interval {
    seconds: u32,
    /// The shortest that everybody on the way takes, in seconds.
    min_se: u32,
    /// How often a 422 has raised it.
    raised: u8,
}

/// What an answered call has agreed on.
#[derive(Debug)]
pub(super) struct Session {
    interval: Interval,
    /// Nobody, until a 2xx has said who.
    refresher: Option<Side>,
    /// Whether the peer can be refreshed by UPDATE, which takes no offer; else it is by re-INVITE.
    update: bool,
    /// Our refresh that waits for its final response.
    refresh: Option<Refresh>,
}

/// Who refreshes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    We,
    Peer,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::We => Self::Peer,
            Self::Peer => Self::We,
        }
    }
}

/// What one INVITE or UPDATE of a peer settles.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// In seconds.
    interval: u32,
    refresher: Side,
}

/// A refresh of ours, in its last repetition.
#[derive(Debug)]
struct Refresh {
    tx: Tx,
    auth: Authenticator,
}

impl Interval {
    pub(super) fn asking(interval: Duration) -> Self {
        let seconds = u32::try_from(interval.as_secs()).unwrap_or(u32::MAX);
        Self {
            seconds: seconds.max(SHORTEST_INTERVAL),
            min_se: SHORTEST_INTERVAL,
            raised: 0,
        }
    }

    /// What every INVITE and UPDATE of ours says (RFC 4028 §7.1, §7.4).
    pub(super) fn headers(&self, refresher: Option<Refresher>) -> [(&'static str, String); 3] {
        let expires = SessionExpires {
            interval: self.seconds,
            refresher,
        };
        [
            ("Supported", OPTION_TAG.to_owned()),
            ("Session-Expires", expires.to_string()),
            ("Min-SE", self.min_se.to_string()),
        ]
    }

    /// Takes what a 422 demands (RFC 4028 §7.3); false when asking again would be of no use.
    pub(super) fn raise(&mut self, min_se: Option<u32>) -> bool {
        let Some(min_se) = min_se.filter(|min_se| *min_se > self.seconds && self.raised < MOST_RAISES) else {
            return false;
        };
        (self.min_se, self.seconds) = (min_se, min_se);
        self.raised += 1;
        true
    }
}

impl Session {
    /// The call was answered: what its 2xx says holds from now on (RFC 4028 §7.2).
    pub(super) fn begun(interval: Interval, answer: &Response) -> Self {
        Self {
            interval,
            refresher: None,
            update: answer.session.update,
            refresh: None,
        }
    }

    fn headers(&self) -> [(&'static str, String); 3] {
        // The first request leaves the choice to whoever answers it.
        self.interval.headers(self.refresher.map(|side| match side {
            Side::We => Refresher::Uac,
            Side::Peer => Refresher::Uas,
        }))
    }

    /// What a peer's INVITE or UPDATE makes of the session timers (RFC 4028 §9); nothing while there are none.
    ///
    /// # Errors
    ///
    /// The 422 for an interval that is too short.
    pub(super) fn terms(&self, request: &Request) -> Result<Option<Terms>, Reply> {
        let asked = &request.session;
        let (interval, named) = match (asked.expires, self.refresher) {
            (Some(expires), _) if expires.interval < SHORTEST_INTERVAL && asked.timer => {
                return Err(Reply::status(422).with("Min-SE", SHORTEST_INTERVAL.to_string()));
            }
            (Some(expires), _) => (expires.interval, expires.refresher),
            // What holds is not given up because a request does not speak of it.
            (None, Some(_)) => (self.interval.seconds.max(asked.min_se.unwrap_or(0)), None),
            (None, None) => return Ok(None),
        };
        let refresher = match (asked.timer, named) {
            (false, _) | (true, Some(Refresher::Uas)) => Side::We,
            (true, Some(Refresher::Uac)) => Side::Peer,
            (true, None) => self.refresher.unwrap_or(Side::Peer),
        };
        Ok(Some(Terms {
            interval: interval.max(SHORTEST_INTERVAL),
            refresher,
        }))
    }
}

impl Call {
    /// A new interval begins.
    pub(super) fn agree(&mut self, mut terms: Terms, now: Moment) {
        if self.is_sabotaged(Fault::RefresherConfused) {
            terms.refresher = terms.refresher.other();
        }
        let Some(session) = self.session_mut() else { return };
        session.interval.seconds = terms.interval;
        session.refresher = Some(terms.refresher);
        let interval = Duration::from_secs(terms.interval.into());
        let lead = (interval / 3).min(MOST_LEAD);
        self.timers.set(Timer::SessionExpires, now + (interval - lead));
        match terms.refresher {
            Side::We if self.is_sabotaged(Fault::RefreshNever) => {}
            Side::We if self.is_sabotaged(Fault::RefreshLate) => self.timers.set(Timer::Refresh, now + interval),
            Side::We => self.timers.set(Timer::Refresh, now + interval / 2),
            Side::Peer => self.timers.stop(Timer::Refresh),
        }
    }

    /// It is our turn, or time for another try.
    pub(super) fn refresh(&mut self, now: Moment) {
        let Some(established) = self.established() else { return };
        let Some(session) = established.session.as_ref().filter(|session| session.refresh.is_none()) else {
            return;
        };
        if !session.update && established.offered {
            // One INVITE at a time, also when it is the peer's (RFC 3261 §14.1).
            return self.refresh_after(self.glare(), now);
        }
        self.send_refresh(Authenticator::default());
    }

    fn send_refresh(&mut self, mut auth: Authenticator) {
        let State::Confirmed(established) = &mut self.state else {
            return;
        };
        let Some(session) = &mut established.session else {
            return;
        };
        let (around, dialog) = (&self.around, &mut self.record.dialog);
        dialog.local_cseq = dialog.local_cseq.saturating_add(1);
        let number = dialog.local_cseq;
        let (method, body) = if session.update {
            (Method::Update, None)
        } else {
            // The same description under the same version: the session stays as it is (RFC 4028 §7.4).
            (Method::Invite, Some(established.description.as_str()))
        };
        let subject = Subject {
            method: &method,
            uri: &dialog.request_uri(),
            body: body.unwrap_or_default().as_bytes(),
            cnonce: &around.key.cnonce(&dialog.call_id, number),
        };
        let authorizations = match &around.credentials {
            Some(credentials) => auth.authorize(credentials, subject),
            None => Vec::new(),
        };
        let contact = format!("<{}>", around.local.contact);
        let timer = session.headers();
        let mut headers: Vec<Header<'_>> = vec![("Contact", &contact), ("Allow", ALLOW)];
        headers.extend(timer.iter().map(|(name, value)| (*name, value.as_str())));
        headers.extend(authorizations.iter().map(|header| (header.name, header.value.as_str())));
        let cseq = CSeq { number, method };
        let outgoing = dialog.request(cseq, &headers, body, &around.local, &around.key);
        session.refresh = Some(Refresh {
            tx: outgoing.tx.clone(),
            auth,
        });
        if outgoing.tx.method == Method::Invite {
            self.last_invite = InviteSent { number, authorizations };
        }
        self.send(outgoing);
        // A BYE after a crash must come with a later CSeq number than the refreshes of a long call.
        self.save(Save::Answer);
    }

    /// A response to a refresh of ours; one to anything else is passed over.
    pub(super) fn handle_refresh_response(&mut self, response: &Response, now: Moment) {
        let (status, tx) = (response.status, response.tx());
        if status < 200 {
            return;
        }
        let Some(mut refresh) = self.take_refresh(&tx) else {
            return;
        };
        let State::Confirmed(established) = &mut self.state else {
            return;
        };
        let Some(session) = &mut established.session else {
            return;
        };
        match status {
            200..300 => self.refreshed(response, now),
            401 | 407 if self.around.credentials.is_some() && refresh.auth.challenged(&response.challenges).is_ok() => {
                self.send_refresh(refresh.auth);
            }
            // The far end knows the dialog no more (RFC 4028 §10, RFC 5057 §5.1).
            408 | 481 => self.wish(Wish::SessionExpired, now),
            // It lists UPDATE, and yet has none.
            405 | 501 if tx.method == Method::Update => {
                session.update = false;
                self.refresh(now);
            }
            422 if session.interval.raise(response.session.min_se) => self.refresh(now),
            491 => self.refresh_after(self.glare(), now),
            _ => self.refresh_refused(response.retry_after, now),
        }
    }

    /// A refresh of ours will never be answered.
    pub(super) fn handle_refresh_silence(&mut self, tx: &Tx, silence: Silence, now: Moment) {
        if self.take_refresh(tx).is_none() || self.established().is_none() {
            return;
        }
        match silence {
            Silence::TimedOut | Silence::NobodyThere => self.wish(Wish::SessionExpired, now), // RFC 4028 §10
            // As if 503 had come (RFC 3261 §8.1.3.1).
            Silence::Unreachable | Silence::ConnectionLost => self.refresh_refused(None, now),
        }
    }

    /// A 2xx to a re-INVITE of ours, also one that is repeated or late: it is ACKed. False when it is none.
    pub(super) fn handle_reinvite_answer(&mut self, response: &Response, now: Moment) -> bool {
        let dialog = &self.record.dialog;
        let Some(tag) = dialog
            .remote_tag
            .as_ref()
            .filter(|tag| response.to_tag.as_ref() == Some(tag))
        else {
            return false;
        };
        let key = &self.around.key;
        if !key.is_ours_within(&response.branch, &dialog.call_id, &response.cseq, tag) {
            return false;
        }
        if self.refresh_under_way() == Some(&response.tx()) {
            self.retarget(response.contact.as_deref()); // the ACK goes to the new target already (RFC 3261 §12.2.1.2)
        }
        let ack = self.ack_of(&self.record.dialog, response.cseq.number);
        self.send(ack);
        self.handle_refresh_response(response, now);
        true
    }

    fn refreshed(&mut self, response: &Response, now: Moment) {
        self.retarget(response.contact.as_deref());
        if response.cseq.method == Method::Invite
            && let Ok(agreed) = sdp::accept(&self.around.media, &response.body)
        {
            self.change_media(agreed);
        }
        // One that names no interval leaves the refreshing to us, who alone want it (RFC 4028 §7.2).
        let interval = self
            .session()
            .map_or(SHORTEST_INTERVAL, |session| session.interval.seconds);
        let expires = response.session.expires.unwrap_or(SessionExpires {
            interval,
            refresher: Some(Refresher::Uac),
        });
        self.agree(Terms::answered(expires), now);
    }

    /// The session is not refreshed, and not over either: there is time for some more tries.
    fn refresh_refused(&mut self, retry_after: Option<u32>, now: Moment) {
        let Some(session) = self.session() else { return };
        let wait = Duration::from_secs(session.interval.seconds.into()) / 10;
        let asked = Duration::from_secs(retry_after.unwrap_or(0).into());
        self.refresh_after(wait.max(asked), now);
    }

    fn refresh_after(&mut self, wait: Duration, now: Moment) {
        self.timers.set(Timer::Refresh, now + wait);
    }

    fn glare(&self) -> Duration {
        let dialog = &self.record.dialog;
        self.around.key.glare(&dialog.call_id, dialog.local_cseq)
    }

    /// The transaction of a refresh of ours that waits for its final response.
    pub(super) fn refresh_under_way(&self) -> Option<&Tx> {
        self.session()?.refresh.as_ref().map(|refresh| &refresh.tx)
    }

    /// The refresh with this transaction: it is no longer under way.
    fn take_refresh(&mut self, tx: &Tx) -> Option<Refresh> {
        match &mut self.state {
            State::Confirmed(established) => {
                let session = established.session.as_mut()?;
                session.refresh.take_if(|refresh| refresh.tx == *tx)
            }
            // It is being ended, and nothing follows from it any more.
            State::Terminating { refresh, .. } => {
                refresh.take_if(|refresh| refresh == tx);
                None
            }
            State::Placing
            | State::Calling { .. }
            | State::Early
            | State::Cancelling(_)
            | State::Answered(_)
            | State::Ended { .. } => None,
        }
    }

    /// The end has come: a refresh under way is of no use any more. Should a refusal of a re-INVITE still come, its ACK is
    /// missed, and the phone repeats it for a while; a transaction that waits for ever is worse.
    pub(super) fn stop_refresh(&mut self) {
        let under_way = match &self.state {
            State::Terminating { refresh, .. } => refresh.as_ref(),
            _ => self.refresh_under_way(),
        };
        if let Some(tx) = under_way.cloned() {
            self.outputs.push_back(Output::Stop(tx));
        }
    }
}

impl Established {
    /// Whether an offer of ours waits for its answer.
    pub(super) fn is_offering(&self) -> bool {
        let refresh = self.session.as_ref().and_then(|session| session.refresh.as_ref());
        self.offered || refresh.is_some_and(|refresh| refresh.tx.method == Method::Invite)
    }
}

impl Terms {
    /// What a 2xx to a request of ours says. A shorter interval than RFC 4028 §5 allows is taken for the shortest.
    pub(super) fn answered(expires: SessionExpires) -> Self {
        Self {
            interval: expires.interval.max(SHORTEST_INTERVAL),
            refresher: match expires.refresher {
                Some(Refresher::Uac) | None => Side::We,
                Some(Refresher::Uas) => Side::Peer,
            },
        }
    }

    /// The same in our 2xx to a request of the peer.
    pub(super) fn print(self, reply: Reply) -> Reply {
        let (refresher, require) = match self.refresher {
            Side::We => (Refresher::Uas, None),
            // A peer that refreshes must know of it (RFC 4028 §9).
            Side::Peer => (Refresher::Uac, Some(OPTION_TAG)),
        };
        let expires = SessionExpires {
            interval: self.interval,
            refresher: Some(refresher),
        };
        let reply = reply.with("Session-Expires", expires.to_string());
        match require {
            Some(option) => reply.with("Require", option),
            None => reply,
        }
    }
}
