//! What holds for transactions whatever happens to them.

mod transactions;

use std::time::Duration;

use proptest::prelude::*;
use sip::Moment;
use transactions::{
    at,
    script::{KINDS, Player, Seen, Step, script, step},
};

/// Goes to the end of a wait from timer to timer, or millisecond by millisecond.
fn wait_in_steps(player: &mut Player, milliseconds: u64, by_timer: bool) {
    let end = player.rig.now + at(milliseconds).since_start();
    loop {
        let next = if by_timer {
            player.rig.transactions.poll_timeout().map_or(end, |(due, _)| due)
        } else {
            player.rig.now + at(1).since_start()
        };
        player.rig.now = next.min(end);
        player.rig.transactions.handle_timeout(player.rig.now);
        if next >= end {
            return;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn in_one_step_of_time_or_in_many_the_same_comes_out(steps in script()) {
        let [mut one, mut timers, mut ticks] = [(); 3].map(|()| Player::new(""));
        for step in steps {
            let told = one.take(step);
            prop_assert_eq!(&told, &timers.take(step));
            prop_assert_eq!(&told, &ticks.take(step));
            if let Step::Wait(milliseconds) = step {
                one.wait(milliseconds);
                wait_in_steps(&mut timers, milliseconds, true);
                wait_in_steps(&mut ticks, milliseconds, false);
            }
            let out = one.drain();
            prop_assert_eq!(&out, &timers.drain());
            prop_assert_eq!(&out, &ticks.drain());
            prop_assert_eq!(one.rig.transactions.poll_timeout(), timers.rig.transactions.poll_timeout());
            prop_assert_eq!(one.rig.transactions.load(), ticks.rig.transactions.load());
        }
    }

    #[test]
    fn an_early_look_at_the_timers_changes_nothing(steps in script()) {
        let mut player = Player::new("");
        for step in steps {
            player.take(step);
            if let Step::Wait(milliseconds) = step {
                player.wait(milliseconds);
            }
            player.drain();
            let transactions = &mut player.rig.transactions;
            let before = (transactions.poll_timeout(), transactions.load());
            let early = match before.0 {
                Some((due, letter)) => {
                    prop_assert!(due > player.rig.now, "{} is overdue", letter);
                    Moment::after_start(due.since_start() - Duration::from_nanos(1))
                }
                None => player.rig.now + Duration::from_secs(3600),
            };
            transactions.handle_timeout(early);
            prop_assert_eq!(before, (transactions.poll_timeout(), transactions.load()));
            prop_assert_eq!(player.drain(), vec![]);
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, ..ProptestConfig::default() })]

    #[test]
    fn one_alone_and_beside_199_others_does_the_same(
        kind in prop::sample::select(KINDS.to_vec()),
        stream in any::<bool>(),
        own in prop::collection::vec(step(1), 1..30),
        between in prop::collection::vec((1_usize..200, step(1)), 0..300),
    ) {
        let (mut alone, mut beside) = (Player::new(""), Player::new(""));
        let mut between = between.into_iter();
        let begin = Step::Begin { kind, stream };
        prop_assert_eq!(alone.take(begin), beside.take(begin));
        for number in 0..199 {
            beside.take(Step::Begin { kind: KINDS[number % 4], stream: number % 8 > 3 });
        }
        prop_assert_eq!(alone.drain(), its(beside.drain()));
        for step in own {
            for (other, step) in between.by_ref().take(10) {
                if let Some(step) = of(other, step) {
                    beside.take(step);
                }
            }
            prop_assert_eq!(its(beside.drain()), vec![]);
            if matches!(step, Step::Begin { .. } | Step::Resume { .. }) {
                continue;
            }
            prop_assert_eq!(alone.take(step), beside.take(step));
            if let Step::Wait(milliseconds) = step {
                alone.wait(milliseconds);
                beside.wait(milliseconds);
            }
            prop_assert_eq!(alone.drain(), its(beside.drain()));
        }
    }
}

/// The same step, of another transaction; nothing where it is not of one.
fn of(other: usize, step: Step) -> Option<Step> {
    match step {
        Step::Response(_, status) => Some(Step::Response(other, status)),
        Step::Stop(_) => Some(Step::Stop(other)),
        Step::Again(_) => Some(Step::Again(other)),
        Step::Reply(_, status) => Some(Step::Reply(other, status)),
        Step::Ack(_) => Some(Step::Ack(other)),
        Step::AckOf2xx(_) => Some(Step::AckOf2xx(other)),
        Step::Cancel(_) => Some(Step::Cancel(other)),
        Step::Begin { .. } | Step::Resume { .. } | Step::Gone { .. } | Step::Wait(_) => None,
    }
}

fn number(seen: &Seen) -> usize {
    match seen {
        Seen::Told(which, _)
        | Seen::Request(which)
        | Seen::Ack(which)
        | Seen::Reply(which, _)
        | Seen::Event(which, _) => *which,
    }
}

/// What of it is the first one's.
fn its(mut seen: Vec<Seen>) -> Vec<Seen> {
    seen.retain(|seen| number(seen) == 0);
    seen
}
