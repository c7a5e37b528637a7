//! What stands in the journal about a call, spoilt by a disk or written by another program. What reads as a record is
//! written as the same, and the call that is taken up from it comes to its end, whatever the record says.
#![no_main]

#[path = "../../crates/call/tests/spoilt_records/record.rs"]
mod record;
#[path = "../../crates/call/tests/rig/surroundings.rs"]
#[allow(dead_code, reason = "one function of it is used here")]
mod surroundings;

libfuzzer_sys::fuzz_target!(|text: &[u8]| record::hold(text));
