//! Between text, the library's messages and the views that `call` has of them.
//!
//! Header values are taken as the peer wrote them. Whatever lacks what RFC 3261 §8.1.1 demands becomes `None` and is
//! dropped by the caller; nothing here trusts a peer.

use std::net::IpAddr;

use rsipstack::{
    sip::{self as rsip, Header, Host, HostWithPort, prelude::*},
    transport::SipAddr,
};
use sip::{Branch, CSeq, CallIdHeader, Challenge, Method, Reply, SessionHeaders, Tag, uri};

use super::listen::Transport;

/// Hops of a recorded route that are kept: nobody's calls pass so many proxies.
const HOPS: usize = 32;

/// Why a request of ours could not be sent as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum WireError {
    #[error("the request does not parse: {0}")]
    Request(String),
    #[error("no SIP URI to send to")]
    Destination,
}

/// Parses a request of our own making.
pub(super) fn parse_request(text: &str) -> Result<rsip::Request, WireError> {
    rsip::Request::try_from(text).map_err(|error| WireError::Request(error.to_string()))
}

/// Where a URI says that its requests go (RFC 3261 §8.1.2, RFC 3263 without the look-ups).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Destination {
    pub(super) transport: Transport,
    pub(super) host: String,
    pub(super) port: u16,
}

impl Destination {
    /// Reads a `sip:` or `sips:` URI, with or without `<>`.
    pub(super) fn parse(uri: &str) -> Result<Self, WireError> {
        let text = if uri.contains('<') { uri::addr_spec(uri) } else { uri };
        let parsed = rsip::Uri::try_from(text).map_err(|_| WireError::Destination)?;
        let secure = match parsed.scheme {
            Some(rsip::Scheme::Sip) => false,
            Some(rsip::Scheme::Sips) => true,
            _ => return Err(WireError::Destination),
        };
        let transport = match parsed.params.iter().find_map(|param| match param {
            rsip::Param::Transport(transport) => Some(transport),
            _ => None,
        }) {
            _ if secure => Transport::Tls,
            None | Some(rsip::Transport::Udp) => Transport::Udp,
            Some(rsip::Transport::Tcp) => Transport::Tcp,
            Some(rsip::Transport::Tls) => Transport::Tls,
            Some(_) => return Err(WireError::Destination),
        };
        let host = match &parsed.host_with_port.host {
            Host::IpAddr(ip) => ip.to_string(),
            Host::Domain(domain) if domain.0.is_empty() => return Err(WireError::Destination),
            Host::Domain(domain) => domain.0.clone(),
        };
        let port = parsed
            .host_with_port
            .port
            .map_or(transport.default_port(), |port| port.value());
        Ok(Self { transport, host, port })
    }

