//! What goes through the queue to the writer.

use tokio::sync::oneshot;

use super::batches::Batch;
use super::{CallKey, CallState, Ended, IdHash, WriteError};

/// One thing that is to be durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// A call is going to be placed. No INVITE may leave before this is durable.
    Intent {
        key: CallKey,
        id_hash: IdHash,
        intent: Vec<u8>,
    },
    /// What has become of a call, over what was known of it.
    State { key: CallKey, state: CallState },
    /// A call's record; the rest of it is forgotten.
    Ended { key: CallKey, ended: Ended },
}

impl Write {
    pub(super) fn is_intent(&self) -> bool {
        matches!(self, Self::Intent { .. })
    }

    /// Bytes of the intent, dialog or record.
    pub(super) fn length(&self) -> usize {
        match self {
            Self::Intent { intent, .. } => intent.len(),
            Self::State { state, .. } => state.dialog.len(),
            Self::Ended { ended, .. } => ended.record.len(),
        }
    }
}

pub(super) type Answer = oneshot::Sender<Result<(), WriteError>>;

pub(super) enum Entry {
    Write(Write, Answer),
    Batch(Batch),
    Sweep(Answer),
    Close(Answer),
}

impl Entry {
    /// What it wants to be durable, in order.
    pub(super) fn writes(&self) -> impl Iterator<Item = &Write> {
        let (one, many) = match self {
            Self::Write(write, _) => (Some(write), [].as_slice()),
            Self::Batch(batch) => (None, batch.writes()),
            Self::Sweep(_) | Self::Close(_) => (None, [].as_slice()),
        };
        one.into_iter().chain(many.iter().map(|(_, write)| write))
    }

    pub(super) fn has_intent(&self) -> bool {
        self.writes().any(Write::is_intent)
    }

    /// Says what became of it: of its intents, and of everything else.
    pub(super) fn answer(self, intents: Result<(), WriteError>, others: Result<(), WriteError>) {
        // Whoever wrote one may not be waiting.
        match self {
            Self::Write(write, answer) => drop(answer.send(if write.is_intent() { intents } else { others })),
            Self::Batch(batch) => batch.answer(intents, others),
            Self::Sweep(answer) | Self::Close(answer) => drop(answer.send(others)),
        }
    }
}
