//! Answers to digest challenges (RFC 7616, RFC 8760; RFC 2617 for servers without qop).
//!
//! Of several challenges the strongest that we understand is answered; one we do not understand is passed over, as
//! RFC 7616 §3.7 asks. Names are compared without regard to case, since servers spell them in every way.

use std::fmt;

use md5::{Digest, Md5};
use sha2::{Sha256, Sha512_256};

use crate::{fields::Challenge, method::Method};

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
}

/// Why challenges could not be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// No `Digest` challenge with an algorithm and a quality of protection that we know.
    #[error("no challenge with a known scheme, algorithm and qop")]
    NoneUnderstood,
    /// The same realm asks again although it was answered, and not because the nonce was too old.
    #[error("the credentials were refused")]
    Refused,
}

/// The challenges met on the way of one request and of its repetitions.
///
/// A request may pass several servers that each ask for credentials (RFC 3261 §22.3), one after the other: what was
/// answered before is answered again, with the next nonce count.
#[derive(Clone, Debug, Default)]
pub struct Authenticator {
    met: Vec<Met>,
}

#[derive(Clone, Debug)]
struct Met {
    proxy: bool,
    challenge: Parsed,
    /// How often this nonce was used (`nc`, RFC 7616 §3.4).
    uses: u32,
    /// How often its realm said that a nonce was too old.
    stale: u8,
}

/// Realms one request is willing to meet, and old nonces one realm may name, before it gives up.
const MOST: usize = 4;

impl Authenticator {
    /// Takes note of what a 401 or 407 asks for: of every realm the strongest challenge that we understand.
    ///
    /// # Errors
    ///
    /// [`DigestError`] when repeating the request would be of no use.
    pub fn challenged(&mut self, challenges: &[Challenge]) -> Result<(), DigestError> {
        let mut strongest: Vec<(bool, Parsed)> = Vec::new();
        for Challenge { proxy, value } in challenges {
            let Some(parsed) = Parsed::parse(value) else { continue };
            let best = strongest
                .iter_mut()
                .find(|(of_proxy, best)| of_proxy == proxy && best.realm == parsed.realm);
            match best {
                // Servers list what they prefer first: among equals the first one stays.
                Some((_, best)) if parsed.algorithm > best.algorithm => *best = parsed,
                Some(_) => {}
                None => strongest.push((*proxy, parsed)),
            }
        }
        if strongest.is_empty() {
            return Err(DigestError::NoneUnderstood);
        }
        strongest
            .into_iter()
            .try_for_each(|(proxy, challenge)| self.meet(proxy, challenge))
    }

    fn meet(&mut self, proxy: bool, challenge: Parsed) -> Result<(), DigestError> {
        let full = self.met.len() >= MOST;
        let known = self
            .met
            .iter_mut()
            .find(|met| met.proxy == proxy && met.challenge.realm == challenge.realm);
        match known {
            Some(met) if challenge.stale && usize::from(met.stale) < MOST => {
                met.stale += 1;
                met.uses = 0;
                met.challenge = challenge;
            }
            Some(_) => return Err(DigestError::Refused),
            None if full => return Err(DigestError::Refused),
            None => self.met.push(Met {
                proxy,
                challenge,
                uses: 0,
                stale: 0,
            }),
        }
        Ok(())
    }

    /// The headers for the next repetition of the request.
    #[must_use]
    pub fn authorize(&mut self, credentials: &Credentials, subject: Subject<'_>) -> Vec<Authorization> {
        self.met
            .iter_mut()
            .map(|met| {
                met.uses = met.uses.saturating_add(1);
                Authorization {
                    name: if met.proxy {
                        "Proxy-Authorization"
                    } else {
                        "Authorization"
                    },
                    value: met.challenge.respond(credentials, subject, met.uses),
                }
            })
            .collect()
    }
}

/// Answers one set of challenges once.
///
/// # Errors
///
/// [`DigestError::NoneUnderstood`] when nothing in `challenges` can be answered.
pub fn answer(
    challenges: &[Challenge],
    credentials: &Credentials,
    subject: Subject<'_>,
) -> Result<Vec<Authorization>, DigestError> {
    let mut authenticator = Authenticator::default();
    authenticator.challenged(challenges)?;
    Ok(authenticator.authorize(credentials, subject))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Qop {
    /// RFC 2069 servers name none.
    Absent,
    Auth,
    AuthInt,
}

/// A challenge we understand.
#[derive(Clone, Debug)]
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
        // No quoted string holds one (RFC 3261 §25.1), and what is echoed must stay one header line.
        if value.contains(|character: char| character.is_control() && character != '\t') {
            return None;
        }
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

    fn respond(&self, credentials: &Credentials, subject: Subject<'_>, uses: u32) -> String {
        let nc = format!("{uses:08x}");
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
                hash(format!("{a1}:{}:{nc}:{cnonce}:auth:{a2}", self.nonce)),
                Some("auth"),
            ),
            Qop::AuthInt => (
                hash(format!("{a1}:{}:{nc}:{cnonce}:auth-int:{a2}", self.nonce)),
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
            value.push_str(&format!(", qop={qop}, cnonce={}, nc={nc}", quote(cnonce)));
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
