//! When no more files may be open. A binary of its own, since the limit is the whole process's.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::os::fd::AsRawFd as _;

use media::{NoFiles, PortError, PortPool, PortPoolOptions};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

#[test]
fn a_lack_of_files_is_told_at_once_with_the_limit_and_what_to_do() {
    let (before, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let pool = |range| {
        PortPool::new(PortPoolOptions {
            range,
            ..PortPoolOptions::default()
        })
    };
    let (chosen, in_range) = (pool(None), pool(Some(20_000..=59_999)));
    // Room for one more, the first port of a pair.
    let next = std::fs::File::open("/dev/null").unwrap().as_raw_fd() as u64;
    let most = next + 1;
    setrlimit(Resource::RLIMIT_NOFILE, most, hard).unwrap();
    let told = [chosen.lease(), in_range.lease()];
    setrlimit(Resource::RLIMIT_NOFILE, before, hard).unwrap();

    for lease in told {
        let error = lease.unwrap_err();
        assert!(
            matches!(error, PortError::NoFiles(NoFiles::OfProcess { limit }) if limit == most),
            "{error}"
        );
        assert!(error.to_string().contains("LimitNOFILE"), "{error}");
    }
    assert_eq!(in_range.in_use(), 0);
    chosen.lease().unwrap();
    in_range.lease().unwrap();
}
