//! What the server has put on the wire, seen before the line can lose it.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    time::{Duration, Instant},
};

use super::message::Message;

/// What must be none, and when something was first and last seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    /// A second BYE transaction of one dialog that was begun while the first might still be answered, and for no challenge.
    pub double_byes: u64,
    /// INVITE transactions that were begun after DisconnectPhoneCall had been answered.
    pub invites_after_hang_up: u64,
    /// INVITEs, of whatever transaction, that a server sent before anything was asked of it.
    pub invites_after_restart: u64,
    /// INVITEs that had been there before.
    pub repeated_invites: u64,
    pub first_bye: Option<Instant>,
    /// The last BYE of a new transaction.
    pub last_bye: Option<Instant>,
    pub packets: u64,
    pub lost: u64,
}

#[derive(Default)]
pub(super) struct Witness {
    pub(super) facts: Facts,
    /// The server has just been started, and nothing has been asked of it.
    pub(super) unasked: bool,
    /// How often a server was started: one does not know which BYE of its predecessor was answered.
    pub(super) life: u32,
    hung_up: HashSet<String>,
    invites: HashMap<String, String>,
    byes: HashMap<(String, String), Byes>,
    byed_at: HashMap<String, Instant>,
}

/// The transactions in which a dialog was BYEd.
struct Byes {
    branches: Vec<String>,
    /// When the last of them began, and in which life of the server.
    began: Instant,
    life: u32,
}

impl Witness {
    pub(super) fn hung_up(&mut self, number: &str) {
        self.hung_up.insert(number.to_owned());
    }

    pub(super) fn byed_at(&self, number: &str) -> Option<Instant> {
        self.byed_at.get(number).copied()
    }

    pub(super) fn see(&mut self, message: &Message, transaction: Duration, now: Instant) {
        let Some(call_id) = message.header("Call-ID") else {
            return;
        };
        match message.method() {
            Some("INVITE") => {
                self.facts.invites_after_restart += u64::from(self.unasked);
                let before = self.invites.insert(call_id.to_owned(), message.branch().to_owned());
                let is_new = before.is_none_or(|before| before != message.branch());
                self.facts.repeated_invites += u64::from(!is_new);
                if is_new && message.number().is_some_and(|number| self.hung_up.contains(number)) {
                    self.facts.invites_after_hang_up += 1;
                }
            }
            Some("BYE") => {
                if let Some(number) = message.number() {
                    self.byed_at.entry(number.to_owned()).or_insert(now);
                }
                let dialog = (call_id.to_owned(), message.tag_of_to().to_owned());
                let (branch, life) = (message.branch().to_owned(), self.life);
                let answers_challenge =
                    message.header("Authorization").is_some() || message.header("Proxy-Authorization").is_some();
                match self.byes.entry(dialog) {
                    Entry::Vacant(none) => {
                        let branches = vec![branch];
                        none.insert(Byes {
                            branches,
                            began: now,
                            life,
                        });
                    }
                    Entry::Occupied(byes) if byes.get().branches.contains(&branch) => return,
                    Entry::Occupied(mut byes) => {
                        let byes = byes.get_mut();
                        // A new one is due when the last has timed out; the sender's clock may have run a little before ours.
                        let too_early = byes.life == life && now.duration_since(byes.began) < transaction * 9 / 10;
                        self.facts.double_byes += u64::from(too_early && !answers_challenge);
                        byes.branches.push(branch);
                        (byes.began, byes.life) = (now, life);
                    }
                }
                self.facts.first_bye.get_or_insert(now);
                self.facts.last_bye = Some(now);
            }
            _ => {}
        }
    }
}
