//! Connections that peers open: who may, how many, and the handshake.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    peers::Peers,
    places::Places,
    read::Reader,
    stream::{Stream, tune},
    tls,
};

const HANDSHAKE: Duration = Duration::from_secs(4);

/// A bound stream listener that waits for its accept loop.
pub(super) struct Acceptor {
    pub(super) listener: TcpListener,
    pub(super) tls: Option<Arc<tls::Served>>,
    pub(super) peers: Arc<Peers>,
}

impl Acceptor {
    /// Takes connections until `closing`, and has each that is ready read.
    pub(super) async fn run(self, closing: CancellationToken, tracker: TaskTracker, reader: Reader, places: Places) {
        while let Some(accepted) = closing.run_until_cancelled(self.listener.accept()).await {
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors, mostly: a moment lets others close, and the backlog waits.
                    tracing::warn!(%error, "a SIP connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            if !self.peers.admits(peer.ip()) {
                continue;
            }
            let Some(place) = places.take(peer.ip()) else {
                self.peers.turn_away("a connection too many", peer.ip());
                continue;
            };
            let tls = self
                .tls
                .as_ref()
                .map(|certificate| TlsAcceptor::from(certificate.now()));
            let (reader, token) = (reader.clone(), closing.child_token());
            tracker.spawn(async move {
                let admitted = token.run_until_cancelled(admit(stream, tls, token.clone())).await;
                match admitted {
                    Some(Ok(stream)) => drop(reader.stream(stream, Some(place))),
                    Some(Err(error)) => tracing::debug!(%peer, %error, "a SIP connection was not completed"),
                    None => {}
                }
            });
        }
    }
}

async fn admit(stream: TcpStream, tls: Option<TlsAcceptor>, token: CancellationToken) -> io::Result<Stream> {
    tune(&stream)?;
    match tls {
        Some(acceptor) => {
            let stream = timeout(HANDSHAKE, acceptor.accept(stream)).await??;
            Stream::secure(stream.into(), token).await
        }
        None => Stream::in_clear(stream, token).await,
    }
}
