//! Requests that belong to a trunk and to no call.

use call::Local;
use sip::{CSeq, CallIdHeader, Outgoing, Tx, uri};

use crate::settings::Settings;

/// A request that belongs to no call.
pub(crate) struct OutOfCall<'a> {
    pub(crate) request_uri: &'a str,
    /// Without tag.
    pub(crate) from: &'a str,
    pub(crate) from_tag: &'a str,
    pub(crate) to: &'a str,
    pub(crate) call_id: &'a CallIdHeader,
    pub(crate) cseq: CSeq,
    pub(crate) headers: &'a [(&'static str, String)],
}

impl OutOfCall<'_> {
    pub(crate) fn print(&self, settings: &Settings, trunk: usize, local: &Local) -> Outgoing {
        let (cseq, trunk) = (&self.cseq, &settings.trunks[trunk]);
        let branch = settings.identity.branch_key.branch(self.call_id, cseq, None);
        let mut lines = vec![
            format!("{} {} SIP/2.0", cseq.method, self.request_uri),
            format!("Via: {};branch={branch};rport", local.via),
            "Max-Forwards: 70".to_owned(),
            format!("From: {};tag={}", self.from, self.from_tag),
            format!("To: {}", self.to),
            format!("Call-ID: {}", self.call_id),
            format!("CSeq: {} {}", cseq.number, cseq.method),
            format!("Contact: <{}>", local.contact),
        ];
        if let Some(proxy) = &trunk.outbound_proxy {
            lines.push(format!("Route: <{}>", loose(proxy)));
        }
        lines.extend(self.headers.iter().map(|(name, value)| format!("{name}: {value}")));
        lines.push(format!("User-Agent: {}", settings.user_agent));
        lines.push("Content-Length: 0\r\n\r\n".to_owned());
        Outgoing {
            tx: Tx {
                branch,
                method: cseq.method.clone(),
            },
            destination: trunk.outbound_proxy.as_ref().unwrap_or(&trunk.next_hop).clone(),
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
pub(crate) fn request_uri(next_hop: &str) -> String {
    match (next_hop.split_once(':'), next_hop.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}:{host}"),
        _ => next_hop.to_owned(),
    }
}

/// An address of record has no parameters.
pub(crate) fn without_parameters(uri: &str) -> &str {
    uri.split(';').next().unwrap_or(uri)
}
