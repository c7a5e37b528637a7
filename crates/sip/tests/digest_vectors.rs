//! Digest answers against the RFCs' own examples and against another implementation.

use proptest::prelude::*;
use sip::{
    Challenge, Method,
    digest::{Authenticator, Credentials, DigestError, Subject, answer},
};

fn mufasa(password: &str) -> Credentials {
    Credentials {
        username: "Mufasa".to_owned(),
        password: password.to_owned(),
    }
}

fn get() -> Method {
    Method::Other("GET".to_owned())
}

fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let start = value.find(&format!("{name}="))? + name.len() + 1;
    Some(value[start..].split(',').next()?.trim_matches('"'))
}

fn www(value: impl Into<String>) -> Challenge {
    Challenge {
        proxy: false,
        value: value.into(),
    }
}

/// RFC 7616 §3.9.1: the server offers both, and both answers are given.
#[test]
fn rfc_7616_md5_and_sha_256() {
    let method = get();
    let subject = Subject {
        method: &method,
        uri: "/dir/index.html",
        body: b"",
        cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    };
    for (algorithm, response) in [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        (
            "SHA-256",
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ),
    ] {
        let challenge = www(format!(
            "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
             nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
        ));
        let headers = answer(&[challenge], &mufasa("Circle of Life"), subject).unwrap();
        let value = &headers[0].value;
        assert_eq!(parameter(value, "response"), Some(response));
        assert_eq!(
            parameter(value, "opaque"),
            Some("FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS")
        );
        assert_eq!(parameter(value, "algorithm"), Some(algorithm));
        assert_eq!(parameter(value, "qop"), Some("auth"));
    }
}

/// RFC 2617 §3.5.
#[test]
fn rfc_2617_md5() {
    let method = get();
    let subject = Subject {
        method: &method,
        uri: "/dir/index.html",
        body: b"",
        cnonce: "0a4f113b",
    };
    let challenge = www("Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", \
         nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"");
    let headers = answer(&[challenge], &mufasa("Circle Of Life"), subject).unwrap();
    assert_eq!(
        parameter(&headers[0].value, "response"),
        Some("6629fae49393a05397450978507c4ef1")
    );
    assert_eq!(parameter(&headers[0].value, "algorithm"), None, "none was named");
}

/// Spellings seen in the field.
#[test]
fn names_are_compared_without_regard_to_case() {
    let method = Method::Bye;
    let subject = Subject {
        method: &method,
        uri: "sip:a@b",
        body: b"",
        cnonce: "c",
    };
    for challenge in [
        "digest realm=\"r\",nonce=\"n\",algorithm=md5",
        "DIGEST Realm = \"r\" , NONCE = \"n\", qop=auth",
        "Digest\trealm=\"a\\\"b\", nonce=n, qop=\"AUTH\", algorithm=\"Sha-256\", charset=latin1, userhash=true",
        "Digest ,,realm=\"\", junk, nonce=\"\", domain=\"sip:x, sip:y\"",
    ] {
        assert!(answer(&[www(challenge)], &mufasa("x"), subject).is_ok(), "{challenge}");
    }
    for challenge in [
        "",
        "Digest",
        "Basic realm=\"r\"",
        "Digest realm=\"r\"",
        "Digest nonce=\"n\"",
        "Digest realm=\"r\", nonce=\"n\", qop=\"token\"",
    ] {
        let refused = answer(&[www(challenge)], &mufasa("x"), subject);
        assert_eq!(refused, Err(DigestError::NoneUnderstood), "{challenge}");
    }
}

/// Promise 9.
#[test]
fn realms_without_end_are_refused() {
    let mut authenticator = Authenticator::default();
    let met = (0..100).take_while(|realm| {
        let challenge = www(format!("Digest realm=\"{realm}\", nonce=\"n\""));
        authenticator.challenged(&[challenge]).is_ok()
    });
    assert!(met.count() < 10);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// `digest_auth` is written by other people from the same RFCs.
    #[test]
    fn agrees_with_digest_auth(
        user in "[a-zA-Z0-9@. ]{1,12}",
        password in "[ -~]{0,16}",
        realm in "[a-zA-Z0-9@. -]{1,12}",
        nonce in "[a-zA-Z0-9+/=]{1,24}",
        cnonce in "[a-zA-Z0-9_-]{1,16}",
        algorithm in prop::sample::select(vec!["MD5", "SHA-256", "SHA-512-256", "MD5-sess", "SHA-256-sess", "SHA-512-256-sess"]),
        qop in prop::sample::select(vec!["", ", qop=\"auth\"", ", qop=\"auth-int\"", ", qop=\"auth,auth-int\""]),
        bye in any::<bool>(),
    ) {
        // Sessions without qop are no part of any RFC.
        prop_assume!(!(qop.is_empty() && algorithm.ends_with("-sess")));
        let challenge = format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm={algorithm}{qop}");
        let method = if bye { Method::Bye } else { Method::Invite };
        let body: &[u8] = if bye { b"" } else { b"v=0\r\n" };

        let mut prompt = digest_auth::parse(&challenge).unwrap();
        // That crate takes `auth-int` wherever it has a body; we take `auth` where we may, since bodies change on the way.
        let protects_body = qop == ", qop=\"auth-int\"";
        let mut context = digest_auth::AuthContext::new_with_method(
            user.as_str(), password.as_str(), "sip:a@b", protects_body.then_some(body), digest_auth::HttpMethod::from(method.as_str()));
        context.set_custom_cnonce(cnonce.as_str());
        let theirs = prompt.respond(&context).unwrap().response;

        let credentials = Credentials { username: user, password };
        let subject = Subject { method: &method, uri: "sip:a@b", body, cnonce: &cnonce };
        let ours = answer(&[www(challenge)], &credentials, subject).unwrap();
        prop_assert_eq!(parameter(&ours[0].value, "response"), Some(theirs.as_str()));
    }

    /// Promise 9.
    #[test]
    fn hostile_challenges_do_not_panic(values in prop::collection::vec("(Digest )?([\\PC\\x00-\\x1f]{0,20}|realm=\"|nonce=|qop=|\\\\|\"|,|algorithm=){0,12}", 0..4)) {
        let challenges: Vec<_> = values.into_iter().map(www).collect();
        let subject = Subject { method: &Method::Invite, uri: "sip:a@b", body: b"", cnonce: "c" };
        let _ = answer(&challenges, &mufasa("x"), subject);
    }
}
