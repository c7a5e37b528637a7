//! An issuer of tokens: keys of its own, published over HTTPS by a real server that counts who asks.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::authority::Authority;

pub(crate) const NAME: &str = "https://issuer.example/";
/// Made for these tests; it guards nothing.
const RSA: &[u8] = include_bytes!("issuer-rsa.pk8");

pub(crate) struct Issuer {
    pub(crate) url: String,
    pub(crate) ca: PathBuf,
    fetched: Arc<AtomicUsize>,
    /// What is answered, whole.
    answer: Arc<Mutex<String>>,
    rsa: RsaKeyPair,
    ec: EcdsaKeyPair,
}

impl Issuer {
    pub(crate) async fn start(folder: &Path) -> Self {
        let authority = Authority::new(folder, "issuer-ca");
        let acceptor = TlsAcceptor::from(authority.server().serve());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let fetched = Arc::new(AtomicUsize::new(0));
        let answer = Arc::new(Mutex::new(String::new()));
        let (count, text) = (Arc::clone(&fetched), Arc::clone(&answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                count.fetch_add(1, Ordering::SeqCst);
                let answer = text.lock().unwrap().clone();
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        let random = SystemRandom::new();
        let ec = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let issuer = Self {
            url: format!("https://localhost:{}/keys", address.port()),
            ca: authority.ca(),
            fetched,
            answer,
            rsa: RsaKeyPair::from_pkcs8(RSA).unwrap(),
            ec: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, ec.as_ref(), &random).unwrap(),
        };
        issuer.publish(&json!({ "keys": [issuer.rsa_key("rsa"), issuer.ec_key("ec")] }));
        issuer
    }

    /// `[login.oauth]`
    pub(crate) fn toml(&self) -> String {
        format!(
            "[login.oauth]\nissuer = {NAME:?}\naudience = [\"onhook\"]\njwks_url = {:?}\nca = {:?}\n\
             algorithms = [\"RS256\", \"ES256\"]\n",
            self.url, self.ca
        )
    }

    pub(crate) fn fetched(&self) -> usize {
        self.fetched.load(Ordering::SeqCst)
    }

    pub(crate) fn publish(&self, document: &Value) {
        let body = document.to_string();
        self.answer_with(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
    }

    pub(crate) fn answer_with(&self, answer: String) {
        *self.answer.lock().unwrap() = answer;
    }

    pub(crate) fn rsa_key(&self, id: &str) -> Value {
        let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(self.rsa.public_key());
        json!({ "kty": "RSA", "kid": id, "use": "sig", "n": BASE64.encode(n), "e": BASE64.encode(e) })
    }

    pub(crate) fn ec_key(&self, id: &str) -> Value {
        let point = self.ec.public_key().as_ref();
        let (x, y) = (BASE64.encode(&point[1..33]), BASE64.encode(&point[33..]));
        json!({ "kty": "EC", "crv": "P-256", "kid": id, "alg": "ES256", "x": x, "y": y })
    }

    /// The RSA key as a PEM file would hold it: what somebody might take for a shared secret.
    pub(crate) fn rsa_public(&self) -> &[u8] {
        self.rsa.public_key().as_ref()
    }

    /// Header and claims, signed by what the header says.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let random = SystemRandom::new();
        let rsa = |padding| {
            let mut signature = vec![0; self.rsa.public().modulus_len()];
            self.rsa
                .sign(padding, &random, message.as_bytes(), &mut signature)
                .unwrap();
            signature
        };
        let signature = match header["alg"].as_str() {
            Some("ES256") => self.ec.sign(&random, message.as_bytes()).unwrap().as_ref().to_vec(),
            Some("PS256") => rsa(&RSA_PSS_SHA256),
            _ => rsa(&RSA_PKCS1_SHA256),
        };
        format!("{message}.{}", BASE64.encode(signature))
    }

    /// A good token of Carol's, for the next five minutes.
    pub(crate) fn token(&self) -> String {
        self.sign(&rs256("rsa"), &claims())
    }
}

/// What is signed.
pub(crate) fn message(header: &Value, claims: &Value) -> String {
    format!(
        "{}.{}",
        BASE64.encode(header.to_string()),
        BASE64.encode(claims.to_string())
    )
}

pub(crate) fn rs256(id: &str) -> Value {
    json!({ "alg": "RS256", "typ": "JWT", "kid": id })
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

pub(crate) fn claims() -> Value {
    json!({ "iss": NAME, "aud": "onhook", "exp": now() + 300, "nbf": now(), "upn": "carol" })
}

/// Some other claim, or another value.
pub(crate) fn claims_with(claim: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[claim] = value;
    claims
}

/// Those of a token that names no user, and these beside them.
pub(crate) fn app_claims(more: Value) -> Value {
    let mut claims = claims_with("upn", Value::Null);
    claims
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    claims
}

pub(crate) fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}
