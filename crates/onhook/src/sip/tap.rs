//! Looks at every message before the library matches it to a transaction.
//!
//! Two gaps of the library are closed here. After a refusal it keeps its ACK for 64 × T1 and answers a late 2xx of
//! another fork with it, so that the phone stays up and nobody is told. And what its own timers make up looks like a
//! peer's response. So: every 2xx to an INVITE of ours goes to the owner of the calls as a copy, and on to the library
//! only while it has the transaction; and what was made up carries a mark that no peer can set.

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use rsipstack::{
    sip::{self as rsip, Header, SipMessage, prelude::*},
    transaction::{
        endpoint::{EndpointInner, MessageInspector},
        key::{TransactionKey, TransactionRole},
    },
    transport::{SipAddr, SipConnection},
};
use sip::{BranchKey, CSeq, CallIdHeader, Method, Reply, Tag};
use subtle::ConstantTimeEq;
use tokio::sync::mpsc;

use super::{SipEvent, peers::Peers, refuse, wire};

/// Requests of peers that are being answered; more are left to be repeated.
const SERVER_TRANSACTIONS: usize = 4096;
/// Answers that are remembered for repeated requests; beyond it no new dialog is looked at.
const REMEMBERED: usize = 32_768;
/// The mark of what no peer sent.
pub(super) const MADE_UP: &str = "X-Onhook-Made-Up";

/// What is counted to keep bounds.
#[derive(Debug, Default)]
pub(super) struct Load {
    pub(super) server_transactions: AtomicUsize,
    pub(super) streams: AtomicUsize,
    /// 2xx that found the events full. The peer repeats them.
    pub(super) answers_dropped: AtomicUsize,
}

impl Load {
    fn has_room(&self) -> bool {
        self.server_transactions.load(Ordering::Relaxed) < SERVER_TRANSACTIONS
    }

    /// Counts one more request that is being answered, for as long as what is returned lives.
    pub(super) fn answering(self: &Arc<Self>) -> Counted {
        Counted::one_more(self, |load| &load.server_transactions)
    }

    /// The same for an open stream.
    pub(super) fn reading(self: &Arc<Self>) -> Counted {
        Counted::one_more(self, |load| &load.streams)
    }
}

/// One of those that are counted; no more when it is dropped, however that comes about.
pub(super) struct Counted {
    load: Arc<Load>,
    of: fn(&Load) -> &AtomicUsize,
}

impl Counted {
    fn one_more(load: &Arc<Load>, of: fn(&Load) -> &AtomicUsize) -> Self {
        of(load).fetch_add(1, Ordering::Relaxed);
        Self { load: load.clone(), of }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.of)(&self.load).fetch_sub(1, Ordering::Relaxed);
    }
}

pub(super) struct Tap {
    /// Weak: who reads must not keep it open.
    pub(super) endpoint: Weak<EndpointInner>,
    pub(super) branch_key: BranchKey,
    /// The same in every answer that has no transaction, so that repetitions are equal.
    pub(super) stateless_tag: Tag,
    pub(super) events: mpsc::Sender<SipEvent>,
    pub(super) load: Arc<Load>,
    pub(super) peers: Arc<Peers>,
    pub(super) allowance: Allowance,
    pub(super) takes_calls: bool,
}

/// How many requests that belong to no call are looked at: so many a second, and two seconds' worth at once.
///
/// A trunk's OPTIONS are few. What is beyond is a flood, from a trunk or in its name, and dropped without an answer.
pub(super) struct Allowance {
    a_second: Option<f64>,
    left: Mutex<(f64, Instant)>,
}

impl Allowance {
    pub(super) fn new(a_second: Option<u32>) -> Self {
        let a_second = a_second.map(f64::from);
        Self {
            a_second,
            left: Mutex::new((a_second.unwrap_or_default() * 2.0, Instant::now())),
        }
    }

    fn spend(&self, now: Instant) -> bool {
        let Some(a_second) = self.a_second else { return true };
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let earned = now.saturating_duration_since(left.1).as_secs_f64() * a_second;
        *left = ((left.0 + earned).min(a_second * 2.0), now);
        let enough = left.0 >= 1.0;
        if enough {
            left.0 -= 1.0;
        }
        enough
    }
}

impl Tap {
    /// Gives a message to its transaction, unless it is turned away. Whoever reads waits for this: nothing is queued.
    pub(super) async fn take(&self, message: SipMessage, connection: SipConnection, from: SipAddr) {
        let Some(endpoint) = self.endpoint.upgrade() else {
            return;
        };
        let wanted = match &message {
            SipMessage::Response(response) => self.wants_response(&endpoint, response),
            SipMessage::Request(request) => self.wants_request(&endpoint, request, (&connection, &from)),
        };
        if wanted && let Err(error) = endpoint.on_received_message(message, connection, &from).await {
            tracing::debug!(%from, %error, "a SIP message came to nothing");
        }
    }

