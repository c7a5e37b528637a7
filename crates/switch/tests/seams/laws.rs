//! What holds whatever happens: the same in one turn or in many, alone or among others, and at rest nothing is left.

mod happening;
mod story;
mod turns;

use std::time::Duration;

use proptest::prelude::*;
use sip::Transport;
use switch::{Listener, Registration, Settings};

use crate::rig::{OURS, Rig, answer, found, next_process, settings, trunk};
use happening::happening;
use story::Story;

const SECOND: Duration = Duration::from_secs(1);

/// Two trunks, one by a name and UDP with everything, one by TCP.
fn world() -> Settings {
    let mut settings = settings();
    settings.limits.max_duration = SECOND * 60;
    settings.limits.session_expires = Some(SECOND * 90);
    settings.caps.live_per_trunk = 3;
    let mut by_name = trunk("name", "sip:pbx.example");
    by_name.keepalive = Some(SECOND * 30);
    by_name.register = Some(Registration {
        expires: SECOND * 600,
        retry: SECOND * 2,
        address_of_record: "<sip:alice@pbx.example>".to_owned(),
        request_uri: "sip:pbx.example".to_owned(),
    });
    by_name.credentials = Some(sip::digest::Credentials {
        username: "alice".to_owned(),
        password: "secret".to_owned(),
    });
    let mut by_tcp = trunk("tcp", "sip:192.0.2.5:5060;transport=tcp");
    by_tcp.keepalive = Some(SECOND * 30);
    settings.trunks = vec![by_name, by_tcp];
    settings.listeners.push(Listener {
        transport: Transport::Tcp,
        address: OURS.parse().unwrap(),
    });
    settings
}

/// Calls that an earlier process left have numbers above it.
const LEFT: u64 = 100;

/// The process after one that died with so many calls up, ringing, and only just placed.
fn after_a_crash(left: u64) -> Rig {
    let mut before = Rig::with(world());
    before.turn(|switch| switch.found("pbx.example", &[found("192.0.2.5")]));
    for number in 1..=left {
        before.place(LEFT + number);
        before.durable();
        let status = [None, Some(200), Some(180)][number as usize % 3];
        let invite = before
            .sent
            .iter()
            .rev()
            .find(|sent| sent.text.starts_with("INVITE"))
            .cloned();
        if let (Some(invite), Some(status)) = (invite, status) {
            before.hear(invite.path, &answer(&invite, status));
            before.durable();
        }
    }
    let mut leftovers = before.leftovers();
    for (leftover, deaths) in leftovers.iter_mut().zip([0, 0, 1, 2, 3, 0]) {
        leftover.deaths = deaths;
    }
    let mut rig = Rig::with(next_process(world()));
    rig.turn(|switch| switch.end_leftovers(leftovers));
    // Their phones speak, too.
    rig.sent
        .extend(before.sent.into_iter().filter(|sent| sent.text.starts_with("INVITE")));
    rig
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// The rig sees to it that no request of the house is answered twice, that the batch comes last, that no INVITE leaves before
    /// its intent is durable, and that nothing is due again and again.
    #[test]
    fn whatever_happens_every_request_is_answered_and_at_rest_nothing_is_left(left in 0_u64..7, story in prop::collection::vec(happening(), 0..120)) {
        let mut it = Story::begin(after_a_crash(left));
        it.rig.turn(|switch| switch.found("pbx.example", &[found("192.0.2.5")]));
        for happening in &story {
            it.happens(happening);
            let load = it.rig.switch.load();
            prop_assert!(load.live <= 6 + 128 && load.windows <= 2 * load.live.max(48), "{load:?}");
            prop_assert!(load.ids == load.live + load.past + load.leftovers && load.call_ids <= load.live + load.leftovers, "{load:?}");
            prop_assert!(load.requests <= load.transactions.waiting + load.live, "{load:?}");
            prop_assert!(load.unacked <= load.transactions.servers, "{load:?}");
        }
        let started = it.rig.now;
        while it.rig.now - started < SECOND * 900 {
            it.rig.durable();
            it.rig.pass(SECOND);
        }
        prop_assert_eq!(it.rig.answers.len() as u64, it.placed + it.requests);
        let load = it.rig.switch.load();
        prop_assert_eq!(
            (load.live, load.past, load.leftovers, load.early, load.ids, load.call_ids, load.writing, load.unacked),
            (0, 0, 0, 0, 0, 0, 0, 0)
        );
        prop_assert_eq!((load.requests, load.waiting, load.windows, it.rig.switch.live()), (0, 0, 0, 0));
        prop_assert!(load.hosts <= 3, "those of the trunks: {:?}", load);
        prop_assert!(load.wakes <= 2 + 2 && load.connections <= 2, "trunks, and a connection each: {:?}", load);
        // The trunks are asked on; all else is over.
        prop_assert!(load.transactions.waiting <= 3 && load.transactions.finished <= 12, "{:?}", load);
        prop_assert_eq!(load.transactions.servers, 0);
    }
}
