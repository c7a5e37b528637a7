//! A connection that the core wants: dialled, verified, and lived.

use std::{io, sync::Arc, time::Duration};

use media::NoFiles;
use sip::{Path, Transport};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::client::TlsStream;

use super::{Connect, DIALLED, Shared, connection, path, tune};
use crate::net::{
    events::NetEvent,
    tls::{self, TlsError},
};

/// Why a connection did not come about.
#[derive(Debug, thiserror::Error)]
enum DialError {
    #[error("{0} does not travel on connections")]
    Datagrams(Transport),
    #[error("too many connections are open ({0})")]
    TooMany(usize),
    #[error("nothing was reached within {0:?}")]
    TooLate(Duration),
    #[error("no certificates to verify {0} with")]
    NoVerifier(String),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    NoFiles(NoFiles),
    #[error(transparent)]
    Socket(io::Error),
    #[error("called as {name}: {why}")]
    Refused { name: String, why: String },
}

impl From<io::Error> for DialError {
    fn from(error: io::Error) -> Self {
        NoFiles::of(&error).map_or(Self::Socket(error), Self::NoFiles)
    }
}

/// Dials, and lives the connection until its end.
pub(super) async fn dial(shared: Arc<Shared>, want: Connect) {
    let (id, remote) = (want.id, want.remote);
    let Ok(place) = shared.dialled.clone().try_acquire_owned() else {
        return failed(&shared, &want, DialError::TooMany(DIALLED)).await;
    };
    let limit = shared.settings.limit;
    let dialling = async {
        match timeout(limit, reach(&shared, &want)).await {
            Ok(reached) => reached,
            Err(_) => Err(DialError::TooLate(limit)),
        }
    };
    match shared.closing.run_until_cancelled(dialling).await {
        Some(Ok(Reached::InClear(path, stream))) => connection::run(&shared, path, stream, Some(id)).await,
        Some(Ok(Reached::Secure(path, stream))) => connection::run(&shared, path, *stream, Some(id)).await,
        Some(Err(why)) => failed(&shared, &want, why).await,
        None => tracing::debug!(%remote, "not dialled to the end: the connections are being closed"),
    }
    drop(place);
}

async fn failed(shared: &Shared, want: &Connect, why: DialError) {
    let why = format!("{}: {why}", want.remote);
    shared.events.send(NetEvent::ConnectFailed { id: want.id, why }).await;
}

enum Reached {
    InClear(Path, TcpStream),
    Secure(Path, Box<TlsStream<TcpStream>>),
}

async fn reach(shared: &Shared, want: &Connect) -> Result<Reached, DialError> {
    let verifier = match want.transport {
        Transport::Udp => return Err(DialError::Datagrams(want.transport)),
        Transport::Tcp => None,
        Transport::Tls => {
            let verifier = shared.verifier(want.tls);
            let verifier = verifier.ok_or_else(|| DialError::NoVerifier(want.server_name.clone()))?;
            let name = verifier.name(&want.server_name)?;
            Some((verifier, name))
        }
    };
    let stream = TcpStream::connect(want.remote).await?;
    tune(&stream)?;
    let path = path(want.transport, &stream)?;
    let Some((verifier, name)) = verifier else {
        return Ok(Reached::InClear(path, stream));
    };
    match verifier.handshake(name.clone(), stream).await {
        Ok(stream) => Ok(Reached::Secure(path, Box::new(stream))),
        Err(error) => Err(match tls::refused(&error) {
            Some(why) => DialError::Refused {
                name: name.to_str().into_owned(),
                why,
            },
            None => error.into(),
        }),
    }
}
