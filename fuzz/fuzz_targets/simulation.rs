//! The simulation, with what is decided in it from the bytes: no rule may break. `docs/reliability.md` says what to do with what it finds.
#![no_main]

use sim::{Lanes, Settings, run};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Some(violation) = run(Lanes::of_bytes(input), Settings::default()).violation {
        panic!("{violation}");
    }
});
