//! A proxy between server and phones that sees bytes alone: it cuts, stalls and splits connections.
//!
//! What passes is split at any byte and held up now and then, always; the rest is asked for. It cannot see into TLS, and has no need to.

use std::{
    future::pending,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use socket2::{Domain, SockRef, Socket, Type};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    select,
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    phones::{Passage, Passages},
    random::Random,
};

const BACKLOG: i32 = 128;
/// Bytes of the sender's that wait in the system: more stay with it while nothing passes.
const RECEIVE_BUFFER: usize = 8 * 1024;
const CHUNK: usize = 16 * 1024;
/// A segment has up to so many bytes; of ten one in its middle is a single byte.
const SEGMENT: u64 = 700;
/// Of a hundred segments so many are followed by a pause.
const PAUSES: u64 = 3;
const PAUSE: Duration = Duration::from_millis(3);
/// With nothing to read for so long nothing is under way.
const EMPTY: Duration = Duration::from_millis(10);
/// A half that is still open when the other one is closed is closed after this.
const OTHER_HALF: Duration = Duration::from_millis(100);

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// In both directions, in order.
    Closed,
    /// First only towards the server, which may still send.
    HalfClosed,
    Reset,
}

/// Which of a leg's ends the server is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opens {
    Server,
    Phones,
}

/// What is done to all connections of a leg.
#[derive(Clone, Copy, Debug)]
struct Weather {
    stalls: bool,
    refuses: bool,
    ends_behind_requests: Option<End>,
    /// How often all connections were ended, and how last.
    ended: u64,
    end: End,
}

/// One address of the proxy, and what is behind it.
pub(super) struct Leg {
    pub(super) address: SocketAddr,
    weather: watch::Sender<Weather>,
    listening: watch::Receiver<bool>,
    counts: Arc<Counts>,
    _task: JoinSet<()>,
}

/// Connections that there were, and how many of them the proxy has ended.
#[derive(Default)]
struct Counts {
    opened: AtomicU64,
    ended: AtomicU64,
}

struct Route {
    opens: Opens,
    leads_to: SocketAddr,
    passages: Passages,
    random: Mutex<Random>,
    counts: Arc<Counts>,
}

impl Leg {
    /// Listens, and leads to `leads_to`.
    pub(super) fn open(opens: Opens, leads_to: SocketAddr, passages: Passages, random: Random) -> io::Result<Self> {
        // It keeps the port while nobody listens there: who connects is refused.
        let reserved = socket()?;
        reserved.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
        let address = reserved
            .local_addr()?
            .as_socket()
            .ok_or(io::ErrorKind::AddrNotAvailable)?;
        let weather = Weather {
            stalls: false,
            refuses: false,
            ends_behind_requests: None,
            ended: 0,
            end: End::Closed,
        };
        let (weather, changes) = watch::channel(weather);
        let first = listen(address)?;
        let (listens, listening) = watch::channel(true);
        let counts = Arc::new(Counts::default());
        let route = Arc::new(Route {
            opens,
            leads_to,
            passages,
            random: Mutex::new(random),
            counts: Arc::clone(&counts),
        });
        let mut task = JoinSet::new();
        task.spawn(async move {
            let _reserved = reserved;
            accept(first, address, &route, changes, &listens).await;
        });
        Ok(Self {
            address,
            weather,
            listening,
            counts,
            _task: task,
        })
    }

    pub(super) fn stall(&self, stalls: bool) {
        self.weather.send_modify(|weather| weather.stalls = stalls);
    }

    pub(super) fn refuse(&self, refuses: bool) {
        self.weather.send_modify(|weather| weather.refuses = refuses);
    }

    pub(super) fn end_behind_requests(&self, end: Option<End>) {
        self.weather.send_modify(|weather| weather.ends_behind_requests = end);
    }

    pub(super) fn end_all(&self, end: End) {
        self.weather.send_modify(|weather| {
            weather.ended += 1;
            weather.end = end;
        });
    }

    /// Returns when somebody listens.
    pub(super) async fn listens(&self) {
        let _ = self.listening.clone().wait_for(|listens| *listens).await;
    }

    /// Connections that there were, and how many of them were ended here.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.counts.opened.load(Relaxed), self.counts.ended.load(Relaxed))
    }
}

fn socket() -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_port(true)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket()?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

async fn accept(
    first: TcpListener,
    address: SocketAddr,
    route: &Arc<Route>,
    mut weather: watch::Receiver<Weather>,
    listens: &watch::Sender<bool>,
) {
    let mut links = JoinSet::new();
    let mut listener = Some(first);
    loop {
        if weather.borrow_and_update().refuses {
            listener = None;
        } else if listener.is_none() {
            listener = listen(address).ok();
        }
        listens.send_replace(listener.is_some());
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => pending().await,
            }
        };
        select! {
            Ok((near, _)) = accepted => {
                let link = Link { route: Arc::clone(route), weather: weather.clone() };
                links.spawn(async move { let _ = link.live(near).await; });
            }
            changed = weather.changed() => if changed.is_err() { return },
        }
        while links.try_join_next().is_some() {}
    }
}

/// One connection from end to end.
struct Link {
    route: Arc<Route>,
    weather: watch::Receiver<Weather>,
}

