//! What the calls have to send, in order, and what of it waits for an answer.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use rsipstack::transaction::{key::TransactionKey, transaction::TransactionEventSender};
use sip::{CallIdHeader, Outgoing, Tx};

/// Messages of all calls that wait to be sent.
pub(super) const WAITING: usize = 65_536;

/// What waits to be sent, and the transactions that can be stopped.
#[derive(Default)]
pub(super) struct Chains {
    waiting: Mutex<Waiting>,
    live: Mutex<HashMap<(CallIdHeader, Tx), (TransactionKey, TransactionEventSender)>>,
}

#[derive(Default)]
pub(super) struct Waiting {
    /// An entry, empty or not, means that a task is sending for this Call-ID.
    pub(super) calls: HashMap<CallIdHeader, VecDeque<Step>>,
    pub(super) messages: usize,
}

/// One thing to do for a call.
pub(super) struct Step {
    pub(super) outgoing: Outgoing,
    /// The request left before a restart; only its answers are wanted.
    pub(super) resumed: bool,
}

impl Chains {
    pub(super) fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Call-IDs with something to send, and transactions that are listened to.
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.waiting().calls.len(), self.live().len())
    }

    pub(super) fn live(&self) -> MutexGuard<'_, HashMap<(CallIdHeader, Tx), (TransactionKey, TransactionEventSender)>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