    /// The host, when it is an address already.
    pub(super) fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

/// The library's name for a place that is resolved.
pub(super) fn sip_addr(transport: Transport, address: std::net::SocketAddr) -> SipAddr {
    SipAddr::new(
        match transport {
            Transport::Udp => rsip::Transport::Udp,
            Transport::Tcp => rsip::Transport::Tcp,
            Transport::Tls => rsip::Transport::Tls,
        },
        HostWithPort::from(address),
    )
}

/// The library's transport as ours; `None` for those that are never opened here.
pub(super) fn transport(transport: rsip::Transport) -> Option<Transport> {
    match transport {
        rsip::Transport::Udp => Some(Transport::Udp),
        rsip::Transport::Tcp => Some(Transport::Tcp),
        rsip::Transport::Tls => Some(Transport::Tls),
        _ => None,
    }
}

/// What the call sees of a response.
pub(super) fn response(message: &rsip::Response) -> Option<sip::Response> {
    let common = Common::read(message)?;
    Some(sip::Response {
        status: message.status_code.code(),
        reason: message
            .wire_reason
            .clone()
            .unwrap_or_else(|| message.status_code.text().to_owned()),
        branch: branch(message)?,
        call_id: common.call_id,
        from: common.from,
        to_tag: uri::tag(&common.to).map(Tag::new),
        to: common.to,
        cseq: common.cseq,
        contact: contact(message),
        record_route: nearest_to_caller(record_route(message)),
        challenges: message
            .headers
            .iter()
            .filter_map(|header| match header {
                Header::WwwAuthenticate(value) => Some((false, value.value())),
                Header::ProxyAuthenticate(value) => Some((true, value.value())),
                _ => None,
            })
            .map(|(proxy, value)| Challenge {
                proxy,
                value: value.to_owned(),
            })
            .collect(),
        // "30 (in a meeting);duration=60": the number comes first (RFC 3261 §20.33).
        retry_after: find(message, |header| match header {
            Header::RetryAfter(value) => leading_number(value.value()),
            _ => None,
        }),
        session: session(message),
        content_type: content_type(message),
        body: message.body.clone(),
    })
}

/// What the call sees of a request.
pub(super) fn request(message: &rsip::Request) -> Option<sip::Request> {
    let common = Common::read(message)?;
    Some(sip::Request {
        method: Method::parse(&message.method.to_string()),
        request_uri: message.uri.to_string(),
        call_id: common.call_id,
        from_tag: uri::tag(&common.from).map(Tag::new),
        from: common.from,
        to_tag: uri::tag(&common.to).map(Tag::new),
        to: common.to,
        cseq: common.cseq,
        contact: contact(message),
        record_route: nearest_to_called(record_route(message)),
        session: session(message),
        content_type: content_type(message),
        body: message.body.clone(),
    })
}

/// Our response to `request`. `to_tag` is added where the request has none (RFC 3261 §8.2.6.2).
pub(super) fn reply(request: &rsip::Request, to_tag: &Tag, reply: &Reply, server: &str) -> rsip::Response {
    let dialog_forming = request.method == rsip::Method::Invite && (101..300).contains(&reply.status);
    let mut headers = rsip::Headers::default();
    for header in request.headers.iter() {
        match header {
            Header::Via(_) | Header::From(_) | Header::CallId(_) | Header::CSeq(_) => headers.push(header.clone()),
            Header::RecordRoute(_) if dialog_forming => headers.push(header.clone()), // RFC 3261 §12.1.1
            Header::Timestamp(_) if reply.status == 100 => headers.push(header.clone()), // RFC 3261 §8.2.6.1
            Header::To(to) if reply.status == 100 || uri::tag(to.value()).is_some() => headers.push(header.clone()),
            Header::To(to) => headers.push(Header::To(format!("{};tag={to_tag}", to.value()).into())),
            _ => {}
        }
    }
    for (name, value) in &reply.headers {
        headers.push(Header::Other((*name).to_owned(), value.clone()));
    }
    headers.push(Header::Server(server.to_owned().into()));
    let body = match &reply.body {
        Some((content_type, body)) => {
            headers.push(Header::ContentType((*content_type).to_owned().into()));
            body.clone().into_bytes()
        }
        None => Vec::new(),
    };
    headers.push(Header::ContentLength(
        u32::try_from(body.len()).unwrap_or(u32::MAX).into(),
    ));
    rsip::Response {
        status_code: rsip::StatusCode::from(reply.status),
        wire_reason: None,
        version: rsip::Version::V2,
        headers,
        body,
    }
}

/// The branch of the top Via.
pub(super) fn branch(message: &impl HeadersExt) -> Option<Branch> {
    let via = message.top_via_header().ok()?.typed().ok()?;
    via.branch().map(|branch| Branch::new(branch.value()))
}

/// The expiry that a registrar granted to `contact`: its own parameter, else the header (RFC 3261 §10.2.4).
pub(super) fn granted_expiry(message: &rsip::Response, contact: &str) -> Option<u32> {
    let own = message
        .headers
        .iter()
        .filter_map(|header| match header {
            Header::Contact(value) => Some(value.value()),
            _ => None,
        })
        .flat_map(uri::split_list)
        .find(|entry| same_place(uri::addr_spec(entry), contact))
        .and_then(|entry| {
            let (_, parameters) = entry.rsplit_once('>')?;
            parameters.split(';').find_map(|parameter| {
                let (name, value) = parameter.split_once('=')?;
                name.trim().eq_ignore_ascii_case("expires").then_some(value)
            })
        })
        .and_then(leading_number);
    own.or_else(|| {
        find(message, |header| match header {
            Header::Expires(value) => leading_number(value.value()),
            _ => None,
        })
    })
}

/// `Min-Expires` of a 423, in seconds.
pub(super) fn min_expires(message: &rsip::Response) -> Option<u32> {
    find(message, |header| match header {
        Header::MinExpires(value) => leading_number(value.value()),
        _ => None,
    })
}

/// Registrars add parameters and drop our own; user, host and port stay.
fn same_place(one: &str, other: &str) -> bool {
    let place = |uri: &str| uri.split(';').next().unwrap_or_default().to_ascii_lowercase();
    place(one) == place(other)
}

struct Common {
    call_id: CallIdHeader,
    from: String,
    to: String,
    cseq: CSeq,
}

impl Common {
    fn read(message: &impl HeadersExt) -> Option<Self> {
        let (number, method) = message.cseq_header().ok()?.value().trim().split_once(' ')?;
        Some(Self {
            call_id: CallIdHeader::new(message.call_id_header().ok()?.value()),
            from: message.from_header().ok()?.value().to_owned(),
            to: message.to_header().ok()?.value().to_owned(),
            cseq: CSeq {
                number: number.trim().parse().ok()?,
                method: Method::parse(method.trim()),
            },
        })
    }
}

fn find<T>(message: &impl HeadersExt, pick: impl Fn(&Header) -> Option<T>) -> Option<T> {
    message.headers().iter().find_map(pick)
}

fn contact(message: &impl HeadersExt) -> Option<String> {
    let first = uri::split_list(message.contact_header().ok()?.value())
        .first()
        .copied()?;
    Some(uri::addr_spec(first).to_owned()).filter(|uri| !uri.is_empty() && uri != "*")
}

fn record_route(message: &impl HeadersExt) -> Vec<String> {
    let headers = message.record_route_headers();
    let hops = headers.iter().flat_map(|header| uri::split_list(header.value()));
    hops.map(str::to_owned).collect()
}

/// Of more hops than a request could pass, the nearest are kept: the rest of the way is theirs to know. Who recorded last
/// stands first, which is the farthest from the caller.
fn nearest_to_caller(mut hops: Vec<String>) -> Vec<String> {
    hops.split_off(hops.len().saturating_sub(HOPS))
}

fn nearest_to_called(mut hops: Vec<String>) -> Vec<String> {
    hops.truncate(HOPS);
    hops
}

fn session(message: &impl HeadersExt) -> SessionHeaders {
    let mut session = SessionHeaders::default();
    for header in message.headers().iter() {
        session.note(header.name(), header.value());
    }
    session
}

fn content_type(message: &impl HeadersExt) -> Option<String> {
    find(message, |header| match header {
        Header::ContentType(value) => Some(value.value().to_owned()),
        _ => None,
    })
}

fn leading_number(text: &str) -> Option<u32> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination(uri: &str) -> Option<(Transport, String, u16)> {
        Destination::parse(uri)
            .ok()
            .map(|place| (place.transport, place.host, place.port))
    }

