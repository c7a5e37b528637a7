//! A call that was placed, until somebody has been told its id.

use tokio::sync::oneshot;

use super::PhoneCallId;

/// A placed call whose id nobody has been told yet. Dropped, it is hung up: whoever cannot name a call cannot end it.
#[derive(Debug)]
#[must_use = "dropped, the call is hung up"]
pub struct UndeliveredId {
    id: PhoneCallId,
    delivered: oneshot::Sender<()>,
}

impl UndeliveredId {
    /// With what ends when the id has been told; with an error when it never will be.
    pub(super) fn new(id: PhoneCallId) -> (Self, oneshot::Receiver<()>) {
        let (delivered, is_delivered) = oneshot::channel();
        (Self { id, delivered }, is_delivered)
    }

    /// What is to be told.
    #[must_use]
    pub fn id(&self) -> &PhoneCallId {
        &self.id
    }

    /// The id is with whoever ordered the call: from now on it is theirs to end.
    pub fn delivered(self) {
        let _ = self.delivered.send(());
    }
}
