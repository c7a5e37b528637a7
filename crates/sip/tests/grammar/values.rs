//! The values of RFC 3261 §25.1, rule by rule.
//!
//! Where the grammar lets blanks stand, a value has a mark: `MAY` where there may be none, `MUST` where there is one at least.
//! No value contains the marks otherwise.

use proptest::{collection::vec, option, prelude::*, sample::select};

/// SWS, and the blanks around separators.
pub(crate) const MAY: char = '\u{e000}';
/// LWS.
pub(crate) const MUST: char = '\u{e001}';

/// Text that the grammar allows.
pub(crate) type Text = BoxedStrategy<String>;

/// `token`.
pub(crate) fn token() -> Text {
    "[A-Za-z0-9.!%*_+`'~-]{1,12}".boxed()
}

/// `word`, as in a Call-ID.
fn word() -> Text {
    "[A-Za-z0-9.!%*_+`'~()<>:\\\\\"/\\[\\]?{}-]{1,12}".boxed()
}

/// `callid`.
pub(crate) fn call_id() -> Text {
    (word(), option::of(word()))
        .prop_map(|(word, host)| host.map_or(word.clone(), |host| format!("{word}@{host}")))
        .boxed()
}

/// `quoted-string`: qdtext, UTF-8 and quoted pairs of all that may be quoted.
fn quoted_string() -> Text {
    let pair = any::<u8>()
        .prop_map(|octet| octet & 0x7f)
        .prop_filter("no line ends", |octet| !matches!(octet, b'\r' | b'\n'))
        .prop_map(|octet| format!("\\{}", char::from(octet)));
    let part = prop_oneof![
        6 => "[ !#-\\[\\]-~]{1,6}",
        2 => pair,
        1 => "[äßж電🙂;,<>]{1,3}",
    ];
    vec(part, 0..5)
        .prop_map(|parts| format!("\"{}\"", parts.concat()))
        .boxed()
}

/// `hostname`, `IPv4address` or `IPv6reference`.
pub(crate) fn host() -> Text {
    let ipv6 = any::<[u16; 8]>().prop_map(|groups| format!("[{}]", std::net::Ipv6Addr::from(groups)));
    let short = select(vec![
        "[::]",
        "[::1]",
        "[2001:db8::9:255]",
        "[::ffff:192.0.2.10]",
        "[2001:DB8::192.0.2.1]",
    ]);
    prop_oneof![
        4 => "([A-Za-z0-9]([A-Za-z0-9-]{0,6}[A-Za-z0-9])?\\.){0,2}[A-Za-z]([A-Za-z0-9-]{0,6}[A-Za-z0-9])?\\.?",
        2 => any::<[u8; 4]>().prop_map(|octets| std::net::Ipv4Addr::from(octets).to_string()),
        1 => ipv6,
        1 => short.prop_map(str::to_owned),
    ]
    .boxed()
}

fn port() -> impl Strategy<Value = String> {
    option::of(any::<u16>()).prop_map(|port| port.map_or(String::new(), |port| format!(":{port}")))
}

/// `hostport`.
fn host_port() -> Text {
    (host(), port()).prop_map(|(host, port)| host + &port).boxed()
}

/// `userinfo`: a user with all that may stand in it unescaped, or a `telephone-subscriber`; a password.
fn userinfo() -> Text {
    let user =
        "([A-Za-z0-9_.!~*'()&=+$,;?/-]|%[0-9A-Fa-f]{2}){1,12}(:([A-Za-z0-9_.!~*'()&=+$,-]|%[0-9A-Fa-f]{2}){0,6})?";
    let telephone = "\\+[0-9()./-]{1,12}(;isub=[0-9]{1,4})?(;postd=[0-9p*#w]{1,4})?(;phone-context=\\+49)?"
        .prop_map(|text| text.replace('#', "%23"));
    prop_oneof![4 => user.boxed(), 1 => telephone.boxed()].boxed()
}

