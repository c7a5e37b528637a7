//! What arrives at the RTP and RTCP ports: any datagrams, in any order.
//!
//! In a seed a 1 stands before each datagram and each of its bytes, and a 0 after the last: lists as `arbitrary` reads them.
#![no_main]

use std::time::Duration;

use media::{
    Codec, Ear, rtcp,
    srtp::{MasterKey, Opener},
};

libfuzzer_sys::fuzz_target!(|datagrams: Vec<Vec<u8>>| {
    let mut ear = Ear::new(0, Codec::Pcmu, Duration::from_secs(1));
    ear.add_codec(9, Codec::G722);
    ear.set_telephone_event(Some(101));
    let mut opener = Opener::new(&MasterKey::new([1; 30]));
    for datagram in &datagrams {
        assert!(
            opener.rtp(datagram).is_err() && opener.rtcp(datagram).is_err(),
            "nobody here has the key"
        );
        ear.handle_packet(datagram);
        assert!(rtcp::parse(datagram).count() <= datagram.len() / 4);
    }
    assert!(ear.finish().samples.len() <= 8000);
});
