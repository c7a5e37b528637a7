//! The little of URI and name-addr syntax that a dialog needs (RFC 3261 §19.1, §20.10).

/// Splits a header value that may hold several entries at the commas outside `<>` and quotes.
#[must_use]
pub fn split_list(value: &str) -> Vec<&str> {
    let (mut entries, mut start, mut angle, mut quoted, mut escaped) = (Vec::new(), 0, false, false, false);
    for (at, byte) in value.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'<' if !quoted => angle = true,
            b'>' if !quoted => angle = false,
            b',' if !quoted && !angle => {
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
    let value = value.trim();
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in value.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'<' if !quoted => {
                let uri = &value[at + 1..];
                return uri.find('>').map_or(uri, |end| &uri[..end]).trim();
            }
            _ => {}
        }
    }
    // Without <> every parameter belongs to the header, not to the URI (RFC 3261 §20).
    value.find(';').map_or(value, |end| &value[..end]).trim()
}

/// The tag of a `From` or `To` value.
#[must_use]
pub fn tag(value: &str) -> Option<&str> {
    let parameters = match value.rfind('>') {
        Some(end) => &value[end + 1..],
        None => value,
    };
    parameters.split(';').skip(1).find_map(|parameter| {
        let (name, tag) = parameter.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("tag")
            .then(|| tag.trim())
            .filter(|tag| !tag.is_empty())
    })
}

/// Whether the URI carries the parameter `name`, such as `lr`.
#[must_use]
pub fn has_parameter(uri: &str, name: &str) -> bool {
    parameters(uri).any(|parameter| {
        parameter
            .split('=')
            .next()
            .is_some_and(|key| key.trim().eq_ignore_ascii_case(name))
    })
}

/// The URI with `;transport=` added when it names none; `udp` needs no naming.
#[must_use]
pub fn with_transport(uri: &str, transport: &str) -> String {
    if transport.eq_ignore_ascii_case("udp") || uri.starts_with("sips:") || has_parameter(uri, "transport") {
        return uri.to_owned();
    }
    match uri.find('?') {
        Some(at) => format!("{};transport={transport}{}", &uri[..at], &uri[at..]),
        None => format!("{uri};transport={transport}"),
    }
}

/// Parameters of the URI itself; those of the user part (`sip:1;a=b@host`) do not count.
fn parameters(uri: &str) -> impl Iterator<Item = &str> {
    let uri = uri.find('?').map_or(uri, |end| &uri[..end]);
    let host = uri.rfind('@').map_or(uri, |at| &uri[at + 1..]);
    host.split(';').skip(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_splits_outside_brackets_and_quotes() {
        assert_eq!(
            split_list("<sip:p2;lr>, \"a, b\" <sip:p1;x=1,2>;y"),
            ["<sip:p2;lr>", "\"a, b\" <sip:p1;x=1,2>;y"]
        );
        assert_eq!(split_list(""), Vec::<&str>::new());
    }

    #[test]
    fn addr_spec_keeps_uri_parameters_and_drops_header_parameters() {
        assert_eq!(
            addr_spec("\"A <b>\" <sip:a@h;transport=tcp>;expires=3"),
            "sip:a@h;transport=tcp"
        );
        assert_eq!(addr_spec("sip:a@h;expires=3"), "sip:a@h");
        assert_eq!(addr_spec("<sip:a@h"), "sip:a@h");
    }

    #[test]
    fn a_tag_is_a_header_parameter() {
        assert_eq!(tag("\"x;tag=no\" <sip:a@h;tag=no>;other;Tag=yes"), Some("yes"));
        assert_eq!(tag("sip:a@h;tag=yes"), Some("yes"));
        assert_eq!(tag("<sip:a@h>"), None);
        assert_eq!(tag("<sip:a@h>;tag="), None);
    }

    #[test]
    fn a_transport_is_added_once() {
        assert_eq!(with_transport("sip:a@h", "tcp"), "sip:a@h;transport=tcp");
        assert_eq!(with_transport("sip:a@h;transport=udp", "tcp"), "sip:a@h;transport=udp");
        assert_eq!(with_transport("sip:a@h?x=y", "tls"), "sip:a@h;transport=tls?x=y");
        assert_eq!(
            with_transport("sip:a;transport=udp@h", "tcp"),
            "sip:a;transport=udp@h;transport=tcp"
        );
        assert_eq!(with_transport("sip:a@h", "udp"), "sip:a@h");
    }
}
