//! What a call or a trunk sees of a message. Field names are the header names of RFC 3261; nothing here is trusted: every
//! text may be anything a peer sent.

use crate::{
    fields::{Branch, CSeq, CallIdHeader, Challenge, Tag, Tx},
    header_name::HeaderName,
    method::Method,
    name_addr::NameAddr,
    session_headers::SessionHeaders,
    syntax::number,
    uri::{self, SipUri},
};

use super::Message;

/// Hops of a recorded route that are kept: nobody's calls pass so many proxies.
const HOPS: usize = 32;

/// A response to a request of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub reason: String,
    /// Branch of the top Via: ours, echoed.
    pub branch: Branch,
    pub call_id: CallIdHeader,
    /// Whole `From` value, echoed from our request.
    pub from: String,
    /// Whole `To` value.
    pub to: String,
    pub to_tag: Option<Tag>,
    pub cseq: CSeq,
    /// URI of the first `Contact`, without `<>` and header parameters.
    pub contact: Option<String>,
    /// `Record-Route` values in the order of the message, one a value (a header line may hold several).
    pub record_route: Vec<String>,
    pub challenges: Vec<Challenge>,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u32>,
    pub session: SessionHeaders,
    pub content_type: Option<String>,
    pub body: Vec<u8>,
}

impl Response {
    /// The client transaction that this answers.
    #[must_use]
    pub fn tx(&self) -> Tx {
        Tx {
            branch: self.branch.clone(),
            method: self.cseq.method.clone(),
        }
    }
}

/// A request from a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: Method,
    pub request_uri: String,
    pub call_id: CallIdHeader,
    /// Whole `From` value: the peer's.
    pub from: String,
    pub from_tag: Option<Tag>,
    /// Whole `To` value: ours.
    pub to: String,
    pub to_tag: Option<Tag>,
    pub cseq: CSeq,
    /// URI of the first `Contact`, without `<>` and header parameters.
    pub contact: Option<String>,
    /// `Record-Route` values in the order of the message, one a value.
    pub record_route: Vec<String>,
    pub session: SessionHeaders,
    pub content_type: Option<String>,
    pub body: Vec<u8>,
}

impl Message<'_> {
    /// What a call sees of a response.
    #[must_use]
    pub fn response(&self) -> Response {
        let challenges = |name: HeaderName, proxy| {
            self.values(name).map(move |value| Challenge {
                proxy,
                value: value.into_owned(),
            })
        };
        let mut record_route = self.record_route();
        Response {
            status: self.status().unwrap_or_default(),
            reason: self.reason().into_owned(),
            branch: Branch::new(self.branch()),
            call_id: CallIdHeader::new(self.call_id()),
            from: self.value(HeaderName::From),
            to: self.value(HeaderName::To),
            to_tag: self.to_tag().map(Tag::new),
            cseq: self.cseq().clone(),
            contact: self.contact(),
            // Who recorded last stands first, the farthest from the caller: the nearest are kept.
            record_route: record_route.split_off(record_route.len().saturating_sub(HOPS)),
            challenges: challenges(HeaderName::WwwAuthenticate, false)
                .chain(challenges(HeaderName::ProxyAuthenticate, true))
                .collect(),
            retry_after: self.seconds(HeaderName::RetryAfter),
            session: self.session(),
            content_type: self.values(HeaderName::ContentType).next().map(Into::into),
            body: self.body().to_vec(),
        }
    }

    /// What a call sees of a request.
    #[must_use]
    pub fn request(&self) -> Request {
        let mut record_route = self.record_route();
        record_route.truncate(HOPS);
        Request {
            method: self.method().clone(),
            request_uri: self.request_uri().to_owned(),
            call_id: CallIdHeader::new(self.call_id()),
            from: self.value(HeaderName::From),
            from_tag: self.from_tag().map(Tag::new),
            to: self.value(HeaderName::To),
            to_tag: self.to_tag().map(Tag::new),
            cseq: self.cseq().clone(),
            contact: self.contact(),
            record_route,
            session: self.session(),
            content_type: self.values(HeaderName::ContentType).next().map(Into::into),
            body: self.body().to_vec(),
        }
    }

    /// The expiry that a registrar granted to `contact`, in seconds: its own parameter, else the header (RFC 3261 §10.2.4).
    #[must_use]
    pub fn granted_expiry(&self, contact: &str) -> Option<u32> {
        let own = self.values(HeaderName::Contact).find_map(|value| {
            let entry = uri::split_list(&value)
                .into_iter()
                .find(|entry| is_same_place(uri::addr_spec(entry), contact))?;
            let bytes = entry.as_bytes();
            let expires = NameAddr::read(bytes, 0..bytes.len())?.parameter(bytes, "expires")?;
            number(&bytes[expires])
        });
        own.or_else(|| self.seconds(HeaderName::Expires))
    }

    /// `Min-Expires` of a 423, in seconds (RFC 3261 §20.23).
    #[must_use]
    pub fn min_expires(&self) -> Option<u32> {
        self.seconds(HeaderName::MinExpires)
    }

    /// URI of the first Contact; none where it is `*`.
    fn contact(&self) -> Option<String> {
        let value = self.values(HeaderName::Contact).next()?;
        let first = uri::split_list(&value).first().copied()?;
        Some(uri::addr_spec(first).to_owned()).filter(|uri| !uri.is_empty() && uri != "*")
    }

    fn record_route(&self) -> Vec<String> {
        let mut hops = Vec::new();
        for value in self.values(HeaderName::RecordRoute) {
            hops.extend(uri::split_list(&value).into_iter().map(str::to_owned));
        }
        hops
    }

    fn session(&self) -> SessionHeaders {
        let mut session = SessionHeaders::default();
        for line in &self.head.lines {
            if let HeaderName::SessionExpires
            | HeaderName::MinSe
            | HeaderName::Supported
            | HeaderName::Require
            | HeaderName::Allow = line.header
            {
                session.note(line.header.as_str(), &self.unfolded(line));
            }
        }
        session
    }

    /// The number in front: "30 (in a meeting);duration=60" (RFC 3261 §20.33).
    fn seconds(&self, header: HeaderName) -> Option<u32> {
        let value = self.values(header).next()?;
        let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
        number(value[..digits].as_bytes())
    }

    fn value(&self, header: HeaderName) -> String {
        self.values(header).next().unwrap_or_default().into_owned()
    }
}

/// Registrars add parameters and drop our own; user, host and port stay.
fn is_same_place(one: &str, other: &str) -> bool {
    let place = |text| {
        let uri = SipUri::parse(text).ok()?;
        let user = uri.userinfo.map(str::to_ascii_lowercase);
        Some((user, uri.host.to_ascii_lowercase(), uri.port))
    };
    place(one).is_some_and(|place_of_one| place(other) == Some(place_of_one))
}
