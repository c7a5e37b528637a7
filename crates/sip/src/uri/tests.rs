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

/// RFC 3261 §19.1.1, with the user part of RFC 4475 §3.1.1.2.
#[test]
fn a_sip_uri_has_its_parts_as_they_were_written() {
    let user = "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)";
    let text = format!("SIPS:{user}@Example.COM:05062;Transport=TCP;lr?Subject=a&b=c;d");
    let uri = SipUri::parse(&text).unwrap();
    let expected = SipUri {
        is_sips: true,
        userinfo: Some(user),
        host: "Example.COM",
        port: Some(5062),
        parameters: "Transport=TCP;lr",
        headers: "Subject=a&b=c;d",
    };
    assert_eq!(uri, expected);
    assert_eq!(uri.parameter("transport"), Some("TCP"));
    assert_eq!(uri.parameter("lr"), Some(""));
    assert_eq!(uri.parameter("l"), None);
}

/// RFC 5118 §4.1 to §4.3, §4.10.
#[test]
fn an_ipv6_address_stands_in_brackets() {
    let host = |text| SipUri::parse(text).map(|uri| (uri.host, uri.port));
    for (text, host_of_it, port) in [
        ("sip:[2001:db8::10]", "[2001:db8::10]", None),
        ("sip:[2001:db8::10:5070]", "[2001:db8::10:5070]", None),
        ("sip:a@[2001:db8::10]:5070;lr", "[2001:db8::10]", Some(5070)),
        ("sip:[2001:db8:::192.0.2.1]", "[2001:db8:::192.0.2.1]", None),
        ("sip:[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.1]", Some(1)),
    ] {
        assert_eq!(host(text), Ok((host_of_it, port)), "{text}");
    }
    for text in [
        "sip:2001:db8::10",
        "sip:[2001:db8::10",
        "sip:[1::2::3]",
        "sip:[]",
        "sip:[::1]5060",
        "sip:[::1%1]",
    ] {
        assert_eq!(host(text), Err(NoSipUri::Malformed), "{text}");
    }
}

#[test]
fn what_is_no_sip_uri_is_none() {
    for text in [
        "tel:+4930123",
        "nobodyKnowsThisScheme:x",
        "soap.beep://h",
        "http://h",
        "a+b-c:",
    ] {
        assert_eq!(SipUri::parse(text), Err(NoSipUri::OtherScheme), "{text}");
    }
    for text in [
        "",
        "sip",
        "sip:",
        ":h",
        "1x:h",
        "sip :h",
        "sip:a@",
        "sip:a@;lr",
        "sip:h:",
        "sip:h:x",
        "sip:h:65536",
        "sip:h:+1",
        "sip:a b@h",
        "sip:h; lr",
        "sip:h\r\n",
        "sip:h\u{0}",
        "sip:<h>",
        "sip:\u{e4}",
    ] {
        assert_eq!(SipUri::parse(text), Err(NoSipUri::Malformed), "{text:?}");
    }
}

/// RFC 3261 §19.1.4, as in RFC 4475 §3.1.1.3.
#[test]
fn an_escaped_parameter_is_the_same_parameter() {
    for uri in ["sip:a@h;lr", "sip:a@h;x=y;LR=on", "sip:h;%6C%72", "sip:h;%4cr"] {
        assert!(has_parameter(uri, "lr"), "{uri}");
    }
    for uri in [
        "sip:a;lr@h",
        "sip:a?;lr@h",
        "sip:h?lr",
        "sip:h;x=lr",
        "sip:h;lrx",
        "sip:h;l",
        "sip:h;%6C%7",
        "sip:h;%6C%",
    ] {
        assert!(!has_parameter(uri, "lr"), "{uri}");
    }
}

/// RFC 3261 §19.1.1: a user part may hold what separates elsewhere.
#[test]
fn a_transport_is_added_behind_the_host() {
    assert_eq!(with_transport("sip:a?b@h?x=y", "tcp"), "sip:a?b@h;transport=tcp?x=y");
    assert_eq!(with_transport("SIPS:a@h", "tcp"), "SIPS:a@h");
}

#[test]
fn of_what_is_not_closed_there_is_what_there_is() {
    assert_eq!(addr_spec("\"A <sip:a@h>;x"), "sip:a@h");
    assert_eq!(addr_spec("<sip:a@h>;x=\""), "sip:a@h");
    assert_eq!(addr_spec("sip:a@h;x=\""), "sip:a@h");
    assert_eq!(tag("<sip:a@h>;x=\";tag=y"), None);
}
