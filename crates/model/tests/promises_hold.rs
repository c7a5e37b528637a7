//! The model as it is keeps every promise, in every state that it can come to.

mod worlds;

use std::{collections::BTreeSet, time::Instant};

use model::World;
use stateright::{Checker, Expectation, HasDiscoveries, Model};
use worlds::{LARGER, WORLDS};

/// Goes through all of a world. Says which of the things that must be possible are.
fn reached(name: &str, world: World) -> BTreeSet<&'static str> {
    let begun = Instant::now();
    let checker = world.checker().threads(2).finish_when(HasDiscoveries::AnyFailures);
    let checker = checker.spawn_bfs().join();
    let mut discoveries = checker.discoveries();
    for property in world.properties() {
        if property.expectation != Expectation::Always {
            continue;
        }
        if let Some(path) = discoveries.remove(property.name) {
            let end = path.last_state().clone();
            let steps: Vec<String> = path.into_actions().iter().map(|step| format!("  {step:?}\n")).collect();
            panic!("{name}: {}\n{}then {end:#?}", property.name, steps.concat());
        }
    }
    let seconds = begun.elapsed().as_secs_f32();
    println!("{name}: {} states in {seconds:.1} s", checker.unique_state_count());
    discoveries.into_keys().collect()
}

#[test]
fn in_every_world() {
    let worlds = WORLDS.into_iter();
    let reached: BTreeSet<&str> = worlds.flat_map(|(name, world)| reached(name, world)).collect();
    let properties = WORLDS[0].1.properties().into_iter();
    let possible = properties.filter(|property| property.expectation == Expectation::Sometimes);
    let missed: Vec<&str> = possible
        .map(|property| property.name)
        .filter(|name| !reached.contains(name))
        .collect();
    assert!(missed.is_empty(), "never reached: {missed:?}");
}

#[test]
#[ignore = "takes minutes: make model"]
fn in_larger_worlds() {
    for (name, world) in LARGER {
        reached(name, world);
    }
}
