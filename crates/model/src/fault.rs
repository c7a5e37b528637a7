//! Faults put in on purpose: the checker must find each, or it proves nothing.

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The INVITE leaves while its intent is on its way to the disk.
    InviteBeforeIntent,
    /// A call that has been hung up while its intent was on its way to the disk is placed all the same.
    InviteAfterHangUp,
    /// An INVITE that waits for its place leaves when it has one, also after a hang-up.
    HeldInviteLeaves,
    NoCancel,
    /// A CANCEL that waits for a provisional does not leave when one comes.
    HeldCancelForgotten,
    /// An INVITE that nothing came back to, as nothing else has, is taken for one that nobody has heard.
    NobodyIsTold,
    /// A CANCEL that has overtaken its INVITE is not sent again.
    OvertakenNotAgain,
    /// The ACK leaves while the answer is on its way to the disk.
    AckBeforeAnswer,
    /// The same of the ACK of another fork.
    ForkAckBeforeRecord,
    /// A 2xx that is repeated, since its ACK was lost, is not ACKed again.
    OneAckOnly,
    /// A 2xx that crosses the CANCEL makes a call as any other.
    CrossingAnswerKept,
    NoBye,
    /// A BYE that was refused is not followed by another one.
    OneByeOnly,
    /// Only the call's own dialog is hung up.
    NoForkBye,
    /// The record is closed at the call's end while the phone of another fork is still up.
    ClosedBesideFork,
    /// Dialogs of other forks are not in the record.
    ForkNotRecorded,
    /// A 2xx after the end is passed over.
    LateAnswerIgnored,
    /// A 2xx of a call that nobody remembers is passed over.
    StrayIgnored,
    /// The next process takes up nothing.
    NoTakeUp,
    /// It takes up what was written first, and not what was written last.
    TakenUpFromIntent,
    /// Its requests take the CSeq numbers that were used before.
    NumbersUsedAgain,
    /// Any record that is durable counts as the wish to end.
    AnyRecordCounts,
    /// `NoError` is said before the wish is durable.
    NoErrorEarly,
    NoErrorTwice,
    NoErrorNever,
    GrantBackTwice,
    GrantBackNever,
    /// A fork that answers after the end takes no place.
    GrantNotTakenAgain,
    /// An INVITE keeps its place among those that nothing has come back to.
    WindowKept,
    /// A BYE that was refused is told as one that was confirmed.
    RefusedIsConfirmed,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 30] = [
        Self::InviteBeforeIntent,
        Self::InviteAfterHangUp,
        Self::HeldInviteLeaves,
        Self::NoCancel,
        Self::HeldCancelForgotten,
        Self::NobodyIsTold,
        Self::OvertakenNotAgain,
        Self::AckBeforeAnswer,
        Self::ForkAckBeforeRecord,
        Self::OneAckOnly,
        Self::CrossingAnswerKept,
        Self::NoBye,
        Self::OneByeOnly,
        Self::NoForkBye,
        Self::ClosedBesideFork,
        Self::ForkNotRecorded,
        Self::LateAnswerIgnored,
        Self::StrayIgnored,
        Self::NoTakeUp,
        Self::TakenUpFromIntent,
        Self::NumbersUsedAgain,
        Self::AnyRecordCounts,
        Self::NoErrorEarly,
        Self::NoErrorTwice,
        Self::NoErrorNever,
        Self::GrantBackTwice,
        Self::GrantBackNever,
        Self::GrantNotTakenAgain,
        Self::WindowKept,
        Self::RefusedIsConfirmed,
    ];
}