/// `SIP-URI` or `SIPS-URI`, as bare as `bare` says: without parameters and headers, and without what ends it elsewhere.
pub(crate) fn sip_uri(bare: bool) -> Text {
    let value = "([A-Za-z0-9_.!~*'()\\[\\]/:&+$-]|%[0-9A-Fa-f]{2}){1,8}";
    let parameter = prop_oneof![
        select(vec![
            "lr",
            "transport=tcp",
            "Transport=TCP",
            "user=phone",
            "ttl=15",
            "maddr=239.255.255.1",
            "method=INVITE",
            "%6C%72"
        ])
        .prop_map(str::to_owned),
        (value, option::of(value))
            .prop_map(|(name, value)| value.map_or(name.clone(), |value| format!("{name}={value}"))),
    ];
    let header = (
        "([A-Za-z0-9_.!~*'()\\[\\]/?:+$-]|%[0-9A-Fa-f]{2}){1,6}",
        "([A-Za-z0-9_.!~*'()\\[\\]/?:+$-]|%[0-9A-Fa-f]{2}){0,6}",
    )
        .prop_map(|(name, value)| format!("{name}={value}"));
    let most = if bare { 0 } else { 3 };
    (
        select(vec!["sip", "sips", "SIP", "Sips"]),
        option::of(userinfo()),
        host_port(),
        vec(parameter, 0..=most),
        vec(header, 0..=most.min(2)),
    )
        .prop_map(|(scheme, user, host, parameters, headers)| {
            let user = user.map_or(String::new(), |user| user + "@");
            let parameters: String = parameters.iter().map(|parameter| format!(";{parameter}")).collect();
            let headers = if headers.is_empty() {
                String::new()
            } else {
                format!("?{}", headers.join("&"))
            };
            format!("{scheme}:{user}{host}{parameters}{headers}")
        })
        .prop_filter("nothing that ends it", move |uri| {
            !bare || !uri.contains([';', ',', '?'])
        })
        .boxed()
}

/// `absoluteURI` of another scheme.
pub(crate) fn absolute_uri() -> Text {
    (
        "(tel|urn|http|soap\\.beep|a[a-z0-9+.-]{0,5}x)",
        "(//?)?([A-Za-z0-9_.!~*'()/?:@&=+$-]|%[0-9A-Fa-f]{2}){1,12}",
    )
        .prop_map(|(scheme, rest)| format!("{scheme}:{rest}"))
        .boxed()
}

/// `generic-param`, with the blanks of SEMI and EQUAL.
pub(crate) fn generic_param() -> Text {
    let taken = ["tag", "branch", "received", "rport", "expires"];
    let name = token().prop_filter("one that means nothing", move |name| {
        !taken.iter().any(|taken| name.eq_ignore_ascii_case(taken))
    });
    let value = option::of(prop_oneof![token(), host(), quoted_string()]);
    (name, value)
        .prop_map(|(name, value)| match value {
            Some(value) => parameter(&name, &value),
            None => format!("{MAY};{MAY}{name}"),
        })
        .boxed()
}

pub(crate) fn parameter(name: &str, value: &str) -> String {
    format!("{MAY};{MAY}{name}{MAY}={MAY}{value}")
}

/// `name-addr`, or where `bare` allows it an `addr-spec`, with `parameters` behind it.
pub(crate) fn address(parameters: Text) -> BoxedStrategy<Address> {
    let display = prop_oneof![
        Just(String::new()),
        vec(token(), 1..3).prop_map(|tokens| tokens.join(&MUST.to_string()) + &MUST.to_string()),
        quoted_string().prop_map(|quoted| format!("{quoted}{MAY}")),
    ];
    let named = (display, prop_oneof![4 => sip_uri(false), 1 => absolute_uri()])
        .prop_map(|(display, uri)| (format!("{display}<{uri}>"), uri));
    let bare = sip_uri(true).prop_map(|uri| (uri.clone(), uri));
    (prop_oneof![3 => named, 1 => bare], parameters)
        .prop_map(|((text, uri), parameters)| Address {
            text: text + &parameters,
            uri,
        })
        .boxed()
}

/// An address and the URI in it.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) text: String,
    pub(crate) uri: String,
}

/// The value of an extension header: TEXT-UTF8-TRIM, not empty, and without quotes, in which blanks would mean something.
pub(crate) fn text() -> Text {
    vec("[!#-~äßж電🙂]{1,8}", 1..4)
        .prop_map(|words| words.join(&MUST.to_string()))
        .boxed()
}
