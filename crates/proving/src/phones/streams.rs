//! The phones' ends of connections: those that the server opens to them, and the one that they open to it when one is gone on
//! which they had something to say (RFC 3261 §18.2.2).

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    select,
    sync::mpsc,
};

use super::{passage::Passages, way::Way};
use crate::certificates::Certificates;

/// Messages that wait to be read by the phones.
const COMING: usize = 1024;
/// Messages that wait to be written on one connection; one more ends it.
const LEAVING: usize = 4096;
/// The longest message that is read.
const LONGEST: usize = 64 * 1024;

/// What phones that speak over connections need to know.
pub struct StreamSetup {
    pub listener: TcpListener,
    /// Where phones say that they are: in turn.
    pub homes: Vec<SocketAddr>,
    /// Where the server is reached.
    pub server: SocketAddr,
    /// With these it is TLS.
    pub certificates: Option<Arc<Certificates>>,
    /// What is known of connections that come.
    pub passages: Passages,
}

/// A whole message, by which connection it came, and from where that one does.
pub(super) struct Coming {
    pub(super) bytes: Vec<u8>,
    pub(super) way: Way,
    pub(super) from: Option<SocketAddr>,
}

/// The connections that are open. Clones share them.
#[derive(Clone)]
pub(super) struct Connections {
    open: Arc<Mutex<Open>>,
    coming: mpsc::Sender<Coming>,
    server: SocketAddr,
    certificates: Option<Arc<Certificates>>,
}

#[derive(Default)]
struct Open {
    leaving: HashMap<u64, mpsc::Sender<Vec<u8>>>,
    last: u64,
    /// The one that the phones have opened last.
    own: Option<u64>,
}

impl Connections {
    pub(super) fn new(server: SocketAddr, certificates: Option<Arc<Certificates>>) -> (Self, mpsc::Receiver<Coming>) {
        let (coming, comes) = mpsc::channel(COMING);
        let connections = Self {
            open: Arc::default(),
            coming,
            server,
            certificates,
        };
        (connections, comes)
    }

    pub(super) async fn accept(self, listener: TcpListener) {
        while let Ok((stream, from)) = listener.accept().await {
            let (connections, number, leaving) = self.begin();
            tokio::spawn(async move {
                // What is wrong with a connection is what the phones are to live through.
                let _ = match connections.certificates.as_ref().map(|of| of.acceptor.clone()) {
                    None => connections.live(number, leaving, stream, Some(from)).await,
                    Some(acceptor) => match acceptor.accept(stream).await {
                        Ok(stream) => connections.live(number, leaving, stream, Some(from)).await,
                        Err(error) => Err(error),
                    },
                };
                connections.end(number);
            });
        }
    }

    /// Sends one message where its request came from, or if that is gone by a connection of the phones' own.
    pub(super) fn send(&self, bytes: Vec<u8>, way: Way) {
        let Way::Connection(number) = way else { return };
        let bytes = match self.push(number, bytes) {
            Ok(()) => return,
            Err(bytes) => bytes,
        };
        let own = self.lock().own;
        let bytes = match own.map_or(Err(bytes.clone()), |own| self.push(own, bytes)) {
            Ok(()) => return,
            Err(bytes) => bytes,
        };
        let own = self.dial();
        // Nobody has taken anything out of it yet.
        let _ = self.push(own, bytes);
    }

    fn push(&self, number: u64, bytes: Vec<u8>) -> Result<(), Vec<u8>> {
        let mut open = self.lock();
        let Some(leaving) = open.leaving.get(&number) else {
            return Err(bytes);
        };
        leaving.try_send(bytes).map_err(|refused| {
            open.leaving.remove(&number);
            refused.into_inner()
        })
    }

    fn dial(&self) -> u64 {
        let (connections, number, leaving) = self.begin();
        self.lock().own = Some(number);
        tokio::spawn(async move {
            let _ = connections.reach(number, leaving).await;
            connections.end(number);
        });
        number
    }

    async fn reach(&self, number: u64, leaving: mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
        let stream = TcpStream::connect(self.server).await?;
        match &self.certificates {
            None => self.live(number, leaving, stream, None).await,
            Some(certificates) => {
                let stream = certificates.connector.connect(self.server.ip().into(), stream).await?;
                self.live(number, leaving, stream, None).await
            }
        }
    }

    fn begin(&self) -> (Self, u64, mpsc::Receiver<Vec<u8>>) {
        let (sender, leaving) = mpsc::channel(LEAVING);
        let mut open = self.lock();
        open.last += 1;
        let number = open.last;
        open.leaving.insert(number, sender);
        (self.clone(), number, leaving)
    }

    fn end(&self, number: u64) {
        self.lock().leaving.remove(&number);
    }

    async fn live(
        &self,
        number: u64,
        mut leaving: mpsc::Receiver<Vec<u8>>,
        stream: impl AsyncRead + AsyncWrite,
        from: Option<SocketAddr>,
    ) -> io::Result<()> {
        let (mut read, mut write) = tokio::io::split(stream);
        let writing = async {
            while let Some(bytes) = leaving.recv().await {
                write.write_all(&bytes).await?;
                write.flush().await?;
            }
            write.shutdown().await
        };
        select! {
            written = writing => written,
            read = self.read(number, &mut read, from) => read,
        }
    }

    async fn read(&self, number: u64, read: &mut (impl AsyncRead + Unpin), from: Option<SocketAddr>) -> io::Result<()> {
        let mut unread = Vec::new();
        while read.read_buf(&mut unread).await? > 0 {
            while let Some(bytes) = take_message(&mut unread) {
                let way = Way::Connection(number);
                if self.coming.send(Coming { bytes, way, from }).await.is_err() {
                    return Ok(());
                }
            }
            if unread.len() > LONGEST {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first whole message, without the empty lines before it (RFC 3261 §7.5, §18.3).
fn take_message(unread: &mut Vec<u8>) -> Option<Vec<u8>> {
    let begins = unread.iter().position(|byte| !b"\r\n".contains(byte))?;
    unread.drain(..begins);
    let head = unread.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let length = str::from_utf8(&unread[..head]).ok().and_then(|head| {
        let lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
        let mut lengths = lines.filter(|(name, _)| name.trim().eq_ignore_ascii_case("Content-Length"));
        lengths.next()?.1.trim().parse::<usize>().ok()
    });
    let whole = head + length.unwrap_or_default();
    (unread.len() >= whole).then(|| unread.drain(..whole).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_cut_where_its_messages_end() {
        let one = b"BYE sip:a@h SIP/2.0\r\nContent-Length: 0\r\n\r\n";
        let two = b"INVITE sip:a@h SIP/2.0\r\ncontent-length: 4\r\n\r\nbody";
        let whole = [b"\r\n\r\n", &one[..], &two[..]].concat();
        let (mut unread, mut taken) = (Vec::new(), Vec::new());
        for byte in whole {
            unread.push(byte);
            taken.extend(take_message(&mut unread));
        }
        assert_eq!(taken, [one.to_vec(), two.to_vec()]);
        assert!(unread.is_empty());
    }
}
