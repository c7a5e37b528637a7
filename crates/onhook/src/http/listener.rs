//! One listening socket and the connections that came in on it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::connection::{self, Connection, Serving};
use super::places::Places;
use super::tls::Tls;
use crate::auth::LoginMethods;

/// Connections the system holds for us until we accept them.
const BACKLOG: u32 = 1024;
/// How long to wait when the system has no more sockets to give.
const OUT_OF_SOCKETS: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Listener {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Tls>,
    methods: LoginMethods,
}

impl Listener {
    pub(super) fn bind(address: SocketAddr, tls: Option<Tls>, methods: LoginMethods) -> io::Result<Self> {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        // A restart must not wait for connections of the last life to be forgotten.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        Ok(Self {
            listener,
            address,
            tls,
            methods,
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    pub(super) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    pub(super) async fn serve(self, places: Arc<Places>, serving: Serving, grace: Duration) {
        let mut connections = JoinSet::new();
        let accepting = async {
            loop {
                let (stream, peer) = match self.listener.accept().await {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        sleep(OUT_OF_SOCKETS).await;
                        continue;
                    }
                };
                while connections.try_join_next().is_some() {}
                let Some(place) = places.take(peer.ip()) else {
                    tracing::debug!(%peer, "turned away: all connections are being served");
                    let leaving = serving.leaving.clone();
                    connections.spawn(async move { leaving.end(stream).await });
                    continue;
                };
                let connection = Connection {
                    peer,
                    is_tls: self.is_tls(),
                    methods: self.methods,
                    client_certificate: None,
                    place: Arc::new(place),
                    outbox: Arc::default(),
                };
                let tls = self.tls.clone();
                connections.spawn(connection::serve(stream, connection, tls, serving.clone()));
            }
        };
        tokio::select! {
            () = accepting => {}
            () = serving.shutdown.cancelled() => {}
        }
        drop(self.listener);
        let all_ended = async { while connections.join_next().await.is_some() {} };
        if timeout(grace, all_ended).await.is_err() {
            tracing::warn!(address = %self.address, "connections were cut: their requests took too long");
        }
    }
}
