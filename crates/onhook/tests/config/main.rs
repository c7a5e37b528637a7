//! The configuration file: what it says, what is wrong with it, and its example.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod bounds;
mod dialling;
mod secrets;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use onhook::config::{Codec, Config, ConfigError, Period, Transport, example};

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("onhook.toml"))
}

/// What an operator reads.
fn refused(text: &str) -> String {
    match parse(text).unwrap_err() {
        ConfigError::Invalid(findings) => findings.to_string(),
        other => panic!("{other}"),
    }
}

/// The messages alone, with their lines.
fn findings(text: &str) -> Vec<(usize, String)> {
    match parse(text).unwrap_err() {
        ConfigError::Invalid(findings) => findings
            .iter()
            .map(|finding| (finding.line.unwrap_or(0), finding.message.clone()))
            .collect(),
        other => panic!("{other}"),
    }
}

/// `Config` holds regular expressions, which have no equality; their text has.
fn seen(config: &Config) -> String {
    format!("{config:#?}")
}

#[test]
fn the_example_is_in_step_with_the_program() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../onhook.example.toml");
    let committed = fs::read_to_string(path).unwrap();
    assert!(
        committed == example(),
        "write it anew: cargo run -p onhook -- check-config --print-example > onhook.example.toml"
    );
}

#[test]
fn the_example_reads_as_the_defaults() {
    assert_eq!(seen(&parse(&example()).unwrap()), seen(&parse("").unwrap()));
}

