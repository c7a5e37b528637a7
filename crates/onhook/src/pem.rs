//! Certificates and keys in files: PEM (RFC 7468). The only file that names the crate that reads them.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls_pki_types::pem::{Error, PemObject as _};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

/// Why a file does not hold what it should.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    #[error("cannot read a certificate from {}: {source}", path.display())]
    Certificate { path: PathBuf, source: Error },
    #[error("there is no certificate in {} (BEGIN CERTIFICATE)", .0.display())]
    NoCertificate(PathBuf),
    #[error("there is no certificate in {} that can vouch for others", .0.display())]
    NoAuthority(PathBuf),
    #[error("cannot read a revocation list from {}: {source}", path.display())]
    RevocationList { path: PathBuf, source: Error },
    #[error("there is no revocation list in {} (BEGIN X509 CRL)", .0.display())]
    NoRevocationList(PathBuf),
    #[error("cannot read a private key from {}: {source}", path.display())]
    Key { path: PathBuf, source: Error },
    #[error("cannot read a private key from {}: there is none in it (BEGIN PRIVATE KEY), or only an encrypted one", .0.display())]
    NoKey(PathBuf),
}

impl PemError {
    /// Whether it is about a key, and not about certificates.
    #[must_use]
    pub fn is_of_a_key(&self) -> bool {
        matches!(self, Self::Key { .. } | Self::NoKey(_))
    }

    /// The same for who has just written the path: without it where nothing can be read at it, since anything may have been
    /// written in its place, also the key itself.
    #[must_use]
    pub fn of_what_was_written(&self) -> String {
        let (what, source) = match self {
            Self::Certificate { source, .. } => ("a certificate", source),
            Self::RevocationList { source, .. } => ("a revocation list", source),
            Self::Key { source, .. } => ("a private key", source),
            Self::NoCertificate(_) | Self::NoAuthority(_) | Self::NoRevocationList(_) | Self::NoKey(_) => {
                return self.to_string();
            }
        };
        if !matches!(source, Error::Io(_)) {
            return self.to_string();
        }
        format!(
            "cannot read {what} from the file that is named here, seen from the folder of the configuration: {source}"
        )
    }
}

/// All certificates of a file, in its order; other sections are passed over.
///
/// # Errors
/// When the file cannot be read, one of its sections cannot, or none is a certificate.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let found: Vec<_> = read.map_err(|source| PemError::Certificate {
        path: path.to_owned(),
        source,
    })?;
    if found.is_empty() {
        return Err(PemError::NoCertificate(path.to_owned()));
    }
    Ok(found)
}

/// The certificates of a file as those that are trusted to sign others. What rustls cannot use is passed over, since bundles
/// of a system hold such, too.
///
/// # Errors
/// As [`certificates`], and when rustls can use none of them.
pub fn authorities(path: &Path) -> Result<RootCertStore, PemError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates(path)?);
    if roots.is_empty() {
        return Err(PemError::NoAuthority(path.to_owned()));
    }
    Ok(roots)
}

/// All revocation lists of a file (RFC 5280 §5), in its order; other sections are passed over.
///
/// # Errors
/// When the file cannot be read, one of its sections cannot, or none is a revocation list.
pub fn revocation_lists(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, PemError> {
    let read = CertificateRevocationListDer::pem_file_iter(path).and_then(Iterator::collect);
    let found: Vec<_> = read.map_err(|source| PemError::RevocationList {
        path: path.to_owned(),
        source,
    })?;
    if found.is_empty() {
        return Err(PemError::NoRevocationList(path.to_owned()));
    }
    Ok(found)
}

/// The first private key of a file: PKCS #8, PKCS #1 or SEC 1, not encrypted.
///
/// # Errors
/// When the file cannot be read, or there is no such key in it.
pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, PemError> {
    PrivateKeyDer::from_pem_file(path).map_err(|source| match source {
        Error::NoItemsFound => PemError::NoKey(path.to_owned()),
        source => PemError::Key {
            path: path.to_owned(),
            source,
        },
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// What reading a file with this text as each of the three says, or that it does.
    fn read(text: &str) -> [String; 3] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.pem");
        fs::write(&path, text).unwrap();
        let said = |read: Result<(), PemError>| match read {
            Ok(()) => "read".to_owned(),
            Err(error) => error.to_string().replace(&path.display().to_string(), "FILE"),
        };
        [
            said(certificates(&path).map(drop)),
            said(authorities(&path).map(drop)),
            said(private_key(&path).map(drop)),
        ]
    }

    #[test]
    fn what_is_missing_or_broken_is_said_in_words() {
        let own = rcgen::generate_simple_self_signed(["onhook.example".to_owned()]).unwrap();
        let [certificate, key] = [own.cert.pem(), own.signing_key.serialize_pem()];
        let no_key =
            "cannot read a private key from FILE: there is none in it (BEGIN PRIVATE KEY), or only an encrypted one";
        let no_certificate = "there is no certificate in FILE (BEGIN CERTIFICATE)";
        assert_eq!(read(&certificate), ["read", "read", no_key]);
        assert_eq!(read(&key), [no_certificate, no_certificate, "read"]);
        assert_eq!(read(&format!("{key}{certificate}")), ["read"; 3], "each finds its own");
        assert_eq!(read(&key.replace("PRIVATE", "ENCRYPTED PRIVATE"))[2], no_key);
        // "AAAA" is no certificate; what only passes one on does not look into it.
        let hollow = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let nobody = "there is no certificate in FILE that can vouch for others";
        assert_eq!(read(hollow), ["read", nobody, no_key]);
        assert_eq!(read(&format!("{hollow}{certificate}"))[1], "read");
        for broken in [
            "-----BEGIN CERTIFICATE-----\nAAAA",
            "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----",
        ] {
            assert!(read(broken)[0].starts_with("cannot read a certificate from FILE: "));
            assert!(
                read(&broken.replace("CERTIFICATE", "PRIVATE KEY"))[2]
                    .starts_with("cannot read a private key from FILE: ")
            );
        }
        let nowhere = certificates(Path::new("/nowhere.pem")).unwrap_err().to_string();
        assert!(nowhere.contains("No such file"), "{nowhere}");
    }
}
