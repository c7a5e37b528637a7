//! One listening socket and the connections that came in on it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::connection;
use super::tls::Tls;
use crate::auth::Taken;

/// Connections the system holds for us until we accept them.
const BACKLOG: u32 = 1024;
/// How long to wait when the system has no more sockets to give.
const OUT_OF_SOCKETS: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Listener {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Tls>,
    taken: Taken,
}

impl Listener {
    pub(super) fn bind(address: SocketAddr, tls: Option<Tls>, taken: Taken) -> io::Result<Self> {
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
            taken,
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    pub(super) async fn serve(
        self,
        router: Router,
        places: Arc<Semaphore>,
        header_timeout: Duration,
        shutdown: CancellationToken,
        grace: Duration,
    ) {
        let mut connections = JoinSet::new();
        let accepting = async {
            loop {
                // A place first, then the connection: who finds none waits in the backlog.
                let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                    return;
                };
                let (stream, peer) = match self.listener.accept().await {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        sleep(OUT_OF_SOCKETS).await;
                        continue;
                    }
                };
                while connections.try_join_next().is_some() {}
                let serving = connection::serve(
                    stream,
                    peer,
                    self.tls.clone(),
                    self.taken,
                    router.clone(),
                    header_timeout,
                    shutdown.clone(),
                );
                connections.spawn(async move {
                    serving.await;
                    drop(place);
                });
            }
        };
        tokio::select! {
            () = accepting => {}
            () = shutdown.cancelled() => {}
        }
        drop(self.listener);
        let all_ended = async { while connections.join_next().await.is_some() {} };
        if timeout(grace, all_ended).await.is_err() {
            tracing::warn!(address = %self.address, "connections were cut: their requests took too long");
        }
    }
}
