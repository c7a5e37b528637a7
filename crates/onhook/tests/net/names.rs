//! Names: looked up once for all who ask, and in nobody's way.

use std::{
    collections::BTreeSet,
    io,
    net::IpAddr,
    sync::{
        Arc,
        mpsc::{Sender, channel},
    },
    time::Duration,
};

use onhook::net::{Events, LOOK_UP, Names, NetEvent, Resolver, Towards, Udp, local_towards};
use tokio::{runtime::Handle, sync::mpsc::Receiver, time};

use crate::rig::pass;

type Answer = io::Result<Vec<IpAddr>>;

/// A resolver that answers when the test says so, and never before.
struct Script {
    /// Who is waiting for an answer, in the order they asked.
    asked: Receiver<(String, Sender<Answer>)>,
}

struct Rig {
    names: Names,
    events: Receiver<NetEvent>,
    _udp: Udp,
}

impl Rig {
    fn asking(resolver: Arc<Resolver>) -> Self {
        let (udp, wake) = Udp::bind(&[]).unwrap();
        let (events, received) = Events::new(wake);
        Self {
            names: Names::asking(resolver, Handle::current(), events),
            events: received,
            _udp: udp,
        }
    }

    fn scripted() -> (Self, Script) {
        let (ask, asked) = tokio::sync::mpsc::channel(1000);
        let resolver = move |host: &str| {
            let (answer, answered) = channel();
            ask.try_send((host.to_owned(), answer)).unwrap();
            answered
                .recv()
                .unwrap_or_else(|_| Err(io::Error::other("the test is over")))
        };
        (Self::asking(Arc::new(resolver)), Script { asked })
    }

    /// What the next lookup to end has found, and of which host.
    async fn next_lookup(&mut self) -> (String, Result<Vec<Towards>, String>) {
        match time::timeout(Duration::from_secs(30), self.events.recv()).await {
            Ok(Some(NetEvent::Found { host, addresses })) => (host, Ok(addresses)),
            Ok(Some(NetEvent::NotFound { host, why })) => (host, Err(why)),
            other => panic!("{other:?}"),
        }
    }

    async fn found(&mut self, wanted: &str) -> Vec<Towards> {
        let (host, told) = self.next_lookup().await;
        assert_eq!(host, wanted);
        told.unwrap()
    }

    async fn not_found(&mut self, wanted: &str) -> String {
        let (host, told) = self.next_lookup().await;
        assert_eq!(host, wanted);
        told.unwrap_err()
    }
}

impl Script {
    async fn asked(&mut self, host: &str) -> Sender<Answer> {
        let (asked, answer) = self.asked.recv().await.unwrap();
        assert_eq!(asked, host);
        answer
    }

    fn is_idle(&mut self) -> bool {
        self.asked.try_recv().is_err()
    }
}

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn remotes(found: &[Towards]) -> Vec<IpAddr> {
    found.iter().map(|towards| towards.remote).collect()
}

#[tokio::test]
async fn one_look_up_serves_all_who_ask_meanwhile_and_who_asks_later_gets_another() {
    let (mut rig, mut script) = Rig::scripted();
    for host in ["pbx.test", "PBX.test", "pbx.test"] {
        rig.names.look_up(host);
    }
    let addresses = ips(&["::1", "127.0.0.1", "::2"]);
    script.asked("pbx.test").await.send(Ok(addresses.clone())).unwrap();
    let found = rig.found("pbx.test").await;
    assert_eq!(remotes(&found), addresses);
    assert_eq!(found[1].local, Some("127.0.0.1".parse().unwrap()));
    assert!(script.is_idle(), "it was asked once");

    rig.names.look_up("pbx.test");
    script.asked("pbx.test").await.send(Ok(ips(&["127.0.0.2"]))).unwrap();
    assert_eq!(remotes(&rig.found("pbx.test").await), ips(&["127.0.0.2"]));
}

