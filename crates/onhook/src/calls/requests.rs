//! Requests of peers: those inside a call go to its machine, the others are answered here.

use sip::{ALLOW, Method, Reply};

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
            .with("Accept", sip::APPLICATION_SDP),
        // Refused below us; see `Listen::takes_calls`.
        Method::Invite => Reply::status(480),
        Method::Bye | Method::Update | Method::Info => Reply::status(481),
        Method::Notify => Reply::status(489).with("Allow-Events", "none"),
        Method::Register | Method::Other(_) => Reply::status(405).with("Allow", ALLOW),
    };
    incoming.reply(None, &reply);
}
