//! Requests that belong to a trunk and to no call.

use call::Local;
use sip::{CSeq, CallIdHeader, Method, Outgoing, Tx, uri};

use super::{shared::Core, trunk::Kept};

/// A request that belongs to no call.
pub(super) struct OutOfCall<'a> {
    pub(super) method: Method,
    pub(super) request_uri: &'a str,
    /// Without tag.
    pub(super) from: &'a str,
    pub(super) from_tag: &'a str,
    pub(super) to: &'a str,
    pub(super) call_id: &'a CallIdHeader,
    pub(super) cseq: u32,
    pub(super) headers: &'a [(&'static str, String)],
}

impl OutOfCall<'_> {
    pub(super) fn print(&self, core: &Core, kept: &Kept, local: &Local) -> Outgoing {
        let cseq = CSeq {
            number: self.cseq,
            method: self.method.clone(),
        };
        let branch = core.branch_key.branch(self.call_id, &cseq, None);
        let mut lines = vec![
            format!("{} {} SIP/2.0", self.method, self.request_uri),
            format!("Via: {};branch={branch};rport", local.via),
            "Max-Forwards: 70".to_owned(),
            format!("From: {};tag={}", self.from, self.from_tag),
            format!("To: {}", self.to),
            format!("Call-ID: {}", self.call_id),
            format!("CSeq: {} {}", self.cseq, self.method),
            format!("Contact: <{}>", local.contact),
        ];
        if let Some(proxy) = &kept.trunk.outbound_proxy {
            lines.push(format!("Route: <{}>", loose(proxy)));
        }
        lines.extend(self.headers.iter().map(|(name, value)| format!("{name}: {value}")));
        lines.push(format!("User-Agent: {}", core.user_agent));
        lines.push("Content-Length: 0\r\n\r\n".to_owned());
        Outgoing {
            tx: Tx {
                branch,
                method: self.method.clone(),
            },
            destination: kept.trunk.first_hop().to_owned(),
            path: None,
            text: lines.join("\r\n"),
        }
    }
}

/// The proxy as a loose router (RFC 3261 §16.12).
fn loose(proxy: &str) -> String {
    if uri::has_parameter(proxy, "lr") {
        proxy.to_owned()
    } else {
        format!("{proxy};lr")
    }
}

/// The next hop as a Request-URI: without a user.
pub(super) fn request_uri(next_hop: &str) -> String {
    match (next_hop.split_once(':'), next_hop.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}:{host}"),
        _ => next_hop.to_owned(),
    }
}

/// An address of record has no parameters.
pub(super) fn uri_without_parameters(uri: &str) -> &str {
    uri.split(';').next().unwrap_or(uri)
}
