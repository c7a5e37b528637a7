//! What a stranger can learn from answers and from how long they take: not who exists (promise 7, for messages).

use std::time::{Duration, Instant};

use ews::ServerVersion;

use crate::house::{House, PASSWORD, basic, play};
use crate::slapd::Slapd;

/// How often each message is asked for.
const ROUNDS: usize = 200;
/// How often a password is guessed before that is too often.
const GUESSES: usize = 10;

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
    assert_alike(times);
}

/// The quickest of each count: whatever else the machine does only makes the others slower.
fn assert_alike(times: [Vec<Duration>; 2]) {
    let [one, other] = times.map(|times| times.into_iter().min().unwrap());
    assert!(one.abs_diff(other) < one.min(other) / 3, "{one:?} and {other:?}");
}

/// Guesses the passwords of a user of the store and of nobody, by turns.
async fn guess(house: &House) -> [Vec<Duration>; 2] {
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..GUESSES {
        for which in [round % 2, 1 - round % 2] {
            let started = Instant::now();
            assert_eq!(house.login(["alice", "nobody"][which], "guess").await, Err(401));
            times[which].push(started.elapsed());
        }
    }
    times
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_takes_as_long_whoever_is_in_the_store() {
    assert_alike(guess(&House::plain("").await).await);
    let slapd = Slapd::start().await;
    let ldap = slapd.by_template();
    assert_alike(guess(&House::plain(&format!("login = [\"users\", \"ldap\"]\n[login.ldap]\n{ldap}")).await).await);
}

/// A status for each guess, and one more guess than there may be.
async fn statuses(house: &House, spelled: impl Fn(usize) -> String) -> Vec<u16> {
    let mut statuses = Vec::new();
    for guess in 0..=GUESSES {
        statuses.push(house.login(&spelled(guess), "guess").await.unwrap_err());
    }
    statuses
}

#[tokio::test(flavor = "multi_thread")]
async fn another_domain_before_each_guess_is_no_other_user_whether_the_user_exists_or_not() {
    let house = House::plain("").await;
    for user in ["alice", "nobody"] {
        let statuses = statuses(&house, |guess| format!("{user}@{guess}.example")).await;
        assert_eq!(statuses, [[401; GUESSES].as_slice(), &[429]].concat(), "{user}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_directory_is_away_guesses_count_whoever_is_in_the_store() {
    let mut slapd = Slapd::start().await;
    let ldap = slapd.by_template();
    slapd.stop().await;
    let house = House::plain(&format!("login = [\"users\", \"ldap\"]\n[login.ldap]\n{ldap}")).await;
    for user in ["alice", "nobody"] {
        let statuses = statuses(&house, |_| user.to_owned()).await;
        assert_eq!(statuses, [[503; GUESSES].as_slice(), &[429]].concat(), "{user}");
    }
}
