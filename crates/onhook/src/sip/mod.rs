//! SIP: messages to and from peers, by UDP, TCP and TLS.
//!
//! The only room that names the SIP library, and it uses the lower half of it: parser, transports and transactions
//! (why, and what relies on this very version: `docs/decisions`). Calls and dialogs are not known here: requests come
//! as text from the pure call machine, responses and peers' requests go up as events. What stays below is what
//! belongs to a trunk and to no call: REGISTER and OPTIONS.
//!
//! ```text
//! mod       the handle, its events, opening and closing       listen   what it is opened with
//! shared    what its tasks share
//! drive     client transactions, one call's messages in order  chains   what waits to be sent
//! incoming  server transactions                                tap      sees each message before the library does
//! read      our sockets, message by message                    stream   TCP and TLS connections, as the library has them
//! accept    connections that peers open                        refuse   requests that nobody could serve
//! connect   from a URI to a connection
//! net       our sockets                                        peers    who is listened to at all
//! trunk     a way out, and its state                           wire     text, messages, views, URIs
//! register  the binding of our Contact                         keep_alive  whether a trunk is there
//! out_of_call  what both of these send
//! ```
//!
//! Every queue has a bound. The library's own channels have none: `read` goes on when a message has been matched, and what
//! becomes of one is counted in `tap`.

mod accept;
mod chains;
mod connect;
mod drive;
mod incoming;
mod keep_alive;
mod listen;
mod net;
mod out_of_call;
mod peers;
mod read;
mod refuse;
mod register;
mod shared;
mod stream;
mod tap;
mod trunk;
mod wire;

use std::{
    net::IpAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use call::Local;
use rsipstack::{EndpointBuilder, transaction::transaction::TransactionEvent, transport::TransportLayer};
use sip::{CallIdHeader, Outgoing, Tag, Tx};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use crate::net::TlsError;
pub use incoming::{Incoming, InviteProgress};
pub use listen::{Listen, Listener, ListenerError, Timers, TlsClient, TlsServer, Transport, UnknownTransport};
pub use net::BindError;
pub use trunk::{Reachability, RegisterError, Registration, RegistrationState, Trunk, TrunkState};

use chains::Chains;
use connect::Connector;
use net::Net;
use peers::Peers;
use read::Reader;
use shared::Core;
use tap::{Allowance, Load};
use trunk::Kept;

use crate::{
    net::{
        places::{self, Places},
        tls,
    },
    panics,
    reach::Reach,
};

/// Events that wait for the owner of the calls.
const EVENTS: usize = 4096;
/// Between a panic and a new beginning.
const AFTER_A_PANIC: Duration = Duration::from_secs(1);
/// How long closing waits for the library's own tasks.
const CLOSE: Duration = Duration::from_secs(2);

/// What a peer, or its silence, tells us.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "requests are rare, and a box each would be paid by every reader"
)]
pub enum SipEvent {
    /// A response that a peer sent, except a 2xx to INVITE.
    Response(sip::Response),
    /// A transaction ended without a final response from the peer.
    NoResponse {
        call_id: CallIdHeader,
        tx: Tx,
        why: NoResponse,
    },
    /// A 2xx to an INVITE of ours: each one, also repeated, of another fork, or late. It may come before the
    /// [`SipEvent::Response`] of a provisional that was sent earlier.
    Answer(sip::Response),
    /// A request of a peer.
    Request(Incoming),
}

/// Why there is no final response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoResponse {
    /// Timer B or F: 64 × T1 (RFC 3261 §17.1).
    #[error("no answer")]
    TimedOut,
    /// No connection, told at once; with the reason.
    #[error("unreachable: {0}")]
    Unreachable(String),
}

