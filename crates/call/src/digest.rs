//! Answers to digest challenges (RFC 7616, RFC 8760; RFC 2617 for servers without qop).
//!
//! Of several challenges the strongest that we understand is answered; one we do not understand is passed over, as
//! RFC 7616 §3.7 asks. Names are compared without regard to case, since servers spell them in every way.

use std::fmt;

use md5::{Digest, Md5};
use sha2::{Sha256, Sha512_256};

use crate::message::{Challenge, Method};

/// A digest user. `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub username: String,
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// Hash functions in rising strength: the order decides which challenge is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Algorithm {
    Md5,
    Sha256,
    Sha512Of256,
}

impl Algorithm {
    fn hash(self, input: &[u8]) -> String {
        match self {
            Self::Md5 => hex(&Md5::digest(input)),
            Self::Sha256 => hex(&Sha256::digest(input)),
            Self::Sha512Of256 => hex(&Sha512_256::digest(input)),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// What is to be authenticated.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub method: &'a Method,
    /// The Request-URI as it is sent.
    pub uri: &'a str,
    /// The entity body, for `auth-int`.
    pub body: &'a [u8],
    /// Client nonce; unpredictable.
    pub cnonce: &'a str,
}

/// One header to put into the repeated request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// `Authorization` or `Proxy-Authorization`.
    pub name: &'static str,
    pub value: String,
    /// The peer said that only the nonce was too old (RFC 7616 §3.3): one more try is not a second guess.
    pub stale: bool,
}

/// Why no challenge could be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// No `Digest` challenge with an algorithm and a quality of protection that we know.
    #[error("no challenge with a known scheme, algorithm and qop")]
    NoneUnderstood,
}

