//! SIP URIs, and the values that they stand in (RFC 3261 §19.1, §20.10).

use std::net::{IpAddr, Ipv6Addr};

use crate::{
    name_addr::NameAddr,
    syntax::{Quotes, number},
};

/// Not a `sip:` or `sips:` URI with a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSipUri {
    #[error("a URI of another scheme")]
    OtherScheme,
    #[error("no SIP URI")]
    Malformed,
}

/// The parts of a `sip:` or `sips:` URI as they were written (RFC 3261 §19.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SipUri<'t> {
    pub is_sips: bool,
    /// User and password, escapes and all.
    pub userinfo: Option<&'t str>,
    /// A name, an IPv4 address, or an IPv6 address with its brackets.
    pub host: &'t str,
    pub port: Option<u16>,
    /// What follows the first `;`.
    pub parameters: &'t str,
    /// What follows the `?`.
    pub headers: &'t str,
}

impl<'t> SipUri<'t> {
    /// Reads a URI without `<>`. Blanks and control characters are in none.
    ///
    /// # Errors
    ///
    /// [`NoSipUri`].
    pub fn parse(text: &'t str) -> Result<Self, NoSipUri> {
        if text
            .chars()
            .any(|character| character.is_control() || character.is_whitespace())
        {
            return Err(NoSipUri::Malformed);
        }
        let (scheme, rest) = text.split_once(':').ok_or(NoSipUri::Malformed)?;
        let is_sips = match scheme {
            _ if scheme.eq_ignore_ascii_case("sip") => false,
            _ if scheme.eq_ignore_ascii_case("sips") => true,
            _ if is_scheme(scheme) => return Err(NoSipUri::OtherScheme),
            _ => return Err(NoSipUri::Malformed),
        };
        // A user part may hold ; and ? as they are, the others @ in escapes only.
        let (userinfo, rest) = match rest.rsplit_once('@') {
            Some((userinfo, rest)) => (Some(userinfo), rest),
            None => (None, rest),
        };
        let (rest, headers) = rest.split_once('?').unwrap_or((rest, ""));
        let (host_port, parameters) = rest.split_once(';').unwrap_or((rest, ""));
        let (host, port) = host_port_of(host_port).ok_or(NoSipUri::Malformed)?;
        Ok(Self {
            is_sips,
            userinfo,
            host,
            port,
            parameters,
            headers,
        })
    }

    /// The value of a URI parameter, empty for one without; names are compared as RFC 3261 §19.1.4 says.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&'t str> {
        self.parameters.split(';').find_map(|parameter| {
            let (found, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            is_spelled(found, name).then_some(value)
        })
    }
}

/// RFC 3986 §3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Host and port of a `hostport`, without blanks around them (RFC 3261 §25.1).
pub(crate) fn host_port_of(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match text.find(']') {
        Some(end) if text.starts_with('[') => {
            ipv6_reference(&text[..=end])?;
            text.split_at(end + 1)
        }
        _ => {
            let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            let host = host.trim_end();
            let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            if host.is_empty() || !host.bytes().all(is_host) {
                return None;
            }
            (host, port)
        }
    };
    let port = port.trim();
    match port.strip_prefix(':') {
        Some(digits) => Some((host, Some(number(digits.trim_start().as_bytes())?))),
        None => port.is_empty().then_some((host, None)),
    }
}

/// The address in an `IPv6reference`. By the grammar as it was printed, an IPv4 address in it may follow three colons
/// (RFC 5118 §4.10).
pub(crate) fn ipv6_reference(host: &str) -> Option<Ipv6Addr> {
    let address = host.strip_prefix('[')?.strip_suffix(']')?;
    address
        .parse()
        .or_else(|_| address.replacen(":::", "::", 1).parse())
        .ok()
}

/// The address that a host is, brackets or not.
pub(crate) fn ip(host: &str) -> Option<IpAddr> {
    host.parse()
        .ok()
        .or_else(|| ipv6_reference(host).map(IpAddr::V6))
        .map(|ip| ip.to_canonical())
}

/// Whether `text` is `name` but for case and escapes (RFC 3261 §19.1.4).
fn is_spelled(text: &str, name: &str) -> bool {
    let mut rest = text.trim().as_bytes();
    let mut unescaped = std::iter::from_fn(|| {
        let (first, behind) = rest.split_first()?;
        let digits = (*first == b'%').then(|| behind.get(..2)).flatten();
        let octet = digits
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        rest = if octet.is_some() { &behind[2..] } else { behind };
        Some(octet.unwrap_or(*first))
    });
    name.bytes()
        .all(|byte| unescaped.next().is_some_and(|next| next.eq_ignore_ascii_case(&byte)))
        && unescaped.next().is_none()
}

/// Splits a header value that may hold several entries at the commas outside `<>` and quotes.
#[must_use]
pub fn split_list(value: &str) -> Vec<&str> {
    let (mut entries, mut start, mut angle, mut quotes) = (Vec::new(), 0, false, Quotes::default());
    for (at, byte) in value.bytes().enumerate() {
        if !quotes.passes(byte) {
            continue;
        }
        match byte {
            b'<' => angle = true,
            b'>' => angle = false,
            b',' if !angle => {
                entries.push(value[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    entries.push(value[start..].trim());
    entries.retain(|entry| !entry.is_empty());
    entries
}

/// The URI of a `name-addr` or `addr-spec`: without display name, `<>` and header parameters.
#[must_use]
pub fn addr_spec(value: &str) -> &str {
    match NameAddr::read(value.as_bytes(), 0..value.len()) {
        Some(read) => &value[read.uri],
        // Not closed: what there is of it.
        None => {
            let (uri, end) = value.split_once('<').map_or((value, ';'), |(_, uri)| (uri, '>'));
            uri.split(end).next().unwrap_or_default().trim()
        }
    }
}

/// The tag of a `From` or `To` value.
#[must_use]
pub fn tag(value: &str) -> Option<&str> {
    let read = NameAddr::read(value.as_bytes(), 0..value.len())?;
    let tag = read.parameter(value.as_bytes(), "tag")?;
    Some(&value[tag]).filter(|tag| !tag.is_empty())
}

/// Whether the URI carries the parameter `name`, such as `lr`.
#[must_use]
pub fn has_parameter(uri: &str, name: &str) -> bool {
    let (_, parameters) = own_parameters(uri);
    let mut names = parameters.split(';').map(|parameter| parameter.split('=').next());
    names.any(|found| found.is_some_and(|found| is_spelled(found, name)))
}

/// The URI with `;transport=` added when it names none; `udp` needs no naming.
#[must_use]
pub fn with_transport(uri: &str, transport: &str) -> String {
    let is_sips = uri.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("sips:"));
    if transport.eq_ignore_ascii_case("udp") || is_sips || has_parameter(uri, "transport") {
        return uri.to_owned();
    }
    let (end, _) = own_parameters(uri);
    format!("{};transport={transport}{}", &uri[..end], &uri[end..])
}

/// Where the URI ends but for its headers, and its parameters; those of the user part (`sip:1;a=b@host`) do not count.
fn own_parameters(uri: &str) -> (usize, &str) {
    let host = uri.rfind('@').map_or(0, |at| at + 1);
    let end = uri[host..].find('?').map_or(uri.len(), |at| host + at);
    let parameters = uri[host..end].split_once(';').map_or("", |(_, parameters)| parameters);
    (end, parameters)
}

#[cfg(test)]
mod tests;
