//! What must always hold, by the number of its promise in `ARCHITECTURE.md`; and beside it what must be possible, since a promise that is
//! never put to the test is kept by anybody.

use stateright::Property;

use crate::{
    far_end::{Hook, Invited},
    machine::Machine,
    message::Message,
    process::{Answer, Process, Window},
    record::{Phase, Phone, Record},
    state::{Request, State, World},
};

type Condition = fn(&World, &State) -> bool;

pub(crate) fn all() -> Vec<Property<World>> {
    let always = SAFETY
        .iter()
        .chain(REST)
        .map(|(name, holds)| Property::always(name, *holds));
    let sometimes = POSSIBLE.iter().map(|(name, holds)| Property::sometimes(name, *holds));
    always.chain(sometimes).collect()
}

/// At every step.
const SAFETY: &[(&str, Condition)] = &[
    ("3: no INVITE before its intent is durable", |_, state| {
        !state.seen.invite_before_intent
    }),
    ("3: no ACK before its answer is durable", |_, state| {
        !state.seen.ack_before_answer
    }),
    ("3: no NoError before the wish or the end is durable", |_, state| {
        !state.seen.no_error_before_wish
    }),
    ("5: no INVITE after a hang-up", |_, state| {
        !state.seen.invite_after_hang_up
    }),
    (
        "2: no CSeq number of the process that placed the call is used again",
        |_, state| !state.seen.number_used_again,
    ),
    (
        "6: a grant is held while a phone may be up, and no longer",
        |_, state| {
            let is_held = |process: &Process| process.granted == i8::from(process.is_live());
            state.process.as_ref().is_none_or(is_held)
        },
    ),
    ("one request has one answer", |_, state| !state.seen.answered_twice),
    ("8: an end that is told as confirmed is true", |_, state| {
        let ended = machine(state).filter(|machine| machine.phase() == Phase::Ended { confirmed: true });
        let own = ended.and_then(Machine::own);
        own.is_none_or(|phone| !state.far.phones[phone as usize].is_up())
    }),
];

/// When nothing is under way any more.
const REST: &[(&str, Condition)] = &[
    ("at rest after NoError nobody rings or is up", |_, state| {
        !state.seen.no_error || !is_loud(state, |_, _| true) || !state.is_at_rest()
    }),
    ("4: at rest whoever rings or is up is the call's", |_, state| {
        !is_loud(state, |state, phone| !is_the_calls(state, phone)) || !state.is_at_rest()
    }),
    ("at rest a phone that is up has its ACK", |_, state| {
        !state.far.phones.contains(&Hook::Up { acked: false }) || !state.is_at_rest()
    }),
    ("at rest each client has its answer", |_, state| {
        ![state.placing, state.hanging_up].contains(&Request::Waits) || !state.is_at_rest()
    }),
    ("9: at rest nobody keeps a place in the window", |_, state| {
        let is_free = |process: &Process| process.window == Window::Free;
        state.process.as_ref().is_none_or(is_free) || !state.is_at_rest()
    }),
];

