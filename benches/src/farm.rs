//! The phone farm: tens of thousands of phones in one process, behind one address.
//!
//! Each number is a phone that is answered at once. The farm costs little, since it has the cores of the server that is measured, and
//! what it times is timed by the kernel. Numbers from [`SOUNDING`] on take the message's sound, whose packets [`streams`] times; the
//! others answer `a=inactive`.
//!
//! ```text
//! phone    one of them                       receiver  datagrams, and when they came
//! message  as much of SIP as they need       streams   the sound that is sent to them
//! ```

mod message;
mod phone;
mod receiver;
pub(crate) mod streams;

use std::{
    collections::VecDeque,
    io,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime},
};

use proving::phones::NUMBERS;

pub(crate) use phone::Facts;
use {
    message::Request,
    phone::{Phone, REPEAT_AFTER, Repeat},
    receiver::{Received, Receiver},
    streams::Streams,
};

/// How many phones there are: of so many numbers none may be read as one that is never called.
pub(crate) const PHONES: usize = 100_000;
/// The first phone that takes sound.
pub(crate) const SOUNDING: usize = 50_000;
/// What is lost is said again this late at the latest, after its time.
const TICK: Duration = Duration::from_millis(50);
/// What may wait at the farm's socket, in bytes: as much as the system allows.
pub(crate) const RECEIVE_BUFFER: usize = 8 * 1024 * 1024;

/// What is dialled to ring a phone.
pub(crate) fn number(phone: usize) -> String {
    (NUMBERS + phone as u64).to_string()
}

/// All phones and what is counted over them.
struct Exchange {
    phones: Vec<Phone>,
    facts: Facts,
    repeats: VecDeque<Repeat>,
    address: SocketAddr,
    /// Where they want their sound, and whether any of them does.
    sound: Vec<u16>,
    is_sound_asked_for: Arc<AtomicBool>,
}

/// The farm, switched on until this is dropped.
pub(crate) struct Farm {
    address: SocketAddr,
    exchange: Arc<Mutex<Exchange>>,
    pub(crate) streams: Streams,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Farm {
    /// `receive_buffer` is what may wait at its socket, in bytes; more is lost.
    pub(crate) fn switch_on(receive_buffer: usize) -> io::Result<Self> {
        let socket = Receiver::bind(0, receive_buffer)?;
        socket.set_read_timeout(Some(TICK))?;
        let streams = Streams::listen()?;
        let address = socket.local_addr()?;
        let exchange = Arc::new(Mutex::new(Exchange {
            phones: (0..PHONES).map(|_| Phone::new()).collect(),
            facts: Facts::default(),
            repeats: VecDeque::new(),
            address,
            sound: streams.ports().to_vec(),
            is_sound_asked_for: streams.is_asked_for(),
        }));
        let is_over = Arc::new(AtomicBool::new(false));
        let thread = thread::Builder::new().name("phones".to_owned()).spawn({
            let (exchange, is_over) = (Arc::clone(&exchange), Arc::clone(&is_over));
            move || run(&socket, &exchange, &is_over)
        })?;
        Ok(Self {
            address,
            exchange,
            streams,
            is_over,
            thread: Some(thread),
        })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn facts(&self) -> Facts {
        lock(&self.exchange).facts
    }

    /// When the BYE of the last call of this phone came.
    pub(crate) fn byed_at(&self, phone: usize) -> Option<SystemTime> {
        lock(&self.exchange).phones[phone].byed_at
    }

    /// The first and the last BYE that came after this moment.
    pub(crate) fn byes_since(&self, since: SystemTime) -> Option<(SystemTime, SystemTime)> {
        let exchange = lock(&self.exchange);
        let byes = exchange
            .phones
            .iter()
            .filter_map(|phone| phone.byed_at)
            .filter(|at| *at >= since);
        byes.fold(None, |found, at| {
            let (first, last) = found.unwrap_or((at, at));
            Some((first.min(at), last.max(at)))
        })
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(exchange: &Mutex<Exchange>) -> MutexGuard<'_, Exchange> {
    exchange.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run(socket: &UdpSocket, exchange: &Mutex<Exchange>, is_over: &AtomicBool) {
    let mut receiver = Receiver::new();
    let mut repeated = Instant::now();
    while !is_over.load(Relaxed) {
        let received = receiver.receive(socket, true, |received| {
            let said = lock(exchange).handle(&received);
            for text in said {
                // A response that cannot be sent is lost, as on any line.
                let _ = socket.send_to(text.as_bytes(), received.from);
            }
        });
        if let Err(error) = received {
            eprintln!("bench: the farm cannot be reached any more: {error}");
            return;
        }
        if repeated.elapsed() >= TICK {
            repeated = Instant::now();
            lock(exchange).repeat(socket, repeated);
        }
    }
}

impl Exchange {
    fn handle(&mut self, received: &Received<'_>) -> Vec<String> {
        let Some(request) = Request::parse(received.bytes) else {
            return Vec::new();
        };
        let nth = request
            .number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_sub(NUMBERS));
        let nth = nth
            .and_then(|nth| usize::try_from(nth).ok())
            .filter(|nth| *nth < PHONES);
        let Some(nth) = nth else {
            return vec![request.response("404 Not Found", "none", "", "")];
        };
        let (phone, facts) = (&mut self.phones[nth], &mut self.facts);
        match request.method {
            "INVITE" => {
                let (address, port) = (self.address, self.sound[nth % self.sound.len()]);
                let answer = || {
                    let contact = format!(
                        "Contact: <sip:{}@{address}>\r\nAllow: INVITE, ACK, BYE, CANCEL\r\nContent-Type: application/sdp\r\n",
                        request.number
                    );
                    request.response("200 OK", request.number, &contact, &description(port, nth >= SOUNDING))
                };
                self.is_sound_asked_for.fetch_or(nth >= SOUNDING, Relaxed);
                let before = facts.invites;
                let said = phone.invited(&request, received.from, answer, facts);
                if facts.invites > before {
                    let at = Instant::now() + REPEAT_AFTER;
                    self.repeats.push_back(Repeat { at, phone: nth });
                }
                said
            }
            "ACK" => {
                phone.acked(&request, facts);
                Vec::new()
            }
            "BYE" => vec![phone.byed(&request, received.at, facts)],
            _ => vec![request.response("200 OK", request.number, "", "")],
        }
    }

    /// Says answers again that nobody has ACKed.
    fn repeat(&mut self, socket: &UdpSocket, now: Instant) {
        while self.repeats.front().is_some_and(|repeat| repeat.at <= now)
            && let Some(Repeat { phone, .. }) = self.repeats.pop_front()
        {
            if let Some((answer, server)) = self.phones[phone].not_acked() {
                let _ = socket.send_to(answer.as_bytes(), server);
                let at = now + REPEAT_AFTER;
                self.repeats.push_back(Repeat { at, phone });
            }
        }
    }
}

/// PCMU, to this port or not at all (RFC 8866).
fn description(port: u16, takes_sound: bool) -> String {
    let direction = if takes_sound { "recvonly" } else { "inactive" };
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 0\r\na={direction}\r\n"
    )
}
