//! TCP and TLS connections, in the shape that the library writes to, with the half that is read kept apart.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use rsipstack::{
    platform::tls::{self as seam, TlsClientConfig},
    transport::{PlatformTlsConnection, SipConnection, tcp::TcpConnection},
};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWriteExt, WriteHalf},
    net::TcpStream,
    sync::Mutex,
};
use tokio_rustls::TlsStream;
use tokio_util::sync::CancellationToken;

use super::{listen::Transport, wire};

/// The kernel ends a connection on which nothing we wrote was taken for so long.
const STALLED: Duration = Duration::from_secs(10);

/// A connection that nobody reads yet.
pub(super) struct Stream {
    /// For the library, to write to.
    pub(super) connection: SipConnection,
    pub(super) from: SocketAddr,
    pub(super) incoming: Box<dyn AsyncRead + Send + Unpin>,
    /// Ends the connection.
    pub(super) token: CancellationToken,
}

impl Stream {
    pub(super) async fn in_clear(stream: TcpStream, token: CancellationToken) -> io::Result<Self> {
        let (from, local) = (stream.peer_addr()?, stream.local_addr()?);
        let local = wire::sip_addr(Transport::Tcp, local);
        let connection = TcpConnection::from_stream(stream, local, Some(token.clone())).map_err(io::Error::other)?;
        let incoming = connection.inner.read_half.lock().await.take();
        Ok(Self {
            connection: SipConnection::Tcp(connection),
            from,
            incoming: Box::new(incoming.ok_or(io::ErrorKind::NotConnected)?),
            token,
        })
    }

    /// After the handshake, whoever began it.
    pub(super) async fn secure(stream: TlsStream<TcpStream>, token: CancellationToken) -> io::Result<Self> {
        let (from, local) = (stream.get_ref().0.peer_addr()?, stream.get_ref().0.local_addr()?);
        let (incoming, outgoing) = tokio::io::split(stream);
        let written = Written {
            outgoing: Mutex::new(outgoing),
            local,
        };
        Ok(Self {
            connection: SipConnection::TlsPlatform(handed_over(written, from, &token).await?),
            from,
            incoming: Box::new(incoming),
            token,
        })
    }

    /// Answers a keep-alive (RFC 5626 §4.4.1).
    pub(super) async fn pong(connection: &SipConnection) -> Result<(), rsipstack::Error> {
        const PONG: &[u8] = b"\r\n";
        match connection {
            SipConnection::Tcp(connection) => connection.inner.send_raw(PONG).await,
            SipConnection::TlsPlatform(connection) => connection.send_raw(PONG).await,
            _ => Ok(()),
        }
    }
}

/// An ACK must not wait for the answer to what was written before it, and a stuck peer must not hold a writer for ever.
pub(super) fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_tcp_user_timeout(Some(STALLED))
}

/// The half of a TLS connection that is written to. The library's own keeps both.
struct Written {
    outgoing: Mutex<WriteHalf<TlsStream<TcpStream>>>,
    local: SocketAddr,
}

#[async_trait::async_trait]
impl seam::TlsStream for Written {
    async fn recv(&self) -> rsipstack::Result<Vec<u8>> {
        Ok(Vec::new()) // it is read elsewhere
    }

    async fn send_all(&self, data: Vec<u8>) -> rsipstack::Result<()> {
        let mut outgoing = self.outgoing.lock().await;
        outgoing.write_all(&data).await?;
        Ok(outgoing.flush().await?)
    }

    async fn shutdown(&self) -> rsipstack::Result<()> {
        Ok(self.outgoing.lock().await.shutdown().await?)
    }

    fn local_addr(&self) -> rsipstack::Result<SocketAddr> {
        Ok(self.local)
    }
}

tokio::task_local! {
    /// What [`HandOver`] is to hand over.
    static READY: std::cell::RefCell<Option<Written>>;
}

/// The library takes a TLS connection of somebody else's making only from a connector that is registered for the whole
/// process, when it wants to dial. This one dials nobody: it hands over what its task has ready.
struct HandOver;

#[async_trait::async_trait]
impl seam::TlsConnector for HandOver {
    async fn connect(
        &self,
        _config: &TlsClientConfig,
        _address: SocketAddr,
    ) -> rsipstack::Result<Box<dyn seam::TlsStream>> {
        match READY.try_with(|ready| ready.borrow_mut().take()) {
            Ok(Some(written)) => Ok(Box::new(written)),
            Ok(None) | Err(_) => Err(rsipstack::Error::Error("the library dials nobody by itself".to_owned())),
        }
    }
}

async fn handed_over(
    written: Written,
    remote: SocketAddr,
    token: &CancellationToken,
) -> io::Result<PlatformTlsConnection> {
    static REGISTERED: std::sync::Once = std::sync::Once::new();
    REGISTERED.call_once(|| seam::set_client_connector(Arc::new(HandOver)));
    let remote = wire::sip_addr(Transport::Tls, remote);
    let connecting = PlatformTlsConnection::connect(&remote, None, Some(token.clone()));
    let ready = std::cell::RefCell::new(Some(written));
    READY.scope(ready, connecting).await.map_err(io::Error::other)
}