#[test]
fn every_line_of_the_example_can_be_uncommented() {
    // A file needs what its paths name; here they name nothing, and all else must be right.
    let text: String = example()
        .lines()
        .map(|line| {
            line.strip_prefix('#')
                .filter(|rest| !rest.starts_with([' ']) && !rest.is_empty())
                .unwrap_or(line)
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    for (line, message) in findings(&text) {
        let expected = ["cannot read a certificate", "give one of the three"];
        assert!(
            expected.iter().any(|expected| message.contains(expected)),
            "line {line}: {message}"
        );
    }
}

#[test]
fn the_keys_of_the_manual_are_understood() {
    let config = parse(
        r#"
        [http]
        listen = ["127.0.0.1:8080", "[::1]:8080"]
        [sip]
        listen = ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"]
        external_address = "203.0.113.7"
        [sip.timers]
        t1 = "10ms"
        [[trunk]]
        name = "pbx"
        next_hop = "sip:127.0.0.1:5061"
        username = "onhook"
        password = "secret"
        register = false
        [[trunk]]
        name = "provider"
        next_hop = "sip:sip.example.com;transport=tls"
        codecs = ["PCMA"]
        [store]
        path = "data/onhook.db"
        [calls]
        ring_limit = "30s"
        max_duration = "30m"
        session_expires = "90s"
        disconnect_wait = "2s"
        ended_retention = "15m"
        max_live = 1000
        max_live_per_mailbox = 2
        [dial]
        allow = ["^[0-9]{2,6}$"]
        "#,
    )
    .unwrap();
    let listen: Vec<SocketAddr> = config.http.listen.0;
    assert_eq!(
        listen,
        ["127.0.0.1:8080".parse().unwrap(), "[::1]:8080".parse().unwrap()]
    );
    assert_eq!(config.sip.listen.0[1].transport, Transport::Tcp);
    assert_eq!(config.sip.timers.t1, Period(Duration::from_millis(10)));
    assert_eq!(
        config.sip.timers.t2,
        Period(Duration::from_secs(4)),
        "the rest of a table keeps its defaults"
    );
    assert_eq!(config.trunk[0].password.as_ref().unwrap().expose(), "secret");
    assert_eq!(config.trunk[1].next_hop.transport, Transport::Tls);
    assert_eq!(config.trunk[1].codecs, [Codec::Pcma]);
    assert_eq!(config.calls.max_duration, Period(Duration::from_secs(1800)));
    assert!(config.dial.allow[0].matches("4711"));
}

#[test]
fn everything_wrong_is_shown_where_it_is() {
    assert_eq!(
        refused(
            r#"[http]
listen = "localhost:80"

[calls]
ring_limt = "30s"
ring_limit = 30
max_duration = "soon"

[[trunk]]
next_hop = "127.0.0.1"

[log]
level = "loud"
"#
        ),
        r#"onhook.toml:2:10: `http.listen`: invalid socket address syntax
  2 | listen = "localhost:80"
    |          ^^^^^^^^^^^^^^
  for example: listen = "127.0.0.1:8080"

onhook.toml:5:1: unknown key `ring_limt`
  allowed in [calls]: ring_limit, max_duration, session_expires, disconnect_wait, ended_retention, drain_timeout, max_live, max_live_per_mailbox, max_live_per_trunk, starts_per_second_per_trunk, starts_per_minute_to_own_phone, minutes_per_day_to_own_phone, starts_per_minute_per_mailbox, starts_per_hour_per_mailbox, minutes_per_day_per_mailbox, starts_per_minute_per_address, starts_per_ten_minutes_per_number

onhook.toml:6:14: `calls.ring_limit`: invalid type: integer `30`, expected a string
  6 | ring_limit = 30
    |              ^^
  for example: ring_limit = "30s"

onhook.toml:7:16: `calls.max_duration`: "soon" is not a duration like "500ms", "30s", "30m", "2h" or "7d"
  7 | max_duration = "soon"
    |                ^^^^^^
  for example: max_duration = "30m"

onhook.toml:9:1: `name` is missing in [[trunk]]
  9 | [[trunk]]
    | ^^^^^^^^^
  for example: name = "pbx"

onhook.toml:10:12: `trunk.next_hop`: this is not a SIP URI without user, like "sip:pbx.example.com:5060;transport=tcp", and a sips: URI over TLS
  10 | next_hop = …
  for example: next_hop = "sip:127.0.0.1:5061"

onhook.toml:13:9: `log.level`: unknown variant `loud`, expected one of `error`, `warn`, `info`, `debug`, `trace`
  13 | level = "loud"
     |         ^^^^^^
  for example: level = "info""#
    );
}

#[test]
fn what_is_no_toml_is_shown_where_it_is() {
    assert_eq!(
        refused("[http]\nlisten = \n"),
        "onhook.toml:2:10: string values must be quoted, expected literal string\n  2 | listen = …"
    );
    assert_eq!(findings("[calls]\nmax_live = 1\nmax_live = 2\n")[0].0, 3);
}

#[test]
fn tables_are_tables() {
    assert_eq!(
        findings("http = 1\ntrunk = {name = \"x\"}\ntracing = true"),
        [
            (1, "`http` is a table: write [http]".to_owned()),
            (2, "`trunk` is a list of tables: write [[trunk]] for each".to_owned()),
            (3, "unknown key `tracing`".to_owned()),
        ]
    );
}

#[test]
fn keys_are_checked_against_each_other() {
    for (text, line, message) in [
        ("[http]\nlisten = []", 2, "there is no HTTP listener at all"),
        ("[sip]\nlisten = []", 2, "there is no SIP listener"),
        (
            "[sip]\nlisten = \"tls:127.0.0.1:5061\"",
            2,
            "a tls: listener needs a certificate",
        ),
        ("[sip.tls]\ncert = \"x\"", 2, "cert without key in [sip.tls]"),
        (
            "[sip.timers]\nt1 = \"5s\"",
            2,
            "t1 must be more than nothing and not more than t2",
        ),
        (
            "[[trunk]]\nname = \"a\"\nnext_hop = \"sip:h\"\nsrtp = \"require\"",
            4,
            "the keys of SRTP would travel in clear",
        ),
        ("[calls]\nring_limit = \"0s\"", 2, "ring_limit cannot be nothing"),
        (
            "[calls]\nsession_expires = \"89s\"",
            2,
            "session_expires cannot be shorter than 90 s (RFC 4028)",
        ),
        (
            "[media]\nrtp_ports = \"20000-20099\"",
            2,
            "rtp_ports has room for 50 calls, and [calls] max_live is 100",
        ),
        (
            "[media]\nbind = [\"192.0.2.1\", \"192.0.2.2\"]",
            2,
            "two addresses of one family: a call could not tell which",
        ),
        (
            "[sip]\nuser_agent = \"onhook\\r\\nVia: x\"",
            2,
            "this text cannot stand in a header",
        ),
        ("[http]\nrealm = 'a\"b'", 2, "this text cannot stand in a header"),
        ("[http]\nbody_limit = 5", 2, "body_limit is in bytes; 1024 is the least"),
        (
            "[http]\nbodies_limit = 65535",
            2,
            "bodies_limit has no room for one body: body_limit is more",
        ),
        (
            "[http]\nheader_timeout = \"0s\"",
            2,
            "header_timeout = 0 lets nobody in",
        ),
        ("[http]\nmax_connections = 0", 2, "max_connections = 0 lets nobody in"),
        (
            "[metrics]\nlisten = \"0.0.0.0:9464\"",
            2,
            "counts are served without a login, and this address is not of this machine alone",
        ),
    ] {
        assert_eq!(findings(text), [(line, message.to_owned())], "{text}");
    }
    for (keys, line, message) in [
        ("name = \"other\"\n", 4, "there are two trunks named `other`"),
        ("name = \"b\"\ncodecs = []", 6, "a trunk needs at least one codec"),
        ("name = \"b\"\npassword = \"x\"\n", 6, "a password without a username"),
        (
            "name = \"b\"\nregister = true",
            6,
            "register = true needs a username to register",
        ),
        (
            "name = \"b\"\nusername = \"u\"\npassword = \"x\"\npassword_file = \"y\"",
            8,
            "a password, a file for it, a variable for it: give one of the three",
        ),
    ] {
        let text =
            format!("[[trunk]]\nnext_hop = \"sip:a\"\nname = \"other\"\n[[trunk]]\n{keys}\nnext_hop = \"sip:b\"");
        let found = findings(&text);
        assert_eq!(found.len(), 1, "{text}\n{found:?}");
        assert_eq!(found[0].1, message, "{text}");
        assert!((line..=line + 1).contains(&found[0].0), "{text}\n{found:?}");
    }
    let over_udp = "[sip]\nlisten = \"tcp:127.0.0.1:5060\"\n[[trunk]]\nname = \"pbx\"\nnext_hop = \"sip:a\"";
    assert_eq!(findings(over_udp)[0].0, 5);
    parse(&over_udp.replace("sip:a", "sip:a;transport=tcp")).unwrap();
}

#[test]
fn a_password_is_never_shown() {
    let text = refused("[[trunk]]\nname = \"pbx\"\nnext_hop = \"sip:a\"\nusername = 5\npassword = [\"hunter2\"]");
    assert!(!text.contains("hunter2"), "{text}");
    assert!(text.contains("onhook.toml:5:12"), "{text}");
    let config =
        parse("[[trunk]]\nname = \"p\"\nnext_hop = \"sip:a\"\nusername = \"u\"\npassword = \"hunter2\"").unwrap();
    assert!(!seen(&config).contains("hunter2"));
}

#[test]
fn certificates_are_read_and_must_match_their_keys() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["one", "two"] {
        let pair = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        fs::write(folder.path().join(format!("{name}.crt")), pair.cert.pem()).unwrap();
        fs::write(
            folder.path().join(format!("{name}.key")),
            pair.signing_key.serialize_pem(),
        )
        .unwrap();
    }
    fs::write(folder.path().join("empty"), "").unwrap();
    let file = folder.path().join("onhook.toml");
    let load = |cert: &str, key: &str| {
        let text = format!("[[http.tls]]\nlisten = \"127.0.0.1:8443\"\ncert = \"{cert}\"\nkey = \"{key}\"\n");
        fs::write(&file, text).unwrap();
        Config::load(&file).map_err(|error| error.to_string())
    };

    let config = load("one.crt", "one.key").unwrap();
    assert_eq!(
        config.http.tls[0].cert,
        folder.path().join("one.crt"),
        "relative to the file"
    );
    assert_eq!(config.store.path, folder.path().join("onhook.db"));
    assert!(
        load("one.crt", "two.key")
            .unwrap_err()
            .contains("onhook.toml:4:7: the key in")
    );
    assert!(
        load("one.crt", "one.crt")
            .unwrap_err()
            .contains("cannot read a private key")
    );
    assert!(
        load("empty", "one.key")
            .unwrap_err()
            .contains("onhook.toml:3:8: there is no certificate in")
    );
    assert!(load("missing", "one.key").unwrap_err().contains("No such file"));
}

#[test]
fn an_authority_that_can_vouch_for_nobody_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    fs::write(folder.path().join("good.crt"), own.cert.pem()).unwrap();
    // "AAAA" is no certificate.
    let hollow = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    fs::write(folder.path().join("hollow.crt"), hollow).unwrap();
    let file = folder.path().join("onhook.toml");
    for section in [
        "[sip.tls]",
        "[http]\nlogin = [\"ldap\"]\n[login.ldap]\nurl = \"ldaps://h\"\nbind_dn = \"uid={user}\"",
        "[http]\nlogin = [\"oauth\"]\n[login.oauth]\nissuer = \"https://h/\"\naudience = [\"x\"]\njwks_url = \"https://h/keys\"",
    ] {
        let load = |ca: &str| {
            fs::write(&file, format!("{section}\nca = \"{ca}\"\n")).unwrap();
            Config::load(&file).map_err(|error| error.to_string())
        };
        assert!(load("good.crt").is_ok(), "{section}: {:?}", load("good.crt"));
        let line = section.lines().count() + 1;
        let refused = load("hollow.crt").unwrap_err();
        assert!(refused.contains(&format!("onhook.toml:{line}:")), "{refused}");
        assert!(refused.contains("that can vouch for others"), "{refused}");
    }
}

