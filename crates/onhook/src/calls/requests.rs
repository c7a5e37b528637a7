//! Requests of peers: those inside a call go to its machine, the others are answered here.

use call::{ALLOW, Method, Reply};

use crate::sip::Incoming;

/// Answers a request that belongs to no call; until voice mail exists, nothing else can be had from us.
pub(super) fn answer_stranger(incoming: &Incoming) {
    let request = &incoming.request;
    let reply = match request.method {
        // Neither is ever answered (RFC 3261 §17.1.1.3, §9.2: the latter below us).
        Method::Ack | Method::Cancel => return,
        // Something inside a dialog that we do not have (RFC 3261 §12.2.2).
        _ if request.to_tag.is_some() => Reply::status(481),
        Method::Options => Reply::status(200)
            .with("Allow", ALLOW)
            .with("Accept", call::APPLICATION_SDP),
        Method::Invite if is_foreign(request.content_type.as_deref()) => {
            Reply::status(415).with("Accept", call::APPLICATION_SDP)
        }
        Method::Invite => Reply::status(480),
        Method::Bye | Method::Update | Method::Info => Reply::status(481),
        Method::Notify => Reply::status(489).with("Allow-Events", "none"),
        Method::Register | Method::Other(_) => Reply::status(405).with("Allow", ALLOW),
    };
    incoming.reply(None, &reply);
}

/// Whether a body is of a type that could never be an offer (RFC 3261 §8.2.3).
fn is_foreign(content_type: Option<&str>) -> bool {
    let media_type = content_type.and_then(|value| value.split(';').next());
    media_type.is_some_and(|media_type| !media_type.trim().eq_ignore_ascii_case(call::APPLICATION_SDP))
}
