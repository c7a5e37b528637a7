//! Two phones behind a proxy that rings both.

use std::collections::BTreeSet;

use crate::{message::Message, record::Phone};

/// Where a phone stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hook {
    /// Nothing has reached it.
    Idle,
    Ringing,
    /// It rings still; its CANCEL is on the way from the proxy.
    ToldToStop,
    /// Off-hook. `acked`: it has its ACK; before, it repeats its 2xx.
    Up {
        acked: bool,
    },
    /// It has rung or was up, and is on-hook.
    Down,
}

impl Hook {
    /// Whether its user hears it: ringing counts as being up.
    #[must_use]
    pub fn is_loud(self) -> bool {
        self.rings() || self.is_up()
    }

    #[must_use]
    pub fn rings(self) -> bool {
        matches!(self, Self::Ringing | Self::ToldToStop)
    }

    #[must_use]
    pub fn is_up(self) -> bool {
        matches!(self, Self::Up { .. })
    }
}

/// What the proxy knows of the INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Invited {
    No,
    Pending,
    Answered,
    /// It has said 486 or 487. `heard`: and has its ACK; before, it says so again.
    Refused {
        heard: bool,
        cancelled: bool,
    },
}

/// How the proxy answers a CANCEL again: as it did before, until that transaction is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cancelled {
    No,
    Done,
    /// There was nothing to cancel.
    Nothing,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FarEnd {
    pub phones: [Hook; 2],
    pub invited: Invited,
    pub cancelled: Cancelled,
    /// The number of the BYE that each has refused, and refuses again; 0 of none.
    pub refused_bye: [u16; 2],
    /// Whether the proxy tells the others to stop when one has answered.
    pub stops_others: bool,
}

impl FarEnd {
    #[must_use]
    pub fn new(phones: usize, stops_others: bool) -> Self {
        Self {
            phones: [Hook::Idle, if phones > 1 { Hook::Idle } else { Hook::Down }],
            invited: Invited::No,
            cancelled: Cancelled::No,
            refused_bye: [0; 2],
            stops_others,
        }
    }

    /// Takes a message, and puts its answer on the way. `refuses`: of a BYE, that it is answered 503.
    pub fn receive(&mut self, message: Message, refuses: bool, way: &mut BTreeSet<Message>) {
        match message {
            Message::Invite => self.invite(way),
            Message::Cancel => self.cancel(way),
            Message::Ack(phone) if self.phones[phone as usize].is_up() => {
                self.phones[phone as usize] = Hook::Up { acked: true };
            }
            Message::Bye(phone, number) => {
                if refuses {
                    self.refused_bye[phone as usize] = number;
                }
                way.insert(if self.refused_bye[phone as usize] == number {
                    Message::ByeRefused(phone, number)
                } else {
                    self.phones[phone as usize] = Hook::Down;
                    Message::ByeDone(phone, number)
                });
            }
            _ => {}
        }
    }

    fn invite(&mut self, way: &mut BTreeSet<Message>) {
        match self.invited {
            Invited::No => {
                self.invited = Invited::Pending;
                for hook in &mut self.phones {
                    if *hook == Hook::Idle {
                        *hook = Hook::Ringing;
                    }
                }
                way.insert(Message::Ringing);
            }
            Invited::Pending => {
                way.insert(Message::Ringing);
            }
            Invited::Answered | Invited::Refused { .. } => {}
        }
    }

    fn cancel(&mut self, way: &mut BTreeSet<Message>) {
        if self.cancelled == Cancelled::No {
            self.cancelled = if self.invited == Invited::Pending {
                self.tell_to_stop();
                self.invited = Invited::Refused {
                    heard: false,
                    cancelled: true,
                };
                way.insert(Message::Refused);
                Cancelled::Done
            } else {
                Cancelled::Nothing
            };
        }
        way.insert(if self.cancelled == Cancelled::Done {
            Message::CancelDone
        } else {
            Message::NothingToCancel
        });
    }

    fn tell_to_stop(&mut self) {
        for hook in &mut self.phones {
            if *hook == Hook::Ringing {
                *hook = Hook::ToldToStop;
            }
        }
    }

    /// Somebody lifts the receiver.
    pub fn answer(&mut self, phone: Phone, way: &mut BTreeSet<Message>) {
        self.phones[phone as usize] = Hook::Up { acked: false };
        if self.invited == Invited::Pending {
            self.invited = Invited::Answered;
            if self.stops_others {
                self.tell_to_stop();
            }
        }
        way.insert(Message::Answer(phone));
    }

    /// Somebody declines, or the phone is busy; the proxy says so when all have.
    pub fn refuse(&mut self, phone: Phone, way: &mut BTreeSet<Message>) {
        self.phones[phone as usize] = Hook::Down;
        if self.invited == Invited::Pending && self.phones == [Hook::Down; 2] {
            self.invited = Invited::Refused {
                heard: false,
                cancelled: false,
            };
            way.insert(Message::Refused);
        }
    }

    /// A phone that rings because its proxy tells nobody to stop when another one has answered: no message of ours could help
    /// before it answers (`docs/reliability.md`).
    #[must_use]
    pub fn is_left_by_its_proxy(&self, phone: Phone) -> bool {
        !self.stops_others && self.invited == Invited::Answered && self.phones[phone as usize] == Hook::Ringing
    }
}
