//! What the handle and the tasks of the room share.

use std::{net::IpAddr, sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use call::Local;
use rsipstack::transaction::endpoint::{EndpointInnerRef, EndpointOption};
use sip::BranchKey;
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    SipError, SipEvent,
    chains::Chains,
    connect::Connector,
    listen::{Listener, Timers, TlsClient, Transport},
    net::Net,
    peers::Peers,
    tap::Load,
    tls::{TlsError, Verifiers},
    trunk::Kept,
};

/// Timer C is the call's ring limit, not the library's.
const TIMER_C: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) struct Core {
    pub(super) endpoint: EndpointInnerRef,
    pub(super) net: Net,
    pub(super) connector: Connector,
    pub(super) chains: Chains,
    pub(super) trunks: Vec<Arc<Kept>>,
    pub(super) peers: Arc<Peers>,
    pub(super) events: mpsc::Sender<SipEvent>,
    pub(super) branch_key: BranchKey,
    pub(super) stream_limit: Duration,
    pub(super) user_agent: Arc<str>,
    /// For those who are no trunk; none when TLS is not spoken at all.
    pub(super) others: Option<TlsClient>,
    pub(super) load: Arc<Load>,
    /// Trunks take their leave.
    pub(super) leaving: CancellationToken,
    /// Everything ends.
    pub(super) closing: CancellationToken,
    pub(super) tracker: TaskTracker,
    pub(super) trunk_tasks: TaskTracker,
}

impl Core {
    pub(super) fn spawn(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let closing = self.closing.clone();
        self.tracker.spawn(async move {
            closing.run_until_cancelled(task).await;
        });
    }

    /// Tells the owner of the calls; waits while it has too much to read.
    pub(super) async fn emit(&self, event: SipEvent) {
        let _ = self.closing.run_until_cancelled(self.events.send(event)).await;
    }

    pub(super) fn kept(&self, name: &str) -> Option<&Arc<Kept>> {
        self.trunks.iter().find(|kept| kept.trunk.name == name)
    }

    pub(super) async fn check_trunks(self: &Arc<Self>) -> Result<(), SipError> {
        let mut lookups = JoinSet::new();
        for kept in &self.trunks {
            let (core, kept) = (self.clone(), kept.clone());
            lookups.spawn(async move { core.local(&kept).await.map(|_| ()) });
        }
        while lookups.join_next().await.is_some() {}
        for kept in &self.trunks {
            let listens = |listener: &Listener| listener.transport == kept.transport();
            // A TLS peer may send down the connection that we opened; see `Net::sent_by`.
            if kept.transport() != Transport::Tls && !self.net.listeners().iter().any(listens) {
                return Err(SipError::TrunkTransport {
                    trunk: kept.trunk.name.clone(),
                    transport: kept.transport(),
                });
            }
        }
        Ok(())
    }

    /// What we are for this trunk, after a fresh look at where it is.
    pub(super) async fn local(&self, kept: &Kept) -> Result<Local, SipError> {
        // Whoever looks a trunk's name up tells the trunk.
        self.connector.addresses(&kept.first_hop).await;
        self.last_local(kept)
    }

    pub(super) fn last_local(&self, kept: &Kept) -> Result<Local, SipError> {
        self.local_towards(kept.transport(), kept.peer())
    }

    pub(super) fn local_towards(&self, transport: Transport, peer: Option<IpAddr>) -> Result<Local, SipError> {
        let sent_by = self
            .net
            .sent_by(transport, peer)
            .ok_or(SipError::NoAddress(transport))?;
        let contact = format!("sip:onhook@{sent_by}");
        Ok(Local {
            via: format!("{} {sent_by}", transport.sent_protocol()),
            contact: sip::uri::with_transport(&contact, transport.as_str()),
            transport: transport.as_str().to_owned(),
        })
    }
}

pub(super) fn option(timers: Timers) -> EndpointOption {
    EndpointOption {
        t1: timers.t1,
        t2: timers.t2,
        t4: timers.t4,
        t1x64: timers.t1 * 64,
        timerc: TIMER_C,
        auto_ack_2xx: false,
        ..EndpointOption::default()
    }
}

/// Roots are read when TLS can be spoken at all: a host with no bundle may still do SIP over UDP.
pub(super) fn verifiers(others: Option<&TlsClient>, trunks: &[Arc<Kept>]) -> Result<Verifiers, TlsError> {
    let secure: Vec<_> = trunks
        .iter()
        .filter(|kept| kept.transport() == Transport::Tls)
        .map(|kept| (kept.first_hop.host.clone(), kept.trunk.tls.clone()))
        .collect();
    Verifiers::load(&secure, others)
}

/// 96 random bits as text, for tags and Call-IDs.
pub(super) fn random_text() -> String {
    let mut bytes = [0; 12];
    #[expect(clippy::expect_used, reason = "without a random source nothing here is safe to run")]
    getrandom::fill(&mut bytes).expect("the system has a random source");
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