    fn wants_response(&self, endpoint: &EndpointInner, message: &rsip::Response) -> bool {
        if message.has_multiple_vias() {
            return false; // it was meant for somebody behind us, and nobody is (RFC 3261 §8.1.3.3)
        }
        let is_2xx = message.status_code.kind() == rsip::StatusCodeKind::Successful;
        let of_invite = message.cseq_header().and_then(|cseq| cseq.method()).ok() == Some(rsip::Method::Invite);
        if !is_2xx || !of_invite {
            return true;
        }
        let live = TransactionKey::from_response(message, TransactionRole::Client)
            .is_ok_and(|key| endpoint.transactions.contains_key(&key));
        let Some(answer) = wire::response(message) else {
            return false;
        };
        if !live && !self.is_ours(&answer) {
            tracing::debug!(call_id = %answer.call_id, "a 2xx to no INVITE of ours is ignored");
            return false;
        }
        // Whoever reads must not wait for the owner of the calls.
        if self.events.try_send(SipEvent::Answer(answer)).is_err()
            && self.load.answers_dropped.fetch_add(1, Ordering::Relaxed) == 0
        {
            tracing::warn!("SIP answers arrive faster than they are handled; the peers repeat them");
        }
        live
    }

    fn is_ours(&self, answer: &sip::Response) -> bool {
        let invite = CSeq {
            number: answer.cseq.number,
            method: Method::Invite,
        };
        let re_invite = |tag: &Tag| {
            let ours = self.branch_key.branch(&answer.call_id, &invite, Some(tag));
            bool::from(ours.as_str().as_bytes().ct_eq(answer.branch.as_str().as_bytes()))
        };
        self.branch_key.is_ours(&answer.branch, &answer.call_id, &invite)
            || answer.to_tag.as_ref().is_some_and(re_invite)
    }

    fn wants_request(
        &self,
        endpoint: &EndpointInner,
        message: &rsip::Request,
        from: (&SipConnection, &SipAddr),
    ) -> bool {
        if matches!(message.method, rsip::Method::Ack | rsip::Method::Cancel) {
            return true;
        }
        let Ok(key) = TransactionKey::from_request(message, TransactionRole::Server) else {
            self.refuse(endpoint, message, from, &Reply::status(400));
            return false;
        };
        if endpoint.transactions.contains_key(&key) || endpoint.finished_transactions.contains_key(&key) {
            return true;
        }
        let in_call = message
            .call_id_header()
            .is_ok_and(|call_id| self.peers.is_live(&CallIdHeader::new(call_id.value())));
        if !in_call && !self.allowance.spend(Instant::now()) {
            if let Ok(from) = from.1.get_socketaddr() {
                self.peers.turn_away("a request too many", from.ip());
            }
            return false;
        }
        if !in_call && !self.takes_calls && message.method == rsip::Method::Invite {
            self.refuse(endpoint, message, from, &refuse::no_call(message));
            return false;
        }
        let in_dialog = message.to_header().is_ok_and(|to| sip::uri::tag(to.value()).is_some());
        if !in_dialog && endpoint.finished_transactions.len() >= REMEMBERED {
            return false;
        }
        self.load.has_room()
    }

    /// Refuses each time it comes, without a transaction (RFC 3261 §8.2.7).
    fn refuse(
        &self,
        endpoint: &EndpointInner,
        message: &rsip::Request,
        (connection, from): (&SipConnection, &SipAddr),
        reply: &Reply,
    ) {
        if !self.load.has_room() {
            return;
        }
        let answering = self.load.answering();
        let refusal = wire::reply(message, &self.stateless_tag, reply, &endpoint.user_agent);
        let (connection, from) = (connection.clone(), from.clone());
        tokio::spawn(async move {
            if let Err(error) = connection.send(refusal.into(), Some(&from)).await {
                tracing::debug!(%error, "a refusal could not be sent");
            }
            drop(answering);
        });
    }
}

/// Marks what the library makes up.
pub(super) struct Marker;

impl MessageInspector for Marker {
    fn before_send(&self, msg: SipMessage, _dest: Option<&SipAddr>) -> SipMessage {
        msg
    }

    fn after_received(&self, mut msg: SipMessage, from: Option<&SipAddr>) -> SipMessage {
        match from {
            // No peer can pass for the library.
            Some(_) => msg.headers_mut().retain(|header| !is_mark(header)),
            None => msg.headers_mut().push(Header::Other(MADE_UP.to_owned(), String::new())),
        }
        msg
    }
}

/// Whether no peer sent this.
pub(super) fn is_made_up(message: &rsip::Response) -> bool {
    message.headers.iter().any(is_mark)
}

fn is_mark(header: &Header) -> bool {
    matches!(header, Header::Other(name, _) if name.eq_ignore_ascii_case(MADE_UP))
}
