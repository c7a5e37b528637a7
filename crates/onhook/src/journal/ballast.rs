//! Room on the disk that is kept for the worst moment: a file that is given up when the disk is full, so that running
//! calls can still be written to their end.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;

/// What is written at a time.
const BLOCK: usize = 1024 * 1024;

/// How many bytes are free on the disk that this file is on, or would be; none when that cannot be told.
pub(super) fn room_beside(file: &Path) -> u64 {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    statvfs(folder).map_or(0, |disk| disk.blocks_available().saturating_mul(disk.fragment_size()))
}

#[derive(Clone, Debug)]
pub(super) struct Ballast {
    path: PathBuf,
    /// In bytes; 0 for none.
    size: u64,
}

impl Ballast {
    pub(super) fn beside(store: &Path, size: u64) -> Self {
        Self {
            path: named(store, "-ballast"),
            size,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// In bytes.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Whether there is nothing to do: it is there, or none is wanted.
    pub(super) fn is_kept(&self) -> bool {
        self.size == 0 || fs::metadata(&self.path).is_ok_and(|file| file.len() == self.size)
    }

    /// Whether it fits, and as much again: else it would soon be given up once more.
    pub(super) fn has_room(&self) -> bool {
        room_beside(&self.path) / 2 >= self.size
    }

    /// Makes it, unless it is there; removes it, if none is wanted.
    pub(super) fn keep(&self) -> io::Result<()> {
        if self.size == 0 {
            return absent_is_fine(fs::remove_file(&self.path));
        }
        if self.is_kept() {
            return Ok(());
        }
        let partly = self.partly();
        let written = self.write(&partly).and_then(|()| fs::rename(&partly, &self.path));
        if written.is_err() {
            let _ = fs::remove_file(&partly);
        }
        written
    }

    /// Gives its room back. False when there was none to give.
    pub(super) fn give_up(&self) -> io::Result<bool> {
        // One that is only just being made is in the way, too.
        absent_is_fine(fs::remove_file(self.partly()))?;
        match fs::remove_file(&self.path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn partly(&self) -> PathBuf {
        named(&self.path, "-partly")
    }

    /// Random bytes: file systems make zeros, and what compresses, into nothing.
    fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(path)?;
        let mut block = vec![0; BLOCK];
        let mut left = self.size;
        while left > 0 {
            let length = usize::try_from(left).map_or(BLOCK, |left| left.min(BLOCK));
            let part = &mut block[..length];
            getrandom::fill(part)?;
            file.write_all(part)?;
            left -= length as u64;
        }
        file.sync_all()?;
        // The name must last as long as the room it stands for.
        path.parent()
            .map_or(Ok(()), |folder| match folder.as_os_str().is_empty() {
                true => File::open(".")?.sync_all(),
                false => File::open(folder)?.sync_all(),
            })
    }
}

fn named(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn absent_is_fine(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn it_is_really_written_and_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let ballast = Ballast::beside(&folder.path().join("onhook.db"), 3 * 1024 * 1024 + 5);
        assert!(!ballast.is_kept());
        ballast.keep().unwrap();
        assert!(ballast.is_kept());
        let file = fs::metadata(folder.path().join("onhook.db-ballast")).unwrap();
        assert!(
            file.blocks() * 512 >= ballast.size(),
            "{} blocks: sparse",
            file.blocks()
        );
        assert_eq!(file.mode() & 0o777, 0o600);

        assert!(ballast.give_up().unwrap());
        assert!(!ballast.is_kept());
        assert!(!ballast.give_up().unwrap(), "there is none any more");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn another_size_is_made_anew_and_none_removes_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("onhook.db");
        Ballast::beside(&store, 5000).keep().unwrap();
        let smaller = Ballast::beside(&store, 3000);
        assert!(!smaller.is_kept());
        smaller.keep().unwrap();
        assert_eq!(fs::metadata(smaller.path()).unwrap().len(), 3000);

        let none = Ballast::beside(&store, 0);
        none.keep().unwrap();
        assert!(none.is_kept() && !none.path().exists());
    }

    #[test]
    fn what_does_not_fit_has_no_room() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("onhook.db");
        assert!(Ballast::beside(&store, 1).has_room());
        assert!(!Ballast::beside(&store, u64::MAX).has_room());
    }
}
