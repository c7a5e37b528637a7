//! Which user a client certificate names.
//!
//! That the client has its key, the TLS handshake has seen to; that an authority vouches for it and that it is of this time,
//! meant for clients and not revoked, the door sees to with each request. A common name counts for nothing: nobody promises that it is unique.

use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use x509_parser::asn1_rs::{Any, FromDer as _, Oid, Tag, oid};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

use super::domains::Domains;
use crate::config::{self, CertificateName};
use crate::store::UserName;

/// id-ms-upn: what Windows calls its users.
const UPN: Oid<'static> = oid!(1.3.6.1.4.1.311.20.2.3);

#[derive(Debug)]
pub(super) struct Certificates {
    /// The kinds of names that count, the first one that is there before the others.
    kinds: Vec<CertificateName>,
    domains: Arc<Domains>,
}

impl Certificates {
    pub(super) fn new(config: &config::LoginCertificate, domains: Arc<Domains>) -> Self {
        Self {
            kinds: config.user.clone(),
            domains,
        }
    }

    /// The user, if there is just one name of the first kind that the certificate has.
    pub(super) fn user(&self, certificate: &CertificateDer<'_>) -> Option<UserName> {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        let names = &certificate.subject_alternative_name().ok()??.value.general_names;
        for kind in &self.kinds {
            let mut of_kind = names.iter().filter(|name| is_of(name, *kind));
            match (of_kind.next(), of_kind.next()) {
                (None, _) => {}
                (Some(name), None) => return self.domains.user(text_of(name)?),
                (Some(_), Some(_)) => return None,
            }
        }
        None
    }
}

/// Also when it cannot be read: by its tag (RFC 5280 §4.2.1.6). Whoever reads it otherwise would see a second name.
fn is_of(name: &GeneralName<'_>, kind: CertificateName) -> bool {
    match (kind, name) {
        (CertificateName::Email, GeneralName::RFC822Name(_) | GeneralName::Invalid(Tag(1), _))
        | (CertificateName::Dns, GeneralName::DNSName(_) | GeneralName::Invalid(Tag(2), _))
        | (CertificateName::Upn, GeneralName::Invalid(Tag(0), _)) => true,
        (CertificateName::Upn, GeneralName::OtherName(kind, _)) => *kind == UPN,
        _ => false,
    }
}

fn text_of<'n>(name: &GeneralName<'n>) -> Option<&'n str> {
    match name {
        GeneralName::RFC822Name(text) | GeneralName::DNSName(text) => Some(text),
        GeneralName::OtherName(_, value) => {
            // otherName holds its value in a tag [0] of its own.
            let (_, explicit) = Any::from_der(value).ok()?;
            let (_, text) = Any::from_der(explicit.data).ok()?;
            std::str::from_utf8(text.data).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, CustomExtension, KeyPair, OtherNameValue, SanType};

    use super::*;

    fn email(text: &str) -> SanType {
        SanType::Rfc822Name(text.try_into().unwrap())
    }

    fn dns(text: &str) -> SanType {
        SanType::DnsName(text.try_into().unwrap())
    }

    fn upn(text: &str) -> SanType {
        let oid = vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3];
        SanType::OtherName((oid, OtherNameValue::Utf8String(text.to_owned())))
    }

    fn user(kinds: &[CertificateName], names: Vec<SanType>) -> Option<String> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        user_of(kinds, params)
    }

    fn user_of(kinds: &[CertificateName], params: CertificateParams) -> Option<String> {
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let certificates = Certificates {
            kinds: kinds.to_vec(),
            domains: Arc::new(Domains::new(&["example.com".to_owned()])),
        };
        certificates.user(certificate.der()).map(|user| user.to_string())
    }

    #[test]
    fn the_first_kind_of_name_that_is_there_is_the_user() {
        use CertificateName::{Dns, Email, Upn};
        let names = || {
            vec![
                dns("pc7.example.com"),
                email("a.smith@example.com"),
                upn("Alice@example.com"),
            ]
        };
        assert_eq!(user(&[Upn, Email], names()).as_deref(), Some("alice"));
        assert_eq!(user(&[Email, Upn], names()).as_deref(), Some("a.smith"));
        assert_eq!(user(&[Dns], names()).as_deref(), Some("pc7.example.com"));
        assert_eq!(
            user(&[Upn, Dns], vec![dns("pc7.example.com")]).as_deref(),
            Some("pc7.example.com")
        );
        assert_eq!(
            user(&[Email], vec![email("a@elsewhere.example")]).as_deref(),
            Some("a@elsewhere.example")
        );
    }

    #[test]
    fn without_such_a_name_or_with_two_it_is_nobody() {
        use CertificateName::{Dns, Email, Upn};
        assert_eq!(user(&[Upn, Email], vec![dns("pc7.example.com")]), None);
        assert_eq!(
            user(
                &[Email, Dns],
                vec![email("a@b.example"), email("c@b.example"), dns("pc7")]
            ),
            None
        );
        assert_eq!(user(&[Upn, Email, Dns], vec![]), None);
        assert_eq!(user(&[Email], vec![email("alice"), email("alice")]), None);
        for nobody in [
            "a b",
            "",
            "alice\0",
            "alice\0@example.com",
            "alice@\0example.com",
            "CORP\\alice",
        ] {
            assert_eq!(user(&[Upn], vec![upn(nobody)]), None, "{nobody:?}");
        }
        assert_eq!(user(&[Email], vec![email("alice\0@evil.example")]), None);
    }

    #[test]
    fn a_second_name_that_cannot_be_read_is_a_second_name() {
        use CertificateName::{Dns, Email};
        let user = |kinds: &[CertificateName], names: &[&[u8]]| {
            let names = names.concat();
            let mut params = CertificateParams::default();
            let content = [&[0x30, names.len() as u8], names.as_slice()].concat();
            params.custom_extensions = vec![CustomExtension::from_oid_content(&[2, 5, 29, 17], content)];
            user_of(kinds, params)
        };
        let (good, bad): (&[u8], &[u8]) = (b"\x81\x05a@b.c", b"\x81\x05c@b.\xff");
        assert_eq!(user(&[Email], &[good]).as_deref(), Some("a@b.c"));
        assert_eq!(user(&[Email], &[good, bad]), None);
        assert_eq!(user(&[Email, Dns], &[bad, b"\x82\x03pc7"]), None);
    }

    #[test]
    fn a_name_means_what_it_says_and_no_more() {
        use CertificateName::{Dns, Upn};
        assert_eq!(user(&[Dns], vec![dns("*")]).as_deref(), Some("*"));
        assert_eq!(
            user(&[Dns], vec![dns("*.example.com")]).as_deref(),
            Some("*.example.com")
        );
        assert_eq!(user(&[Upn], vec![upn("ALICE@EXAMPLE.COM")]).as_deref(), Some("alice"));
        assert_eq!(
            user(&[Upn], vec![upn("alice@example.com.evil.example")]).as_deref(),
            Some("alice@example.com.evil.example")
        );
    }
}
