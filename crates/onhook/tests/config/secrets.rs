//! No error about the file shows a secret, however it came to stand where it does.

use std::fmt::Write as _;

use onhook::config::example;

use crate::{parse, refused};

/// What must not be seen: as a number, and as text that is no number.
const NUMBER: &str = "48151623";
const TEXT: &str = "hunter48151623";

/// Keys whose values nobody takes for a secret: what is wrong with a plain one is shown. Of every other key no value is.
const HARMLESS: &[&str] = &[
    "listen",
    "login",
    "basic_over_plain_http",
    "body_limit",
    "bodies_limit",
    "header_timeout",
    "body_timeout",
    "idle_timeout",
    "max_connections",
    "max_connections_per_address",
    "strict_namespaces",
    "server_version",
    "schema_version",
    "trusted_proxies",
    "client_certificate",
    "timeout",
    "remember",
    "algorithms",
    "leeway",
    "user",
    "external_address",
    "peers",
    "requests_per_second",
    "t1",
    "t2",
    "t4",
    "bind",
    "rtp_ports",
    "register",
    "register_expires",
    "keepalive",
    "allowed_hosts",
    "codecs",
    "srtp",
    "keep_records",
    "ballast",
    "disk_wait",
    "ring_limit",
    "max_duration",
    "session_expires",
    "disconnect_wait",
    "ended_retention",
    "drain_timeout",
    "max_live",
    "max_live_per_mailbox",
    "max_live_per_trunk",
    "starts_per_second_per_trunk",
    "starts_per_minute_to_own_phone",
    "minutes_per_day_to_own_phone",
    "starts_per_minute_per_mailbox",
    "starts_per_hour_per_mailbox",
    "minutes_per_day_per_mailbox",
    "starts_per_minute_per_address",
    "starts_per_ten_minutes_per_number",
    "allow",
    "country",
    "national_prefix",
    "international_prefix",
    "outside_line",
    "extensions",
    "send",
    "kind",
    "action",
    "masks",
    "countries",
    "hosts",
    "level",
    "format",
    "readers",
    "groups",
];

/// Every key that is documented: the header it stands under, its name, and the value it is shown with.
pub(crate) fn documented() -> Vec<(String, String, String)> {
    let mut header = String::new();
    let mut keys = Vec::new();
    for line in example().lines() {
        let line = line.strip_prefix('#').unwrap_or(line);
        if line.starts_with('[') {
            line.clone_into(&mut header);
        } else if let Some((key, value)) = line.split_once(" = ")
            && key
                .bytes()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_')
        {
            keys.push((header.clone(), key.to_owned(), value.to_owned()));
        }
    }
    keys
}

/// What a file needs under this header besides `key`, so that all else is looked at, too.
fn beside(header: &str, key: &str) -> String {
    let missing = said(&format!("{header}\n"));
    let is_needed = |(under, name, _): &(String, String, String)| {
        under == header && name != key && missing.contains(&format!("`{name}` is missing"))
    };
    let needed = documented().into_iter().filter(is_needed);
    needed.fold(String::new(), |mut text, (_, name, value)| {
        let _ = writeln!(text, "{name} = {value}");
        text
    })
}

/// Values that are plain, and mostly of the wrong type.
fn plain_values() -> Vec<String> {
    [
        NUMBER.to_owned(),
        format!("-{NUMBER}"),
        format!("{NUMBER}.5"),
        format!("\"{TEXT}\""),
        format!("'{TEXT}'"),
        format!("[\"{TEXT}\"]"),
        format!("[{NUMBER}, \"{TEXT}\"]"),
        format!("[[\"{TEXT}\"]]"),
    ]
    .to_vec()
}

/// Values that no error shows under any key.
fn odd_values() -> Vec<String> {
    let mut values = Vec::new();
    for secret in [NUMBER, TEXT] {
        for value in [
            "\"sip:user:SECRET@host\"",
            "\"https://user:SECRET@host/\"",
            "[\"ldaps://user:SECRET@host\"]",
            "{ password = \"SECRET\" }",
            "{ password = SECRET }",
            "[{ password = \"SECRET\" }]",
            "\"\"\"\nSECRET\n\"\"\"",
            "\"\"\"SECRET\"\"\"\"\"\"\"",
            "'''\nSECRET'''",
            "[\n  \"\"\"\n  SECRET\"\"\",\n]",
            "\"a\\nSECRET\"",
            // No TOML.
            "\"SECRET",
            "'SECRET",
            "\"\"\"SECRET",
            "\"\"\"\nSECRET\n",
            "SECRET\"",
            "SECRET'",
            "\"a\" SECRET",
            "\"a\", \"SECRET\"",
            "a SECRET",
            "aSECRET",
            "0SECRETx",
            "0xSECRETx",
            "= \"SECRET\"",
            "\"\\qSECRET\"",
            "[\"SECRET",
            "[SECRET\"]",
            "{ password = \"SECRET",
            "[] # SECRET",
            "{} # SECRET",
            "! # SECRET",
            "[ # SECRET\n 1.5, [] # SECRET\n]",
        ] {
            values.push(value.replace("SECRET", secret));
        }
    }
    values
}

