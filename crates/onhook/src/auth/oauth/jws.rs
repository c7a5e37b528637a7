//! A signed token (JWS compact serialization, RFC 7515 §7.1) and the keys that verify one (JWK, RFC 7517).
//!
//! Only signatures with a public half (RFC 7518 §3.3 to §3.5). There is no HMAC here at all, so a public key cannot be
//! taken for a shared secret; and no `none`.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::TokenError;
use crate::config::SigningAlgorithm;

/// The parts of the header (RFC 7515 §4.1) that count.
#[derive(Deserialize)]
struct Header {
    alg: Value,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

/// A token in its parts; nothing of it has been verified.
#[derive(Debug)]
pub(super) struct Signed<'t> {
    pub(super) algorithm: SigningAlgorithm,
    /// Which key it says it was signed with.
    pub(super) key_id: Option<String>,
    /// What is signed: header and payload as they stand.
    message: &'t str,
    payload: &'t str,
    signature: Vec<u8>,
}

impl<'t> Signed<'t> {
    /// Takes a token apart that is signed with one of `allowed`. It came in the head of a request, which is bounded.
    pub(super) fn parse(token: &'t str, allowed: &[SigningAlgorithm]) -> Result<Self, TokenError> {
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(TokenError::Malformed)?;
        let decoded = |text: &str| BASE64.decode(text).map_err(|_| TokenError::Malformed);
        // All of it is UTF-8 (RFC 7515 §5.2), also what is passed over: there are readers that would not take it.
        let header = String::from_utf8(decoded(header)?).map_err(|_| TokenError::Malformed)?;
        let header: Header = serde_json::from_str(&header).map_err(|_| TokenError::Malformed)?;
        // Extensions that have to be understood are not (RFC 7515 §4.1.11).
        let is_jwt = header.typ.as_deref().is_none_or(|typ| {
            let typ = typ.strip_prefix("application/").unwrap_or(typ);
            typ.eq_ignore_ascii_case("JWT") || typ.eq_ignore_ascii_case("at+jwt")
        });
        if header.crit.is_some() || !is_jwt {
            return Err(TokenError::Malformed);
        }
        let algorithm = SigningAlgorithm::deserialize(&header.alg).map_err(|_| TokenError::Algorithm)?;
        if !allowed.contains(&algorithm) {
            return Err(TokenError::Algorithm);
        }
        Ok(Self {
            algorithm,
            key_id: header.kid,
            message,
            payload,
            signature: decoded(signature)?,
        })
    }

    /// One that only says which key it was signed with.
    #[cfg(test)]
    pub(super) fn unsigned(algorithm: SigningAlgorithm, key_id: &str) -> Self {
        Self {
            algorithm,
            key_id: Some(key_id.to_owned()),
            message: "",
            payload: "",
            signature: Vec::new(),
        }
    }

    /// The claims, if the key has signed them.
    pub(super) fn claims(&self, key: &Key) -> Result<Map<String, Value>, TokenError> {
        if !key.verifies(self.algorithm, self.message.as_bytes(), &self.signature) {
            return Err(TokenError::Signature);
        }
        let payload = BASE64.decode(self.payload).map_err(|_| TokenError::Malformed)?;
        serde_json::from_slice(&payload).map_err(|_| TokenError::Malformed)
    }
}

/// A JWK as the issuer publishes it.
#[derive(Deserialize)]
pub(super) struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// A public key that tokens may be signed with.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) id: Option<String>,
    /// The one algorithm it is for, if the issuer says so.
    algorithm: Option<SigningAlgorithm>,
    material: Material,
}

#[derive(Clone, Debug)]
enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// An uncompressed point.
    P256(Vec<u8>),
    P384(Vec<u8>),
}

impl Key {
    /// `None` for keys that no token is verified with: shared secrets, keys for encryption, curves and algorithms that we
    /// do not take.
    pub(super) fn of(jwk: Jwk) -> Option<Self> {
        if jwk.usage.is_some_and(|usage| usage != "sig") {
            return None;
        }
        let algorithm = match jwk.alg {
            None => None,
            Some(name) => Some(SigningAlgorithm::deserialize(&Value::String(name)).ok()?),
        };
        let decoded = |text: Option<String>| BASE64.decode(text?).ok();
        let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => Material::Rsa {
                n: decoded(jwk.n)?,
                e: decoded(jwk.e)?,
            },
            ("EC", Some("P-256")) => Material::P256(point(&decoded(jwk.x)?, &decoded(jwk.y)?, 32)?),
            ("EC", Some("P-384")) => Material::P384(point(&decoded(jwk.x)?, &decoded(jwk.y)?, 48)?),
            _ => return None,
        };
        Some(Self {
            id: jwk.kid,
            algorithm,
            material,
        })
    }

    /// Whether tokens of this algorithm can be signed with it.
    pub(super) fn is_for(&self, algorithm: SigningAlgorithm) -> bool {
        use SigningAlgorithm::{Es256, Es384};
        let of_its_kind = match self.material {
            Material::Rsa { .. } => !matches!(algorithm, Es256 | Es384),
            Material::P256(_) => algorithm == Es256,
            Material::P384(_) => algorithm == Es384,
        };
        of_its_kind && self.algorithm.is_none_or(|own| own == algorithm)
    }

    fn verifies(&self, algorithm: SigningAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        if !self.is_for(algorithm) {
            return false;
        }
        match &self.material {
            Material::Rsa { n, e } => {
                let key = RsaPublicKeyComponents { n, e };
                rsa(algorithm).is_some_and(|parameters| key.verify(parameters, message, signature).is_ok())
            }
            Material::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(message, signature)
                .is_ok(),
            Material::P384(point) => UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point)
                .verify(message, signature)
                .is_ok(),
        }
    }
}

fn rsa(algorithm: SigningAlgorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        SigningAlgorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
        SigningAlgorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
        SigningAlgorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
        SigningAlgorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
        SigningAlgorithm::Ps384 => &RSA_PSS_2048_8192_SHA384,
        SigningAlgorithm::Ps512 => &RSA_PSS_2048_8192_SHA512,
        SigningAlgorithm::Es256 | SigningAlgorithm::Es384 => return None,
    })
}

/// SEC 1 §2.3.3, without compression.
fn point(x: &[u8], y: &[u8], length: usize) -> Option<Vec<u8>> {
    (x.len() == length && y.len() == length).then(|| [&[4], x, y].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_utf_8_as_a_whole() {
        let parsed = |header: &[u8]| {
            let token = format!("{}.e30.AAAA", BASE64.encode(header));
            Signed::parse(&token, &[SigningAlgorithm::Es256]).map(|signed| signed.algorithm)
        };
        assert_eq!(
            parsed("{\"alg\":\"ES256\",\"x\":\"é\"}".as_bytes()),
            Ok(SigningAlgorithm::Es256)
        );
        assert_eq!(
            parsed(b"{\"alg\":\"ES256\",\"x\":\"\xe9\"}"),
            Err(TokenError::Malformed)
        );
    }
}
