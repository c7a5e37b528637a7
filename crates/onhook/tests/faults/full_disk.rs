//! A file system of a few megabytes that is filled under a running server.

use std::env;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::stage::{refused, stage};

/// Set by whoever runs these tests where nothing may be mounted, and knows it.
const WITHOUT_MOUNT: &str = "ONHOOK_TESTS_WITHOUT_MOUNT";

/// A mounted file system of its own; gone with the value.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// Nothing where mounting is not allowed and that has been said. A test that is silently left out would look like one that
    /// has found nothing.
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "onhook-test"])
            .arg(folder.path())
            .output()
            .unwrap();
        if mounted.status.success() {
            return Some(Self(folder));
        }
        let why = String::from_utf8_lossy(&mounted.stderr);
        assert!(
            env::var_os(WITHOUT_MOUNT).is_some(),
            "{}: run this as root, or with {WITHOUT_MOUNT}=1 to leave it out",
            why.trim()
        );
        eprintln!("left out ({WITHOUT_MOUNT}): {why}");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves not a byte.
    fn fill(&self) {
        let mut filler = File::create(self.path().join("filler")).unwrap();
        for block in [vec![1; 65536], vec![1; 4096], vec![1; 1]] {
            loop {
                match filler.write_all(&block) {
                    Ok(()) => {}
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::StorageFull);
                        break;
                    }
                }
            }
        }
    }

    fn clear(&self) {
        fs::remove_file(self.path().join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

#[tokio::test]
async fn calls_end_on_a_full_disk_and_begin_again_when_there_is_room() {
    let Some(disk) = SmallDisk::mount("8m") else { return };
    let mut stage = stage(Duration::from_secs(60), Some(&disk.path().join("onhook.db"))).await;
    let mut server = stage.serve("ballast = \"1 MiB\"", "").await;
    let ballast = disk.path().join("onhook.db-ballast");
    assert_eq!(fs::metadata(&ballast).unwrap().len(), 1024 * 1024);
    let first = server.play().await.unwrap();
    stage.answered().await;

    disk.fill();
    let mut placed = Vec::new();
    // What the log holds already can be overwritten for a while.
    let refusal = loop {
        assert!(placed.len() < 500, "the disk is not full");
        match server.play().await {
            Ok(id) => {
                placed.push(id);
                stage.answered().await;
            }
            refusal => break refusal,
        }
    };
    refused(refusal, "ErrorInternalServerTransientError");
    let line = server.tells("the disk is full").await;
    assert!(
        line.contains("onhook.db") && line.contains("the ballast is given up"),
        "{line}"
    );
    assert!(!ballast.exists());

    server.hang_up(&first).await.unwrap();
    stage.hung_up().await;
    refused(server.play().await, "ErrorInternalServerTransientError");
    for id in &placed {
        server.hang_up(id).await.unwrap();
        stage.hung_up().await;
    }
    assert_eq!(stage.invited(), 0, "no INVITE without an intent");

    disk.clear();
    server.tells("the ballast is back").await;
    assert_eq!(fs::metadata(&ballast).unwrap().len(), 1024 * 1024);
    server.play().await.unwrap();
    stage.answered().await;
    server.signal("INT").await;
    assert_eq!(server.exits().await, 0);
    stage.hung_up().await;
    let mut causes = vec!["hangup"; 1 + placed.len()];
    causes.push("drain");
    // A refused call leaves a record, too: it was ordered, and never placed.
    let ended: Vec<_> = stage.causes();
    assert_eq!(
        ended
            .iter()
            .filter(|cause| *cause != "not-journaled")
            .collect::<Vec<_>>(),
        causes
    );
}

#[tokio::test]
async fn a_server_that_finds_its_disk_full_hangs_up_what_the_last_one_left() {
    let Some(disk) = SmallDisk::mount("8m") else { return };
    let mut stage = stage(Duration::from_secs(60), Some(&disk.path().join("onhook.db"))).await;
    let server = stage.serve("ballast = \"0\"", "").await;
    let mut up = 0;
    while server.play().await.is_ok() {
        stage.answered().await;
        up += 1;
        if up == 3 {
            // What the log holds already may be overwritten, so that more calls come about.
            disk.fill();
        }
        assert!(up < 500, "the disk is not full");
    }
    server.signal("KILL").await;
    server.exits().await;

    let _server = stage.serve("ballast = \"0\"", "").await;
    assert!(stage.ended_meanwhile < up, "calls are left");
    // A call whose answer found no room any more was hung up at once, and what its end has freed may have been enough for another.
    for _ in stage.ended_meanwhile..up {
        stage.hung_up().await;
    }
}

#[tokio::test]
async fn a_ballast_that_does_not_fit_is_warned_of_and_the_server_starts() {
    let Some(disk) = SmallDisk::mount("4m") else { return };
    let mut stage = stage(Duration::from_secs(60), Some(&disk.path().join("onhook.db"))).await;
    // The warning comes before the line that every start waits for, so it is looked for in the next one.
    let server = stage.serve("ballast = \"16 MiB\"", "").await;
    assert!(!disk.path().join("onhook.db-ballast").exists());
    assert!(!disk.path().join("onhook.db-ballast-partly").exists());
    server.play().await.unwrap();
    stage.answered().await;
    server.signal("INT").await;
    assert_eq!(server.exits().await, 0);
}
