//! What a request is owed that belongs to nothing of ours.

use crate::{
    header_name::HeaderName,
    method::Method,
    outgoing::{ALLOW, APPLICATION_SDP, Reply},
    syntax::split,
    uri::SipUri,
};

use super::{Message, Start};

/// Registered methods that are not served; any other is one that nobody knows (RFC 3261 §21.5.2).
const KNOWN: [&str; 5] = ["MESSAGE", "PRACK", "PUBLISH", "REFER", "SUBSCRIBE"];

impl Message<'_> {
    /// The answer to a request that belongs to no dialog and no transaction of a server that takes no calls: its
    /// [`fault`](Self::fault), or what RFC 3261 §8.2 says of its method, its To tag and its body. Nothing for an ACK, which nobody
    /// answers, and for a response.
    #[must_use]
    pub fn answer_outside_dialog(&self) -> Option<Reply> {
        let Start::Request(method) = self.start() else {
            return None;
        };
        if *method == Method::Ack {
            return None;
        }
        if let Some(fault) = self.fault() {
            return Some(fault.clone());
        }
        Some(match method {
            Method::Other(name) if !KNOWN.contains(&name.as_str()) => Reply::status(501),
            // A dialog that we do not have (RFC 3261 §12.2.2), or a transaction (RFC 3261 §9.2).
            _ if self.to_tag().is_some() => Reply::status(481),
            Method::Bye | Method::Update | Method::Info | Method::Cancel | Method::Ack => Reply::status(481),
            Method::Other(name) if name == "PRACK" => Reply::status(481),
            Method::Invite => self.no_call(),
            Method::Options => Reply::status(200).with("Allow", ALLOW).with("Accept", APPLICATION_SDP),
            Method::Notify => Reply::status(489).with("Allow-Events", "none"), // RFC 6665 §4.1.3
            Method::Register | Method::Other(_) => Reply::status(405).with("Allow", ALLOW),
        })
    }

    /// What an INVITE gets of which no call can come.
    fn no_call(&self) -> Reply {
        if self.has_required_body() {
            let media_type = self.values(HeaderName::ContentType).next();
            let is_sdp = media_type.is_none_or(|value| is_named(&value, APPLICATION_SDP));
            if !is_sdp {
                return Reply::status(415).with("Accept", APPLICATION_SDP);
            }
            let encoding = self.values(HeaderName::ContentEncoding).next();
            if encoding.is_some_and(|value| !is_named(&value, "identity")) {
                return Reply::status(415).with("Accept-Encoding", "identity");
            }
        }
        let unavailable = Reply::status(480);
        // Our Contact is no sips: URI, so no dialog could be made (RFC 3261 §12.1.1, RFC 5630 §5.3).
        match SipUri::parse(self.request_uri()) {
            Ok(uri) if uri.is_sips => unavailable.with("Warning", "380 onhook \"SIPS Not Allowed\""),
            _ => unavailable,
        }
    }

    /// Whether the body must be understood (RFC 3261 §8.2.3, §20.11).
    fn has_required_body(&self) -> bool {
        let is_optional = |value: &str| {
            split(value.as_bytes(), 0..value.len(), b';').any(|part| {
                value[part]
                    .split_whitespace()
                    .collect::<String>()
                    .eq_ignore_ascii_case("handling=optional")
            })
        };
        !self
            .values(HeaderName::ContentDisposition)
            .any(|value| is_optional(&value))
    }
}

/// Whether a value is this one, parameters aside.
fn is_named(value: &str, name: &str) -> bool {
    value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .eq_ignore_ascii_case(name)
}
