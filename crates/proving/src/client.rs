//! An EWS client for many requests: HTTP/1.1 over one connection that is kept and opened again when it is lost.

use std::{io, net::SocketAddr};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ews::{
    DisconnectPhoneCall, GetPhoneCallInformation, ItemId, PhoneCallId, PhoneCallInformation, PlayOnPhone, ReplyError,
    ServerVersion,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

/// The longest answer that is read, in bytes.
const LONGEST: usize = 1024 * 1024;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    #[error("EWS cannot be reached: {0}")]
    Unreachable(#[from] io::Error),
    #[error("EWS answered with HTTP {0}")]
    Status(u16),
    #[error("EWS: {0}")]
    Refused(#[from] ReplyError),
}

/// Where the server is, and who asks.
#[derive(Clone, Debug)]
pub struct Access {
    pub address: SocketAddr,
    pub user: &'static str,
    pub password: String,
    pub item_id: String,
}

pub struct Client {
    access: Access,
    connection: Option<BufReader<TcpStream>>,
}

impl Client {
    #[must_use]
    pub const fn new(access: Access) -> Self {
        Self {
            access,
            connection: None,
        }
    }

    /// # Errors
    /// [`ClientError`]: then no call is known to have been placed.
    pub async fn play(&mut self, number: &str) -> Result<PhoneCallId, ClientError> {
        let item_id = ItemId {
            id: self.access.item_id.clone(),
            change_key: None,
        };
        let dial_string = number.to_owned();
        let request = PlayOnPhone { item_id, dial_string }.encode(ServerVersion::EXCHANGE_2013);
        Ok(PlayOnPhone::decode_response(&self.ask(&request).await?)?)
    }

    /// # Errors
    /// [`ClientError`]: then nothing was promised.
    pub async fn disconnect(&mut self, id: &PhoneCallId) -> Result<(), ClientError> {
        let phone_call_id = id.clone();
        let request = DisconnectPhoneCall { phone_call_id }.encode(ServerVersion::EXCHANGE_2013);
        Ok(DisconnectPhoneCall::decode_response(&self.ask(&request).await?)?)
    }

    /// # Errors
    /// [`ClientError`]
    pub async fn information(&mut self, id: &PhoneCallId) -> Result<PhoneCallInformation, ClientError> {
        let phone_call_id = id.clone();
        let request = GetPhoneCallInformation { phone_call_id }.encode(ServerVersion::EXCHANGE_2013);
        Ok(GetPhoneCallInformation::decode_response(&self.ask(&request).await?)?)
    }

    async fn ask(&mut self, request: &str) -> Result<Vec<u8>, ClientError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => BufReader::new(TcpStream::connect(self.access.address).await?),
        };
        let Access {
            address,
            user,
            password,
            ..
        } = &self.access;
        let credentials = BASE64_STANDARD.encode(format!("{user}:{password}"));
        let whole = format!(
            "POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: {address}\r\nAuthorization: Basic {credentials}\r\n\
             Content-Type: text/xml; charset=utf-8\r\nContent-Length: {}\r\n\r\n{request}",
            request.len()
        );
        connection.get_mut().write_all(whole.as_bytes()).await?;
        let (status, body) = answer(&mut connection).await?;
        self.connection = Some(connection);
        match status {
            200 | 500 => Ok(body),
            status => Err(ClientError::Status(status)),
        }
    }
}

async fn answer(connection: &mut BufReader<TcpStream>) -> io::Result<(u16, Vec<u8>)> {
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "no HTTP answer");
    let mut line = String::new();
    let mut status = None;
    let mut length = 0;
    loop {
        line.clear();
        if connection.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = line.trim_end();
        if status.is_none() {
            status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
            status.ok_or_else(malformed)?;
        } else if text.is_empty() {
            break;
        } else if let Some((name, value)) = text.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(|_| malformed())?;
        }
    }
    if length > LONGEST {
        return Err(malformed());
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await?;
    Ok((status.ok_or_else(malformed)?, body))
}
