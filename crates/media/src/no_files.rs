//! When nothing more can be opened.

use std::io;

use nix::{
    libc,
    sys::resource::{Resource, getrlimit},
};

/// As many files are open as may be; sockets count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoFiles {
    /// EMFILE.
    #[error(
        "all {limit} files are open that this process may have (RLIMIT_NOFILE): raise that, with ulimit -n or systemd's LimitNOFILE="
    )]
    OfProcess { limit: u64 },
    /// ENFILE.
    #[error("all files are open that the system may have: raise fs.file-max")]
    OfSystem,
}

impl NoFiles {
    /// Whether it was this that failed.
    pub fn of(error: &io::Error) -> Option<Self> {
        match error.raw_os_error()? {
            libc::EMFILE => {
                let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or_default();
                Some(Self::OfProcess { limit })
            }
            libc::ENFILE => Some(Self::OfSystem),
            _ => None,
        }
    }
}
