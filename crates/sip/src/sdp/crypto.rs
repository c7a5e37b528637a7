//! The crypto attribute: keys for SRTP in the session description (SDES, RFC 4568).
//!
//! One suite, AES_CM_128_HMAC_SHA1_80, one key a line, no MKI and none of the session parameters that change the packets: a line
//! that wants more is passed over (§6.3.7 asks for it). Keys are arguments here; whoever holds a description that has
//! them must send it over TLS alone.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};

const SUITE: &str = "AES_CM_128_HMAC_SHA1_80";
/// The tag of our one line (§9.1: a number of at most nine digits).
pub(super) const OUR_TAG: u32 = 1;

/// Master key and salt, 128 and 112 bits: what one side protects its sound with. Never shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SrtpKey(pub [u8; 30]);

impl fmt::Debug for SrtpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SrtpKey(…)")
    }
}

/// What we want of SRTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    /// What we send is protected with it: at random, for one call.
    pub key: SrtpKey,
    /// Rather no call than one that others can hear.
    pub required: bool,
}

impl Protection {
    /// The profile of our offers: `RTP/SAVP` says that there is nothing but SRTP. Where it is only preferred, plain
    /// `RTP/AVP` with a key is what phones and servers agree on ("best effort"), since RFC 4568 has no word for it.
    pub(super) fn profile(self) -> &'static str {
        if self.required { SAVP } else { AVP }
    }
}

pub(super) const AVP: &str = "RTP/AVP";
pub(super) const SAVP: &str = "RTP/SAVP";

/// One line that we can use.
#[derive(Clone, Copy)]
pub(super) struct Crypto {
    pub(super) tag: u32,
    pub(super) key: SrtpKey,
}

impl Crypto {
    /// Reads the value of an `a=crypto` attribute; `None` when it asks for something we do not do.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let tag = words.next()?;
        let tag = tag.parse().ok().filter(|_| tag.len() <= 9)?;
        if !words.next()?.eq_ignore_ascii_case(SUITE) {
            return None;
        }
        let (method, key) = words.next()?.split_once(':')?;
        // A window is a hint to who receives; every other parameter changes the packets.
        if !method.eq_ignore_ascii_case("inline") || words.any(|word| !word.starts_with("WSH=")) {
            return None;
        }
        let mut parts = key.split('|');
        let key = BASE64_STANDARD.decode(parts.next()?).ok()?;
        // A lifetime has no colon, a MKI has; a second key follows behind a semicolon, and needs an MKI.
        if parts.any(|part| part.contains([':', ';'])) {
            return None;
        }
        Some(Self {
            tag,
            key: SrtpKey(key.try_into().ok()?),
        })
    }

    /// The whole attribute line.
    pub(super) fn print(self) -> String {
        format!(
            "a=crypto:{} {SUITE} inline:{}\r\n",
            self.tag,
            BASE64_STANDARD.encode(self.key.0)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

    #[test]
    fn a_line_is_read_as_the_rfc_writes_it() {
        for rest in ["", "|2^20", "|1048576", " WSH=60"] {
            let line = format!("2 AES_CM_128_HMAC_SHA1_80 inline:{KEY}{rest}");
            let crypto = Crypto::parse(&line).unwrap();
            assert_eq!(crypto.tag, 2);
            assert_eq!(BASE64_STANDARD.encode(crypto.key.0), KEY);
        }
    }

    #[test]
    fn a_line_that_wants_more_is_passed_over() {
        for line in [
            format!("1 AES_CM_128_HMAC_SHA1_32 inline:{KEY}"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1:4"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY};inline:{KEY}"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTP"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} KDR=1"),
            format!("1 AES_CM_128_HMAC_SHA1_80 outline:{KEY}"),
            format!("9999999999 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"),
            "1 AES_CM_128_HMAC_SHA1_80 inline:c2hvcnQ=".to_owned(),
            "1 AES_CM_128_HMAC_SHA1_80".to_owned(),
            String::new(),
        ] {
            assert!(Crypto::parse(&line).is_none(), "{line}");
        }
    }

    #[test]
    fn a_key_is_never_shown() {
        let protection = Protection {
            key: SrtpKey([65; 30]),
            required: true,
        };
        assert_eq!(
            format!("{protection:?}"),
            "Protection { key: SrtpKey(…), required: true }"
        );
    }
}
