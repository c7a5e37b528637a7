//! Faults that can be put into the code that ships, to see whether the simulation finds them.
//!
//! The pure rooms carry a [`Sabotage`] and ask it where a tired programmer might go wrong: a line `if self.is_sabotaged(Fault::NoBye)` is
//! such a fault, and nothing else. As it ships a `Sabotage` has no size and [`Sabotage::is`] says no at compile time, so nothing of these lines is in the
//! program. With the feature `faults`, which only the tests of `crates/sim` turn on, it is a value: one build has every fault, and each run chooses its own.

use std::fmt;

/// What is broken on purpose: nothing, or one fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sabotage(#[cfg(feature = "faults")] Option<Fault>);

impl Sabotage {
    /// This fault.
    #[cfg(feature = "faults")]
    #[must_use]
    pub const fn of(fault: Fault) -> Self {
        Self(Some(fault))
    }

    /// Whether it is this fault.
    #[cfg(feature = "faults")]
    #[must_use]
    pub fn is(self, fault: Fault) -> bool {
        self.0 == Some(fault)
    }

    /// Whether it is this fault: it never is.
    #[cfg(not(feature = "faults"))]
    #[must_use]
    #[inline(always)]
    pub const fn is(self, _: Fault) -> bool {
        false
    }
}

/// Lists them once: [`Fault::ALL`] is as long as [`Fault`].
macro_rules! faults {
    ($($(#[$doc:meta])* $fault:ident,)*) => {
        /// What a tired programmer could do. Each has the name of what then goes wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault {
            $($(#[$doc])* $fault,)*
        }

        impl Fault {
            pub const ALL: &'static [Self] = &[$(Self::$fault),*];
        }
    };
}

faults! {
    // One call.

    /// No ACK of a 2xx leaves when its answer is durable.
    NoAck,
    /// A 2xx that is repeated is not ACKed again.
    NoSecondAck,
    /// The routers that a 2xx has recorded are forgotten (RFC 3261 §12.1.2).
    RouteForgotten,
    NoCancel,
    /// CANCEL does not wait for a provisional (RFC 3261 §9.1).
    EarlyCancel,
    /// CANCEL goes where its call's URI leads now, and not where the INVITE went.
    CancelElsewhere,
    /// A 200 to CANCEL is taken for the end: the 487 is not waited for.
    CancelIsTheEnd,
    /// A CANCEL that was lost with its connection is not said again.
    OneCancelOnly,
    /// Whoever never answers a CANCEL is waited for without end.
    GiveUpNever,
    /// A phone may ring for ever.
    RingsForEver,
    /// A call may last for ever.
    LastsForEver,
    NoBye,
    /// Only the call's own dialog is hung up.
    NoForkBye,
    /// BYE leaves before the ACK.
    EarlyBye,
    /// A BYE that was refused is not tried again.
    OneByeOnly,
    /// The BYE has the CSeq number of the INVITE.
    CseqStandsStill,
    /// The BYE with credentials has the branch and the CSeq of the one without.
    BranchUsedTwice,
    /// A challenge of a BYE is not answered.
    NoCredentials,
    /// A 2xx after the end is passed over.
    LateAnswersLost,
    /// Phones of other forks do not stand in the record.
    ForkUnrecorded,
    /// Nobody looks at what the 2xx says of session timers.
    SessionIgnored,
    /// A session is not refreshed by us.
    RefreshNever,
    /// It is refreshed at the end of its interval.
    RefreshLate,
    /// Who refreshes is taken for the other one.
    RefresherConfused,
    /// A call that a crash left is hung up twice.
    LeftoverEndedTwice,
    /// The tags of a dialog that a crash left are swapped.
    TagsSwapped,

    // Transactions.

    /// A request by UDP leaves once.
    NeverRepeated,
    /// The pauses of everything but INVITE do not double.
    PausesStandStill,
    /// Nor do they stop doubling at T2.
    PausesWithoutEnd,
    /// Timer F is half of what it should be.
    TimerFShort,
    /// Timer B is one transaction too long.
    TimerBLong,
    /// A refusal of an INVITE is not ACKed.
    NoRefusalAck,
    /// A refusal that is repeated is not ACKed again.
    NoSecondRefusalAck,
    /// What is repeated goes to another port.
    RepeatElsewhere,

    // All calls.

    /// An INVITE leaves before its intent is durable.
    EarlyInvite,
    /// An ACK leaves before its answer is durable.
    EarlyAck,
    /// The same of another fork.
    EarlyForkAck,
    /// `NoError` is said before the wish is durable.
    EarlyPromise,
    /// `Placed` is said before the intent is durable.
    EarlyPlaced,
    /// What the journal refused is taken for durable.
    RefusedIsDurable,
    /// DisconnectPhoneCall ends nothing.
    WishForgotten,
    /// An INVITE that waited for its way leaves after a hang-up.
    InviteAfterWish,
    /// The last request of a call overtakes the others.
    OutboxOvertaken,
    /// The house hears an answer twice.
    AnswerTwice,
    /// Or never.
    AnswerNever,
    /// A call is placed for a client that is gone.
    AbandonedIsPlaced,
    /// A call whose id nobody has goes on.
    UndeliveredGoesOn,
    /// Whoever knows an id may end the call.
    OwnerIgnored,
    /// One place too many is given back.
    GrantTwice,
    /// None is given back.
    GrantNever,
    /// A place is given back while phones of other forks are up.
    GrantEarly,
    /// A trunk takes one call more than it may.
    CapOffByOne,
    /// What can be asked about a call is one step behind: its answer, its end.
    AnswerUntold,
    EndUntold,
    /// A call that is being ended reads as if it had.
    EndToldEarly,
    EndToldTwice,
    /// Nobody knows how a call has ended that a crash left with another fork up.
    LeftEndUntold,
    /// An end that nobody waits for is never handed to the journal.
    EndWaitsForEver,
    /// An end that waits overtakes what begins its call anew.
    EndOvertakes,
    /// A BYE of the phone is answered before what follows from it is said.
    EarlyReply,
    /// A window never gives a place back.
    WindowNever,
    /// It has one place too many.
    WindowOffByOne,
    /// The ACK follows what a peer names beyond its trunk's reach.
    AckFollowsRoute,
    /// Everything does.
    ReachIgnored,
    /// A trunk's connection is not verified by its settings.
    VerifiedForNobody,
    /// What was out on a connection that is gone is waited for.
    LostIsSent,
    /// A name that is not found any more takes with it what was found.
    FoundIsForgotten,
    /// Nobody ends a call that nobody remembers.
    StrayForgotten,
    /// It is ended by the first trunk.
    StrayByFirstTrunk,
    /// The next process takes up nothing.
    NoTakeUp,
    /// It takes up all at once.
    RecoveryUnpaced,
    /// It does not know whom the last ones died of.
    DeathsForgotten,
    /// In the record our address and the peer's are swapped.
    RecordSwapsAddresses,
    /// A trunk is never asked whether it is there.
    ProbeNever,
    /// It is asked again and again.
    ProbeWithoutPause,
    /// Its silence is taken for an answer.
    SilenceIsAnAnswer,
    /// A call goes by a trunk that is down.
    DownTrunkTaken,
    /// A binding is not renewed.
    BindingLapses,
    /// Nor withdrawn at the end.
    BindingStays,
    /// A registrar that finds no time at all too short is followed when the switch leaves.
    BindingForLonger,
}

impl fmt::Display for Fault {
    /// `NoBye` is called `no-bye`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, letter) in format!("{self:?}").char_indices() {
            if letter.is_uppercase() && at > 0 {
                f.write_str("-")?;
            }
            write!(f, "{}", letter.to_ascii_lowercase())?;
        }
        Ok(())
    }
}

#[cfg(all(test, not(feature = "faults")))]
mod tests {
    use super::*;

    #[test]
    fn as_it_ships_nothing_is_broken_and_it_takes_no_room() {
        assert_eq!(size_of::<Sabotage>(), 0);
        assert!(Fault::ALL.iter().all(|fault| !Sabotage::default().is(*fault)));
    }

    #[test]
    fn a_fault_is_called_as_it_is_written() {
        assert_eq!(Fault::NoForkBye.to_string(), "no-fork-bye");
    }
}
