//! What arrives at the RTP and RTCP ports: any datagrams, in any order.
#![no_main]

use std::time::Duration;

use media::{Codec, Ear, rtcp};

libfuzzer_sys::fuzz_target!(|datagrams: Vec<Vec<u8>>| {
    let mut ear = Ear::new(0, Codec::Pcmu, Duration::from_secs(1));
    ear.add_codec(9, Codec::G722);
    ear.set_telephone_event(Some(101));
    for datagram in &datagrams {
        ear.handle_packet(datagram);
        assert!(rtcp::parse(datagram).count() <= datagram.len() / 4);
    }
    assert!(ear.finish().samples.len() <= 8000);
});
