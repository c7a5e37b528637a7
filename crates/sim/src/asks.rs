//! How a request is challenged, once or without end (RFC 3261 §22, RFC 7616).

/// How a request is challenged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    Nothing,
    Md5,
    Sha256,
    /// The stronger one is to be chosen.
    Both,
    /// An algorithm that nobody knows.
    Unknown,
    /// Whatever is answered, the next request is challenged again: with a nonce that is said to be stale,
    Stale,
    /// with another nonce,
    NewNonce,
    /// in another realm,
    NewRealm,
    /// with another quality of protection,
    OtherQop,
    /// by a proxy and the phone in turn.
    Mixed,
}

impl Asks {
    pub(crate) const ENDLESS: [Self; 5] = [Self::Stale, Self::NewNonce, Self::NewRealm, Self::OtherQop, Self::Mixed];

    /// Whether there is always another challenge.
    pub(crate) fn is_endless(self) -> bool {
        Self::ENDLESS.contains(&self)
    }

    /// Whether nothing that anybody could say satisfies it.
    pub(crate) fn is_unanswerable(self) -> bool {
        self == Self::Unknown || self.is_endless()
    }

    /// The algorithm of credentials that satisfy it.
    pub(crate) fn wanted(self) -> Option<&'static str> {
        match self {
            Self::Md5 => Some("MD5"),
            Self::Sha256 | Self::Both => Some("SHA-256"),
            _ => None,
        }
    }

    /// What a request of this CSeq number is refused with, where that is `usual` otherwise.
    pub(crate) fn status(self, usual: u16, number: u32) -> u16 {
        match self {
            Self::Mixed if number.is_multiple_of(2) => 407,
            Self::Mixed => 401,
            _ => usual,
        }
    }

    /// The challenges in that refusal.
    pub(crate) fn challenges(self, number: u32) -> Vec<String> {
        let digest = |realm: &str, nonce: &str, qop: &str, algorithm: &str, stale: &str| {
            format!(r#"Digest realm="{realm}", nonce="{nonce}", {qop}algorithm={algorithm}{stale}"#)
        };
        let auth = r#"qop="auth", "#;
        let nonce = format!("n{number}");
        match self {
            Self::Nothing => Vec::new(),
            Self::Md5 => vec![digest("pbx", "n", auth, "MD5", "")],
            Self::Sha256 => vec![digest("pbx", "n", auth, "SHA-256", "")],
            Self::Both => ["MD5", "SHA-256"]
                .map(|algorithm| digest("pbx", "n", auth, algorithm, ""))
                .into(),
            Self::Unknown => vec![digest("pbx", "n", auth, "SHA-7", "")],
            Self::Stale => vec![digest("pbx", &nonce, auth, "MD5", ", stale=true")],
            Self::NewNonce | Self::Mixed => vec![digest("pbx", &nonce, auth, "MD5", "")],
            Self::NewRealm => vec![digest(&format!("pbx{number}"), &nonce, auth, "MD5", "")],
            Self::OtherQop => {
                let qops = ["", r#"qop="auth-int", "#, auth];
                let qop = qops[number as usize % qops.len()];
                vec![digest("pbx", &nonce, qop, "MD5", ", stale=true")]
            }
        }
    }
}
