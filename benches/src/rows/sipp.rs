//! Many at a time, with SIPp's phones: a peer that others know, with one thread and 64 KiB for what waits.

use std::{
    fs,
    io::Write as _,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    process::Stdio,
    time::{Duration, Instant},
};

use proving::server::Site;
use tempfile::NamedTempFile;
use tokio::{
    process::{Child, Command},
    time::timeout,
};

use crate::{
    BenchError,
    client::{self, Client, Held},
    figures::Figures,
    lab::{Layout, Program, setting, until},
    measures,
};

const SCENARIO: &str = include_str!("answered-and-held.xml");
/// Calls that were placed last, by which is seen that all are answered.
const LAST: usize = 64;
/// What SIPp may take to end when its last call has.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn sipp(program: &Program, nth: usize, calls: usize, figures: &mut Figures) -> Result<(), BenchError> {
    let mut scenario = NamedTempFile::new()?;
    scenario.write_all(SCENARIO.as_bytes())?;
    let address = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let mut phones = start(&scenario, address, calls)?;
    let site = Site::furnish(setting(&program.onhook, &Layout::default()), address).await?;
    let serving = site.serve(None).await?;
    let access = &serving.access;

    let begun = Instant::now();
    let held = client::place(access, 8, 0..calls)?;
    let mut client = Client::connect(access)?;
    for call in &held[held.len().saturating_sub(LAST)..] {
        wait_until_connected(&mut client, call)?;
    }
    figures.add(
        nth,
        measures::SIPP_SET_UPS_8,
        calls as f64 / begun.elapsed().as_secs_f64(),
    );
    for call in &held {
        wait_until_connected(&mut client, call)?;
    }

    let (by_one, rest) = held.split_at(calls / 10);
    let (by_eight, by_many) = rest.split_at(rest.len() / 2);
    for (clients, calls, row) in [
        (1, by_one, measures::SIPP_HANG_UPS_1),
        (8, by_eight, measures::SIPP_HANG_UPS_8),
        (32, by_many, measures::SIPP_HANG_UPS_32),
    ] {
        let begun = Instant::now();
        client::hang_up(access, clients, calls)?;
        figures.add(nth, row, calls.len() as f64 / begun.elapsed().as_secs_f64());
    }
    // It ends by itself when so many calls have ended as they should, each by its BYE.
    let ended = timeout(PATIENCE, phones.wait()).await;
    let ended = ended.map_err(|_| BenchError::Stuck("not every call has ended at SIPp"))??;
    if !ended.success() {
        return Err(BenchError::Stuck("at SIPp a call did not end as it should"));
    }
    Ok(serving.kill().await?)
}

fn start(scenario: &NamedTempFile, address: SocketAddr, calls: usize) -> Result<Child, BenchError> {
    let phones = Command::new("sipp")
        .arg("-sf")
        .arg(scenario.path())
        .args(["-i", &address.ip().to_string(), "-p", &address.port().to_string()])
        .args(["-m", &calls.to_string(), "-nostdin", "-deadcall_wait", "0"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|_| BenchError::Stuck("sipp cannot be run: `scripts/setup bench` installs it"))?;
    let listens = format!(":{:04X} ", address.port());
    let is_there = || fs::read_to_string("/proc/net/udp").is_ok_and(|all| all.contains(&listens));
    until(is_there, "SIPp does not listen")?;
    Ok(phones)
}

fn wait_until_connected(client: &mut Client, call: &Held) -> Result<(), BenchError> {
    let begun = Instant::now();
    while !client.is_connected(call)?.0 {
        if begun.elapsed() > PATIENCE {
            return Err(BenchError::Stuck("not every call was answered by SIPp"));
        }
    }
    Ok(())
}
