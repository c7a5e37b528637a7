//! Whose failed logins are counted when a reverse proxy stands between.

use crate::house::{House, THROTTLED, basic};

async fn guesses(house: &House, forwarded: &str, count: usize) -> Vec<u16> {
    let headers = format!("{}X-Forwarded-For: {forwarded}\r\n", basic("alice", "guess"));
    let mut seen = Vec::new();
    for _ in 0..count {
        seen.push(house.who(&headers).await.unwrap_err());
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_trusted_proxy_clients_are_throttled_one_by_one() {
    let house = House::plain("trusted_proxies = [\"127.0.0.1\"]\n").await;
    assert_eq!(guesses(&house, "198.51.100.1", 11).await.last(), Some(&THROTTLED));
    // Whatever the client wrote before the proxy did.
    assert_eq!(guesses(&house, "203.0.113.9, 198.51.100.1", 1).await, [THROTTLED]);
    assert_eq!(guesses(&house, "198.51.100.2", 1).await, [401]);
}

#[tokio::test(flavor = "multi_thread")]
async fn by_default_a_header_does_not_make_a_client_another_one() {
    let house = House::plain("").await;
    assert_eq!(guesses(&house, "198.51.100.1", 11).await.last(), Some(&THROTTLED));
    assert_eq!(guesses(&house, "198.51.100.2", 1).await, [THROTTLED]);
}
