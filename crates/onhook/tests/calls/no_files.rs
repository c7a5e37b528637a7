//! When no more files may be open: whoever needs one is told, and what needs none goes on.
#![cfg(target_os = "linux")]

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use tokio::net::TcpListener;

use crate::peer::Peer;
use crate::program::Program;
use crate::scene::{House, Plan, sip_address};

/// Lets a server have so many files more than it has, and gives back what it was allowed before.
fn allow(program: &Program, more: u64) -> Rlimit {
    let pid = program.pid();
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let numbers: Vec<u64> = files
        .map(|file| file.unwrap().file_name().to_string_lossy().parse().unwrap())
        .collect();
    // The lowest free number is taken next, and the limit is the first that is not.
    let mut free = (0..).filter(|number| !numbers.contains(number));
    let limit = free.nth(more as usize).unwrap();
    // The most that it may raise it to is ours.
    let maximum = getrlimit(Resource::Nofile).maximum;
    set(
        program,
        Rlimit {
            current: Some(limit),
            maximum,
        },
    )
}

fn set(program: &Program, limit: Rlimit) -> Rlimit {
    let pid = Pid::from_raw(program.pid() as i32).unwrap();
    prlimit(Some(pid), Resource::Nofile, limit).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_files_a_call_is_refused_with_what_to_do_and_other_calls_go_on() {
    let mut peer = Peer::bind().await;
    let house = House::build();
    let program = Program::serve(&house, &Plan::to(peer.uri())).await;
    let anna = program.anna(&house);
    let id = anna.play("4711").await;
    peer.take_call().await;

    // For the client's connection, or for one of the two sockets.
    let before = allow(&program, 1);
    for _ in 0..3 {
        assert_eq!(anna.try_play("4712").await.unwrap_err(), "ErrorServerBusy");
    }
    program.logs("no RTP port can be opened: all ").await;
    program.logs("LimitNOFILE").await;
    peer.nothing_new(sip_address(&program.addresses.sip[0])).await;
    while peer.has_heard() {}
    peer.hears().await;
    let (user, asked) = (anna.clone(), id.clone());
    let hung_up = tokio::spawn(async move { user.disconnect(&asked).await });
    let bye = peer.expect("BYE").await;
    peer.reply(&bye, 200).await;
    hung_up.await.unwrap().unwrap();

    set(&program, before);
    anna.play("4713").await;
    peer.take_call().await;
}

/// To know which address of ours a trunk sees takes a socket, and to look up a name may take some.
#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_that_comes_back_while_there_are_no_files_is_found_where_it_was() {
    let mut peer = Peer::bind().await;
    let house = House::build();
    let plan = Plan {
        sip_listen: "udp:0.0.0.0:0".to_owned(),
        sip: "[sip.timers]\nt1 = \"20ms\"".to_owned(),
        trunk: "keepalive = \"1s\"",
        ..Plan::to(peer.uri())
    };
    let program = Program::serve(&house, &plan).await;
    program.logs("trunk down").await;
    allow(&program, 0);
    program.logs("a name is not found").await;
    for _ in 0..3 {
        peer.expect("OPTIONS").await;
    }
    let options = peer.expect("OPTIONS").await;
    peer.reply(&options, 200).await;
    program.logs("trunk up").await;
    let (_, log) = program.terminate().await;
    assert!(log.contains("LimitNOFILE"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_fails_for_lack_of_files_says_what_to_do() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let house = House::build();
    let plan = Plan {
        sip_listen: "tcp:127.0.0.1:0".to_owned(),
        trunk: "keepalive = \"1s\"",
        ..Plan::to(format!("sip:{gone};transport=tcp"))
    };
    let program = Program::serve(&house, &plan).await;
    program.logs("trunk down").await;
    allow(&program, 0);
    program.logs(&format!("unreachable: {gone}: all ")).await;
    let (_, log) = program.terminate().await;
    let line = log.lines().find(|line| line.contains(": all ")).unwrap();
    assert!(line.contains("trunk down") && line.contains("LimitNOFILE"), "{line}");
}
