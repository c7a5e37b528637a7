//! Who may come in: what a listener takes must be there to be taken.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;

use super::passwords::Given;
use crate::config::error::Problem;
use crate::config::login::{ClientCertificate, LoginMethod};
use crate::config::read::Document;
use crate::config::sections::LoginLdap;
use crate::pem;
use crate::search_filter::{self, Found, NoFilter, USER};

/// Longer than clocks differ; more would be a way to use old tokens.
const LONGEST_LEEWAY: Duration = Duration::from_secs(300);

/// Everything that is wrong with the ways in. Reads the directory's password.
pub(super) fn login(document: &mut Document<'_>, problems: &mut Vec<Problem>) {
    listeners(document, problems);
    if is_taken(document, LoginMethod::Ldap) {
        ldap(document, problems);
    }
    if is_taken(document, LoginMethod::OAuth) {
        oauth(document, problems);
    }
    if is_taken(document, LoginMethod::Certificate) && document.config.login.certificate.user.is_empty() {
        problems.push(
            Problem::new(
                document.place("login.certificate.user"),
                "no name of a certificate is the user",
            )
            .help(r#"for example: user = ["upn", "email"]"#),
        );
    }
    impersonation(document, problems);
    search_password(document, problems);
}

fn is_taken(document: &Document<'_>, method: LoginMethod) -> bool {
    let http = &document.config.http;
    let by_tls = http.tls.iter().any(|tls| tls.login.contains(&method));
    by_tls || (!http.listen.0.is_empty() && http.login.contains(&method))
}

fn listeners(document: &Document<'_>, problems: &mut Vec<Problem>) {
    let http = &document.config.http;
    let mut nobody = |path: &str| {
        problems.push(
            Problem::new(document.place(path), "with an empty login nobody can come in")
                .help(r#"for example: login = ["users"]"#),
        );
    };
    if http.login.is_empty() && !http.listen.0.is_empty() {
        nobody("http.login");
    }
    for (index, tls) in http.tls.iter().enumerate() {
        if tls.login.is_empty() {
            nobody(&format!("http.tls.{index}.login"));
        }
    }
    if http.login.contains(&LoginMethod::Certificate) {
        problems.push(Problem::new(
            document.place("http.login"),
            "a client can only show a certificate to a TLS listener: write \"certificate\" in [[http.tls]]",
        ));
    }
    for (index, tls) in http.tls.iter().enumerate() {
        let place = |key: &str| document.place(&format!("http.tls.{index}.{key}"));
        match &tls.client_ca {
            Some(ca) => {
                if let Err(error) = pem::authorities(ca) {
                    problems.push(Problem::new(place("client_ca"), error.of_what_was_written()));
                } else if let Some(Err(error)) = tls.client_crl.as_deref().map(|crl| revocation_lists(ca, crl)) {
                    problems.push(Problem::new(place("client_crl"), error));
                }
            }
            None if tls.login.contains(&LoginMethod::Certificate) => problems.push(Problem::new(
                place("login"),
                "\"certificate\" needs client_ca: who signs the certificates of clients",
            )),
            None if tls.client_certificate == ClientCertificate::Required => problems.push(Problem::new(
                place("client_certificate"),
                "client_certificate = \"required\" needs client_ca: who signs the certificates of clients",
            )),
            None if tls.client_crl.is_some() => problems.push(Problem::new(
                place("client_crl"),
                "client_crl needs client_ca: whose certificates it revokes",
            )),
            None => {}
        }
    }
}

/// Whether certificates of these authorities can be looked up in these lists; or why not, in words.
fn revocation_lists(ca: &Path, crl: &Path) -> Result<(), String> {
    let roots = pem::authorities(ca).map_err(|error| error.of_what_was_written())?;
    let lists = pem::revocation_lists(crl).map_err(|error| error.of_what_was_written())?;
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(ring::default_provider()))
        .with_crls(lists)
        .build()
        .map(drop)
        .map_err(|error| format!("cannot use a revocation list of {}: {error}", crl.display()))
}

fn ldap(document: &Document<'_>, problems: &mut Vec<Problem>) {
    let ldap = &document.config.login.ldap;
    let mut wrong = |key: &str, message: &str, help: &str| {
        let problem = Problem::new(document.place(&format!("login.ldap.{key}")), message);
        problems.push(problem.help(help));
    };
    let is_url = |url: &String| {
        let host = url.strip_prefix("ldaps://").or_else(|| url.strip_prefix("ldap://"));
        host.is_some_and(|host| host.starts_with(|c: char| c.is_ascii_alphanumeric()))
    };
    if !ldap.url.as_ref().is_some_and(is_url) {
        wrong(
            "url",
            "a listener takes \"ldap\", and [login.ldap] url does not say where the directory is",
            r#"for example: url = "ldaps://ldap.example.com""#,
        );
    }
    match (&ldap.bind_dn, &ldap.search_base) {
        (Some(dn), None) if !dn.contains("{user}") => wrong(
            "bind_dn",
            "bind_dn must hold {user}: all users would be the same one",
            r#"for example: bind_dn = "uid={user},ou=people,dc=example,dc=com""#,
        ),
        (None, Some(_)) if !ldap.search_filter.contains("{user}") => wrong(
            "search_filter",
            "search_filter must hold {user}: all users would be the same one",
            r#"for example: search_filter = "(uid={user})""#,
        ),
        (Some(_), Some(_)) | (None, None) => wrong(
            "bind_dn",
            "[login.ldap] needs bind_dn or search_base, and not both",
            "bind_dn tells the user's DN, search_base lets it be searched",
        ),
        (Some(_), None) | (None, Some(_)) => {}
    }
    if ldap.search_base.is_some() && ldap.search_filter.contains(USER) {
        match search_filter::found(&ldap.search_filter) {
            Err(NoFilter) => wrong(
                "search_filter",
                "this is no search filter (RFC 4515)",
                r#"for example: search_filter = "(uid={user})""#,
            ),
            Ok(Found::BySeveralAttributes) if ldap.user_attribute.is_none() => wrong(
                "search_filter",
                "this finds one entry by several attributes, and who has it would be several users here: each with messages, calls and caps",
                r#"name the attribute that is the user, like user_attribute = "uid", or search by one"#,
            ),
            Ok(Found::Loosely) if ldap.user_attribute.is_none() => wrong(
                "search_filter",
                "this finds an entry by other names than its own, and who has it would be many users here",
                r#"name the attribute that is the user, like user_attribute = "uid", or search for (uid={user})"#,
            ),
            Ok(_) => {}
        }
    }
    if ldap.bind_dn.is_some() && ldap.user_attribute.is_some() {
        wrong(
            "user_attribute",
            "user_attribute needs search_base: with bind_dn no entry is read",
            "leave it out",
        );
    }
    if ldap.timeout.0.is_zero() {
        wrong("timeout", "timeout cannot be nothing", r#"for example: timeout = "5s""#);
    }
    if ldap.max_connections == 0 {
        wrong(
            "max_connections",
            "with no connections nobody can come in",
            "at least 1",
        );
    }
    if let Some(ca) = &ldap.ca
        && let Err(error) = pem::authorities(ca)
    {
        problems.push(Problem::new(
            document.place("login.ldap.ca"),
            error.of_what_was_written(),
        ));
    }
}

fn oauth(document: &Document<'_>, problems: &mut Vec<Problem>) {
    let oauth = &document.config.login.oauth;
    let mut wrong = |key: &str, message: &str, help: &str| {
        let problem = Problem::new(document.place(&format!("login.oauth.{key}")), message);
        problems.push(problem.help(help));
    };
    if oauth.issuer.as_ref().is_none_or(String::is_empty) {
        wrong(
            "issuer",
            "a listener takes \"oauth\", and [login.oauth] issuer does not say whose tokens",
            r#"for example: issuer = "https://login.example.com/""#,
        );
    }
    if oauth.audience.is_empty() {
        wrong(
            "audience",
            "without an audience, tokens that were meant for others would be taken",
            r#"for example: audience = ["https://voice.example.com"]"#,
        );
    }
    if !oauth.jwks_url.as_ref().is_some_and(|url| url.starts_with("https://")) {
        wrong(
            "jwks_url",
            "the keys of the issuer have to come from an https:// address",
            r#"for example: jwks_url = "https://login.example.com/keys""#,
        );
    }
    if oauth.algorithms.is_empty() {
        wrong(
            "algorithms",
            "with no algorithm no token can be verified",
            r#"for example: algorithms = ["RS256"]"#,
        );
    }
    if oauth.leeway.0 > LONGEST_LEEWAY {
        wrong(
            "leeway",
            "leeway is five minutes at most",
            r#"for example: leeway = "60s""#,
        );
    }
    let mut apps = HashSet::new();
    for (index, app) in oauth.app.iter().enumerate() {
        if !apps.insert(&app.id) {
            wrong(
                &format!("app.{index}.id"),
                "this application stands here twice, and is one account",
                "leave one of them out",
            );
        }
        let mut lists = document.config.login.impersonation.iter();
        if !lists.any(|list| list.account == app.account) {
            wrong(
                &format!("app.{index}.account"),
                "this account acts for nobody, and so the application would, too",
                "give the account its mailboxes in [[login.impersonation]]",
            );
        }
    }
    if let Some(ca) = &oauth.ca
        && let Err(error) = pem::authorities(ca)
    {
        problems.push(Problem::new(
            document.place("login.oauth.ca"),
            error.of_what_was_written(),
        ));
    }
}

fn impersonation(document: &Document<'_>, problems: &mut Vec<Problem>) {
    let mut accounts = HashSet::new();
    for (index, entry) in document.config.login.impersonation.iter().enumerate() {
        if !accounts.insert(&entry.account) {
            problems.push(Problem::new(
                document.place(&format!("login.impersonation.{index}.account")),
                "this account stands here twice: give it one list of mailboxes",
            ));
        }
    }
}

/// Reads the searching account's password into its key.
fn search_password(document: &mut Document<'_>, problems: &mut Vec<Problem>) {
    let ldap = &document.config.login.ldap;
    let given = given(ldap);
    if ldap.search_dn.is_some() != given.is_any() {
        problems.push(Problem::new(
            document
                .place("login.ldap.search_dn")
                .or_else(|| document.place("login.ldap.search_password")),
            "search_dn and its password belong together",
        ));
    }
    match given.fetch() {
        Ok(password) => document.config.login.ldap.search_password = password,
        Err(error) => problems.push(Problem::new(
            document.place(&format!("login.ldap.search_password{}", error.key_ending())),
            error.to_string(),
        )),
    }
}

fn given(ldap: &LoginLdap) -> Given<'_> {
    Given {
        password: ldap.search_password.as_ref(),
        file: ldap.search_password_file.as_deref(),
        env: ldap.search_password_env.as_deref(),
    }
}
