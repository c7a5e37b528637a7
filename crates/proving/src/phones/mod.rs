//! Every phone of a run: behind one UDP socket and one bad line, or at the far end of connections.
//!
//! They keep to RFC 3261 and count themselves: which ring, which are off-hook. They hear each other's packets no more than
//! real ones do: a call is known by its `Call-ID`.
//!
//! ```text
//! call      one phone                          way      transports, and where a phone says it is
//! exchange  all of them, and what is due       line     packets that are lost
//! message   as much of SIP as a phone needs    streams  the phones' ends of connections
//! witness   what must not be seen              passage  what is known of a connection in its middle
//! ```

mod call;
mod exchange;
mod line;
mod message;
mod passage;
mod streams;
mod way;
mod witness;

use std::{
    future::pending,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use socket2::SockRef;
use tokio::{
    net::UdpSocket,
    sync::mpsc,
    task::JoinSet,
    time::{sleep, sleep_until},
};

use crate::{ProvingError, random::Random};
use call::PhoneCall;
use exchange::Exchange;
use line::Line;
use streams::{Coming, Connections};
use way::{Home, Way};
use witness::Seen;

pub use call::{FORKING, NUMBERS};
pub use line::Quality;
pub use passage::{Passage, Passages};
pub use streams::StreamSetup;
pub use way::Transport;
pub use witness::Facts;

const POLL: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(120);
/// A thousand calls that end at once must not be lost where no phone could hear them.
pub const RECEIVE_BUFFER: usize = 8 * 1024 * 1024;

/// How phones behave; percentages are of a hundred phones.
#[derive(Clone, Debug)]
pub struct Habits {
    pub seed: u64,
    pub t1: Duration,
    pub rings_up_to: Duration,
    /// Percentage that hang up themselves.
    pub hang_up: u64,
    pub hang_up_within: Duration,
    /// Percentage of numbers at which two phones answer.
    pub fork: u64,
    /// Percentage that challenge a BYE.
    pub challenge: u64,
    /// Percentage that have sound sent to them; the others hold the line.
    pub take_sound: u64,
    /// Bytes that may wait for them; more is lost.
    pub receive_buffer: usize,
}

impl Habits {
    /// Phones that do nothing but answer, at once, and want no sound.
    #[must_use]
    pub fn answering_at_once(seed: u64, t1: Duration) -> Self {
        Self {
            seed,
            t1,
            rings_up_to: Duration::ZERO,
            hang_up: 0,
            hang_up_within: Duration::ZERO,
            fork: 0,
            challenge: 0,
            take_sound: 0,
            receive_buffer: RECEIVE_BUFFER,
        }
    }
}

/// Waits until phones are as they are to be.
///
/// # Errors
/// When that takes longer than calls may take to be answered, and phones to be hung up.
pub(crate) async fn wait(until: impl Fn() -> bool, otherwise: &'static str) -> Result<(), ProvingError> {
    let deadline = Instant::now() + PATIENCE;
    while !until() {
        if Instant::now() >= deadline {
            return Err(ProvingError::Stuck(otherwise));
        }
        sleep(POLL).await;
    }
    Ok(())
}

/// The phones, switched on until this is dropped.
pub struct Phones {
    address: SocketAddr,
    exchange: Arc<Mutex<Exchange>>,
    tasks: JoinSet<()>,
}

fn lock(exchange: &Mutex<Exchange>) -> MutexGuard<'_, Exchange> {
    exchange.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Phones {
    /// # Errors
    /// When no socket can be had.
    pub async fn switch_on(habits: Habits, quality: Quality) -> io::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        let _ = SockRef::from(&socket).set_recv_buffer_size(habits.receive_buffer);
        let address = socket.local_addr()?;
        let home = Home {
            transport: Transport::Udp,
            address,
        };
        let mut phones = Self::at(address, vec![home], habits, quality).await?;
        let exchange = Arc::clone(&phones.exchange);
        phones.tasks.spawn(async move { run(&exchange, &socket).await });
        Ok(phones)
    }

    /// Phones that speak over connections.
    ///
    /// # Errors
    /// When no socket can be had.
    pub async fn on_streams(habits: Habits, setup: StreamSetup) -> io::Result<Self> {
        let transport = if setup.certificates.is_some() {
            Transport::Tls
        } else {
            Transport::Tcp
        };
        let homes = setup.homes.iter().map(|&address| Home { transport, address });
        let address = setup.listener.local_addr()?;
        let mut phones = Self::at(address, homes.collect(), habits, Quality::default()).await?;
        let (connections, comes) = Connections::new(setup.server, setup.certificates);
        phones.tasks.spawn(connections.clone().accept(setup.listener));
        let exchange = Arc::clone(&phones.exchange);
        phones
            .tasks
            .spawn(async move { run_on_streams(&exchange, &connections, comes, &setup.passages).await });
        Ok(phones)
    }

    async fn at(address: SocketAddr, homes: Vec<Home>, habits: Habits, quality: Quality) -> io::Result<Self> {
        // Sound goes to a socket that nobody reads: refused packets would say that the phone has gone.
        let sound = UdpSocket::bind("127.0.0.1:0").await?;
        let line = Line {
            quality,
            random: Random::part(habits.seed, u64::MAX),
            packets: 0,
            lost: 0,
        };
        let exchange = Exchange::new(homes, sound.local_addr()?, habits, line);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let _sound = sound;
            pending().await
        });
        Ok(Self {
            address,
            exchange: Arc::new(Mutex::new(exchange)),
            tasks,
        })
    }

    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many phones that `number` rings are ringing or off-hook.
    #[must_use]
    pub fn up(&self, number: &str) -> usize {
        let exchange = lock(&self.exchange);
        let call_ids = exchange.by_number.get(number);
        let calls = call_ids.into_iter().flatten().filter_map(|id| exchange.calls.get(id));
        calls.map(PhoneCall::up).sum()
    }

    /// How many are in all.
    #[must_use]
    pub fn all_up(&self) -> usize {
        lock(&self.exchange).calls.values().map(PhoneCall::up).sum()
    }

    /// How many are off-hook and know that the server knows: their answer is ACKed.
    #[must_use]
    pub fn all_acked(&self) -> usize {
        lock(&self.exchange).calls.values().map(PhoneCall::acked).sum()
    }

    /// Each call with a phone that is ringing or off-hook, in words, for whoever has to find out why.
    #[must_use]
    pub fn who_is_up(&self) -> Vec<String> {
        let exchange = lock(&self.exchange);
        let up = exchange.calls.iter().filter(|(_, call)| call.up() > 0);
        up.map(|(call_id, call)| format!("Call-ID {call_id}: {call:?}"))
            .collect()
    }

    /// From now on the line is like this.
    pub fn change_line(&self, quality: Quality) {
        lock(&self.exchange).line.quality = quality;
    }

    /// Phones that are called from now on behave like this.
    pub fn change_habits(&self, change: impl FnOnce(&mut Habits)) {
        change(&mut lock(&self.exchange).habits);
    }

    /// DisconnectPhoneCall for this number has just been answered with success.
    pub fn hung_up(&self, number: &str) {
        lock(&self.exchange).witness.hung_up(number, Instant::now());
    }

    /// A server is about to be started; it is asked nothing until [`Phones::server_is_asked`].
    pub fn server_starts(&self) {
        let witness = &mut lock(&self.exchange).witness;
        witness.unasked = true;
        witness.life += 1;
        witness.facts.first_bye = None;
        witness.facts.last_bye = None;
    }

    pub fn server_is_asked(&self) {
        lock(&self.exchange).witness.unasked = false;
    }

    #[must_use]
    pub fn facts(&self) -> Facts {
        let exchange = lock(&self.exchange);
        Facts {
            packets: exchange.line.packets,
            lost: exchange.line.lost,
            ..exchange.witness.facts
        }
    }
}

