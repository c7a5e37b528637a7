//! How much is remembered, and what bounds it.

use crate::switch::Switch;

/// What a switch holds now. Nothing of it grows with what peers say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Calls whose machine is needed: those that the caps let be, and leftovers and strays, 128 more in each T1. Each ends.
    pub live: usize,
    /// Ended calls that can be asked about: 100 000, and no longer than they are kept.
    pub past: usize,
    /// Leftovers that wait to be taken up: as many as there were at the start.
    pub leftovers: usize,
    /// Messages about those, and wishes to end one: 256, and one for each request of the house.
    pub early: usize,
    /// Ids that are known: one for each call, past call and leftover.
    pub ids: usize,
    /// Call-IDs that are known: one for each call and leftover.
    pub call_ids: usize,
    /// Requests of calls that are out: one for each client transaction.
    pub requests: usize,
    /// Calls whose next request waits for a way, 32 requests each.
    pub waiting: usize,
    /// INVITEs that nothing has come back to, `invites_per_hop` a next hop, and calls that wait for a place among them, one each.
    pub windows: usize,
    /// INVITEs of peers inside calls whose 2xx waits for its ACK: one for each server transaction.
    pub unacked: usize,
    /// Connections that are wanted, open, or have failed within a T1: 1024.
    pub connections: usize,
    /// Names and what is known of them: 1024, kept until there are more.
    pub names: usize,
    /// Hosts that may speak because of a trunk or a live call: 8 a call.
    pub hosts: usize,
    /// Entries that the journal has said nothing about: what its queue takes.
    pub writing: usize,
    /// Those of them that have not been handed over, since they wait for others: fewer than 16 after each turn.
    pub ends: usize,
    /// Times to wake: one for each call, past call, trunk and connection.
    pub wakes: usize,
    /// Has bounds of its own ([`sip::Bounds`]).
    pub transactions: sip::Load,
}

impl Switch {
    /// How much is remembered.
    #[must_use]
    pub fn load(&self) -> Load {
        Load {
            live: self.live.len(),
            past: self.past.len(),
            leftovers: self.recovery.waiting(),
            early: self.recovery.early(),
            ids: self.by_id.len(),
            call_ids: self.by_call_id.len(),
            requests: self.ways.requests.len(),
            waiting: self.ways.waiting.len(),
            windows: self.windows.len(),
            unacked: self.unacked.len(),
            connections: self.ways.connections(),
            names: self.ways.names.len(),
            hosts: self.admission.hosts(),
            writing: self.writing(),
            ends: self.batch.ends(),
            wakes: self.schedule.len(),
            transactions: self.transactions.load(),
        }
    }
}