/// Lines that are not `key = value` with that key.
fn odd_lines(key: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let capital = key[..1].to_uppercase() + &key[1..];
    let (half, rest) = key.split_at(key.len() / 2);
    let spellings = [
        format!("{key}t"),
        format!("x{key}"),
        format!("{half}x{rest}"),
        format!("{half} {rest}"),
        format!("{key}:"),
        format!("{key}-"),
        format!("\"{key} \""),
        format!("'{key}t'"),
        format!("\"{key}"),
        format!("{key}\""),
        format!("{key}.x"),
        format!("x.{key}"),
        format!("x.y.{key}"),
        format!("-{key}"),
        format!("${{{key}}}"),
        key.to_uppercase(),
        capital,
    ];
    for secret in [NUMBER, TEXT] {
        for spelling in &spellings {
            for value in [
                format!("\"{secret}\""),
                secret.to_owned(),
                format!("\"\"\"\n{secret}\n\"\"\""),
            ] {
                lines.push(format!("{spelling} = {value}"));
            }
        }
        for between in [":", ": ", " ", " : ", " := ", " == ", " => ", "\t", "=\n"] {
            lines.push(format!("{key}{between}\"{secret}\""));
            lines.push(format!("{key}{between}{secret}"));
        }
        lines.push(format!("{key} = \"{secret}\"\n{key} = \"{secret}\""));
        lines.push(format!("{key} = {secret} {key} = {secret}"));
        lines.push(format!("{key} = \"a\n{secret}\""));
        lines.push(format!("[{key} = \"{secret}\"]"));
        lines.push(format!("[passwords]\n{key} = \"{secret}\""));
        lines.push(format!("[\"{secret} {key}\"]\nx = 1"));
        lines.push(format!("\"{secret} {key}\" = 1"));
        lines.push(format!("{key} = \"{secret}\"\n]"));
    }
    lines
}

/// What an error says of a file, or nothing if it is good.
fn said(text: &str) -> String {
    parse(text)
        .err()
        .map(|error| format!("{error}\n{error:?}"))
        .unwrap_or_default()
}

#[track_caller]
fn assert_unseen(text: &str) {
    let said = said(text);
    assert!(!said.contains(NUMBER), "of\n{text}\nis said\n{said}");
}

/// A file in which `line` stands under `header`, in each of the ways that tables are written.
fn files(header: &str, key: &str, beside: &str, line: &str) -> Vec<String> {
    let ways_in = match header.starts_with("[http") {
        true => "",
        false => "[http]\nlogin = [\"ldap\", \"oauth\"]\n",
    };
    let mut files = vec![
        format!("{ways_in}{header}\n{beside}{line}\n"),
        format!("{ways_in}  {header}\r\n{beside}\t{line}\r\n[log]\nlevel = 5\n"),
        format!("{line}\n"),
    ];
    // A name of the operator's own is told when there are two.
    if header.starts_with("[[") && key != "name" {
        let entry = format!("{header}\n{beside}{line}\n");
        files.push(format!("{ways_in}{entry}{entry}"));
    }
    files
}

#[test]
fn no_error_shows_what_may_be_a_secret() {
    let keys = documented();
    assert!(keys.len() > 100, "{keys:?}");
    for (index, (header, key, _)) in keys.iter().enumerate() {
        let beside = beside(header, key);
        // Each value under one of the ways to write the key, and over all keys under each.
        let spellings = ["KEY", "\"KEY\"", "'KEY'"].iter().cycle().skip(index % 3);
        let odd = odd_values().into_iter().zip(spellings);
        let odd = odd.map(|(value, spelled)| format!("{} = {value}", spelled.replace("KEY", key)));
        for line in odd.chain(odd_lines(key)) {
            for text in files(header, key, &beside, &line) {
                assert_unseen(&text);
            }
        }
        if HARMLESS.contains(&key.as_str()) {
            continue;
        }
        for value in plain_values() {
            for spelled in [key.clone(), format!("\"{key}\""), format!("'{key}'")] {
                for text in files(header, key, &beside, &format!("{spelled} = {value}")) {
                    assert_unseen(&text);
                }
            }
            // The same in an inline table, and with keys that have dots.
            let path = header.trim_matches(['[', ']']);
            let beside = beside.replace('\n', ", ");
            for text in [
                format!("{path} = {{ {beside}{key} = {value} }}\n"),
                format!("{path} = [{{ {beside}{key} = {value} }}]\n"),
                format!("{path}.{key} = {value}\n"),
                format!("{path}.{key}.x = {value}\n"),
                format!("{path} = {value}\n"),
                format!("[{path}]\n{key} = {value}\n[[{path}]]\n{key} = {value}\n"),
            ] {
                assert_unseen(&text);
            }
        }
    }
}