    #[test]
    fn a_uri_says_host_port_and_transport() {
        let place = |transport, host: &str, port| Some((transport, host.to_owned(), port));
        assert_eq!(destination("sip:100@h"), place(Transport::Udp, "h", 5060));
        assert_eq!(
            destination("<sip:h:5070;transport=TCP;lr>"),
            place(Transport::Tcp, "h", 5070)
        );
        assert_eq!(destination("sips:a@h"), place(Transport::Tls, "h", 5061));
        assert_eq!(
            destination("sip:a@[2001:db8::1]:5080"),
            place(Transport::Udp, "2001:db8::1", 5080)
        );
        assert_eq!(destination("tel:+4930123"), None);
        assert_eq!(destination("sip:h;transport=ws"), None);
        assert_eq!(destination("nonsense"), None);
    }

    const OK: &str = "SIP/2.0 200 Sure\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@h>;tag=f\r\n\
        To: <sip:b@h>;tag=t\r\nCall-ID: c\r\nCSeq: 7 INVITE\r\nContact: \"B, b\" <sip:b@p;x=1>;q=1, <sip:c@p>\r\n\
        Record-Route: <sip:p2;lr>, <sip:p1;lr>\r\nRecord-Route: <sip:p0;lr>\r\nRetry-After: 30 (later)\r\n\
        Content-Length: 0\r\n\r\n";

