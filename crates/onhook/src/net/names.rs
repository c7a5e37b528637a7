//! Addresses of host names, looked up outside of the core.
//!
//! The system's resolver blocks, and may block for minutes: it has threads of its own here, a few. Who waits is told after a
//! while what was known before; what comes later is told later. No SRV or NAPTR records.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs as _, UdpSocket},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{Semaphore, oneshot},
    time::{Instant, timeout_at},
};

use super::events::{Events, Found, NetEvent, Towards};

/// How long a look-up may take before it is told what was known before.
pub const LOOK_UP: Duration = Duration::from_secs(4);
/// How long what was found is told without looking again.
pub const FRESH: Duration = Duration::from_secs(30);
/// Look-ups at once, each with a thread.
const AT_ONCE: usize = 8;
/// Names in mind; of more, the one found longest ago is forgotten.
const NAMES: usize = 256;

const LATE: &str = "the resolver does not answer";

/// Where names are looked up: all addresses of one, in order. May block.
pub type Resolver = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

/// Looks names up. Clones share what was found.
#[derive(Clone)]
pub struct Names(Arc<Shared>);

struct Shared {
    runtime: Handle,
    events: Events,
    resolver: Arc<Resolver>,
    threads: Arc<Semaphore>,
    known: Mutex<HashMap<String, Known>>,
}

/// What is known of one name.
#[derive(Default)]
struct Known {
    found: Option<(Vec<IpAddr>, Instant)>,
    look_up: LookUp,
}

/// At most one of each name.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum LookUp {
    #[default]
    None,
    /// Whoever asks is told when it has ended.
    InTime,
    /// The resolver still owes an answer, for which nobody waits any more.
    Late,
}

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
            known: Mutex::default(),
        }))
    }

    /// Says by [`NetEvent::Found`] what addresses `host` has: at once what was found within [`FRESH`], else after [`LOOK_UP`]
    /// at the latest. A name that is being looked up is not looked up twice; the one answer is for all. Never waits.
    pub fn look_up(&self, host: &str) {
        let (host, names) = (host.to_ascii_lowercase(), self.clone());
        let Some(begun) = self.begin(&host) else { return };
        self.0.runtime.spawn(async move {
            match begun {
                Begun::Known(known) => names.tell(host, known).await,
                Begun::Asked => names.ask(host).await,
            }
        });
    }

    /// `None` when somebody else is about to be told.
    fn begin(&self, host: &str) -> Option<Begun> {
        if let Ok(address) = host.parse() {
            return Some(Begun::Known((vec![address], Duration::ZERO, None)));
        }
        let mut names = self.known();
        if !names.contains_key(host) && names.len() >= NAMES && !forget_one(&mut names) {
            let failure = format!("{NAMES} names are being looked up");
            return Some(Begun::Known((Vec::new(), Duration::ZERO, Some(failure))));
        }
        let known = names.entry(host.to_owned()).or_default();
        match known.look_up {
            LookUp::InTime => None,
            LookUp::Late => Some(Begun::Known(known.looked_up(Some(LATE.to_owned())))),
            LookUp::None if known.is_fresh() => Some(Begun::Known(known.looked_up(None))),
            LookUp::None => {
                known.look_up = LookUp::InTime;
                Some(Begun::Asked)
            }
        }
    }

    /// One look-up, which may be told twice: when its time is up, and when it has ended after all.
    async fn ask(&self, host: String) {
        let deadline = Instant::now() + LOOK_UP;
        let late = || Err(io::Error::new(io::ErrorKind::TimedOut, LATE));
        let Ok(Ok(thread)) = timeout_at(deadline, self.0.threads.clone().acquire_owned()).await else {
            return self.answered(host, late(), LookUp::None).await;
        };
        let (answer, mut answered) = oneshot::channel();
        let (resolver, name) = (self.0.resolver.clone(), host.clone());
        let started = thread::Builder::new().name("resolver".to_owned()).spawn(move || {
            let found = resolver(&name);
            drop(thread);
            let _ = answer.send(found);
        });
        if let Err(error) = started {
            return self.answered(host, Err(error), LookUp::None).await;
        }
        let answer = match timeout_at(deadline, &mut answered).await {
            Ok(answer) => answer,
            Err(_) => {
                self.answered(host.clone(), late(), LookUp::Late).await;
                answered.await
            }
        };
        let answer = answer.unwrap_or_else(|_| Err(io::Error::other("the resolver has failed")));
        self.answered(host, answer, LookUp::None).await;
    }

    async fn answered(&self, host: String, answer: io::Result<Vec<IpAddr>>, look_up: LookUp) {
        let told = {
            let mut names = self.known();
            let known = names.entry(host.clone()).or_default();
            known.look_up = look_up;
            let failure = match answer {
                Ok(addresses) if addresses.is_empty() => Some(format!("{host} has no address")),
                Ok(addresses) => {
                    known.found = Some((addresses, Instant::now()));
                    None
                }
                Err(error) => Some(error.to_string()),
            };
            known.looked_up(failure)
        };
        self.tell(host, told).await;
    }

    async fn tell(&self, host: String, (addresses, age, failure): LookedUp) {
        let towards = |remote| Towards {
            remote,
            local: local_towards(remote),
        };
        let found = Found {
            host,
            addresses: addresses.into_iter().map(towards).collect(),
            age,
            failure,
        };
        self.0.events.send(NetEvent::Found(found)).await;
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Addresses, their age, and why there is nothing newer.
type LookedUp = (Vec<IpAddr>, Duration, Option<String>);

/// What follows a wish for a name.
enum Begun {
    /// What is known.
    Known(LookedUp),
    /// A look-up.
    Asked,
}

impl Known {
    fn is_fresh(&self) -> bool {
        self.found.as_ref().is_some_and(|(_, at)| at.elapsed() < FRESH)
    }

    fn looked_up(&self, failure: Option<String>) -> LookedUp {
        match &self.found {
            Some((addresses, at)) => (addresses.clone(), at.elapsed(), failure),
            None => (Vec::new(), Duration::ZERO, failure),
        }
    }
}

/// Makes room for a name. False when all are being looked up.
fn forget_one(names: &mut HashMap<String, Known>) -> bool {
    let idle = names.iter().filter(|(_, known)| known.look_up == LookUp::None);
    let oldest = idle.min_by_key(|(_, known)| known.found.as_ref().map(|(_, at)| *at));
    let Some(host) = oldest.map(|(host, _)| host.clone()) else {
        return false;
    };
    names.remove(&host);
    true
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

/// The address that the system would speak to `remote` from, for listeners at all addresses; nothing is sent.
#[must_use]
pub fn local_towards(remote: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = if remote.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    // Any port will do.
    socket.connect((remote, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}