/// Why the room cannot open or cannot say where we are.
#[derive(Debug, thiserror::Error)]
pub enum SipError {
    #[error("there is no SIP listener")]
    NoListener,
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error("trunk {0}: next_hop and outbound_proxy are URIs such as sip:pbx.example;transport=tcp")]
    Trunk(String),
    #[error("trunk {trunk}: no {transport} listener that reaches it")]
    TrunkTransport { trunk: String, transport: Transport },
    #[error("there is no trunk named {0}")]
    UnknownTrunk(String),
    #[error("no local address for {0}")]
    NoAddress(Transport),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("the SIP library did not start: {0}")]
    Library(String),
}

/// Takes a datagram through all that looks at one before a call does, and our answer to it to the text of that answer.
/// Nothing is sent: this is for fuzzing.
pub fn look_at(datagram: &[u8]) {
    let _ = peers::call_id(datagram);
    let _ = read::front(datagram, &mut 0);
    let Ok(message) = rsipstack::sip::SipMessage::try_from(datagram) else {
        return;
    };
    match message {
        rsipstack::sip::SipMessage::Request(request) => {
            let reply = refuse::no_call(&request);
            let _ = wire::request(&request);
            let _ = wire::reply(&request, &Tag::new("fuzz"), &reply, "fuzz").to_string();
        }
        rsipstack::sip::SipMessage::Response(response) => {
            let _ = wire::response(&response);
            let _ = wire::granted_expiry(&response, "sip:onhook@h");
        }
    }
}

/// The open room. Clones share it.
#[derive(Clone)]
pub struct Sip {
    core: Arc<Core>,
}

/// How much is going on, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SipLoad {
    /// Call-IDs with messages that wait to be sent.
    pub sending: usize,
    /// Requests of ours that wait for a final response.
    pub client_transactions: usize,
    /// Requests of peers that are being answered.
    pub server_transactions: usize,
    /// TCP and TLS connections.
    pub connections: usize,
    /// 2xx left to be repeated by the peer since the start, because the owner of the calls had too much to read.
    pub answers_dropped: usize,
    /// Messages and connections of strangers, and messages beyond a bound, since the start.
    pub turned_away: u64,
}

impl Sip {
    /// Binds every listener before it returns; events arrive on the receiver, which has a bound.
    ///
    /// Trunks with a host name are looked up first, within [`Listen::stream_limit`]; one that is not found is no error.
    ///
    /// # Errors
    ///
    /// When a listener cannot be bound, a certificate cannot be read, or a trunk has no usable URI or no listener
    /// for its transport.
    pub async fn start(listen: Listen, trunks: Vec<Trunk>) -> Result<(Self, mpsc::Receiver<SipEvent>), SipError> {
        if listen.listeners.is_empty() {
            return Err(SipError::NoListener);
        }
        let trunks = trunks
            .into_iter()
            .map(|trunk| Kept::new(trunk).map(Arc::new))
            .collect::<Result<Vec<_>, _>>()?;
        let others = listen.tls.is_some().then(|| listen.tls_client.clone());
        let verifiers = shared::verifiers(others.as_ref(), &trunks)?;
        let (closing, tracker) = (CancellationToken::new(), TaskTracker::new());
        let peers = Arc::new(Peers::new(listen.peers.clone(), trunks.clone()));
        let (net, acceptors) = Net::bind(&listen, &peers, &tracker, &closing).await?;

        let (events, receiver) = mpsc::channel(EVENTS);
        let load = Arc::new(Load::default());
        let layer = TransportLayer::new_with_domain_resolver(closing.clone(), Box::new(connect::Resolver));
        let endpoint = EndpointBuilder::new()
            .with_cancel_token(closing.clone())
            .with_transport_layer(layer)
            .with_user_agent(&listen.user_agent)
            .with_option(shared::option(listen.timers))
            .with_inspector(Box::new(tap::Marker))
            .build();
        let mut requests = endpoint
            .incoming_transactions()
            .map_err(|error| SipError::Library(error.to_string()))?;
        let endpoint = endpoint.inner;
        let tap = tap::Tap {
            endpoint: Arc::downgrade(&endpoint),
            branch_key: listen.branch_key.clone(),
            stateless_tag: Tag::new(shared::random_text()),
            events: events.clone(),
            load: load.clone(),
            peers: peers.clone(),
            allowance: Allowance::new(listen.requests_per_second),
            takes_calls: listen.takes_calls,
        };
        let reader = Reader::new(tap, &tracker, &closing);

        let core = Arc::new(Core {
            connector: Connector::new(
                reader.clone(),
                verifiers,
                closing.clone(),
                listen.stream_limit,
                peers.clone(),
            ),
            endpoint: endpoint.clone(),
            net,
            chains: Chains::default(),
            trunks,
            peers,
            events,
            branch_key: listen.branch_key,
            stream_limit: listen.stream_limit,
            user_agent: listen.user_agent.into(),
            others,
            load: load.clone(),
            leaving: CancellationToken::new(),
            closing: closing.clone(),
            tracker: tracker.clone(),
            trunk_tasks: TaskTracker::new(),
        });
        core.check_trunks().await?;

        let until = closing.clone();
        tracker.spawn(panics::vital("the SIP library", async move {
            let ended = endpoint.serve().await;
            if !until.is_cancelled() {
                tracing::error!(?ended, "the SIP library stopped");
                panics::died("the SIP library");
            }
        }));
        for socket in core.net.udp() {
            reader.datagrams(socket);
        }
        let places = Places::default();
        for acceptor in acceptors {
            let accepting = acceptor.run(closing.clone(), tracker.clone(), reader.clone(), places.clone());
            tracker.spawn(panics::vital("a SIP listener", accepting));
        }
        let answering = core.clone();
        tracker.spawn(panics::vital("the SIP server transactions", async move {
            while let Some(Some(transaction)) = answering.closing.run_until_cancelled(requests.recv()).await {
                let (core, counted) = (answering.clone(), answering.load.answering());
                answering.tracker.spawn(async move {
                    incoming::serve(&core, transaction).await;
                    drop(counted);
                });
            }
        }));
        tend_trunks(&core);
        Ok((Self { core }, receiver))
    }

