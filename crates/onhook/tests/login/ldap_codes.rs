//! What a directory's answer to a bind means (RFC 4511 appendix A): the login is refused, or nobody can tell.

use std::io;

use rustls::HandshakeKind;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::authority::Authority;
use crate::house::{House, THROTTLED};

/// A directory that answers whoever binds as `uid=code19` with 19, and says nothing else; and a house that asks it.
struct Directory {
    house: House,
    handshakes: mpsc::Receiver<Option<HandshakeKind>>,
    _folder: TempDir,
}

impl Directory {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new(folder.path(), "ldap-ca");
        let acceptor = TlsAcceptor::from(authority.server().serve());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ldaps://{}", listener.local_addr().unwrap());
        let (tell, handshakes) = mpsc::channel(64);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let stream = acceptor.accept(stream).await.unwrap();
                tell.send(stream.get_ref().1.handshake_kind()).await.unwrap();
                tokio::spawn(converse(stream));
            }
        });
        let ca = authority.ca();
        let house = House::plain(&format!(
            "login = [\"ldap\"]\n[login.ldap]\nurl = {url:?}\nca = {ca:?}\nbind_dn = \"uid={{user}}\"\n"
        ))
        .await;
        Self {
            house,
            handshakes,
            _folder: folder,
        }
    }

    /// What somebody gets to whose bind it answers with this code.
    async fn login(&self, code: u8) -> Result<String, u16> {
        self.house.login(&format!("code{code}"), "x").await
    }
}

async fn converse(mut stream: TlsStream<TcpStream>) -> io::Result<()> {
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
    let directory = Directory::start().await;
    assert_eq!(directory.login(0).await.as_deref(), Ok("nobody with a message"));
    for (refused, name) in [
        (19, "constraintViolation: locked after too many failures"),
        (32, "noSuchObject"),
        (34, "invalidDNSyntax"),
        (48, "inappropriateAuthentication: it has no password"),
        (49, "invalidCredentials"),
        (50, "insufficientAccessRights"),
        (53, "unwillingToPerform: inactivated"),
    ] {
        assert_eq!(directory.login(refused).await, Err(401), "{name}");
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
        assert_eq!(directory.login(away).await, Err(503), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_at_a_locked_account_count_as_guesses() {
    let directory = Directory::start().await;
    for code in [19, 53] {
        let mut statuses = Vec::new();
        for _ in 0..11 {
            statuses.push(directory.login(code).await.unwrap_err());
        }
        assert_eq!(statuses, [[401; 10].as_slice(), &[THROTTLED]].concat(), "{code}");
    }
}

/// On a resumed session nobody would look at it, and it may have expired meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_of_the_directory_is_looked_at_before_each_password() {
    let mut directory = Directory::start().await;
    for _ in 0..3 {
        assert_eq!(directory.login(49).await, Err(401));
        assert_eq!(directory.handshakes.recv().await, Some(Some(HandshakeKind::Full)));
    }
}
