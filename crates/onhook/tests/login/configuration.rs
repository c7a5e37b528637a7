//! What `[login]` and the keys beside listeners may say.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use onhook::config::{Config, ConfigError};

use crate::authority::Authority;

/// What is wrong with a file, in its lines' words.
fn findings(toml: &str) -> Vec<String> {
    match Config::parse(toml, Path::new("onhook.toml")) {
        Ok(_) => Vec::new(),
        Err(ConfigError::Invalid(findings)) => findings.iter().map(|finding| finding.message.clone()).collect(),
        Err(other) => panic!("{other}"),
    }
}

#[track_caller]
fn assert_refused(toml: &str, message: &str) {
    let findings = findings(toml);
    assert!(
        findings.len() == 1 && findings[0].contains(message),
        "{toml}\n{findings:#?}"
    );
}

const LDAP: &str = "[http]\nlogin = [\"ldap\"]\n[login.ldap]\n";
const OAUTH: &str = "[http]\nlogin = [\"oauth\"]\n[login.oauth]\n";

#[test]
fn a_listener_cannot_take_what_is_not_there() {
    assert_refused("[http]\nlogin = []\n", "nobody can come in");
    assert_refused("[http]\nlogin = [\"ntlm\"]\n", "unknown variant `ntlm`");
    assert_refused(
        "[http]\nlogin = [\"certificate\"]\n",
        "only show a certificate to a TLS listener",
    );
    assert_eq!(
        findings("[http]\nlogin = [\"ldap\"]\n").len(),
        2,
        "neither where nor how"
    );
    assert_eq!(
        findings("[http]\nlogin = [\"oauth\"]\n").len(),
        3,
        "issuer, audience and keys"
    );
    // What no listener takes need not be there.
    assert_eq!(
        findings("[http]\nlisten = []\nlogin = []\n"),
        ["there is no HTTP listener at all"]
    );
}

#[test]
fn a_tls_listener_needs_who_signs_client_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "ca");
    let server = authority.server();
    let listener = |more: &str| {
        format!(
            "[[http.tls]]\nlisten = \"127.0.0.1:0\"\ncert = {:?}\nkey = {:?}\n{more}",
            server.cert, server.key
        )
    };
    assert_refused(
        &listener("login = [\"certificate\"]\n"),
        "\"certificate\" needs client_ca",
    );
    assert_refused(&listener("client_certificate = \"required\"\n"), "needs client_ca");
    assert_refused(&listener("client_ca = \"nowhere.crt\"\n"), "cannot read a certificate");
    let ca = format!("client_ca = {:?}\nlogin = [\"certificate\"]\n", authority.ca());
    assert_eq!(findings(&listener(&ca)), [""; 0]);
    let crl = folder.path().join("clients.crl");
    let with_list = listener(&format!("{ca}client_crl = {crl:?}\n"));
    assert_refused(&with_list, "cannot read a revocation list");
    fs::write(&crl, fs::read(authority.ca()).unwrap()).unwrap();
    assert_refused(&with_list, "there is no revocation list in");
    fs::write(&crl, "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n").unwrap();
    assert_refused(&with_list, "cannot use a revocation list of");
    fs::write(&crl, authority.revocation_list(&[], SystemTime::now())).unwrap();
    assert_eq!(findings(&with_list), [""; 0]);
    assert_refused(
        &listener(&format!("client_crl = {crl:?}\n")),
        "client_crl needs client_ca",
    );
    assert_refused(
        &listener(&format!("{ca}[login.certificate]\nuser = []\n")),
        "no name of a certificate",
    );
}

#[test]
fn a_directory_is_asked_over_tls_in_one_of_two_ways() {
    let url = "url = \"ldaps://ldap.example.com\"\n";
    let dn = "bind_dn = \"uid={user},dc=example,dc=com\"\n";
    assert_eq!(findings(&format!("{LDAP}{url}{dn}")), [""; 0]);
    assert_refused(
        &format!("{LDAP}{dn}url = \"http://ldap.example.com\"\n"),
        "where the directory is",
    );
    for url in ["ldapi:///", "ldaps://", "ldaps:///", "ldap.example.com"] {
        assert_refused(&format!("{LDAP}{dn}url = {url:?}\n"), "where the directory is");
    }
    assert_refused(
        &format!("{LDAP}{url}bind_dn = \"cn=admin\"\n"),
        "bind_dn must hold {user}",
    );
    assert_refused(
        &format!("{LDAP}{url}{dn}search_base = \"dc=example\"\n"),
        "bind_dn or search_base",
    );
    assert_refused(
        &format!("{LDAP}{url}{dn}user_attribute = \"uid\"\n"),
        "needs search_base",
    );
    let search = format!("{LDAP}{url}search_base = \"dc=example\"\n");
    assert_eq!(findings(&search), [""; 0]);
    assert_refused(
        &format!("{search}search_filter = \"(uid=alice)\"\n"),
        "search_filter must hold {user}",
    );
    assert_refused(
        &format!("{search}search_filter = \"(uid={{user}}\"\n"),
        "this is no search filter",
    );
    assert_refused(&format!("{search}search_dn = \"cn=a\"\n"), "belong together");
    assert_refused(
        &format!("{LDAP}{url}{dn}timeout = \"0s\"\n"),
        "timeout cannot be nothing",
    );
    assert_refused(&format!("{LDAP}{url}{dn}max_connections = 0\n"), "no connections");
}

