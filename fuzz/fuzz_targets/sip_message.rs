//! A SIP message from a socket, on its way to a call: found, parsed, judged, viewed and answered.
#![no_main]

libfuzzer_sys::fuzz_target!(|datagram: &[u8]| onhook::sip::look_at(datagram));
