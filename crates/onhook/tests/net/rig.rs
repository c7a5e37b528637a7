//! Connections, and what is told of them.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use onhook::net::{Connect, Events, NetEvent, StreamSettings, Streams, TlsOf, Udp};
use sip::{Path, Transport};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc::Receiver,
    time::{self, timeout},
};

/// Nothing here takes so long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn soon<T>(what: &str, wanted: impl Future<Output = T>) -> T {
    match timeout(PATIENCE, wanted).await {
        Ok(got) => got,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

/// Lets time pass at which nothing else happens.
pub(crate) async fn pass(time: Duration) {
    time::pause();
    time::advance(time).await;
    time::resume();
}

pub(crate) struct Rig {
    pub(crate) streams: Streams,
    events: Receiver<NetEvent>,
    _udp: Udp,
}

pub(crate) fn settings(listeners: &[&str]) -> StreamSettings {
    StreamSettings {
        listeners: listeners.iter().map(|text| text.parse().unwrap()).collect(),
        tls: None,
        trunks: Vec::new(),
        others: None,
        limit: Duration::from_secs(4),
        admits: Arc::new(|_| true),
    }
}

impl Rig {
    pub(crate) fn start(settings: StreamSettings) -> Self {
        let (udp, wake) = Udp::bind(&[]).unwrap();
        let (events, received) = Events::new(wake);
        Self {
            streams: Streams::start(settings, events).unwrap(),
            events: received,
            _udp: udp,
        }
    }

    pub(crate) fn tcp() -> Self {
        Self::start(settings(&["tcp:127.0.0.1:0"]))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.streams.listening()[0].address
    }

    /// Events that nobody has taken.
    pub(crate) fn waiting(&self) -> usize {
        self.events.len()
    }

    pub(crate) async fn event(&mut self) -> NetEvent {
        soon("an event", self.events.recv()).await.unwrap()
    }

    /// A connection that a peer has opened, and its way.
    pub(crate) async fn peer(&mut self) -> (TcpStream, Path) {
        let peer = TcpStream::connect(self.address()).await.unwrap();
        peer.set_nodelay(true).unwrap();
        let path = self.connected(None).await;
        assert_eq!((path.local, path.remote), (self.address(), peer.local_addr().unwrap()));
        (peer, path)
    }

    pub(crate) async fn connected(&mut self, wanted: Option<u64>) -> Path {
        match self.event().await {
            NetEvent::Connected { id, path } if id == wanted => path,
            other => panic!("no connection but {other:?}"),
        }
    }

    pub(crate) async fn message(&mut self) -> (Path, String) {
        match self.event().await {
            NetEvent::Message { path, bytes } => (path, String::from_utf8(bytes).unwrap()),
            other => panic!("no message but {other:?}"),
        }
    }

    pub(crate) async fn closed(&mut self) -> (Path, String) {
        match self.event().await {
            NetEvent::Closed { path, why } => (path, why),
            other => panic!("no end but {other:?}"),
        }
    }

    pub(crate) async fn connect_failed(&mut self, wanted: u64) -> String {
        match self.event().await {
            NetEvent::ConnectFailed { id, why } if id == wanted => why,
            other => panic!("no failure but {other:?}"),
        }
    }
}

pub(crate) fn connect(id: u64, transport: Transport, remote: SocketAddr, server_name: &str) -> Connect {
    Connect {
        id,
        transport,
        remote,
        server_name: server_name.to_owned(),
        tls: TlsOf::Others,
    }
}

/// A message with a body, in which a line end stands that ends no head.
pub(crate) fn message(call_id: &str) -> String {
    format!("MESSAGE sip:onhook@127.0.0.1 SIP/2.0\r\nCall-ID: {call_id}\r\nl: 6\r\n\r\n\r\n\r\nhi")
}

pub(crate) async fn send(peer: &mut (impl AsyncWriteExt + Unpin), text: &str) {
    peer.write_all(text.as_bytes()).await.unwrap();
    peer.flush().await.unwrap();
}

/// The next so many bytes.
pub(crate) async fn receive(peer: &mut (impl AsyncRead + Unpin), length: usize) -> String {
    let mut bytes = vec![0; length];
    soon("bytes", peer.read_exact(&mut bytes)).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Whether the other side has ended it and sent nothing before.
pub(crate) async fn is_closed(peer: &mut (impl AsyncRead + Unpin)) -> bool {
    !matches!(soon("the end", peer.read(&mut [0])).await, Ok(length) if length > 0)
}

/// What this end of a connection of this process is set to: whether it holds small pieces back until what was sent before is
/// acknowledged (Nagle's algorithm).
#[cfg(target_os = "linux")]
pub(crate) fn holds_small_pieces_back(path: &Path) -> bool {
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
    let process = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    let files = std::fs::read_dir("/proc/self/fd").unwrap();
    let numbers = files.map(|file| file.unwrap().file_name().to_string_lossy().parse().unwrap());
    // Another test may have closed one since.
    let sockets = numbers.filter_map(|number| pidfd_getfd(&process, number, PidfdGetfdFlags::empty()).ok());
    let is_it = |socket: &socket2::SockRef<'_>| {
        let ends = (socket.local_addr().ok(), socket.peer_addr().ok());
        ends == (Some(path.local.into()), Some(path.remote.into()))
    };
    let found = sockets.filter_map(|socket| {
        let socket = socket2::SockRef::from(&socket);
        is_it(&socket).then(|| !socket.tcp_nodelay().unwrap())
    });
    let found: Vec<bool> = found.collect();
    assert!(!found.is_empty(), "no connection {path}");
    found.contains(&true)
}
