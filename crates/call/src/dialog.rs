//! The dialog: what two user agents must remember to send one another requests (RFC 3261 §12).
//!
//! The record is the dialog. Every request inside it is printed here from this record alone, before and after a crash
//! (promise 2), and in either role.

use serde::{Deserialize, Serialize};

use sip::{APPLICATION_SDP, BranchKey, CSeq, CallIdHeader, Method, Outgoing, Request, Response, Tag, Tx, Writer, uri};

/// Name and value of a header line.
pub type Header<'a> = (&'static str, &'a str);

/// Where we speak from: what goes into `Via` and `Contact`. Given by the SIP room, never recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    /// Sent-protocol and sent-by, such as `SIP/2.0/UDP 192.0.2.1:5060`.
    pub via: String,
    /// Our URI without `<>`, such as `sip:onhook@192.0.2.1:5060;transport=tcp`.
    pub contact: String,
    /// `udp`, `tcp` or `tls`: filled in where a peer's URI names no transport.
    pub transport: String,
}

/// One side's view of a dialog. Confirmed once `remote_tag` is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialog {
    pub call_id: CallIdHeader,
    /// `From` of our requests, without the tag.
    pub local: String,
    pub local_tag: Tag,
    /// `To` of our requests, without the tag.
    pub remote: String,
    pub remote_tag: Option<Tag>,
    /// The `CSeq` number of our last request.
    pub local_cseq: u32,
    /// The `CSeq` number of the peer's last request.
    pub remote_cseq: Option<u32>,
    /// `Route` values of our requests, in order (RFC 3261 §12.1).
    pub route_set: Vec<String>,
    /// The Request-URI of our requests: the peer's `Contact` (RFC 3261 §12.2.1.1).
    pub remote_target: String,
}

impl Dialog {
    /// Takes tag, route set and remote target from a 2xx (RFC 3261 §12.1.2); both replace what a provisional said (§13.2.2.4).
    pub fn confirm(&mut self, response: &Response) {
        self.remote_tag.clone_from(&response.to_tag);
        if let Some(contact) = &response.contact {
            self.remote_target.clone_from(contact);
        }
        // Also an empty one overrides the route set that was loaded before (§12.1.2).
        self.route_set = response.record_route.iter().rev().cloned().collect();
    }

    /// A dialog made from nothing but a 2xx to an INVITE of ours, for a call that nobody remembers.
    #[must_use]
    pub fn from_stray(response: &Response) -> Option<Self> {
        let local_tag = Tag::new(uri::tag(&response.from)?);
        response.to_tag.as_ref()?;
        let mut dialog = Self {
            call_id: response.call_id.clone(),
            local: without_tag(&response.from),
            local_tag,
            remote: without_tag(&response.to),
            remote_tag: None,
            local_cseq: response.cseq.number,
            remote_cseq: None,
            route_set: Vec::new(),
            remote_target: uri::addr_spec(&response.to).to_owned(),
        };
        dialog.confirm(response);
        Some(dialog)
    }

    /// The dialog of an INVITE that we answer (RFC 3261 §12.1.1).
    #[must_use]
    pub fn answering(request: &Request, local_tag: Tag) -> Self {
        Self {
            call_id: request.call_id.clone(),
            local: without_tag(&request.to),
            local_tag,
            remote: without_tag(&request.from),
            remote_tag: request.from_tag.clone(),
            local_cseq: 0,
            remote_cseq: Some(request.cseq.number),
            route_set: request.record_route.clone(),
            remote_target: request
                .contact
                .clone()
                .unwrap_or_else(|| uri::addr_spec(&request.from).to_owned()),
        }
    }

    /// Whether a request of a peer belongs here (RFC 3261 §12.2.2).
    #[must_use]
    pub fn owns(&self, request: &Request) -> bool {
        request.call_id == self.call_id
            && request.to_tag.as_ref() == Some(&self.local_tag)
            && request.from_tag == self.remote_tag
    }

