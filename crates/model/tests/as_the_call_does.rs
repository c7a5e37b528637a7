//! The model's machine does what the real call does: all that may happen to one, in every place that it can come to, by the shortest way there.

mod beside;

use std::{
    collections::{HashSet, VecDeque},
    panic::catch_unwind,
};

use beside::{Beside, Event};
use model::{Budget, Input, Machine, Phase, Phone, Record, Save, World};
use stateright::Model;

/// How often each may happen on one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Left {
    deaths: u8,
    refused_writes: u8,
    refused_byes: u8,
    /// BYEs that nothing comes back to.
    silent_byes: u8,
}

const NOTHING_WRONG: Left = Left {
    deaths: 0,
    refused_writes: 0,
    refused_byes: 0,
    silent_byes: 0,
};

/// A place: where the machine stands, its journal, and what may still go wrong.
type Place = (Option<Machine>, (Vec<(Save, Record)>, Option<Record>), Left);

/// Everything that may happen now.
fn possible(beside: &Beside, left: Left) -> Vec<Event> {
    let mut events = Vec::new();
    let (writes, disk) = beside.journal();
    if !writes.is_empty() {
        events.push(Event::Written(true));
        if left.refused_writes > 0 {
            events.push(Event::Written(false));
        }
    }
    if left.deaths > 0 {
        events.extend((0..=writes.len()).map(Event::Dies));
    }
    let mut inputs = Vec::new();
    let is_invited = beside.count("INVITE") > 0;
    // One phone is as good as the other: the first that answers is A.
    let b_may_answer = beside.has_answered(Phone::A);
    let phones = Phone::ALL.into_iter().take(1 + usize::from(b_may_answer));
    if is_invited {
        inputs.extend(phones.clone().map(Input::Answer));
    }
    let Some(machine) = &beside.machine else {
        events.extend(inputs.into_iter().filter(|_| disk.is_some()).map(Event::Input));
        return events;
    };
    inputs.push(Input::HangUp);
    if is_invited {
        inputs.extend([
            Input::Ringing,
            Input::Refused,
            Input::InviteTimesOut,
            Input::NobodyThere,
            Input::InviteUnreachable,
        ]);
        inputs.extend(phones.map(Input::PhoneBye));
    }
    if beside.count("CANCEL") > 0 {
        inputs.push(Input::NothingToCancel);
    }
    if matches!(machine.phase(), Phase::Cancelling { .. }) {
        inputs.push(Input::GiveUp);
    }
    for phone in Phone::ALL {
        let (waits, failed) = (machine.bye(phone, false), machine.bye(phone, true));
        for number in waits.into_iter().chain(failed) {
            inputs.push(Input::ByeDone(phone, number));
            if left.refused_byes > 0 {
                inputs.push(Input::ByeRefused(phone, number));
            }
        }
        if waits.is_some() && left.silent_byes > 0 {
            inputs.push(Input::ByeTimesOut(phone));
        }
        if failed.is_some() {
            inputs.push(Input::AnotherBye(phone));
        }
    }
    events.extend(inputs.into_iter().map(Event::Input));
    events
}

fn after(left: Left, event: Event) -> Left {
    let mut left = left;
    match event {
        Event::Dies(_) => left.deaths -= 1,
        Event::Written(false) => left.refused_writes -= 1,
        Event::Input(Input::ByeRefused(..)) => left.refused_byes -= 1,
        Event::Input(Input::ByeTimesOut(_)) => left.silent_byes -= 1,
        _ => {}
    }
    left
}

/// Goes there anew. Nothing when time does not allow the last event.
fn go(way: &[Event]) -> Option<Beside> {
    let mut beside = Beside::placed();
    way.iter().all(|event| beside.happens(*event)).then_some(beside)
}

/// Whether this changes nothing, as the model says: then the next thing may happen to the same pair.
fn changes_nothing(beside: &Beside, event: Event) -> bool {
    let (Event::Input(input), Some(machine)) = (event, &beside.machine) else {
        return false;
    };
    let mut after = machine.clone();
    after.handle(input).is_empty() && after == *machine
}

/// Compares everything that may happen in every place. Says where the machine has stood.
fn everywhere(left: Left) -> HashSet<Machine> {
    let placed = Beside::placed();
    let mut seen: HashSet<Place> = HashSet::from([(placed.machine.clone(), placed.journal(), left)]);
    let mut open = VecDeque::from([(Vec::new(), left)]);
    let mut compared = 0;
    while let Some((way, left)) = open.pop_front() {
        let Some(beside) = go(&way) else { continue };
        let (idle, events): (Vec<_>, Vec<_>) = possible(&beside, left)
            .into_iter()
            .partition(|event| changes_nothing(&beside, *event));
        compared += idle.len() + events.len();
        // All that changes nothing, one after the other; then each of the others by itself.
        let ways = events.into_iter().map(|event| vec![event]).chain([idle]);
        for last in ways {
            let way: Vec<Event> = [&way[..], &last[..]].concat();
            let gone = catch_unwind(|| go(&way)).unwrap_or_else(|_| panic!("they differ after {way:?}"));
            let (Some(beside), [event]) = (gone, &last[..]) else {
                continue;
            };
            let left = after(left, *event);
            if seen.insert((beside.machine.clone(), beside.journal(), left)) {
                open.push_back((way, left));
            }
        }
    }
    println!("{} places, {compared} events", seen.len());
    seen.into_iter().filter_map(|(machine, ..)| machine).collect()
}

#[test]
fn when_the_disk_refuses_and_the_process_dies() {
    everywhere(Left {
        deaths: 1,
        refused_writes: 1,
        ..NOTHING_WRONG
    });
}

#[test]
fn when_the_process_dies_twice() {
    everywhere(Left {
        deaths: 2,
        ..NOTHING_WRONG
    });
}

#[test]
fn when_nothing_comes_back_to_a_bye() {
    everywhere(Left {
        silent_byes: 3,
        ..NOTHING_WRONG
    });
}

/// Beside the comparison: nowhere does the checker take the machine where it was not compared.
#[test]
fn when_a_bye_is_refused_and_the_process_dies() {
    let compared = everywhere(Left {
        deaths: 1,
        refused_byes: 1,
        ..NOTHING_WRONG
    });
    let budget = Budget {
        hang_ups: 1,
        refused_byes: 1,
        ..Budget::default()
    };
    let over_a_death = Budget {
        deaths: 1,
        losses: 1,
        late_writes: 1,
        ..budget
    };
    for (phones, budget) in [(1, over_a_death), (2, budget)] {
        let world = World {
            phones,
            budget,
            fault: None,
        };
        let mut seen = HashSet::new();
        let mut open = world.init_states();
        while let Some(state) = open.pop() {
            if !seen.insert(state.clone()) {
                continue;
            }
            if let Some(machine) = state.process.as_ref().and_then(|process| process.machine()) {
                let is_compared = compared.contains(machine) || compared.contains(&machine.mirrored());
                assert!(is_compared, "{machine:?} was not compared");
            }
            open.extend(world.next_states(&state));
        }
    }
}