async fn run(exchange: &Mutex<Exchange>, socket: &UdpSocket) {
    let mut buffer = vec![0; 65_536];
    loop {
        let (out, due) = lock(exchange).catch_up(Instant::now());
        for (packet, to) in out {
            // A server that was killed refuses packets. That is what the phones are to live through.
            if let Way::Datagrams(to) = to {
                let _ = socket.send_to(&packet, to).await;
            }
        }
        tokio::select! {
            received = socket.recv_from(&mut buffer) => {
                let mut received = received;
                while let Ok((length, from)) = received {
                    let now = Instant::now();
                    lock(exchange).arrive(&buffer[..length], Way::Datagrams(from), &Seen::at_once(now), now);
                    received = socket.try_recv_from(&mut buffer);
                }
            }
            () = until(due) => {}
        }
    }
}

async fn run_on_streams(
    exchange: &Mutex<Exchange>,
    connections: &Connections,
    mut comes: mpsc::Receiver<Coming>,
    passages: &Passages,
) {
    loop {
        let (out, due) = lock(exchange).catch_up(Instant::now());
        for (bytes, way) in out {
            connections.send(bytes, way);
        }
        tokio::select! {
            coming = comes.recv() => {
                let mut coming = coming;
                while let Some(Coming { bytes, way, from }) = coming {
                    let now = Instant::now();
                    let passage = from.and_then(|from| passages.of(from));
                    let seen = passage.map_or_else(|| Seen::at_once(now), Seen::through);
                    lock(exchange).arrive(&bytes, way, &seen, now);
                    coming = comes.try_recv().ok();
                }
            }
            () = until(due) => {}
        }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => pending().await,
    }
}
