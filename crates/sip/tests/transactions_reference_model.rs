//! Transactions beside a naive account of the figures of RFC 3261 and RFC 6026: the same things happen to both.

mod transactions;

use proptest::prelude::*;
use transactions::{
    model::Model,
    script::{Player, Step, script},
};

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn both_do_the_same(steps in script()) {
        let (mut player, mut model) = (Player::new(""), Model::default());
        // An INVITE that rings, or a request that nobody answers, waits for ever; nothing else does.
        let ends = (0..64).flat_map(|which| [Step::Stop(which), Step::Reply(which, 200)]);
        let rest = ends.chain([Step::Wait(300)]);
        for (number, step) in steps.into_iter().chain(rest).enumerate() {
            let mut seen = player.take(step);
            if let Step::Wait(milliseconds) = step {
                player.wait(milliseconds);
            }
            seen.extend(player.drain());
            prop_assert_eq!(seen, model.take(step), "step {}: {:?}", number, step);
        }
        player.rig.is_empty();
    }
}