#[tokio::test]
async fn a_name_that_is_not_found_is_told_at_once_with_the_reason() {
    let (mut rig, mut script) = Rig::scripted();
    rig.names.look_up("gone.test");
    let gone = Err(io::Error::other("no such name"));
    script.asked("gone.test").await.send(gone).unwrap();
    assert_eq!(rig.not_found("gone.test").await, "no such name");

    rig.names.look_up("empty.test");
    script.asked("empty.test").await.send(Ok(Vec::new())).unwrap();
    assert_eq!(rig.found("empty.test").await, []);
}

#[tokio::test]
async fn a_look_up_without_an_answer_holds_up_no_other_and_is_told_in_time() {
    let (mut rig, mut script) = Rig::scripted();
    rig.names.look_up("stuck.test");
    let stuck = script.asked("stuck.test").await;
    rig.names.look_up("pbx.test");
    script.asked("pbx.test").await.send(Ok(ips(&["127.0.0.1"]))).unwrap();
    rig.found("pbx.test").await;

    pass(LOOK_UP).await;
    for _ in 0..2 {
        assert_eq!(rig.not_found("stuck.test").await, "the resolver does not answer");
        // Who asks again is told the same, and nothing is begun for it.
        rig.names.look_up("stuck.test");
    }
    rig.not_found("stuck.test").await;
    assert!(script.is_idle());

    stuck.send(Ok(ips(&["127.0.0.9"]))).unwrap();
    assert_eq!(remotes(&rig.found("stuck.test").await), ips(&["127.0.0.9"]));
}

#[tokio::test]
async fn look_ups_without_an_answer_take_a_bounded_number_of_threads_and_names() {
    let (mut rig, mut script) = Rig::scripted();
    const NAMES: usize = 256;
    let host = |number: usize| format!("stuck-{number}.test");
    for number in 0..NAMES {
        rig.names.look_up(&host(number));
    }
    rig.names.look_up("one-more.test");
    assert_eq!(rig.not_found("one-more.test").await, "256 names are being looked up");

    pass(LOOK_UP).await;
    let mut told = BTreeSet::new();
    while told.len() < NAMES {
        told.insert(rig.next_lookup().await.0);
    }
    let mut waiting = Vec::new();
    for _ in 0..8 {
        waiting.push(script.asked.recv().await.unwrap());
    }
    assert!(script.is_idle(), "one thread each, and no more");

    // One that has its answer after all makes room for another.
    waiting.pop().unwrap().1.send(Ok(ips(&["127.0.0.1"]))).unwrap();
    rig.names.look_up("one-more.test");
    script
        .asked("one-more.test")
        .await
        .send(Ok(ips(&["127.0.0.2"])))
        .unwrap();
    let both = [rig.next_lookup().await, rig.next_lookup().await];
    let is_it = |(_, told): &(_, Result<Vec<Towards>, _>)| {
        let found = told.as_ref().map(|found| remotes(found));
        found == Ok(ips(&["127.0.0.2"]))
    };
    assert!(both.iter().any(is_it), "{both:?}");
}

#[tokio::test]
async fn an_address_needs_no_resolver_and_the_system_knows_localhost() {
    let (mut rig, mut script) = Rig::scripted();
    for address in ["192.0.2.1", "2001:db8::1"] {
        rig.names.look_up(address);
        assert_eq!(remotes(&rig.found(address).await), ips(&[address]));
    }
    assert!(script.is_idle());

    let (udp, wake) = Udp::bind(&[]).unwrap();
    let (events, received) = Events::new(wake);
    let mut rig = Rig {
        names: Names::new(Handle::current(), events),
        events: received,
        _udp: udp,
    };
    rig.names.look_up("localhost");
    let found = rig.found("localhost").await;
    assert!(remotes(&found).iter().all(IpAddr::is_loopback) && !found.is_empty());
    assert!(found.iter().all(|towards| towards.local == Some(towards.remote)));
}

#[test]
fn our_own_address_is_the_one_that_the_system_would_speak_from() {
    for address in ips(&["127.0.0.1", "::1"]) {
        assert_eq!(local_towards(address), Ok(Some(address)));
    }
}