    /// The listeners with the addresses that they really have.
    #[must_use]
    pub fn listening(&self) -> Vec<Listener> {
        self.core.net.listeners().to_vec()
    }

    /// What goes into Via and Contact of requests that leave by this trunk.
    ///
    /// # Errors
    ///
    /// [`SipError::UnknownTrunk`], or [`SipError::NoAddress`] while a trunk's host name cannot be resolved and we
    /// listen on a wildcard address.
    pub fn local(&self, trunk: &str) -> Result<Local, SipError> {
        let kept = self
            .core
            .kept(trunk)
            .ok_or_else(|| SipError::UnknownTrunk(trunk.to_owned()))?;
        self.core.last_local(kept)
    }

    /// The same for a peer that is no trunk.
    ///
    /// # Errors
    ///
    /// [`SipError::NoAddress`] without a listener of that transport and address family.
    pub fn local_for(&self, transport: Transport, peer: IpAddr) -> Result<Local, SipError> {
        self.core.local_towards(transport, Some(peer))
    }

    /// A call begins: what comes with its Call-ID is listened to, and its requests go where this trunk may send them.
    ///
    /// Calls that were never begun may send anywhere, and hear from known peers only.
    pub fn begin(&self, call_id: &CallIdHeader, trunk: &str) {
        self.core.peers.begin(call_id, trunk);
    }

    /// The call is over, and nothing can come of it any more.
    pub fn end(&self, call_id: &CallIdHeader) {
        self.core.peers.end(call_id);
    }

    /// Where the answers of this trunk may send us.
    #[must_use]
    pub fn reach(&self, trunk: &str) -> Option<Reach> {
        self.core.peers.reach(trunk)
    }

    /// Sends one call's messages in the order given, also across calls with the same Call-ID. Never blocks.
    ///
    /// An ACK goes out without a transaction. Everything else opens a client transaction, whose responses or silence
    /// come back as events under the same [`Tx`].
    pub fn send(&self, call_id: &CallIdHeader, messages: Vec<Outgoing>) {
        drive::send(&self.core, call_id, messages, false);
    }

