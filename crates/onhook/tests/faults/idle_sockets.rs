//! Clients that connect and say nothing do not keep the others from their calls.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Mutex;

use crate::stage::{Serving, Stage, stage};

const SOCKETS: usize = 10_000;
/// As many as one address may hold by default.
const FROM_ONE_ADDRESS: usize = 256;
/// As many as are told to go at the same time (`WITHOUT_PLACE`).
const TURNED_AWAY: usize = 64;
/// There are not enough files for two of these tests in one process.
static TURN: Mutex<()> = Mutex::const_new(());

/// As many idle connections as are wanted, or as this process may have.
async fn occupy(server: SocketAddr, wanted: usize) -> Vec<TcpStream> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    }
    let room = usize::try_from(hard).unwrap_or(usize::MAX) - 500;
    assert!(
        wanted <= room,
        "{hard} files may be open (ulimit -Hn): too few for {wanted} sockets"
    );
    let mut idle = Vec::new();
    for number in 0..wanted {
        // All of 127.0.0.0/8 is this machine.
        let from = number / FROM_ONE_ADDRESS;
        let from = Ipv4Addr::new(127, 1, (from >> 8) as u8, from as u8);
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((IpAddr::from(from), 0).into()).unwrap();
        idle.push(socket.connect(server).await.unwrap());
    }
    idle
}

/// A whole call, and how long the client waited for the slower of its two answers.
async fn call(stage: &mut Stage, server: &Serving) -> Duration {
    let started = Instant::now();
    let id = server.play().await.unwrap();
    let played = started.elapsed();
    stage.answered().await;
    let started = Instant::now();
    server.hang_up(&id).await.unwrap();
    let hung_up = started.elapsed();
    stage.hung_up().await;
    played.max(hung_up)
}

async fn slowest_call(stage: &mut Stage, server: &Serving) -> Duration {
    let mut slowest = Duration::ZERO;
    for _ in 0..5 {
        slowest = slowest.max(call(stage, server).await);
    }
    slowest
}

fn held_by(server: &Serving) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count()
}

#[tokio::test]
async fn ten_thousand_idle_sockets_do_not_disturb_calls() {
    let _turn = TURN.lock().await;
    let mut stage = stage(Duration::from_secs(30), None).await;
    stage.http = "max_connections = 12000\nheader_timeout = \"10m\"";
    let server = stage.serve("ballast = \"0\"", "").await;
    let alone = slowest_call(&mut stage, &server).await;
    let idle = occupy(server.http, SOCKETS).await;
    let beside = slowest_call(&mut stage, &server).await;
    let held = held_by(&server);
    println!(
        "{} idle sockets, {held} files held: {beside:?} for an answer, {alone:?} without them",
        idle.len()
    );
    assert!(held > idle.len(), "the server holds all of them: {held}");
    assert!(
        beside < 5 * alone + Duration::from_secs(1),
        "{beside:?}, alone {alone:?}"
    );
    server.signal("KILL").await;
    server.exits().await;
}

#[tokio::test]
async fn more_sockets_than_places_do_not_disturb_calls() {
    let _turn = TURN.lock().await;
    let mut stage = stage(Duration::from_secs(30), None).await;
    stage.http = "max_connections = 500\nheader_timeout = \"10m\"";
    let server = stage.serve("ballast = \"0\"", "").await;
    slowest_call(&mut stage, &server).await;
    let alone = held_by(&server);
    let idle = occupy(server.http, SOCKETS).await;
    let beside = slowest_call(&mut stage, &server).await;
    let held = held_by(&server);
    println!(
        "{} idle sockets at 500 places, {held} files held, {alone} without them: {beside:?} for an answer",
        idle.len()
    );
    // The call's own come and go.
    assert!(
        held < alone + 500 + TURNED_AWAY + 10,
        "the server holds no more than it has places for: {held}, {alone} without them"
    );
    assert!(beside < Duration::from_secs(3), "{beside:?}");
}

#[tokio::test]
async fn clients_do_not_get_the_last_files_of_the_server() {
    let _turn = TURN.lock().await;
    let mut stage = stage(Duration::from_secs(30), None).await;
    stage.http = "header_timeout = \"10m\"";
    let few = ["sh", "-c", "ulimit -n 400; exec \"$0\" \"$@\""];
    let server = stage.serve_by(&few, "ballast = \"0\"", "").await;
    // More than it may have, and few enough for those that it does not accept to wait in the system.
    let _idle = occupy(server.http, 1_000).await;
    let beside = slowest_call(&mut stage, &server).await;
    let held = held_by(&server);
    assert!(held < 400, "{held} files of 400 are held");
    assert!(beside < Duration::from_secs(3), "{beside:?}");
}
