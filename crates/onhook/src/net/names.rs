//! Addresses of host names, looked up outside of the core.
//!
//! The system's resolver blocks, and may block for minutes: it has threads of its own here, a few. Who waits is told after a
//! while that it does not answer; what comes later is told later. Nothing is remembered: that is the switch's. No SRV or NAPTR
//! records.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs as _, UdpSocket},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use media::NoFiles;
use tokio::{
    runtime::Handle,
    sync::{Semaphore, oneshot},
    time::{Instant, timeout_at},
};

use super::events::{Events, NetEvent, Towards};

/// How long a look-up may take before it is told that there is no answer.
pub const LOOK_UP: Duration = Duration::from_secs(4);
/// Look-ups at once, each with a thread.
const AT_ONCE: usize = 8;
/// Names that are being looked up.
const NAMES: usize = 256;

const LATE: &str = "the resolver does not answer";

/// Where names are looked up: all addresses of one, in order. May block.
pub type Resolver = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

/// Looks names up. Clones share what is under way.
#[derive(Clone)]
pub struct Names(Arc<Shared>);

struct Shared {
    runtime: Handle,
    events: Events,
    resolver: Arc<Resolver>,
    threads: Arc<Semaphore>,
    /// At most one of each name.
    under_way: Mutex<HashMap<String, LookUp>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LookUp {
    /// Whoever asks is told when it has ended.
    InTime,
    /// The resolver still owes an answer, for which nobody waits any more.
    Late,
}

/// Addresses, or why there are none.
type Answer = Result<Vec<IpAddr>, String>;

impl Names {
    /// Asks the system.
    #[must_use]
    pub fn new(runtime: Handle, events: Events) -> Self {
        Self::asking(Arc::new(system), runtime, events)
    }

    #[must_use]
    pub fn asking(resolver: Arc<Resolver>, runtime: Handle, events: Events) -> Self {
        Self(Arc::new(Shared {
            runtime,
            events,
            resolver,
            threads: Arc::new(Semaphore::new(AT_ONCE)),
            under_way: Mutex::default(),
        }))
    }

    /// Says by [`NetEvent::Found`] what addresses `host` has, or by [`NetEvent::NotFound`] why that is not known, after [`LOOK_UP`]
    /// at the latest. A name that is being looked up is not looked up twice; the one answer is for all. Never waits.
    pub fn look_up(&self, host: &str) {
        let (host, names) = (host.to_ascii_lowercase(), self.clone());
        let Some(begun) = self.begin(&host) else { return };
        self.0.runtime.spawn(async move {
            match begun {
                Begun::Answered(answer) => names.tell(host, answer).await,
                Begun::Asked => names.ask(host).await,
            }
        });
    }

    /// `None` when somebody else is about to be told.
    fn begin(&self, host: &str) -> Option<Begun> {
        if let Ok(address) = host.parse() {
            return Some(Begun::Answered(Ok(vec![address])));
        }
        let mut under_way = self.under_way();
        match under_way.get(host) {
            Some(LookUp::InTime) => None,
            Some(LookUp::Late) => Some(Begun::Answered(Err(LATE.to_owned()))),
            None if under_way.len() >= NAMES => {
                Some(Begun::Answered(Err(format!("{NAMES} names are being looked up"))))
            }
            None => {
                under_way.insert(host.to_owned(), LookUp::InTime);
                Some(Begun::Asked)
            }
        }
    }

    /// One look-up, which may be told twice: when its time is up, and when it has ended after all.
    async fn ask(&self, host: String) {
        let deadline = Instant::now() + LOOK_UP;
        let Ok(Ok(thread)) = timeout_at(deadline, self.0.threads.clone().acquire_owned()).await else {
            return self.answered(host, Err(LATE.to_owned())).await;
        };
        let (answer, mut answered) = oneshot::channel();
        let (resolver, name) = (self.0.resolver.clone(), host.clone());
        let started = thread::Builder::new().name("resolver".to_owned()).spawn(move || {
            let found = resolver(&name);
            drop(thread);
            let _ = answer.send(found);
        });
        if let Err(error) = started {
            return self.answered(host, Err(error.to_string())).await;
        }
        let answer = match timeout_at(deadline, &mut answered).await {
            Ok(answer) => answer,
            Err(_) => {
                self.under_way().insert(host.clone(), LookUp::Late);
                self.tell(host.clone(), Err(LATE.to_owned())).await;
                answered.await
            }
        };
        let answer = match answer {
            Ok(Ok(addresses)) => Ok(addresses),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("the resolver has failed".to_owned()),
        };
        self.answered(host, answer).await;
    }

    async fn answered(&self, host: String, answer: Answer) {
        self.under_way().remove(&host);
        self.tell(host, answer).await;
    }

    async fn tell(&self, host: String, answer: Answer) {
        let towards = |remote| {
            let local = local_towards(remote).map_err(|error| error.to_string())?;
            Ok(Towards { remote, local })
        };
        let addresses = answer.and_then(|found| found.into_iter().map(towards).collect::<Result<_, String>>());
        let event = match addresses {
            Ok(addresses) => NetEvent::Found { host, addresses },
            Err(why) => NetEvent::NotFound { host, why },
        };
        self.0.events.send(event).await;
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<String, LookUp>> {
        self.0.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What follows a wish for a name.
enum Begun {
    Answered(Answer),
    /// A look-up.
    Asked,
}

fn system(host: &str) -> io::Result<Vec<IpAddr>> {
    let mut addresses = Vec::new();
    for address in (host, 0).to_socket_addrs()? {
        if !addresses.contains(&address.ip()) {
            addresses.push(address.ip());
        }
    }
    Ok(addresses)
}

/// The address that the system would speak to `remote` from, for listeners at all addresses; nothing is sent. `None` when there is no way
/// there.
///
/// # Errors
///
/// When no more files may be open, and so nobody can say.
pub fn local_towards(remote: IpAddr) -> Result<Option<IpAddr>, NoFiles> {
    let any: IpAddr = if remote.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let local = UdpSocket::bind((any, 0)).and_then(|socket| {
        // Any port will do.
        socket.connect((remote, 9))?;
        socket.local_addr()
    });
    match local {
        Ok(local) => Ok(Some(local.ip())),
        Err(error) => NoFiles::of(&error).map_or(Ok(None), Err),
    }
}
