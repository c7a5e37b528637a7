//! A call that was placed, until somebody has been told its id.

use tokio::sync::oneshot;

use super::PhoneCallId;

/// A placed call whose id nobody has been told yet. Dropped, it is hung up: whoever cannot name a call cannot end it.
#[derive(Debug)]
#[must_use = "dropped, the call is hung up"]
pub struct Untold {
    id: PhoneCallId,
    told: oneshot::Sender<()>,
}

impl Untold {
    /// With what ends when the id has been told; with an error when it never will be.
    pub(super) fn new(id: PhoneCallId) -> (Self, oneshot::Receiver<()>) {
        let (told, is_told) = oneshot::channel();
        (Self { id, told }, is_told)
    }

    /// What is to be told.
    #[must_use]
    pub fn id(&self) -> &PhoneCallId {
        &self.id
    }

    /// The id is with whoever ordered the call: from now on it is theirs to end.
    pub fn told(self) {
        let _ = self.told.send(());
    }
}