    #[test]
    fn a_response_gives_the_call_what_it_needs() {
        let view = response(&rsip::Response::try_from(OK).unwrap()).unwrap();
        assert_eq!((view.status, view.reason.as_str()), (200, "Sure"));
        assert_eq!(view.branch.as_str(), "z9hG4bKx");
        assert_eq!((view.cseq.number, &view.cseq.method), (7, &Method::Invite));
        assert_eq!(view.contact.as_deref(), Some("sip:b@p;x=1"));
        assert_eq!(view.record_route, ["<sip:p2;lr>", "<sip:p1;lr>", "<sip:p0;lr>"]);
        assert_eq!(view.to_tag, Some(Tag::new("t")));
        assert_eq!(view.retry_after, Some(30));
    }

    /// In full and in compact form (RFC 4028 §4, RFC 3261 §20.37).
    #[test]
    fn session_timers_reach_the_call() {
        for (supported, expires) in [("Supported", "Session-Expires"), ("k", "x")] {
            let timer = format!("{supported}: 100rel, timer\r\n{expires}: 1800;refresher=uas\r\nMin-SE: 120\r\n");
            let text = OK.replace(
                "Retry-After",
                &format!("{timer}Allow: INVITE, ACK, BYE, UPDATE\r\nRetry-After"),
            );
            let session = response(&rsip::Response::try_from(text.as_str()).unwrap())
                .unwrap()
                .session;
            let expires = session.expires.unwrap();
            assert_eq!((expires.interval, expires.refresher), (1800, Some(sip::Refresher::Uas)));
            assert_eq!(session.min_se, Some(120));
            assert!(session.timer && session.update);
        }
        let bare = response(&rsip::Response::try_from(OK).unwrap()).unwrap();
        assert_eq!(bare.session, SessionHeaders::default());
    }

    #[test]
    fn a_response_without_a_cseq_is_none() {
        let text = OK.replace("CSeq: 7 INVITE\r\n", "");
        assert!(
            rsip::Response::try_from(text.as_str())
                .ok()
                .and_then(|r| response(&r))
                .is_none()
        );
    }

    #[test]
    fn the_granted_expiry_is_that_of_our_contact() {
        let text = OK.replace("7 INVITE", "7 REGISTER").replace(
            "Contact: \"B, b\" <sip:b@p;x=1>;q=1, <sip:c@p>",
            "Contact: <sip:x@p>;expires=9, <sip:onhook@H:5060;ob>;expires=42\r\nExpires: 77",
        );
        let message = rsip::Response::try_from(text.as_str()).unwrap();
        assert_eq!(granted_expiry(&message, "sip:onhook@h:5060;transport=tcp"), Some(42));
        assert_eq!(granted_expiry(&message, "sip:other@h"), Some(77));
    }
}
