//! Connections that peers open: who may, how many, and the handshake.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use media::NoFiles;
use sip::Transport;
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use super::{Shared, connection, path, tune};
use crate::{
    net::{
        places::{Place, Places},
        tls::Served,
    },
    panics::caught,
};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(4);
/// Before the next connection is accepted, when one could not be: others close meanwhile, and the backlog waits.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// A bound listener that waits for its accept loop.
pub(super) struct Acceptor {
    pub(super) listener: TcpListener,
    pub(super) tls: Option<Arc<Served>>,
}

/// Accepts at all of them, a task each.
pub(super) fn start(acceptors: Vec<Acceptor>, shared: &Arc<Shared>) {
    let places = Places::default();
    for acceptor in acceptors {
        let (shared, places) = (shared.clone(), places.clone());
        shared.tracker.clone().spawn(async move {
            let closing = shared.closing.clone();
            closing.run_until_cancelled(accept(acceptor, &shared, places)).await;
        });
    }
}

async fn accept(acceptor: Acceptor, shared: &Arc<Shared>, places: Places) {
    let mut failures: u64 = 0;
    loop {
        let (stream, peer) = match acceptor.listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                failures += 1;
                if failures.is_power_of_two() {
                    could_not(&error, failures);
                }
                sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        // A panic ends this connection, and not what accepts all others.
        let judged = caught(async { place(shared, &places, peer.ip()) }).await;
        let Ok(Some(place)) = judged else { continue };
        let tls = acceptor.tls.as_ref().map(|served| TlsAcceptor::from(served.now()));
        let admitted = admit(shared.clone(), stream, peer, tls, place);
        shared.tracker.spawn(admitted);
    }
}

/// The place of a connection that this host may open; none for one that is to be closed at once.
fn place(shared: &Shared, places: &Places, host: IpAddr) -> Option<Place> {
    if !(shared.settings.admits)(host) {
        shared.turn_away("a connection from nobody we deal with", host);
        return None;
    }
    let place = places.take(host);
    if place.is_none() {
        shared.turn_away("a connection too many", host);
    }
    place
}

fn could_not(error: &io::Error, times: u64) {
    match NoFiles::of(error) {
        Some(why) => tracing::warn!(times, "a SIP connection could not be accepted: {why}"),
        None => tracing::warn!(%error, times, "a SIP connection could not be accepted"),
    }
}

async fn admit(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr, tls: Option<TlsAcceptor>, place: Place) {
    if let Err(error) = serve(&shared, stream, tls).await {
        tracing::debug!(%peer, %error, "a SIP connection was not completed");
    }
    drop(place);
}

async fn serve(shared: &Shared, stream: TcpStream, tls: Option<TlsAcceptor>) -> io::Result<()> {
    tune(&stream)?;
    let Some(acceptor) = tls else {
        connection::run(shared, path(Transport::Tcp, &stream)?, stream, None).await;
        return Ok(());
    };
    let path = path(Transport::Tls, &stream)?;
    let shaken = shared
        .closing
        .run_until_cancelled(timeout(HANDSHAKE, acceptor.accept(stream)));
    let Some(shaken) = shaken.await else { return Ok(()) };
    connection::run(shared, path, shaken??, None).await;
    Ok(())
}
