//! What the server has put on the wire, seen before the line can lose it.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{message::Message, passage::Passage};

/// How a message came.
pub(super) struct Seen {
    /// It was written after this.
    pub(super) after: Instant,
    /// The connection that it came by.
    pub(super) passage: Option<Arc<Passage>>,
}

impl Seen {
    /// As a datagram.
    pub(super) const fn at_once(now: Instant) -> Self {
        Self {
            after: now,
            passage: None,
        }
    }

    pub(super) fn through(passage: Arc<Passage>) -> Self {
        Self {
            after: passage.written_after(),
            passage: Some(passage),
        }
    }
}

/// What must be none, and when something was first and last seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    /// A second BYE transaction of one dialog that was begun while the first might still be answered, and for no challenge.
    pub double_byes: u64,
    /// INVITE transactions that were begun after DisconnectPhoneCall had been answered.
    pub invites_after_hang_up: u64,
    /// INVITEs, of whatever transaction, that a server sent before anything was asked of it.
    pub invites_after_restart: u64,
    pub first_bye: Option<Instant>,
    /// The last BYE of a new transaction.
    pub last_bye: Option<Instant>,
    /// Calls that rang a phone: the others ended before their INVITE had arrived.
    pub rang: u64,
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
    hung_up: HashMap<String, Instant>,
    invites: HashMap<String, String>,
    byes: HashMap<(String, String), Byes>,
}

/// The transactions in which a dialog was BYEd.
struct Byes {
    branches: Vec<String>,
    /// When the last of them began, or not much later, and in which life of the server.
    began: Instant,
    life: u32,
    /// The connection that it came by.
    passage: Option<Arc<Passage>>,
}

impl Byes {
    /// Whether the last one can still be answered.
    fn may_be_answered(&self, life: u32, transaction: Duration, now: Instant) -> bool {
        // A new one is due when the last has timed out; the sender's clock may have run a little before ours.
        self.life == life
            && now.duration_since(self.began) < transaction * 9 / 10
            && !self.passage.as_ref().is_some_and(|passage| passage.is_over())
    }
}

impl Witness {
    pub(super) fn hung_up(&mut self, number: &str, now: Instant) {
        self.hung_up.insert(number.to_owned(), now);
    }

    pub(super) fn see(&mut self, message: &Message, seen: &Seen, transaction: Duration, now: Instant) {
        let Some(call_id) = message.header("Call-ID") else {
            return;
        };
        match message.method() {
            Some("INVITE") => {
                self.facts.invites_after_restart += u64::from(self.unasked);
                let before = self.invites.insert(call_id.to_owned(), message.branch().to_owned());
                let is_new = before.is_none_or(|before| before != message.branch());
                let hung_up = message.number().and_then(|number| self.hung_up.get(number));
                if is_new
                    && let Some(hung_up) = hung_up
                    && *hung_up <= seen.after
                {
                    self.facts.invites_after_hang_up += 1;
                    let [written, came] = [seen.after, now].map(|at| at.duration_since(*hung_up).as_millis());
                    eprintln!("an INVITE came {came} ms after the hang-up, written {written} ms after it at least:");
                    eprintln!("    Call-ID {call_id}");
                }
            }
            Some("BYE") => {
                let dialog = (call_id.to_owned(), message.tag_of_to().to_owned());
                let (branch, life) = (message.branch().to_owned(), self.life);
                let answers_challenge =
                    message.header("Authorization").is_some() || message.header("Proxy-Authorization").is_some();
                let passage = seen.passage.clone();
                match self.byes.entry(dialog) {
                    Entry::Vacant(none) => {
                        let branches = vec![branch];
                        none.insert(Byes {
                            branches,
                            began: seen.after,
                            life,
                            passage,
                        });
                    }
                    Entry::Occupied(byes) if byes.get().branches.contains(&branch) => return,
                    Entry::Occupied(mut byes) => {
                        let byes = byes.get_mut();
                        let too_early = byes.may_be_answered(life, transaction, now);
                        self.facts.double_byes += u64::from(too_early && !answers_challenge);
                        byes.branches.push(branch);
                        (byes.began, byes.life, byes.passage) = (seen.after, life, passage);
                    }
                }
                self.facts.first_bye.get_or_insert(now);
                self.facts.last_bye = Some(now);
            }
            _ => {}
        }
    }
}
