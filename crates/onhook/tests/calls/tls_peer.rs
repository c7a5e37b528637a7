//! A SIP peer at the other end of one TLS connection, and who vouches for it.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::peer::Message;
use crate::scene::soon;

/// An authority, and what it has signed for 127.0.0.1.
pub(crate) struct Authority {
    folder: TempDir,
    pub(crate) roots: RootCertStore,
    pub(crate) acceptor: TlsAcceptor,
}

impl Authority {
    pub(crate) fn found() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let cert = params.signed_by(&key, &authority).unwrap();
        let folder = tempfile::tempdir().unwrap();
        for (name, pem) in [
            ("ca.pem", authority.pem()),
            ("cert.pem", cert.pem()),
            ("key.pem", key.serialize_pem()),
        ] {
            fs::write(folder.path().join(name), pem).unwrap();
        }
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        Self {
            folder,
            roots,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        }
    }

    /// The same server, which wants a certificate of its clients, signed by this authority.
    pub(crate) fn acceptor_for_clients(&self) -> TlsAcceptor {
        let clients = WebPkiClientVerifier::builder(Arc::new(self.roots.clone()))
            .build()
            .unwrap();
        let chain = CertificateDer::pem_file_iter(self.file("cert.pem")).unwrap();
        let config = ServerConfig::builder()
            .with_client_cert_verifier(clients)
            .with_single_cert(
                chain.map(Result::unwrap).collect(),
                PrivateKeyDer::from_pem_file(self.file("key.pem")).unwrap(),
            )
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A peer at the other end of one TLS connection.
pub(crate) struct TlsPeer {
    stream: TlsStream<TcpStream>,
    from: SocketAddr,
    contact: String,
    unread: String,
}

impl TlsPeer {
    pub(crate) async fn accept(listener: &TcpListener, acceptor: &TlsAcceptor) -> Self {
        let (stream, from) = soon("a connection", listener.accept()).await.unwrap();
        let stream = soon("the handshake", acceptor.accept(stream)).await.unwrap();
        Self::of(stream, from, listener)
    }

    pub(crate) fn of(stream: TlsStream<TcpStream>, from: SocketAddr, listener: &TcpListener) -> Self {
        Self {
            stream,
            from,
            contact: format!("sip:phone@{};transport=tls", listener.local_addr().unwrap()),
            unread: String::new(),
        }
    }

    pub(crate) async fn expect(&mut self, method: &str) -> Message {
        let text = loop {
            if let Some(text) = self.take_message() {
                break text;
            }
            let mut chunk = [0; 4096];
            let length = soon(method, self.stream.read(&mut chunk)).await.unwrap();
            assert_ne!(length, 0, "the connection ended");
            self.unread.push_str(std::str::from_utf8(&chunk[..length]).unwrap());
        };
        let message = Message { text, from: self.from };
        assert_eq!(message.method(), method, "{}", message.text);
        message
    }

    fn take_message(&mut self) -> Option<String> {
        let head = self.unread.find("\r\n\r\n")? + 4;
        let (_, length) = self.unread[..head].split_once("Content-Length:").unwrap();
        let body: usize = length.lines().next().unwrap().trim().parse().unwrap();
        if self.unread.len() < head + body {
            return None;
        }
        let rest = self.unread.split_off(head + body);
        Some(std::mem::replace(&mut self.unread, rest))
    }

    pub(crate) async fn reply(&mut self, request: &Message, status: u16, more: &str) {
        let text = request.answered(status, &self.contact, more);
        self.stream.write_all(text.as_bytes()).await.unwrap();
        self.stream.flush().await.unwrap();
    }
}
