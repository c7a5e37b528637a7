//! The ACK of a refusal, which belongs to the transaction of its INVITE.

use crate::{message::Message, method::Method, writer::Writer};

/// Prints the ACK of a refusal whose `To` is given, from the INVITE as it was sent or from an earlier such ACK
/// (RFC 3261 §17.1.1.3, for the credentials §22.1). Nothing when `sent` is not a request.
pub(super) fn print(sent: &[u8], to: &str) -> Option<Vec<u8>> {
    let invite = Message::parse(sent).ok()?;
    let mut out = Vec::with_capacity(sent.len().min(1024));
    let mut ack = Writer::request(&mut out, &Method::Ack, invite.request_uri());
    ack.header("Via", invite.header("Via")?);
    ack.header("Max-Forwards", 70);
    for route in invite.headers("Route") {
        ack.header("Route", route);
    }
    ack.header("From", invite.header("From")?);
    ack.copy_header("To", to.as_bytes());
    ack.header("Call-ID", invite.call_id());
    ack.header("CSeq", format_args!("{} ACK", invite.cseq().number));
    for name in ["Authorization", "Proxy-Authorization"] {
        for credentials in invite.headers(name) {
            ack.header(name, credentials);
        }
    }
    ack.end(None);
    Some(out)
}
