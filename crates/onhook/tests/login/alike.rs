//! Promise 7, as a clock sees it: somebody else's message takes as long to be denied as one that does not exist.

use std::time::{Duration, Instant};

use ews::ServerVersion;

use crate::house::{House, PASSWORD, basic, play};

/// How often each is asked. Half of them may be disturbed by whatever else the machine does.
const ROUNDS: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_message_and_an_unknown_one_take_the_same_time() {
    let house = House::plain("").await;
    let headers = basic("alice", PASSWORD);
    let [foreign, unknown] =
        [house.item("bob"), "AAAAAAAAAAAAAAAAAAAAAA"].map(|id| play(id).encode(ServerVersion::EXCHANGE_2013));
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        // Both in every round, and each as often first: what slows one down slows the other.
        for which in [round % 2, 1 - round % 2] {
            let started = Instant::now();
            let answer = house.ask(&headers, [&foreign, &unknown][which]).await;
            let took = started.elapsed();
            assert!(
                answer.status == 200 && answer.body.contains("ErrorItemNotFound"),
                "{}",
                answer.body
            );
            // The first login is hashed.
            if round > 0 {
                times[which].push(took);
            }
        }
    }
    let [foreign, unknown] = times.map(median);
    let difference = foreign.abs_diff(unknown);
    assert!(
        difference < foreign.min(unknown) / 3,
        "foreign {foreign:?}, unknown {unknown:?}"
    );
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
