//! Which leftovers are being taken up right now, in a file beside the store: should the process die of one, the next start
//! knows which.
//!
//! The file has to outlive the process and not the machine, so it is not flushed, and a thread of its own writes it: no BYE
//! waits for a disk.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use switch::journal::CallKey;
use tracing::warn;

/// How long the file is waited for. On a disk that is slower than that it is left alone until the next start.
const PATIENCE: Duration = Duration::from_millis(50);

/// The file. Whoever drops it has nothing left to take up.
#[derive(Debug)]
pub struct TakingUp {
    path: PathBuf,
    /// In how many starts in a row the process died while it took this call up.
    deaths: BTreeMap<CallKey, u32>,
    /// Who writes the file; begun when there is something to write.
    thread: Option<FileThread>,
    /// The file cannot be written, or not in time.
    is_off: bool,
}

#[derive(Debug)]
struct FileThread {
    /// What the file is to hold.
    texts: SyncSender<String>,
    written: Receiver<io::Result<()>>,
}

impl TakingUp {
    /// What the last server left, as far as it is about calls that are still to be taken up.
    pub(super) fn read(store: &Path, is_left: impl Fn(CallKey) -> bool) -> Self {
        let mut name = store.as_os_str().to_owned();
        name.push("-taking-up");
        let path = PathBuf::from(name);
        let mut deaths = BTreeMap::new();
        for (key, times) in fs::read_to_string(&path).iter().flat_map(|text| entries(text)) {
            if is_left(key) {
                deaths.insert(key, times);
            }
        }
        if deaths.is_empty() {
            let _ = fs::remove_file(&path);
        }
        Self {
            path,
            deaths,
            thread: None,
            is_off: false,
        }
    }

    /// In how many starts in a row, up to this one, the process died while it took this call up.
    pub(super) fn deaths(&self, key: CallKey) -> u32 {
        self.deaths.get(&key).copied().unwrap_or(0)
    }

    /// Where it is written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes that these are being taken up from now on. It waits for the file, for 50 ms at most, and once that was not enough
    /// never again.
    pub fn begin(&mut self, keys: &[CallKey]) {
        self.write(keys);
    }

    /// Writes that these have been taken up, and the process did not die of it. It waits as [`Self::begin`] does.
    pub fn done(&mut self, keys: &[CallKey]) {
        self.deaths.retain(|key, _| !keys.contains(key));
        self.write(&[]);
    }

    fn write(&mut self, now: &[CallKey]) {
        if self.is_off {
            return;
        }
        let text = text(&self.deaths, now);
        let written = self.thread().and_then(|thread| {
            let gone = |_| io::Error::other("its thread has ended");
            thread.texts.send(text).map_err(gone)?;
            match thread.written.recv_timeout(PATIENCE) {
                Ok(written) => written,
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            }
        });
        if let Err(error) = written {
            warn!(%error, file = %self.path.display(),
                "it cannot be written which calls are being taken up: should onhook die of one, the next start does not know which");
            (self.is_off, self.thread) = (true, None);
        }
    }

    fn thread(&mut self) -> io::Result<&FileThread> {
        match &mut self.thread {
            Some(thread) => Ok(thread),
            none => Ok(none.insert(start_thread(self.path.clone())?)),
        }
    }
}

fn start_thread(path: PathBuf) -> io::Result<FileThread> {
    let (texts, asked) = sync_channel::<String>(1);
    let (answer, written) = sync_channel(1);
    thread::Builder::new().name("taking-up".to_owned()).spawn(move || {
        let mut file = None;
        for text in asked {
            if answer.send(overwrite(&path, &mut file, &text)).is_err() {
                return;
            }
        }
    })?;
    Ok(FileThread { texts, written })
}

fn overwrite(path: &Path, file: &mut Option<File>, text: &str) -> io::Result<()> {
    let file = match file {
        Some(file) => file,
        none => none.insert(
            File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .mode(0o600)
                .open(path)?,
        ),
    };
    file.write_all_at(text.as_bytes(), 0)?;
    file.set_len(text.len() as u64)
}

/// The last line, without which what follows is older.
const END: &str = "end";

/// A line for each call: its row, and in how many starts the process will have died of it if it dies now.
fn text(deaths: &BTreeMap<CallKey, u32>, now: &[CallKey]) -> String {
    let mut entries = deaths.clone();
    for key in now {
        *entries.entry(*key).or_default() += 1;
    }
    let mut text = String::new();
    for (key, times) in entries {
        let _ = writeln!(text, "{} {times}", key.0);
    }
    text + END + "\n"
}

fn entries(text: &str) -> impl Iterator<Item = (CallKey, u32)> {
    let lines = text.lines().take_while(|line| *line != END);
    lines.filter_map(|line| {
        let (key, times) = line.split_once(' ')?;
        Some((CallKey(key.parse().ok()?), times.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next_start(folder: &tempfile::TempDir) -> TakingUp {
        TakingUp::read(&folder.path().join("onhook.db"), |key| key.0 < 100)
    }

    fn deaths(start: &TakingUp) -> [u32; 3] {
        [1, 2, 3].map(|key| start.deaths(CallKey(key)))
    }

    #[test]
    fn whoever_was_being_taken_up_at_the_end_is_known_to_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = next_start(&folder);
        first.begin(&[CallKey(1), CallKey(2), CallKey(3)]);
        drop(first);
        let mut second = next_start(&folder);
        assert_eq!(deaths(&second), [1, 1, 1]);
        second.begin(&[CallKey(1)]);
        second.done(&[CallKey(1)]);
        second.begin(&[CallKey(2)]);
        drop(second);
        let mut third = next_start(&folder);
        assert_eq!(deaths(&third), [0, 2, 1]);
        third.begin(&[CallKey(2), CallKey(3)]);
        third.done(&[CallKey(2), CallKey(3)]);
        assert_eq!(deaths(&next_start(&folder)), [0, 0, 0]);
    }

    #[test]
    fn calls_that_are_over_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = next_start(&folder);
        first.begin(&[CallKey(1), CallKey(100)]);
        assert_eq!(next_start(&folder).deaths(CallKey(100)), 0);
    }

    #[test]
    fn where_nothing_can_be_written_nothing_is_waited_for() {
        let mut start = TakingUp::read(Path::new("/nowhere/at/all/onhook.db"), |_| true);
        start.begin(&[CallKey(1)]);
        assert!(start.is_off);
        start.done(&[CallKey(1)]);
    }
}
