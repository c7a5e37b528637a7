//! How often things may go wrong. What is bounded so makes the model finite, and every run of it come to rest.

/// How much of each is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Deaths of the process.
    pub deaths: u8,
    /// Messages lost.
    pub losses: u8,
    /// Messages that arrive twice.
    pub doubles: u8,
    /// Times in which nothing of the far end reaches us.
    pub outages: u8,
    /// BYEs refused with 503.
    pub refused_byes: u8,
    /// Phones that hang up themselves.
    pub phone_byes: u8,
    /// Writes that the disk refuses. After one, no death: what a full disk forgets is a promise's named exception.
    pub refused_writes: u8,
    /// Writes that take longer than a client waits.
    pub late_writes: u8,
    /// Requests to end the call.
    pub hang_ups: u8,
}
