//! Every phone of a run, behind one UDP socket and one bad line.
//!
//! They keep to RFC 3261 and count themselves: which ring, which are off-hook. They hear each other's packets no more than
//! real ones do: a call is known by its `Call-ID`.

mod call;
mod line;
mod message;
mod witness;

use std::{
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, HashMap},
    future::pending,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use socket2::SockRef;
use tokio::{
    net::UdpSocket,
    task::JoinHandle,
    time::{sleep, sleep_until},
};

use crate::{ProvingError, random::Random};
use call::{Alarm, Doings, PhoneCall};
use line::Line;
use message::Message;
use witness::Witness;

pub use call::{FORKING, NUMBERS};
pub use line::Quality;
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
    task: JoinHandle<()>,
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
        // Sound goes to a socket that nobody reads: refused packets would say that the phone has gone.
        let sound = UdpSocket::bind("127.0.0.1:0").await?;
        let address = socket.local_addr()?;
        let line = Line {
            quality,
            random: Random::part(habits.seed, u64::MAX),
            packets: 0,
            lost: 0,
        };
        let exchange = Exchange {
            address,
            sound: sound.local_addr()?,
            habits,
            line,
            calls: HashMap::new(),
            by_number: HashMap::new(),
            agenda: BinaryHeap::new(),
            entries: 0,
            witness: Witness::default(),
        };
        let exchange = Arc::new(Mutex::new(exchange));
        let theirs = Arc::clone(&exchange);
        let task = tokio::spawn(async move {
            let _sound = sound;
            run(&theirs, &socket).await;
        });
        Ok(Self {
            address,
            exchange,
            task,
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

    /// When the first BYE for this number was seen.
    #[must_use]
    pub fn byed_at(&self, number: &str) -> Option<Instant> {
        lock(&self.exchange).witness.byed_at(number)
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
        lock(&self.exchange).witness.hung_up(number);
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

impl Drop for Phones {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Exchange {
    address: SocketAddr,
    sound: SocketAddr,
    habits: Habits,
    line: Line,
    calls: HashMap<Arc<str>, PhoneCall>,
    by_number: HashMap<String, Vec<Arc<str>>>,
    agenda: BinaryHeap<Reverse<Entry>>,
    entries: u64,
    witness: Witness,
}

struct Entry {
    due: Instant,
    /// What was entered first is done first.
    number: u64,
    todo: Todo,
}

enum Todo {
    /// A packet reaches the phones.
    Deliver(Vec<u8>, SocketAddr),
    /// A packet leaves the line at the server's end.
    Send(Vec<u8>, SocketAddr),
    Wake(Arc<str>, SocketAddr, Alarm),
}

impl Exchange {
    fn enter(&mut self, due: Instant, todo: Todo) {
        self.entries += 1;
        let number = self.entries;
        self.agenda.push(Reverse(Entry { due, number, todo }));
    }

    fn arrive(&mut self, packet: &[u8], from: SocketAddr, now: Instant) {
        if let Some(message) = Message::parse(packet) {
            self.witness.see(&message, self.habits.t1 * 64, now);
        }
        for delay in self.line.fates().into_iter().flatten() {
            self.enter(now + delay, Todo::Deliver(packet.to_owned(), from));
        }
    }

    /// Does what is due; returns what is to be sent, and when to come again.
    fn catch_up(&mut self, now: Instant) -> (Vec<(Vec<u8>, SocketAddr)>, Option<Instant>) {
        let mut out = Vec::new();
        while self.agenda.peek().is_some_and(|Reverse(entry)| entry.due <= now) {
            let Some(Reverse(entry)) = self.agenda.pop() else { break };
            match entry.todo {
                Todo::Send(packet, to) => out.push((packet, to)),
                Todo::Deliver(packet, from) => self.deliver(&packet, from, now),
                Todo::Wake(call_id, server, Alarm::Forget) => self.forget(&call_id, server, now),
                Todo::Wake(call_id, server, alarm) => {
                    let mut doings = Doings::default();
                    if let Some(call) = self.calls.get_mut(&call_id) {
                        call.wake(alarm, now, &mut doings);
                    }
                    self.carry_out(doings, &call_id, server, now);
                }
            }
        }
        (out, self.agenda.peek().map(|Reverse(entry)| entry.due))
    }

    fn deliver(&mut self, packet: &[u8], server: SocketAddr, now: Instant) {
        let Some(message) = Message::parse(packet) else { return };
        let Some(call_id) = message.header("Call-ID").map(Arc::<str>::from) else {
            return;
        };
        let mut doings = Doings::default();
        if let Some(call) = self.calls.get_mut(&call_id) {
            call.take(&message, now, &mut doings);
        } else {
            match message.method() {
                Some("INVITE") => self.invited(message, &call_id, &mut doings),
                Some("ACK") | None => {}
                Some(_) => doings
                    .send
                    .push(message.response("481 Call Does Not Exist", "", "", "")),
            }
        }
        self.carry_out(doings, &call_id, server, now);
    }

    fn invited(&mut self, invite: Message, call_id: &Arc<str>, doings: &mut Doings) {
        let Some(number) = invite.number().map(str::to_owned) else {
            return;
        };
        let contact = format!("sip:{number}@{}", self.address);
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {} RTP/AVP 0\r\n",
            self.sound.port()
        );
        let call = PhoneCall::ring(invite, number.clone(), &self.habits, contact, sdp, doings);
        self.by_number.entry(number).or_default().push(Arc::clone(call_id));
        self.calls.insert(Arc::clone(call_id), call);
        doings.later.push((self.habits.t1 * 600, Alarm::Forget));
    }

    /// Whatever was asked about this call has been, long ago.
    fn forget(&mut self, call_id: &Arc<str>, server: SocketAddr, now: Instant) {
        let Some(call) = self.calls.get(call_id) else { return };
        if call.up() > 0 {
            let again = Todo::Wake(Arc::clone(call_id), server, Alarm::Forget);
            self.enter(now + self.habits.t1 * 600, again);
        } else {
            self.by_number.remove(&call.number);
            self.calls.remove(call_id);
        }
    }

    fn carry_out(&mut self, doings: Doings, call_id: &Arc<str>, server: SocketAddr, now: Instant) {
        for text in doings.send {
            for delay in self.line.fates().into_iter().flatten() {
                self.enter(now + delay, Todo::Send(text.clone().into_bytes(), server));
            }
        }
        for (after, alarm) in doings.later {
            self.enter(now + after, Todo::Wake(Arc::clone(call_id), server, alarm));
        }
    }
}

async fn run(exchange: &Mutex<Exchange>, socket: &UdpSocket) {
    let mut buffer = vec![0; 65_536];
    loop {
        let (out, due) = lock(exchange).catch_up(Instant::now());
        for (packet, to) in out {
            // A server that was killed refuses packets. That is what the phones are to live through.
            let _ = socket.send_to(&packet, to).await;
        }
        let sleep = async {
            match due {
                Some(due) => sleep_until(due.into()).await,
                None => pending().await,
            }
        };
        tokio::select! {
            received = socket.recv_from(&mut buffer) => {
                let mut received = received;
                while let Ok((length, from)) = received {
                    lock(exchange).arrive(&buffer[..length], from, Instant::now());
                    received = socket.try_recv_from(&mut buffer);
                }
            }
            () = sleep => {}
        }
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.due, self.number).cmp(&(other.due, other.number))
    }
}
