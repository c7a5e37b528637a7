//! What must happen cannot happen for ever: whatever has gone wrong, the world comes to rest. A checker of states overlooks circles, and a
//! circle would hide what the promises say of a world at rest.

mod worlds;

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use model::{State, World};
use stateright::Model;
use worlds::{ONE_PHONE, OUTAGE, TWO_PHONES_BAD_LINE};

fn name_of(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}

/// Every state of the world, and to which ones lead those of its steps that must happen.
fn due_steps(world: &World) -> HashMap<u64, Vec<u64>> {
    let mut seen = HashMap::new();
    let mut open = world.init_states();
    while let Some(state) = open.pop() {
        let name = name_of(&state);
        if seen.contains_key(&name) {
            continue;
        }
        let (mut actions, mut due) = (Vec::new(), Vec::new());
        world.actions(&state, &mut actions);
        state.due(&mut due);
        let mut follow = Vec::new();
        for action in actions {
            let Some(next) = world.next_state(&state, action) else {
                continue;
            };
            let is_due = action.dies_after.is_none() && due.contains(&action.step);
            if is_due {
                assert!(next != state, "{action:?} changes nothing");
                follow.push(name_of(&next));
            }
            open.push(next);
        }
        seen.insert(name, follow);
    }
    seen
}

/// How many states are left when those that nothing leads to are taken away, again and again.
fn in_circles(mut steps: HashMap<u64, Vec<u64>>) -> usize {
    let mut arrivals: HashMap<u64, usize> = HashMap::new();
    for next in steps.values().flatten() {
        *arrivals.entry(*next).or_default() += 1;
    }
    let is_first = |name: &u64| !arrivals.contains_key(name);
    let mut open: Vec<u64> = steps.keys().copied().filter(is_first).collect();
    while let Some(name) = open.pop() {
        for next in steps.remove(&name).unwrap_or_default() {
            if let Some(left) = arrivals.get_mut(&next) {
                *left -= 1;
                if *left == 0 {
                    open.push(next);
                }
            }
        }
    }
    steps.len()
}

#[test]
fn a_circle_is_seen() {
    let steps = [(1, vec![2]), (2, vec![3, 4]), (3, vec![2]), (4, vec![]), (5, vec![4])];
    assert_eq!(in_circles(HashMap::from(steps)), 3, "2, 3, and 4 to which they lead");
}

#[test]
fn no_step_that_must_happen_leads_back() {
    for world in [ONE_PHONE, OUTAGE, TWO_PHONES_BAD_LINE] {
        let steps = due_steps(&world);
        let states = steps.len();
        assert_eq!(in_circles(steps), 0, "of {states} states, {world:?}");
    }
}
