//! What reading a hostile document of 64 KiB costs: time (the median), bytes at once, bytes in all. Run with
//! `cargo bench -p ews`. At most 5 ms and 1 MiB are allowed; `tests/hostile_documents` holds them.

#![expect(clippy::disallowed_methods, reason = "a stopwatch needs a clock")]

#[path = "../tests/hostile_documents/documents.rs"]
mod documents;

use std::hint::black_box;
use std::time::Instant;

use ews::{DecodeOptions, ServerVersionInfo, decode};

fn read(document: &str) {
    if let Err(fault) = decode(document.as_bytes(), &DecodeOptions::default()) {
        black_box(fault.encode(&ServerVersionInfo::default()));
    }
}

fn main() {
    let benign = documents::benign();
    println!("bodies of {} bytes", documents::SIZE);
    for (name, document) in [("(benign)", benign)].into_iter().chain(documents::hostile()) {
        let used = allocation_counter::measure(|| read(&document));
        let mut times: Vec<_> = (0..51)
            .map(|_| {
                let started = Instant::now();
                read(&document);
                started.elapsed()
            })
            .collect();
        times.sort_unstable();
        println!(
            "{name:<46} {:>9.3} ms {:>8} KiB at once {:>8} KiB in all",
            times[25].as_secs_f64() * 1000.0,
            used.bytes_max / 1024,
            used.bytes_total / 1024
        );
    }
}
