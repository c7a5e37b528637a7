//! What a stranger can learn from answers and from how long they take: not who exists (promise 7, for messages).

use std::time::Instant;

use ews::ServerVersion;
use proving::timing;

use crate::house::{House, PASSWORD, THROTTLED, basic, play};
use crate::slapd::Slapd;

/// How often a password is guessed before that is too often.
const GUESSES: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_message_and_an_unknown_one_take_the_same_time() {
    let house = House::plain("").await;
    let headers = basic("alice", PASSWORD);
    let [foreign, unknown] =
        [house.item("bob"), "AAAAAAAAAAAAAAAAAAAAAA"].map(|id| play(id).encode(ServerVersion::EXCHANGE_2013));
    // The first login is hashed.
    house.ask(&headers, &foreign).await;
    timing::assert_alike("foreign and unknown", 0.2, async |which| {
        let answer = house.ask(&headers, [&foreign, &unknown][which]).await;
        assert!(
            answer.status == 200 && answer.body.contains("ErrorItemNotFound"),
            "{}",
            answer.body
        );
    })
    .await;
}

/// A wrong password from an address that has sent none yet: from one it would soon be too often.
async fn guess(house: &House, user: &str, round: usize) {
    let [high, low] = [round / 256, round % 256];
    let headers = basic(user, "guess") + &format!("X-Forwarded-For: 198.18.{high}.{low}\r\n");
    assert_eq!(house.who(&headers).await, Err(401));
}

const BEHIND_A_PROXY: &str = "trusted_proxies = [\"127.0.0.1\"]\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_costs_a_hash_whoever_is_in_the_store() {
    let slapd = Slapd::start().await;
    let beside = format!("login = [\"users\", \"ldap\"]\n[login.ldap]\n{}", slapd.by_template());
    for login in ["", &beside] {
        let toml = BEHIND_A_PROXY.to_owned() + login;
        let mut house = House::plain(&toml).await;
        let mut round = 0;
        timing::assert_alike("alice and nobody", 0.5, async |which| {
            guess(&house, ["alice", "nobody"][which], round).await;
            round += 1;
            // More guesses than this are too many for a user, wherever they come from.
            if round % 100 == 0 {
                house = House::plain(&toml).await;
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_a_question_to_the_directory_whoever_is_in_the_store() {
    let mut slapd = Slapd::start().await;
    let ldap = slapd.by_template();
    let house = House::plain(&format!("login = [\"users\", \"ldap\"]\n[login.ldap]\n{ldap}")).await;
    for user in ["alice", "nobody"] {
        assert_eq!(house.login(user, "guess").await, Err(401));
        slapd.was_asked_for(user).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_guess_too_many_costs_no_hash() {
    let house = House::plain(BEHIND_A_PROXY).await;
    let mut hashed = Vec::new();
    for round in 0..20 {
        let started = Instant::now();
        guess(&house, "alice", round).await;
        hashed.push(started.elapsed());
    }
    // Whatever else the machine does only makes the others slower.
    let hashed = hashed.into_iter().min().unwrap();
    for user in ["alice", "nobody"] {
        statuses(&house, |_| user.to_owned()).await;
        let mut refused = Vec::new();
        for _ in 0..20 {
            let started = Instant::now();
            assert_eq!(house.login(user, "guess").await, Err(THROTTLED));
            refused.push(started.elapsed());
        }
        let refused = refused.into_iter().min().unwrap();
        assert!(
            refused < hashed / 2,
            "{refused:?} for {user}, and {hashed:?} with a hash"
        );
    }
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
        assert_eq!(statuses, [[401; GUESSES].as_slice(), &[THROTTLED]].concat(), "{user}");
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
        assert_eq!(statuses, [[503; GUESSES].as_slice(), &[THROTTLED]].concat(), "{user}");
    }
}
