//! Caps, and the clock on the wall, which somebody may set.

use std::time::Duration;

use dial::CapsSettings;
use switch::Settings;

use crate::rig::{Rig, settings};

const DAY: Duration = Duration::from_secs(86_400);

fn one_a_second() -> Rig {
    let caps = CapsSettings {
        starts_per_second_per_trunk: 1,
        ..settings().caps
    };
    Rig::with(Settings { caps, ..settings() })
}

/// Else a trunk whose last calls began before would take none until the clock has caught up.
#[test]
fn a_clock_that_is_set_back_shuts_no_cap() {
    let mut rig = one_a_second();
    rig.place(1);
    rig.wall -= DAY;
    rig.now += Duration::from_secs(1);
    rig.place(2);
    assert_eq!(rig.answer_to(2), None, "it waits for the disk");
}

#[test]
fn and_one_that_is_set_forward_opens_none() {
    let mut rig = one_a_second();
    rig.place(1);
    rig.wall += DAY;
    rig.now += Duration::from_millis(999);
    rig.place(2);
    assert!(
        rig.answer_to(2)
            .is_some_and(|answer| answer.contains("StartsPerSecond")),
        "{:?}",
        rig.answers
    );
}