/// Answers the strongest challenge understood; a proxy's and a server's challenge in one response are both answered.
///
/// # Errors
///
/// [`DigestError::NoneUnderstood`] when nothing in `challenges` can be answered.
pub fn answer(
    challenges: &[Challenge],
    credentials: &Credentials,
    subject: Subject<'_>,
) -> Result<Vec<Authorization>, DigestError> {
    let strongest = |proxy: bool| {
        challenges
            .iter()
            .filter(|challenge| challenge.proxy == proxy)
            .filter_map(|challenge| Parsed::parse(&challenge.value))
            // Servers list what they prefer first: among equals the first one stays (max_by_key would take the last).
            .reduce(|best, next| if next.algorithm > best.algorithm { next } else { best })
            .map(|parsed| Authorization {
                name: if proxy { "Proxy-Authorization" } else { "Authorization" },
                stale: parsed.stale,
                value: parsed.respond(credentials, subject),
            })
    };
    let answers: Vec<_> = [false, true].into_iter().filter_map(strongest).collect();
    if answers.is_empty() {
        Err(DigestError::NoneUnderstood)
    } else {
        Ok(answers)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Qop {
    /// RFC 2069 servers name none.
    Absent,
    Auth,
    AuthInt,
}

struct Parsed {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    session: bool,
    /// As the server spelled it, echoed.
    algorithm_text: Option<String>,
    qop: Qop,
    stale: bool,
}

impl Parsed {
    fn parse(value: &str) -> Option<Self> {
        let value = value.trim_start();
        let (scheme, parameters) = value.split_once(|c: char| c.is_ascii_whitespace())?;
        if !scheme.eq_ignore_ascii_case("digest") {
            return None;
        }
        let (mut realm, mut nonce, mut opaque, mut algorithm_text, mut qops, mut stale) =
            (None, None, None, None, None, false);
        for (name, value) in Parameters(parameters) {
            match name.to_ascii_lowercase().as_str() {
                "realm" => realm = Some(value),
                "nonce" => nonce = Some(value),
                "opaque" => opaque = Some(value),
                "algorithm" => algorithm_text = Some(value),
                "qop" => qops = Some(value),
                "stale" => stale = value.eq_ignore_ascii_case("true"),
                _ => {} // domain, charset, userhash and extensions change nothing in what we send
            }
        }
        let spelled = algorithm_text.as_deref().unwrap_or("MD5").to_ascii_lowercase();
        let (name, session) = match spelled.strip_suffix("-sess") {
            Some(name) => (name, true),
            None => (spelled.as_str(), false),
        };
        let algorithm = match name {
            "md5" => Algorithm::Md5,
            "sha-256" => Algorithm::Sha256,
            "sha-512-256" => Algorithm::Sha512Of256,
            _ => return None,
        };
        let qop = match qops {
            None => Qop::Absent,
            Some(list) => {
                let offers = |wanted: &str| {
                    list.split(',')
                        .any(|offered| offered.trim().eq_ignore_ascii_case(wanted))
                };
                if offers("auth") {
                    Qop::Auth
                } else if offers("auth-int") {
                    Qop::AuthInt
                } else {
                    return None;
                }
            }
        };
        Some(Self {
            realm: realm?,
            nonce: nonce?,
            opaque,
            algorithm,
            session,
            algorithm_text,
            qop,
            stale,
        })
    }

    fn respond(&self, credentials: &Credentials, subject: Subject<'_>) -> String {
        /// Every nonce is used once here, so the count never rises (RFC 7616 §3.4).
        const NC: &str = "00000001";
        let hash = |text: String| self.algorithm.hash(text.as_bytes());
        let Subject {
            method,
            uri,
            body,
            cnonce,
        } = subject;
        let mut a1 = hash(format!(
            "{}:{}:{}",
            credentials.username, self.realm, credentials.password
        ));
        if self.session {
            a1 = hash(format!("{a1}:{}:{cnonce}", self.nonce));
        }
        let a2 = match self.qop {
            Qop::AuthInt => hash(format!("{method}:{uri}:{}", self.algorithm.hash(body))),
            Qop::Absent | Qop::Auth => hash(format!("{method}:{uri}")),
        };
        let (response, qop) = match self.qop {
            Qop::Absent => (hash(format!("{a1}:{}:{a2}", self.nonce)), None),
            Qop::Auth => (
                hash(format!("{a1}:{}:{NC}:{cnonce}:auth:{a2}", self.nonce)),
                Some("auth"),
            ),
            Qop::AuthInt => (
                hash(format!("{a1}:{}:{NC}:{cnonce}:auth-int:{a2}", self.nonce)),
                Some("auth-int"),
            ),
        };

        let mut value = format!(
            "Digest username={}, realm={}, nonce={}, uri={}, response=\"{response}\"",
            quote(&credentials.username),
            quote(&self.realm),
            quote(&self.nonce),
            quote(uri)
        );
        if let Some(algorithm) = &self.algorithm_text {
            value.push_str(&format!(", algorithm={algorithm}"));
        }
        if let Some(opaque) = &self.opaque {
            value.push_str(&format!(", opaque={}", quote(opaque)));
        }
        if let Some(qop) = qop {
            value.push_str(&format!(", qop={qop}, cnonce={}, nc={NC}", quote(cnonce)));
        } else if self.session {
            value.push_str(&format!(", cnonce={}", quote(cnonce)));
        }
        value
    }
}

fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// `name=value, name="quoted \" value"` pairs; whatever is not of that form is passed over.
struct Parameters<'a>(&'a str);

impl Iterator for Parameters<'_> {
    type Item = (String, String);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.0.trim_start_matches(|c: char| c == ',' || c.is_ascii_whitespace());
            if rest.is_empty() {
                return None;
            }
            let end = rest.find(['=', ',']).unwrap_or(rest.len());
            let name = rest[..end].trim().to_owned();
            let Some(value) = rest[end..].strip_prefix('=') else {
                self.0 = &rest[end..];
                continue;
            };
            let value = value.trim_start();
            let (value, rest) = match value.strip_prefix('"') {
                Some(quoted) => unquote(quoted),
                None => {
                    let end = value.find(',').unwrap_or(value.len());
                    (value[..end].trim().to_owned(), &value[end..])
                }
            };
            self.0 = rest;
            return Some((name, value));
        }
    }
}

/// The text up to the closing quote, unescaped, and what follows it.
fn unquote(quoted: &str) -> (String, &str) {
    let mut text = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (text, &quoted[at + 1..]),
            '\\' => text.extend(characters.next().map(|(_, escaped)| escaped)),
            plain => text.push(plain),
        }
    }
    (text, "")
}