/// Else one person would be two users: with two throttles, two mailboxes, two caps.
#[test]
fn a_filter_that_finds_one_entry_under_two_names_needs_the_name_that_counts() {
    let search = format!("{LDAP}url = \"ldaps://ldap.example.com\"\nsearch_base = \"dc=example\"\n");
    for (filter, refused) in [
        ("(|(uid={user})(mail={user}))", Some("by several attributes")),
        (
            "(&(objectClass=person)(|(uid={user})(mail={user})))",
            Some("by several attributes"),
        ),
        ("(uid={user}*)", Some("by other names than its own")),
        ("(|(uid={user})(objectClass=*))", Some("by other names than its own")),
        ("(&(objectClass=person)(uid={user}))", None),
        ("(|(uid={user})(UID={user}))", None),
    ] {
        let toml = format!("{search}search_filter = \"{filter}\"\n");
        match refused {
            Some(message) => assert_refused(&toml, message),
            None => assert_eq!(findings(&toml), [""; 0], "{filter}"),
        }
        assert_eq!(
            findings(&format!("{toml}user_attribute = \"uid\"\n")),
            [""; 0],
            "{filter}"
        );
    }
}

#[test]
fn tokens_have_an_issuer_an_audience_keys_over_https_and_real_signatures() {
    let good = "issuer = \"i\"\naudience = [\"a\"]\njwks_url = \"https://i/\"\n";
    assert_eq!(findings(&format!("{OAUTH}{good}")), [""; 0]);
    assert_refused(&format!("{OAUTH}{}", good.replace("https:", "http:")), "https://");
    assert_refused(&format!("{OAUTH}{}", good.replace("[\"a\"]", "[]")), "meant for others");
    for algorithm in ["none", "HS256", "rs256"] {
        assert_refused(
            &format!("{OAUTH}{good}algorithms = [{algorithm:?}]\n"),
            "unknown variant",
        );
    }
    assert_refused(&format!("{OAUTH}{good}algorithms = []\n"), "no algorithm");
    assert_refused(&format!("{OAUTH}{good}leeway = \"6m\"\n"), "five minutes");

    let app = "[[login.oauth.app]]\nid = \"1\"\naccount = \"svc\"\n";
    let list = "[[login.impersonation]]\naccount = \"svc\"\n";
    assert_eq!(findings(&format!("{OAUTH}{good}{app}{list}")), [""; 0]);
    assert_refused(&format!("{OAUTH}{good}{app}"), "this account acts for nobody");
    assert_refused(
        &format!("{OAUTH}{good}{app}{app}{list}"),
        "this application stands here twice",
    );
}

#[test]
fn passwords_come_from_one_of_three_places() {
    let search = "[login.ldap]\nsearch_dn = \"cn=a\"\n";
    assert_refused(
        &format!("{search}search_password_env = \"ONHOOK_NO_SUCH_VARIABLE\"\n"),
        "is not set, or empty",
    );
    assert_refused(
        &format!("{search}search_password_file = \"nowhere\"\n"),
        "cannot read a password",
    );
    assert_refused(
        &format!("{search}search_password = \"a\"\nsearch_password_env = \"PATH\"\n"),
        "one of the three",
    );
    let from_env = Config::parse(
        &format!("{search}search_password_env = \"PATH\"\n"),
        Path::new("onhook.toml"),
    )
    .unwrap();
    let password = from_env.login.ldap.search_password.unwrap();
    assert_eq!(password.expose(), std::env::var("PATH").unwrap());

    let trunk = "[[trunk]]\nname = \"pbx\"\nnext_hop = \"sip:a\"\nusername = \"u\"\n";
    let config = Config::parse(&format!("{trunk}password_env = \"PATH\"\n"), Path::new("onhook.toml")).unwrap();
    assert_eq!(
        config.trunk[0].password.as_ref().unwrap().expose(),
        std::env::var("PATH").unwrap()
    );
    assert_refused(
        &format!("{trunk}password_env = \"ONHOOK_NO_SUCH_VARIABLE\"\n"),
        "is not set, or empty",
    );
}

#[test]
fn an_account_has_one_list() {
    let list = "[[login.impersonation]]\naccount = \"svc\"\n";
    assert_refused(&format!("{list}{list}"), "this account stands here twice");
    assert_refused("[[login.impersonation]]\naccount = \"a b\"\n", "is not a user name");
    assert_refused(
        "[login]\nsids = { S-1-5-1 = \"a b\" }\n",
        "whose every value is a user name",
    );
}

#[test]
fn a_password_in_a_wrong_line_is_not_shown() {
    for toml in [
        "[login.ldap]\nsearch_password = [\"hunter2\"]\n",
        "[login]\nldap = { search_password = [\"hunter2\"] }\n",
    ] {
        let Err(ConfigError::Invalid(findings)) = Config::parse(toml, Path::new("onhook.toml")) else {
            panic!("{toml}");
        };
        assert!(!findings.to_string().contains("hunter2"), "{findings}");
    }
}
