//! What a directory's answer to a bind means (RFC 4511 appendix A): the login is refused, or nobody can tell.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::authority::Authority;
use crate::house::{House, THROTTLED};

/// Answers whoever binds as `uid=code19` with 19, and says nothing else.
async fn directory() -> (tempfile::TempDir, House) {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "ldap-ca");
    let acceptor = TlsAcceptor::from(authority.server().serve());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ldaps://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let stream = acceptor.accept(stream).await.unwrap();
            tokio::spawn(async move { converse(stream).await });
        }
    });
    let ca = authority.ca();
    let house = House::plain(&format!(
        "login = [\"ldap\"]\n[login.ldap]\nurl = {url:?}\nca = {ca:?}\nbind_dn = \"uid={{user}}\"\n"
    ))
    .await;
    (folder, house)
}

async fn converse(mut stream: tokio_rustls::server::TlsStream<tokio::net::TcpStream>) -> io::Result<()> {
    loop {
        let (_, message) = element(&mut stream).await?;
        let mut message = message.as_slice();
        let (_, id) = element(&mut message).await?;
        // Whatever is no BindRequest is a farewell.
        let (0x60, bind) = element(&mut message).await? else {
            return Ok(());
        };
        let mut bind = bind.as_slice();
        let _version = element(&mut bind).await?;
        let (_, dn) = element(&mut bind).await?;
        let code = String::from_utf8(dn).unwrap().replace("uid=code", "").parse().unwrap();
        let result = [&[0x0A, 1, code][..], &[4, 0], &[4, 5], b"a: %s"].concat();
        let response = [&[2, 1, id[0], 0x61, result.len() as u8][..], &result].concat();
        let head = [0x30, response.len() as u8];
        stream.write_all(&[&head[..], &response].concat()).await?;
    }
}

/// A tag and its content in BER.
async fn element(from: &mut (impl AsyncRead + Unpin)) -> io::Result<(u8, Vec<u8>)> {
    let tag = from.read_u8().await?;
    let mut length = u64::from(from.read_u8().await?);
    if length >= 0x80 {
        let octets = length - 0x80;
        length = 0;
        for _ in 0..octets {
            length = length << 8 | u64::from(from.read_u8().await?);
        }
    }
    let mut content = Vec::new();
    from.take(length).read_to_end(&mut content).await?;
    Ok((tag, content))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_refuses_an_account_is_not_away_and_one_that_cannot_tell_is() {
    let (_folder, house) = directory().await;
    assert_eq!(house.login("code0", "x").await.as_deref(), Ok("nobody with a message"));
    for (refused, name) in [
        (19, "constraintViolation: locked after too many failures"),
        (32, "noSuchObject"),
        (34, "invalidDNSyntax"),
        (48, "inappropriateAuthentication: it has no password"),
        (49, "invalidCredentials"),
        (50, "insufficientAccessRights"),
        (53, "unwillingToPerform: inactivated"),
    ] {
        assert_eq!(house.login(&format!("code{refused}"), "x").await, Err(401), "{name}");
    }
    for (away, name) in [
        (1, "operationsError"),
        (2, "protocolError"),
        (3, "timeLimitExceeded"),
        (7, "authMethodNotSupported"),
        (8, "strongerAuthRequired"),
        (10, "referral"),
        (11, "adminLimitExceeded"),
        (12, "unavailableCriticalExtension"),
        (13, "confidentialityRequired"),
        (51, "busy"),
        (52, "unavailable"),
        (80, "other"),
        (99, "a code that nobody has given a meaning"),
    ] {
        assert_eq!(house.login(&format!("code{away}"), "x").await, Err(503), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_at_a_locked_account_count_as_guesses() {
    let (_folder, house) = directory().await;
    for code in ["code19", "code53"] {
        let mut statuses = Vec::new();
        for _ in 0..11 {
            statuses.push(house.login(code, "x").await.unwrap_err());
        }
        assert_eq!(statuses, [[401; 10].as_slice(), &[THROTTLED]].concat(), "{code}");
    }
}
