//! What a server answers to our own client.
#![no_main]

use ews::{DisconnectPhoneCall, GetPhoneCallInformation, GetServiceConfiguration, PlayOnPhone};

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    let _ = PlayOnPhone::decode_response(body);
    let _ = GetPhoneCallInformation::decode_response(body);
    let _ = DisconnectPhoneCall::decode_response(body);
    let _ = GetServiceConfiguration::decode_response(body);
});
