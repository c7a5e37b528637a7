//! What a process has used, as `/proc` tells it (proc(5)).

use std::{fs, io, time::Instant};

use crate::BenchError;

/// What `/proc` counts CPU in (USER_HZ).
const TICKS_A_SECOND: f64 = 100.0;

/// The clock on the wall and a process's CPU when something began.
pub(crate) struct Begun {
    pid: u32,
    at: Instant,
    cpu: f64,
}

impl Begun {
    pub(crate) fn now(pid: u32) -> Result<Self, BenchError> {
        Ok(Self {
            pid,
            at: Instant::now(),
            cpu: cpu(pid)?,
        })
    }

    /// How many were done a second, and the milliseconds of CPU for one.
    pub(crate) fn per(&self, done: usize) -> Result<[f64; 2], BenchError> {
        let (took, used) = (self.at.elapsed().as_secs_f64(), cpu(self.pid)? - self.cpu);
        Ok([done as f64 / took, used * 1e3 / done as f64])
    }

    /// The share of one core, of a hundred.
    pub(crate) fn share(&self) -> Result<f64, BenchError> {
        Ok((cpu(self.pid)? - self.cpu) * 100.0 / self.at.elapsed().as_secs_f64())
    }
}

/// Seconds of CPU that a process has used.
pub(crate) fn cpu(pid: u32) -> Result<f64, BenchError> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: Vec<f64> = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|it| it.parse().ok())
        .collect();
    Ok(ticks.iter().sum::<f64>() / TICKS_A_SECOND)
}

/// KiB of memory that a process has.
pub(crate) fn memory(pid: u32) -> Result<f64, BenchError> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib = field(&status, "VmRSS:");
    kib.ok_or(BenchError::Stuck("the memory of the server cannot be read"))
}

/// How often its threads have gone to sleep: as often as they were woken.
pub(crate) fn wake_ups(pid: u32) -> io::Result<f64> {
    let mut all = 0.0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may have ended meanwhile.
        let status = fs::read_to_string(thread?.path().join("status")).unwrap_or_default();
        all += field(&status, "voluntary_ctxt_switches:").unwrap_or_default();
    }
    Ok(all)
}

fn field(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// KiB of memory that the kernel has for sockets, files and tables of all processes (meminfo in proc(5)).
pub(crate) fn kernel_memory() -> io::Result<f64> {
    let all = fs::read_to_string("/proc/meminfo")?;
    let parts = ["Slab:", "KernelStack:", "PageTables:"];
    Ok(parts.iter().filter_map(|name| field(&all, name)).sum())
}