#[test]
fn a_password_file_gives_its_first_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("onhook.toml");
    let text = "[[trunk]]\nname = \"p\"\nnext_hop = \"sip:a\"\nusername = \"u\"\npassword_file = \"secret\"\n";
    fs::write(&file, text).unwrap();
    assert!(
        Config::load(&file)
            .unwrap_err()
            .to_string()
            .contains("onhook.toml:5:17: cannot read a password from")
    );
    fs::write(folder.path().join("secret"), "\n").unwrap();
    assert!(Config::load(&file).unwrap_err().to_string().contains("is empty"));
    fs::write(folder.path().join("secret"), "hunter2\nnot this\n").unwrap();
    assert_eq!(
        Config::load(&file).unwrap().trunk[0]
            .password
            .as_ref()
            .unwrap()
            .expose(),
        "hunter2"
    );
}

#[test]
fn what_is_allowed_and_hardly_meant_is_noted() {
    assert_eq!(parse("").unwrap().notes().len(), 2);
    let config = parse("[[trunk]]\nname = \"p\"\nnext_hop = \"sip:a\"\n[dial]\nallow = [\"1\"]").unwrap();
    assert_eq!(config.notes(), Vec::<&str>::new());
    let config = parse("[metrics]\nlisten = \"0.0.0.0:9464\"\nreaders = \"everywhere\"").unwrap();
    assert!(config.notes()[2].starts_with("[metrics] readers"));
}

#[test]
fn odd_texts_do_not_panic() {
    for text in [
        "\u{feff}",
        "é = 1\n[ü]\n",
        "[http]\nlisten = \"é\"\n\"\u{1F600}\" = 1",
        "a.b.c.d = 1",
        "[[http]]",
        "trunk = [1]",
        "\r\n[http]\r\nx = 1\r\n",
    ] {
        if let Err(error) = parse(text) {
            let _ = error.to_string();
        }
    }
}