    /// Takes up an INVITE that left before a restart and had a provisional response: nothing is sent, and what still
    /// comes back is matched and, if it is a refusal, ACKed.
    pub fn resume(&self, call_id: &CallIdHeader, invite: Outgoing) {
        drive::send(&self.core, call_id, vec![invite], true);
    }

    /// Ends a transaction that hangs. Nothing more is told of it.
    pub fn stop(&self, call_id: &CallIdHeader, tx: &Tx) {
        drive::stop(&self.core, call_id, tx);
    }

    /// The trunk's present state.
    #[must_use]
    pub fn trunk(&self, name: &str) -> Option<TrunkState> {
        Some(self.core.kept(name)?.state.borrow().clone())
    }

    /// The trunk's state as it changes.
    #[must_use]
    pub fn watch(&self, name: &str) -> Option<watch::Receiver<TrunkState>> {
        Some(self.core.kept(name)?.state.subscribe())
    }

    /// Reads certificates, keys and roots again, for connections from now on; those that are open stay as they are.
    ///
    /// # Errors
    ///
    /// [`TlsError`]: what could not be read stays what it was.
    pub fn reload(&self) -> Result<(), TlsError> {
        let core = &self.core;
        if let Some(certificate) = &core.net.certificate {
            certificate.reload()?;
        }
        let verifiers = shared::verifiers(core.others.as_ref(), &core.trunks)?;
        core.connector.set_verifiers(verifiers);
        Ok(())
    }

    /// How much is going on.
    #[must_use]
    pub fn load(&self) -> SipLoad {
        let (sending, client_transactions) = self.core.chains.sizes();
        let load = &self.core.load;
        SipLoad {
            sending,
            client_transactions,
            server_transactions: load.server_transactions.load(Ordering::Relaxed),
            connections: load.streams.load(Ordering::Relaxed),
            answers_dropped: load.answers_dropped.load(Ordering::Relaxed),
            turned_away: self.core.peers.turned_away(),
        }
    }

    /// Withdraws the registrations (at most 2 s), ends every transaction and frees the ports.
    ///
    /// Calls are to be ended before: what is still on its way is dropped.
    pub async fn shutdown(self) {
        let core = &self.core;
        core.leaving.cancel();
        core.trunk_tasks.close();
        core.trunk_tasks.wait().await;
        core.closing.cancel();
        core.endpoint.transactions.with(|live| {
            for (key, sender) in live {
                let _ = sender.send(TransactionEvent::Terminate(key.clone()));
            }
        });
        core.net.close();
        core.tracker.close();
        if timeout(CLOSE, core.tracker.wait()).await.is_err() {
            tracing::warn!("SIP closed with tasks still running");
        }
    }
}

fn tend_trunks(core: &Arc<Core>) {
    for kept in &core.trunks {
        if let Some(interval) = kept.trunk.keepalive {
            let (leaving, core, kept) = (core.leaving.clone(), core.clone(), kept.clone());
            let trunk_tasks = core.trunk_tasks.clone();
            trunk_tasks.spawn(async move {
                let asking = again(|| keep_alive::keep_alive(core.clone(), kept.clone(), interval));
                leaving.run_until_cancelled(asking).await;
            });
        }
        if let Some(registration) = kept.trunk.register {
            let (core, kept) = (core.clone(), kept.clone());
            let trunk_tasks = core.trunk_tasks.clone();
            trunk_tasks.spawn(async move { again(|| register::keep(core.clone(), kept.clone(), registration)).await });
        }
    }
}

/// Begins anew whenever it panics: an answer of one trunk is no reason to end the calls of all.
async fn again<F: Future<Output = ()>>(tend: impl Fn() -> F) {
    while panics::caught(tend()).await.is_err() {
        tokio::time::sleep(AFTER_A_PANIC).await;
    }
}