/// What some run must come to.
const POSSIBLE: &[(&str, Condition)] = &[
    ("an INVITE is on its way", |_, state| {
        state.way.contains(&Message::Invite)
    }),
    ("an ACK is on its way to the call's phone", |_, state| {
        is_acked(state, |machine, phone| machine.own() == Some(phone))
    }),
    ("an ACK is on its way to the phone of another fork", |_, state| {
        is_acked(state, |machine, phone| machine.own() != Some(phone))
    }),
    ("NoError is said while a phone is up", |_, state| {
        state.seen.no_error && state.far.phones.iter().any(|hook| hook.is_up())
    }),
    ("NoError is said while a phone rings", |_, state| {
        state.seen.no_error && state.far.phones.iter().any(|hook| hook.rings())
    }),
    ("NoError is said after a death", |_, state| {
        state.hanging_up == Request::Answered(Answer::NoError) && state.seen.died && state.seen.no_error
    }),
    ("a hang-up is refused", |_, state| {
        state.hanging_up == Request::Answered(Answer::NotDisconnected)
    }),
    ("a call is refused", |_, state| {
        state.placing == Request::Answered(Answer::NotPlaced)
    }),
    ("a client is cut off", |_, state| state.hanging_up == Request::CutOff),
    ("an INVITE waits for a place in the window", |_, state| {
        state.process.as_ref().is_some_and(Process::is_held)
    }),
    ("a call is hung up whose INVITE has had no place", |_, state| {
        never_invited(state) && state.hanging_up != Request::NotMade
    }),
    ("a client leaves, and no INVITE ever does", |_, state| {
        never_invited(state) && state.placing == Request::Left && state.is_at_rest()
    }),
    ("a CANCEL is held", |_, state| {
        is_in(state, Phase::Cancelling { sent: false })
    }),
    ("a CANCEL leaves although nothing was heard", |_, state| {
        state.deaf && state.way.contains(&Message::Cancel)
    }),
    ("a CANCEL has overtaken its INVITE", |_, state| {
        [Message::Invite, Message::NothingToCancel]
            .iter()
            .all(|message| state.way.contains(message))
    }),
    ("a 2xx has crossed the CANCEL", |_, state| {
        is_in(state, Phase::Answered) && state.way.contains(&Message::Cancel)
    }),
    ("an ACK was lost", |_, state| {
        let is_unacked = state.far.phones.contains(&Hook::Up { acked: false });
        let has_ack = |message: &Message| matches!(message, Message::Ack(_));
        is_unacked && is_in(state, Phase::Confirmed) && !state.way.iter().any(has_ack)
    }),
    ("both phones are up at once, and are hung up", |_, state| {
        state.far.phones.iter().all(|hook| hook.is_up())
            && state
                .way
                .iter()
                .filter(|message| matches!(message, Message::Bye(..)))
                .count()
                == 2
    }),
    ("a BYE is sent again under the next number", |_, state| {
        state.way.contains(&Message::Bye(Phone::A, 3))
    }),
    ("a process hangs up what the one before has left", |_, state| {
        let is_of_leftover = |message: &Message| matches!(message, Message::Bye(_, 101..=999));
        state.way.iter().any(is_of_leftover)
    }),
    ("a phone that nobody remembers is hung up", |_, state| {
        let is_of_stray = |message: &Message| matches!(message, Message::Bye(_, 1000..));
        state.way.iter().any(is_of_stray)
    }),
    ("a grant is held again for a call that had ended", |_, state| {
        state.disk.as_ref().is_some_and(Record::is_over)
            && machine(state).is_some_and(Machine::has_ended)
            && state.process.as_ref().is_some_and(|process| process.granted == 1)
    }),
    ("a call ends unconfirmed", |_, state| {
        is_in(state, Phase::Ended { confirmed: false })
    }),
    ("at rest a call is up", |_, state| {
        is_in(state, Phase::Confirmed) && state.is_at_rest()
    }),
    ("at rest a phone rings", |_, state| {
        is_in(state, Phase::Early) && state.is_at_rest()
    }),
    ("at rest after NoError both phones are on-hook", |_, state| {
        state.seen.no_error && state.far.phones == [Hook::Down; 2] && state.is_at_rest()
    }),
];

fn is_in(state: &State, phase: Phase) -> bool {
    machine(state).is_some_and(|machine| machine.phase() == phase)
}

/// Whether an ACK is on its way to such a phone.
fn is_acked(state: &State, such: fn(&Machine, Phone) -> bool) -> bool {
    machine(state).is_some_and(|machine| {
        let is_to_such = |message: &Message| matches!(message, Message::Ack(phone) if such(machine, *phone));
        state.way.iter().any(is_to_such)
    })
}

/// Whether the call is over and its INVITE has never left.
fn never_invited(state: &State) -> bool {
    machine(state).is_some_and(Machine::has_ended)
        && state.far.invited == Invited::No
        && !state.way.contains(&Message::Invite)
        && !state.seen.died
}

fn machine(state: &State) -> Option<&Machine> {
    state.process.as_ref().and_then(Process::machine)
}

/// Whether a phone that this is asked about rings or is up. One that no message of ours could silence does not count.
fn is_loud(state: &State, asked: fn(&State, Phone) -> bool) -> bool {
    Phone::ALL.into_iter().any(|phone| {
        state.far.phones[phone as usize].is_loud() && asked(state, phone) && !state.far.is_left_by_its_proxy(phone)
    })
}

/// Whether this phone rings or is up for a call that nobody wants to end.
fn is_the_calls(state: &State, phone: Phone) -> bool {
    machine(state).is_some_and(|machine| match machine.phase() {
        Phase::Calling | Phase::Early => state.far.phones[phone as usize].rings(),
        Phase::Confirmed => machine.own() == Some(phone) && !machine.has_wish(),
        _ => false,
    })
}