#[test]
fn a_secret_beside_what_is_wrong_is_not_shown() {
    for text in [
        "[login]\nldap = { search_password = \"hunter48151623\", timeout = 5 }\n",
        "[login]\nldap = { timeout = 5, search_password = \"hunter48151623\" }\n",
        "trunk = [{ password = \"hunter48151623\" }]\n",
        "trunk = [{ next_hop = 5, name = \"a\", password = \"hunter48151623\" }]\n",
        "[calls]\nring_limit = 5 # hunter48151623\n",
        "[[trunk]] # hunter48151623\nname = \"a\"\n",
        "[http]\nlisten = [ # hunter48151623\n  \"foo\", # hunter48151623\n]\n",
        "[dial]\nallow = [ \"a\",\n # hunter48151623\n \"(\" # hunter48151623\n]\n",
        "[calls]\nring_limit = \"\"\"30s\"\n[[trunk]]\npassword = \"hunter48151623\"\nfrom_name = \"\"\"\n",
        "\"hunter 48151623\" = 1\n",
        "[log]\n\"pass = hunter48151623\" = 1\n",
        "[[trunk]]\nname = \"a\"\nnext_hop = \"sip:a\"\ndomain = \"u:48151623@example.com\"\n",
        "[[trunk]]\nname = \"a\"\nnext_hop = \"sip:a\"\npassword_file = \"hunter48151623\"\n",
        "[[trunk]]\nname = \"a\"\nnext_hop = \"sip:a\"\npassword_env = \"hunter48151623\"\n",
        "[sip.tls]\ncert = \"a\"\nkey = \"-----BEGIN PRIVATE KEY-----\\n48151623\"\n",
        "[sip.tls]\ncert = \"-----BEGIN PRIVATE KEY-----\\n48151623\"\nkey = \"a\"\n",
        "[sip.tls]\nca = \"-----BEGIN PRIVATE KEY-----\\n48151623\"\n",
    ] {
        assert!(parse(text).is_err(), "{text}");
        assert_unseen(text);
    }
}

#[test]
fn an_address_with_a_password_in_it_is_refused_without_showing_it() {
    let ldap = "[http]\nlogin = [\"ldap\"]\n[login.ldap]\nbind_dn = \"uid={user}\"\n";
    let oauth = "[http]\nlogin = [\"oauth\"]\n[login.oauth]\naudience = [\"a\"]\n";
    for text in [
        format!("{ldap}url = \"ldaps://onhook:48151623@ldap.example.com\"\n"),
        format!("{oauth}issuer = \"i\"\njwks_url = \"https://onhook:48151623@login.example.com/keys\"\n"),
        format!("{oauth}issuer = \"https://onhook:48151623@login.example.com/\"\njwks_url = \"https://i/\"\n"),
        "[http]\npublic_url = \"https://onhook:48151623@voice.example.com/EWS/Exchange.asmx\"\n".to_owned(),
    ] {
        let said = refused(&text);
        assert!(said.contains("an address holds no user and no password"), "{said}");
        assert_unseen(&text);
    }
}

#[test]
fn what_is_shown_is_where_it_is_and_what_is_wanted() {
    for (text, shown) in [
        (
            "[[trunk]]\nname = \"a\"\nnext_hop = \"sip:a\"\npassword = 48151623\n",
            "onhook.toml:4:12: `trunk.password`: this is not a password in quotes\n  4 | password = …\n  for example: password = \"secret\"",
        ),
        (
            "[[trunk]]\nname = \"a\"\nnext_hop = \"sip:u:48151623@h\"\n",
            "onhook.toml:3:12: `trunk.next_hop`: this is not a SIP URI without user, like \"sip:pbx.example.com:5060;transport=tcp\", \
             and a sips: URI over TLS\n  3 | next_hop = …\n  for example: next_hop = \"sip:127.0.0.1:5061\"",
        ),
        (
            "[log]\nlevle = \"48151623\"\n",
            "onhook.toml:2:1: unknown key `levle`\n  allowed in [log]: level, format",
        ),
        (
            "[[trunk]]\npassword: hunter2\n",
            "onhook.toml:2:9: invalid unquoted key, expected letters, numbers, `-`, `_`\n  2 | password = …",
        ),
        (
            "[calls]\n  ring_limit = \"soon\" # it\n",
            "onhook.toml:2:16: `calls.ring_limit`: \"soon\" is not a duration like \"500ms\", \"30s\", \"30m\", \"2h\" or \"7d\"\n  \
             2 | ring_limit = \"soon\"\n    |              ^^^^^^\n  for example: ring_limit = \"30s\"",
        ),
        (
            "[dial]\nallow = [\n  \"1\",\n  \"(\",\n]\n",
            "error: unclosed group\n  2 | allow = …\n  for example: allow = []",
        ),
    ] {
        let said = refused(text);
        assert!(said.contains(shown), "{said}");
    }
}
