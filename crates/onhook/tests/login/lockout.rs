//! Strangers who guess, and a program with an old password, keep nobody else out.

use crate::house::{House, PASSWORD, THROTTLED, basic};

const BEHIND_A_PROXY: &str = "trusted_proxies = [\"127.0.0.1\"]";

/// Logs in from an address, as a proxy tells it.
async fn from(house: &House, address: &str, user: &str, password: &str) -> Result<String, u16> {
    let forwarded = format!("X-Forwarded-For: {address}\r\n");
    house.who(&(basic(user, password) + &forwarded)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_at_ten_addresses_does_not_keep_the_user_out() {
    let house = House::plain(BEHIND_A_PROXY).await;
    for n in 0..10 {
        let address = format!("203.0.113.{n}");
        while from(&house, &address, "alice", "guess").await != Err(THROTTLED) {}
    }
    let alice = from(&house, "198.51.100.1", "alice", PASSWORD).await;
    assert_eq!(alice.as_deref(), Ok("alice"));
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_with_an_old_password_do_not_lock_out_the_others_behind_a_proxy() {
    let house = House::plain("").await;
    for user in ["bob", "dialler", "old1", "old2", "old3", "old4", "old5"] {
        while house.login(user, "old").await != Err(THROTTLED) {}
    }
    assert_eq!(house.login("alice", PASSWORD).await.as_deref(), Ok("alice"));
}
