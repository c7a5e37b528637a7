//! Where a password may be sent.

use std::net::IpAddr;

use ureq::http::Uri;

use super::{ClientError, Trust};

/// Whether what is sent stays on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    OnThisMachine,
    OverTheNetwork,
}

/// The way to an address that may be sent a password: over TLS, on this machine, or to anyone.
pub(super) fn way(url: &str, trust: &Trust) -> Result<Way, ClientError> {
    let uri: Uri = url.parse().map_err(|_| ClientError::NoAddress)?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(ClientError::NoAddress);
    };
    if authority.as_str().contains('@') {
        return Err(ClientError::UserInAddress);
    }
    match scheme {
        "https" => Ok(Way::OverTheNetwork),
        "http" if is_this_machine(authority.host()) => Ok(Way::OnThisMachine),
        "http" if matches!(trust, Trust::Anyone) => Ok(Way::OverTheNetwork),
        "http" => Err(ClientError::PlainHttp),
        _ => Err(ClientError::NoAddress),
    }
}

/// `localhost` is (RFC 6761 §6.3); no other name is looked up for this.
fn is_this_machine(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let address: Option<IpAddr> = host.parse().ok();
    host.eq_ignore_ascii_case("localhost") || address.is_some_and(|address| address.to_canonical().is_loopback())
}
