//! How a connection ends.
//!
//! A socket that is closed while bytes of the client lie unread, or are still on their way, is answered for by a reset,
//! and a reset takes with it what the client has not read yet: the answer (RFC 9112 §9.6). So our half is closed first,
//! and what still comes is read away, for a moment.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::places::Place;

/// A client from which nothing has come for so long has seen the end.
pub(super) const SILENCE: Duration = Duration::from_secs(2);
/// One that sends on is listened to for so long, and for so many bytes.
const LONGEST: Duration = Duration::from_secs(10);
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// Connections at a time that end without having a place.
pub(crate) const WITHOUT_PLACE: usize = 64;

/// The connections that end without a place: they have lost theirs to another, or have found none.
#[derive(Clone, Debug)]
pub(super) struct Leaving(Arc<Semaphore>);

impl Leaving {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(WITHOUT_PLACE)))
    }

    /// Ends such a connection; at once when too many of them are leaving.
    pub(super) async fn end(&self, stream: TcpStream) {
        if let Ok(_permit) = self.0.try_acquire() {
            linger(stream).await;
        }
    }
}

/// Ends a connection, unless its place is needed meanwhile: then it is closed at once.
pub(super) async fn end(stream: TcpStream, place: &Place, leaving: &Leaving) {
    if place.is_lost() {
        return leaving.end(stream).await;
    }
    place.give_up_first();
    tokio::select! {
        () = linger(stream) => {}
        () = place.needed() => {}
    }
}

/// Closes our half, and reads away what comes until the client has closed its own.
async fn linger(mut stream: TcpStream) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let reading = async {
        let mut left = MOST_BYTES;
        while let Ok(Ok(())) = timeout(SILENCE, stream.readable()).await {
            left = match read_away(&stream) {
                Some(read) if read < left => left - read,
                _ => return,
            };
        }
    };
    // However long it took: the connection is closed now.
    let _ = timeout(LONGEST, reading).await;
}

/// How many bytes were there to be read; none when there will be no more.
fn read_away(stream: &TcpStream) -> Option<usize> {
    match stream.try_read(&mut [0; 16 * 1024]) {
        Ok(0) => None,
        Ok(read) => Some(read),
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Some(0),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;
    use tokio::task::JoinHandle;
    use tokio::time::{Instant, interval};

    use super::super::places::Places;
    use super::*;

    async fn connected() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (listener.accept().await.unwrap().0, client)
    }

    fn place() -> Place {
        Places::new(1, 1, Vec::new()).take([127, 0, 0, 1].into()).unwrap()
    }

    /// Sends a byte now and then for as long as it can.
    fn dripping(mut client: TcpStream) -> JoinHandle<()> {
        tokio::spawn(async move {
            let mut clock = interval(SILENCE / 2);
            while client.write_all(b"x").await.is_ok() {
                clock.tick().await;
            }
        })
    }

    #[tokio::test]
    async fn who_has_seen_the_end_is_not_waited_for() {
        let (server, client) = connected().await;
        drop(client);
        let ended = timeout(SILENCE / 2, end(server, &place(), &Leaving::new())).await;
        assert!(ended.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stays_silent_is_not_waited_for_long() {
        let (server, mut client) = connected().await;
        let started = Instant::now();
        end(server, &place(), &Leaving::new()).await;
        assert!(started.elapsed().abs_diff(SILENCE) < Duration::from_millis(50));
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_on_is_not_listened_to_for_ever() {
        let (server, client) = connected().await;
        let dripping = dripping(client);
        let started = Instant::now();
        end(server, &place(), &Leaving::new()).await;
        assert!(started.elapsed().abs_diff(LONGEST) < Duration::from_millis(50));
        dripping.await.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_sends_fast_is_not_listened_to_without_bound() {
        let (server, mut client) = connected().await;
        let sending = tokio::spawn(async move {
            let block = vec![b'x'; 1024 * 1024];
            let mut sent = 0;
            while let Ok(written) = client.write(&block).await {
                sent += written;
            }
            sent
        });
        end(server, &place(), &Leaving::new()).await;
        let sent = sending.await.unwrap();
        assert!((MOST_BYTES..2 * MOST_BYTES).contains(&sent), "{sent}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_ending_leaves_its_place_to_who_needs_it() {
        let (server, client) = connected().await;
        let places = Places::new(1, 1, Vec::new());
        let place = places.take([127, 0, 0, 1].into()).unwrap();
        let leaving = Leaving::new();
        let started = Instant::now();
        let ending = end(server, &place, &leaving);
        let other = async { places.take([127, 0, 0, 2].into()) };
        let ((), other) = tokio::join!(ending, other);
        assert!(other.is_some() && started.elapsed().is_zero());
        drop(client);
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_linger_without_a_place() {
        let leaving = Leaving::new();
        let mut clients = Vec::new();
        let mut ending = Vec::new();
        for _ in 0..WITHOUT_PLACE {
            let (server, client) = connected().await;
            clients.push(client);
            let leaving = leaving.clone();
            ending.push(tokio::spawn(async move { leaving.end(server).await }));
        }
        tokio::task::yield_now().await;
        let (server, _client) = connected().await;
        let started = Instant::now();
        leaving.end(server).await;
        assert!(started.elapsed().is_zero(), "one more is closed at once");
        for ending in ending {
            ending.await.unwrap();
        }
        assert!(started.elapsed() >= SILENCE);
    }
}