impl Link {
    async fn live(self, near: TcpStream) -> io::Result<()> {
        let Self { route, mut weather } = self;
        // Something may have been written since, though it was not read.
        let opened = Instant::now();
        let before = weather.borrow().ended;
        let far = select! {
            far = reach(route.leads_to, weather.clone()) => far?,
            end = ended(&mut weather, before) => return close(&route, &[&near], end),
        };
        near.set_nodelay(true)?;
        far.set_nodelay(true)?;
        route.counts.opened.fetch_add(1, Relaxed);
        let passage = match route.opens {
            Opens::Server => route.passages.begin(far.local_addr()?, opened),
            Opens::Phones => Arc::new(Passage::new(opened)),
        };
        let (mut server, mut phones) = match route.opens {
            Opens::Server => (near, far),
            Opens::Phones => (far, near),
        };
        let end = pass(&route, &mut weather, before, &passage, (&mut server, &mut phones)).await;
        passage.ends();
        end.map_or(Ok(()), |end| close(&route, &[&server, &phones], end))
    }
}

async fn reach(leads_to: SocketAddr, mut weather: watch::Receiver<Weather>) -> io::Result<TcpStream> {
    let _ = weather.wait_for(|weather| !weather.stalls).await;
    TcpStream::connect(leads_to).await
}

/// Returns when all connections of this leg are ended.
async fn ended(weather: &mut watch::Receiver<Weather>, before: u64) -> End {
    match weather.wait_for(|weather| weather.ended > before).await {
        Ok(weather) => weather.end,
        Err(_) => End::Reset,
    }
}

fn close(route: &Route, streams: &[&TcpStream], end: End) -> io::Result<()> {
    route.counts.ended.fetch_add(1, Relaxed);
    if end == End::Reset {
        for stream in streams {
            SockRef::from(*stream).set_linger(Some(Duration::ZERO))?;
        }
    }
    Ok(())
}

/// Passes on what comes until both halves are closed, or until it is to end: then it says how.
async fn pass(
    route: &Route,
    weather: &mut watch::Receiver<Weather>,
    before: u64,
    passage: &Passage,
    (server, phones): (&mut TcpStream, &mut TcpStream),
) -> Option<End> {
    let [of_server, of_phones] = [0, 1].map(|_| {
        let mut random = route.random.lock().unwrap_or_else(PoisonError::into_inner);
        Random::new(random.draw())
    });
    let (mut from_server, mut to_server) = server.split();
    let (mut from_phones, mut to_phones) = phones.split();
    let mut requests = Half {
        weather: weather.clone(),
        random: of_server,
        passage: Some(passage),
    };
    let mut answers = Half {
        weather: weather.clone(),
        random: of_phones,
        passage: None,
    };
    let requests = async {
        let ends = requests.pass(&mut from_server, &mut to_phones).await;
        // Nothing of the server's comes any more.
        passage.ends();
        ends
    };
    let mut requests = std::pin::pin!(requests);
    let (mut no_requests, mut no_answers) = (false, false);
    let end = {
        let answers = answers.pass(&mut from_phones, &mut to_server);
        let mut answers = std::pin::pin!(answers);
        loop {
            select! {
                end = ended(weather, before) => break end,
                passed = &mut requests, if !no_requests => {
                    no_requests = true;
                    match passed {
                        Ok(None) => {}
                        Ok(Some(end)) => break end,
                        Err(_) => return Some(End::Reset),
                    }
                },
                passed = &mut answers, if !no_answers => match passed {
                    Ok(_) => no_answers = true,
                    Err(_) => return Some(End::Reset),
                },
            }
            if no_requests && no_answers {
                return None;
            }
        }
    };
    if end == End::HalfClosed {
        let _ = to_server.shutdown().await;
        if !no_requests {
            let _ = timeout(OTHER_HALF, requests).await;
        }
    }
    Some(end)
}

/// One direction of a connection.
struct Half<'p> {
    weather: watch::Receiver<Weather>,
    random: Random,
    /// Of what the server sends.
    passage: Option<&'p Passage>,
}

impl Half<'_> {
    /// Passes on what comes until it ends. Says how the whole connection is to end, if it is.
    async fn pass(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<Option<End>> {
        let mut chunk = vec![0; CHUNK];
        loop {
            self.until_it_passes().await;
            let length = match timeout(EMPTY, from.read(&mut chunk)).await {
                Ok(length) => length?,
                Err(_) => {
                    if let Some(passage) = self.passage
                        && !self.weather.borrow().stalls
                    {
                        passage.is_empty(Instant::now());
                    }
                    continue;
                }
            };
            if length == 0 {
                to.shutdown().await?;
                return Ok(None);
            }
            let mut rest = &chunk[..length];
            while !rest.is_empty() {
                self.until_it_passes().await;
                let (segment, left) = rest.split_at(self.segment(rest.len()));
                to.write_all(segment).await?;
                rest = left;
                if self.random.chance(PAUSES) {
                    sleep(self.random.up_to(PAUSE)).await;
                }
            }
            let ends = self.weather.borrow().ends_behind_requests;
            if self.passage.is_some() && ends.is_some() {
                return Ok(ends);
            }
        }
    }

    async fn until_it_passes(&mut self) {
        let _ = self.weather.wait_for(|weather| !weather.stalls).await;
    }

    fn segment(&mut self, most: usize) -> usize {
        let length = if self.random.chance(10) {
            1
        } else {
            usize::try_from(self.random.within(1..SEGMENT)).unwrap_or(1)
        };
        length.min(most)
    }
}
