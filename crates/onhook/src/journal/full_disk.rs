//! What a full disk means: new calls are refused, and the ballast is given up, so that running ones can end. The log is told
//! of each once.

use tracing::{error, info};

use super::ballast::Ballast;
use super::status::Status;

pub(super) struct FullDisk {
    ballast: Ballast,
    status: Status,
    refused: Refused,
}

/// What there was no room for since a new call was last written, at the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Refused {
    Nothing,
    NewCalls,
    Everything,
}

impl FullDisk {
    pub(super) fn new(ballast: Ballast, status: Status) -> Self {
        Self {
            ballast,
            status,
            refused: Refused::Nothing,
        }
    }

    /// New calls found no room in this store. Gives up the ballast; from then on new calls are refused, until the upkeep has made it
    /// again.
    pub(super) fn give_up_ballast(&mut self, store: Option<&str>) {
        match self.ballast.give_up() {
            Ok(true) => {
                self.status.disk_is_full();
                error!(
                    store,
                    ballast = self.ballast.size(),
                    "the disk is full: the ballast is given up, so that running calls can end; new calls are refused until twice its bytes are free"
                );
            }
            Ok(false) if self.refused >= Refused::NewCalls => {}
            Ok(false) => error!(
                store,
                "the disk is full, and there is no ballast to give up: new calls are refused; free some room"
            ),
            Err(error) => error!(store, %error, file = %self.ballast.path().display(),
                "the disk is full, and the ballast cannot be removed: new calls are refused; free some room"),
        }
        self.refused = self.refused.max(Refused::NewCalls);
    }

    /// Not even the end of a call found room in this store.
    pub(super) fn no_room_at_all(&mut self, store: Option<&str>) {
        if self.refused < Refused::Everything {
            self.refused = Refused::Everything;
            error!(
                store,
                "no room at all is left on the disk: calls are hung up, but it cannot be promised over a restart; free some room"
            );
        }
    }

    /// A new call found room.
    pub(super) fn new_call_is_written(&mut self) {
        if self.refused > Refused::Nothing {
            self.refused = Refused::Nothing;
            info!("new calls are written again");
        }
    }
}
