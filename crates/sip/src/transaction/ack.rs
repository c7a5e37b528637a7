//! The ACK of a refusal, which belongs to the transaction of its INVITE.

use crate::received::Message;

/// Prints the ACK of a refusal whose `To` is given, from the INVITE as it was sent or from an earlier such ACK
/// (RFC 3261 §17.1.1.3, for the credentials §22.1). Nothing when `sent` is not a request.
pub(super) fn print(sent: &[u8], to: &str) -> Option<Vec<u8>> {
    let message = Message::parse(sent).ok()?;
    let via = message.header("Via")?;
    let mut text = format!("ACK {} SIP/2.0\r\n", message.request_uri());
    let mut line = |name: &str, value: &str| {
        text.push_str(name);
        text.push_str(": ");
        // The `To` is a peer's: it must not begin a line of its own.
        text.extend(value.chars().filter(|character| !character.is_control()));
        text.push_str("\r\n");
    };
    line("Via", &via);
    line("Max-Forwards", "70");
    for route in message.headers("Route") {
        line("Route", &route);
    }
    line("From", &message.header("From")?);
    line("To", to);
    line("Call-ID", message.call_id());
    line("CSeq", &format!("{} ACK", message.cseq().number));
    for name in ["Authorization", "Proxy-Authorization"] {
        for credentials in message.headers(name) {
            line(name, &credentials);
        }
    }
    line("Content-Length", "0");
    text.push_str("\r\n");
    Some(text.into_bytes())
}
