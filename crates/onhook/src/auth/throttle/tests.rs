//! Who is refused, who is not, and that neither costs memory without end.

use std::time::Duration;

use super::counts::{CAPACITY, WINDOW};
use super::entries::EntryAttempt;
use super::*;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

fn name(text: &str) -> UserName {
    text.parse().unwrap()
}

fn attempt<'t>(throttle: &'t Throttle, address: IpAddr, user: &str) -> Attempt<'t> {
    throttle.attempt(address, &name(user), &name(user))
}

/// One that nobody has taken back yet.
fn failed<'t>(throttle: &'t Throttle, address: IpAddr, user: &str) -> Result<Attempt<'t>, AuthError> {
    let mut attempt = attempt(throttle, address, user);
    attempt.count().map(|()| attempt)
}

#[tokio::test(start_paused = true)]
async fn a_user_is_refused_from_one_address_for_a_minute() {
    let throttle = Throttle::default();
    for _ in 0..PER_USER {
        failed(&throttle, HERE, "alice").unwrap();
    }
    tokio::time::advance(WINDOW / 3).await;
    let refused = failed(&throttle, HERE, "alice").unwrap_err();
    assert!(matches!(refused, AuthError::Throttled { retry_after } if retry_after == WINDOW - WINDOW / 3));
    failed(&throttle, THERE, "alice").unwrap();
    failed(&throttle, HERE, "bob").unwrap();
    tokio::time::advance(WINDOW).await;
    failed(&throttle, HERE, "alice").unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_address_is_refused_over_all_users() {
    let throttle = Throttle::default();
    for n in 0..PER_ADDRESS {
        failed(&throttle, HERE, &format!("user{n}")).unwrap();
    }
    assert!(attempt(&throttle, HERE, "another").check().is_err());
    attempt(&throttle, THERE, "another").check().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_user_is_refused_over_all_addresses() {
    let throttle = Throttle::default();
    for n in 0..PER_NAME {
        failed(&throttle, IpAddr::V4(n.into()), "alice").unwrap();
    }
    assert!(attempt(&throttle, THERE, "alice").check().is_err());
    attempt(&throttle, THERE, "bob").check().unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_nobody_could_verify_counts_for_nothing() {
    let throttle = Throttle::default();
    failed(&throttle, HERE, "alice").unwrap();
    for _ in 0..1_000 {
        failed(&throttle, HERE, "alice").unwrap().withdrawn();
    }
    assert_eq!(throttle.failures().by_address.of(&HERE, Instant::now()), 1);
}

#[tokio::test(start_paused = true)]
async fn a_login_counts_once_however_often_it_is_tried() {
    let throttle = Throttle::default();
    let mut attempt = attempt(&throttle, HERE, "alice");
    for _ in 0..1_000 {
        attempt.count().unwrap();
    }
    assert_eq!(throttle.failures().by_address.of(&HERE, Instant::now()), 1);
}

#[tokio::test(start_paused = true)]
async fn right_logins_count_for_nothing() {
    let throttle = Throttle::default();
    for _ in 0..1_000 {
        failed(&throttle, HERE, "alice").unwrap().succeeded();
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_addresses_is_bounded() {
    let throttle = Throttle::default();
    for n in 0..CAPACITY as u32 + 200 {
        failed(&throttle, IpAddr::V4(n.into()), &format!("user{n}")).unwrap();
    }
    assert_eq!(throttle.failures().by_address.len(), CAPACITY);
    assert_eq!(throttle.failures().users.len(), (CAPACITY, CAPACITY));
}

/// A login as `user` that finds this entry.
fn entry_attempt(throttle: &Throttle, address: IpAddr, user: &str, dn: &str) -> Option<EntryAttempt> {
    attempt(throttle, address, user).entries().attempt(dn)
}

#[tokio::test(start_paused = true)]
async fn an_entry_is_refused_as_a_user_is_by_whatever_names_it_was_found() {
    let throttle = Throttle::default();
    let dn = "uid=alice,dc=example,dc=com";
    for n in 0..PER_USER {
        let attempt = entry_attempt(&throttle, HERE, &format!("alias{n}"), dn);
        attempt.unwrap().failed();
    }
    assert!(entry_attempt(&throttle, HERE, "alice", "UID=Alice, DC=example, DC=com").is_none());
    entry_attempt(&throttle, HERE, "alice", "uid=bob,dc=example,dc=com").unwrap();
    for n in PER_USER..PER_NAME {
        entry_attempt(&throttle, address(n), &format!("alias{n}"), dn)
            .unwrap()
            .failed();
    }
    assert!(
        entry_attempt(&throttle, THERE, "alice", dn).is_none(),
        "over all addresses"
    );
    tokio::time::advance(WINDOW).await;
    entry_attempt(&throttle, HERE, "alice", dn).unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_entry_counts_only_for_passwords_that_were_wrong() {
    let throttle = Throttle::default();
    let dn = "uid=alice,dc=example,dc=com";
    for _ in 1..PER_USER {
        entry_attempt(&throttle, HERE, "alias", dn).unwrap().failed();
    }
    for _ in 0..1_000 {
        drop(entry_attempt(&throttle, HERE, "alice", dn).unwrap());
    }
    entry_attempt(&throttle, HERE, "alice", dn).unwrap().succeeded();
    // Which forgives the slips before, too.
    for _ in 0..PER_USER {
        entry_attempt(&throttle, HERE, "alice", dn).unwrap().failed();
    }
    assert!(entry_attempt(&throttle, HERE, "alice", dn).is_none());
}

/// Whoever waits as long as they are told to is heard: the directory took its time before the entry was counted.
#[tokio::test(start_paused = true)]
async fn an_entry_is_refused_no_longer_than_the_user() {
    let throttle = Throttle::default();
    let log_in = async |search: Duration| {
        let attempt = failed(&throttle, HERE, "alice")?;
        let entries = attempt.entries();
        tokio::time::advance(search).await;
        Ok::<_, AuthError>(entries.attempt("uid=alice"))
    };
    for _ in 0..PER_USER {
        log_in(WINDOW / 100).await.unwrap().unwrap().failed();
    }
    let Err(AuthError::Throttled { retry_after }) = log_in(Duration::ZERO).await else {
        panic!("one more than there may be");
    };
    tokio::time::advance(retry_after).await;
    assert!(log_in(Duration::ZERO).await.unwrap().is_some());
}

#[test]
fn an_ipv6_neighbourhood_is_one_address() {
    let [one, two] = ["2001:db8::1", "2001:db8::ffff:2"].map(|text| subscriber(text.parse().unwrap()));
    assert_eq!(one, two);
    assert_eq!(subscriber("::ffff:192.0.2.1".parse().unwrap()), HERE);
}

const ELSEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));

fn address(n: u32) -> IpAddr {
    IpAddr::V4((0x0A00_0000 + n).into())
}

/// As many failures as the address is let have now.
fn guess(throttle: &Throttle, address: IpAddr, user: &str) -> u32 {
    (0..1_000)
        .take_while(|_| failed(throttle, address, user).is_ok())
        .count() as u32
}

/// The user logs in, with the right password at the first try.
fn log_in(throttle: &Throttle, address: IpAddr, user: &str) -> Result<(), AuthError> {
    failed(throttle, address, user).map(Attempt::succeeded)
}

#[tokio::test(start_paused = true)]
async fn ten_addresses_do_not_keep_a_user_out() {
    let throttle = Throttle::default();
    for second in 0..600 {
        let guesses: u32 = (0..10).map(|n| guess(&throttle, address(n), "alice")).sum();
        assert!(guesses < PER_NAME, "{guesses}");
        // Never here before, and each time somewhere else.
        log_in(&throttle, address(1_000 + second), "alice").unwrap();
        tokio::time::advance(WINDOW / 60).await;
    }
}

#[tokio::test(start_paused = true)]
async fn where_a_user_has_logged_in_before_no_number_of_addresses_keeps_the_user_out() {
    let throttle = Throttle::default();
    log_in(&throttle, HERE, "alice").unwrap();
    for _ in 0..5 {
        let guesses: u32 = (0..1_000).map(|n| guess(&throttle, address(n), "alice")).sum();
        assert!(guesses <= PER_NAME, "{guesses}");
        assert!(log_in(&throttle, THERE, "alice").is_err());
        for _ in 0..PER_USER {
            log_in(&throttle, HERE, "alice").unwrap();
        }
        tokio::time::advance(WINDOW).await;
    }
}

/// Neither the same name in another domain makes a place familiar, nor another user who comes from there.
#[tokio::test(start_paused = true)]
async fn only_the_user_s_own_logins_make_an_address_familiar() {
    let throttle = Throttle::default();
    let (alice, other) = (name("alice"), name("alice@other.example"));
    throttle.attempt(HERE, &other, &alice).succeeded();
    throttle.attempt(HERE, &name("bob"), &name("bob")).succeeded();
    for n in 0..PER_NAME {
        failed(&throttle, address(n), "alice").unwrap();
    }
    assert!(throttle.attempt(HERE, &alice, &alice).check().is_err());
    throttle.attempt(HERE, &other, &alice).check().unwrap();
}

/// Programs with an old password, behind one proxy or on one terminal server.
#[tokio::test(start_paused = true)]
async fn accounts_with_an_old_password_do_not_lock_out_the_others_at_their_address() {
    let throttle = Throttle::default();
    log_in(&throttle, HERE, "carol").unwrap();
    for minute in 0..10 {
        for n in 0..19 {
            assert_eq!(guess(&throttle, HERE, &format!("old{n}")), PER_USER);
        }
        log_in(&throttle, HERE, &format!("new{minute}")).unwrap();
        // With more of them, still those who have been here before.
        for n in 19..100 {
            guess(&throttle, HERE, &format!("old{n}"));
        }
        assert!(log_in(&throttle, HERE, "another").is_err());
        log_in(&throttle, HERE, "carol").unwrap();
        tokio::time::advance(WINDOW).await;
    }
}

/// What the exceptions for familiar addresses are worth to somebody who guesses from one.
#[tokio::test(start_paused = true)]
async fn guesses_from_a_familiar_address_are_bounded_by_user_and_by_address() {
    let throttle = Throttle::default();
    let users: Vec<String> = (0..300).map(|n| format!("user{n}")).collect();
    for user in &users {
        log_in(&throttle, HERE, user).unwrap();
    }
    let guesses: Vec<u32> = users.iter().map(|user| guess(&throttle, HERE, user)).collect();
    assert!(guesses.iter().all(|guesses| *guesses <= PER_USER), "{guesses:?}");
    let all: u32 = guesses.iter().sum();
    assert!(all <= PER_ADDRESS + FIRST * users.len() as u32, "{all}");
}

#[tokio::test(start_paused = true)]
async fn bad_tokens_and_wrong_passwords_do_not_count_for_each_other() {
    let throttle = Throttle::default();
    for _ in 0..TOKENS_PER_ADDRESS {
        throttle.check_tokens(HERE).unwrap();
        throttle.bad_token(HERE);
    }
    assert!(throttle.check_tokens(HERE).is_err());
    log_in(&throttle, HERE, "alice").unwrap();
    for n in 0..PER_ADDRESS {
        failed(&throttle, ELSEWHERE, &format!("user{n}")).unwrap();
    }
    assert!(attempt(&throttle, ELSEWHERE, "another").check().is_err());
    throttle.check_tokens(ELSEWHERE).unwrap();
}
