//! What the RFCs ask for, message by message, of a server that takes no calls and registers nobody. The test of the whole
//! server goes by it, too.

/// What is right to come back.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Due {
    /// One of these.
    Status(&'static [u16]),
    Nothing,
}

/// One message.
#[derive(Debug)]
pub(crate) struct Case {
    /// Folder and file, named as in the RFC.
    pub(crate) name: &'static str,
    pub(crate) asks: &'static str,
    pub(crate) due: Due,
}

const fn answer(name: &'static str, asks: &'static str, right: &'static [u16]) -> Case {
    Case {
        name,
        asks,
        due: Due::Status(right),
    }
}

const fn silence(name: &'static str, asks: &'static str) -> Case {
    Case {
        name,
        asks,
        due: Due::Nothing,
    }
}

/// Nobody here takes calls: a sound INVITE is refused with this.
const UNAVAILABLE: &[u16] = &[480];
/// Methods that are known or not, and not served.
const NO_SUCH_METHOD: &[u16] = &[405, 501];

#[rustfmt::skip]
pub(crate) const CASES: &[Case] = &[
    // RFC 4475 §3.1.1: sound, however odd.
    answer("rfc4475/wsinv", "a sound INVITE, inside a dialog that does not exist", &[481]),
    answer("rfc4475/intmeth", "a sound request of an unknown method", NO_SUCH_METHOD),
    answer("rfc4475/esc01", "a sound INVITE with escapes", UNAVAILABLE),
    answer("rfc4475/escnull", "a sound REGISTER with escaped NULs", NO_SUCH_METHOD),
    answer("rfc4475/esc02", "a method that only looks like REGISTER", NO_SUCH_METHOD),
    answer("rfc4475/lwsdisp", "a sound OPTIONS: no space before <", &[200]),
    answer("rfc4475/longreq", "a sound INVITE with long values", UNAVAILABLE),
    answer("rfc4475/dblreq", "the first of two messages in one datagram", NO_SUCH_METHOD),
    answer("rfc4475/semiuri", "a sound OPTIONS: a semicolon in the user part", &[200]),
    answer("rfc4475/transports", "a sound OPTIONS: many transports in Via", &[200]),
    answer("rfc4475/mpart01", "a sound MESSAGE with a binary body", NO_SUCH_METHOD),
    silence("rfc4475/unreason", "a sound response, to nothing that was asked"),
    silence("rfc4475/noreason", "a sound response, to nothing that was asked"),
    // RFC 4475 §3.1.2: broken.
    answer("rfc4475/badinv01", "400: Via and Contact are broken", &[400]),
    answer("rfc4475/clerr", "400: Content-Length beyond the datagram", &[400]),
    answer("rfc4475/ncl", "400: negative Content-Length", &[400]),
    answer("rfc4475/scalar02", "400: CSeq beyond 2^31", &[400]),
    silence("rfc4475/scalarlg", "a broken response is discarded"),
    answer("rfc4475/quotbal", "400: an open quote in To", &[400]),
    answer("rfc4475/ltgtruri", "400, or as if without: <> around the Request-URI", &[400, 480]),
    answer("rfc4475/lwsruri", "400: space inside the Request-URI", &[400]),
    answer("rfc4475/lwsstart", "400, or as if with one: many spaces in the start line", &[400, 480]),
    answer("rfc4475/trws", "400, or as if without: space after the start line", &[400, 200]),
    answer("rfc4475/escruri", "400, or as if without: headers in the Request-URI", &[400, 480]),
    answer("rfc4475/baddate", "400, or as if without: a Date that is not in GMT", &[400, 480]),
    answer("rfc4475/regbadct", "400 of a registrar: Contact needs <>", &[400, 405, 501]),
    answer("rfc4475/badaspec", "400, or as if without: spaces inside <>", &[400, 200]),
    answer("rfc4475/baddn", "400, or as if quoted: a comma in a display name", &[400, 200]),
    answer("rfc4475/badvers", "505: SIP/7.0", &[505]),
    answer("rfc4475/mismatch01", "400: CSeq names another method", &[400]),
    answer("rfc4475/mismatch02", "400 or 501: CSeq names another method", &[400, 501]),
    silence("rfc4475/bigcode", "a broken response is discarded"),
    // RFC 4475 §3.2: for the transaction layer.
    answer("rfc4475/badbranch", "400, or as by RFC 2543: an empty branch", &[400, 200]),
    // RFC 4475 §3.3: for the application.
    answer("rfc4475/insuf", "400: From, To and Call-ID are missing", &[400]),
    answer("rfc4475/unkscm", "416: a Request-URI of no known scheme", &[416]),
    answer("rfc4475/novelsc", "416: a Request-URI of another scheme", &[416]),
    answer("rfc4475/unksm2", "400 of a registrar: other schemes in To and From", &[400, 405, 501]),
    answer("rfc4475/bext01", "420: extensions that nobody has", &[420]),
    answer("rfc4475/invut", "415: a body of an unknown type", &[415]),
    answer("rfc4475/regaut01", "401 of a registrar: an unknown Authorization", &[401, 405, 501]),
    answer("rfc4475/multi01", "400: single headers come twice", &[400]),
    answer("rfc4475/mcl01", "400: two Content-Lengths", &[400]),
    silence("rfc4475/bcast", "a response that went through others is discarded"),
    answer("rfc4475/zeromf", "as if without: Max-Forwards is 0 at its goal", &[200]),
    answer("rfc4475/cparam01", "a sound REGISTER: a parameter of the contact", NO_SUCH_METHOD),
    answer("rfc4475/cparam02", "a sound REGISTER: a parameter of the URI", NO_SUCH_METHOD),
    answer("rfc4475/regescrt", "a sound REGISTER: a URI with a header", NO_SUCH_METHOD),
    answer("rfc4475/sdp01", "406, or refused before: an answer in no known type", &[406, 480]),
    // RFC 4475 §3.4: old peers.
    answer("rfc4475/inv2543", "a sound INVITE by RFC 2543: no tag, no branch", UNAVAILABLE),
    // RFC 5118 §4.
    answer("rfc5118/ipv6-good", "a sound REGISTER", NO_SUCH_METHOD),
    answer("rfc5118/ipv6-bad", "400: an IPv6 address without []", &[400]),
    answer("rfc5118/port-ambiguous", "a sound REGISTER: 5070 is part of the address", NO_SUCH_METHOD),
    answer("rfc5118/port-unambiguous", "a sound REGISTER: 5070 is a port", NO_SUCH_METHOD),
    answer("rfc5118/via-received-param-with-delim", "a sound BYE: received with []", &[481]),
    answer("rfc5118/via-received-param-no-delim", "a sound BYE: received without []", &[481]),
    answer("rfc5118/ipv6-in-sdp", "a sound INVITE: IPv6 in SDP", UNAVAILABLE),
    answer("rfc5118/mult-ip-in-header", "a sound BYE: IPv4 and IPv6 in Via", &[481]),
    answer("rfc5118/mult-ip-in-sdp", "a sound INVITE: IPv4 and IPv6 in SDP", UNAVAILABLE),
    answer("rfc5118/ipv4-mapped-ipv6", "a sound INVITE: IPv4 mapped into IPv6", UNAVAILABLE),
    answer("rfc5118/ipv6-bug-abnf-3-colons", "400, or as if with two: three colons", &[400, 200]),
];
