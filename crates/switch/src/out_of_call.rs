//! Requests that belong to a trunk and to no call.

use call::Local;
use sip::{CSeq, CallIdHeader, Outgoing, Tx, Writer, uri};

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
        let mut bytes = Vec::with_capacity(512);
        let mut writer = Writer::request(&mut bytes, &cseq.method, self.request_uri);
        writer.header("Via", format_args!("{};branch={branch};rport", local.via));
        writer.header("Max-Forwards", 70);
        writer.header("From", format_args!("{};tag={}", self.from, self.from_tag));
        writer.header("To", self.to);
        writer.header("Call-ID", self.call_id);
        writer.header("CSeq", format_args!("{} {}", cseq.number, cseq.method));
        writer.header("Contact", format_args!("<{}>", local.contact));
        if let Some(proxy) = &trunk.outbound_proxy {
            writer.header("Route", format_args!("<{}>", loose(proxy)));
        }
        for (name, value) in self.headers {
            writer.header(name, value);
        }
        writer.header("User-Agent", &settings.user_agent);
        writer.end(None);
        Outgoing {
            tx: Tx {
                branch,
                method: cseq.method.clone(),
            },
            destination: trunk.outbound_proxy.as_ref().unwrap_or(&trunk.next_hop).clone(),
            path: None,
            bytes,
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