    /// Whether the peer's `CSeq` is in order; takes note of it (RFC 3261 §12.2.2).
    pub fn advance_remote(&mut self, cseq: &CSeq) -> bool {
        if cseq.method == Method::Ack || cseq.method == Method::Cancel {
            return true;
        }
        let in_order = self.remote_cseq.is_none_or(|last| cseq.number > last);
        if in_order {
            self.remote_cseq = Some(cseq.number);
        }
        in_order
    }

    /// Prints a request with this `CSeq`. `headers` follow the dialog's own; `body` is a session description.
    #[must_use]
    pub fn request(
        &self,
        cseq: CSeq,
        headers: &[Header<'_>],
        body: Option<&str>,
        local: &Local,
        key: &BranchKey,
    ) -> Outgoing {
        let branch = key.branch(&self.call_id, &cseq, self.remote_tag.as_ref());
        let via = format!("{};branch={branch};rport", local.via);
        Outgoing {
            destination: uri::with_transport(self.next_hop(), &local.transport),
            path: None,
            bytes: self.print(&cseq, &via, headers, body),
            tx: Tx {
                branch,
                method: cseq.method,
            },
        }
    }

    /// Prints a request with a given top Via.
    pub(crate) fn print(&self, cseq: &CSeq, via: &str, headers: &[Header<'_>], body: Option<&str>) -> Vec<u8> {
        // What a request of ours takes, with a session description; more is no harm.
        let mut bytes = Vec::with_capacity(1024);
        let mut writer = Writer::request(&mut bytes, &cseq.method, &self.request_uri());
        writer.header("Via", via);
        writer.header("Max-Forwards", 70);
        let is_strict = self.strict_router().is_some();
        for route in self.route_set.iter().skip(usize::from(is_strict)) {
            writer.header("Route", route);
        }
        if is_strict {
            // The target travels as the last one (RFC 3261 §12.2.1.1).
            writer.header("Route", format_args!("<{}>", self.remote_target));
        }
        writer.header("From", format_args!("{};tag={}", self.local, self.local_tag));
        match &self.remote_tag {
            Some(tag) => writer.header("To", format_args!("{};tag={tag}", self.remote)),
            None => writer.header("To", &self.remote),
        }
        writer.header("Call-ID", &self.call_id);
        writer.header("CSeq", format_args!("{} {}", cseq.number, cseq.method));
        for (name, value) in headers {
            writer.header(name, value);
        }
        writer.end(body.map(|body| (APPLICATION_SDP, body.as_bytes())));
        bytes
    }

    /// The Request-URI of requests in this dialog: what a digest is computed over.
    #[must_use]
    pub fn request_uri(&self) -> String {
        one_word(self.strict_router().unwrap_or(&self.remote_target))
    }

    /// The URI that says where requests are sent (RFC 3261 §8.1.2).
    fn next_hop(&self) -> &str {
        self.route_set
            .first()
            .map_or(self.remote_target.as_str(), |route| uri::addr_spec(route))
    }

    /// A first hop that takes the Request-URI (RFC 3261 §12.2.1.1).
    fn strict_router(&self) -> Option<&str> {
        let first = self.route_set.first().map(|route| uri::addr_spec(route))?;
        (!uri::has_parameter(first, "lr")).then_some(first)
    }
}

/// A Request-URI ends at the first blank (RFC 3261 §7.1), and a peer's must not begin a header line of ours.
fn one_word(value: &str) -> String {
    value
        .chars()
        .filter(|character| !character.is_control() && !character.is_whitespace())
        .collect()
}

/// A `From` or `To` value without its tag parameter; other header parameters stay.
fn without_tag(value: &str) -> String {
    let (address, parameters) = match value.rfind('>') {
        Some(end) => value.split_at(end + 1),
        None => value.split_at(value.find(';').unwrap_or(value.len())),
    };
    let is_tag = |parameter: &&str| {
        parameter
            .split('=')
            .next()
            .is_some_and(|name| name.trim().eq_ignore_ascii_case("tag"))
    };
    parameters
        .split(';')
        .skip(1)
        .filter(|parameter| !is_tag(parameter))
        .fold(address.trim().to_owned(), |text, parameter| {
            format!("{text};{parameter}")
        })
}
