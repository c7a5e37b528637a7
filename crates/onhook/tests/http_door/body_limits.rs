//! How long a request may be is for its operation to say.

use std::net::IpAddr;

use ews::{Fault, Response, ResponseMessage};
use onhook::auth::{LoginMethods, Presented};
use onhook::http::{Answer, Service, ServiceRequest, Unauthenticated};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::stage::{ALICE, DISCONNECT, PATIENCE, Server, XML, exchange, open};

const LONG: usize = 200_000;

/// Takes long requests of one operation.
struct LongDisconnect;

impl Service for LongDisconnect {
    type Caller = ();
    type Connection = ();

    async fn authenticate(&self, _: Presented<'_>, _: LoginMethods, _: IpAddr, (): &()) -> Result<(), Unauthenticated> {
        Ok(())
    }

    fn body_limit(&self, operation: &'static str) -> Option<usize> {
        (operation == "DisconnectPhoneCall").then_some(LONG)
    }

    async fn answer(&self, _: ServiceRequest<'_, Self>) -> Result<Answer, Fault> {
        Ok(Response::DisconnectPhoneCall(ResponseMessage::Success(())).into())
    }
}

fn head(framing: &str) -> String {
    format!(
        "POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {ALICE}\r\n{XML}{framing}\r\n\r\n"
    )
}

/// The statuses that this body gets, with its length announced and in chunks.
async fn statuses(server: &Server<LongDisconnect>, body: &str) -> [u16; 2] {
    let whole = head(&format!("Content-Length: {}", body.len())) + body;
    let chunks = format!(
        "{}{:x}\r\n{body}\r\n0\r\n\r\n",
        head("Transfer-Encoding: chunked"),
        body.len()
    );
    [
        exchange(server.address(), &whole).await.status,
        exchange(server.address(), &chunks).await.status,
    ]
}

#[tokio::test]
async fn a_request_is_as_long_as_its_operation_may_be() {
    let server = open("", LongDisconnect);
    let information = DISCONNECT.replace("DisconnectPhoneCall", "GetPhoneCallInformation");
    for (length, of_disconnect, of_information) in [
        (65_536, 200, 200),
        (65_537, 200, 413),
        (LONG, 200, 413),
        (LONG + 1, 413, 413),
    ] {
        let long = |request: &str| format!("{request}{}", " ".repeat(length - request.len()));
        assert_eq!(
            statuses(&server, &long(DISCONNECT)).await,
            [of_disconnect; 2],
            "{length}"
        );
        assert_eq!(
            statuses(&server, &long(&information)).await,
            [of_information; 2],
            "{length}"
        );
    }
    // What is not addressed to anything in its first 64 KiB has no more.
    let padding = format!("<!--{}-->", "x".repeat(65_536));
    let hidden = DISCONNECT.replacen("<soap:Body>", &format!("{padding}<soap:Body>"), 1);
    assert!(hidden.len() > 65_536, "{DISCONNECT}");
    assert_eq!(statuses(&server, &hidden).await, [413; 2]);
}

#[tokio::test]
async fn a_long_request_finds_room_beside_the_others_or_is_told() {
    let server = open("bodies_limit = 300000", LongDisconnect);
    let long = format!("{DISCONNECT}{}", " ".repeat(LONG - DISCONNECT.len()));
    let whole = head(&format!("Content-Length: {LONG}")) + &long;
    let mut slow = TcpStream::connect(server.address()).await.unwrap();
    let (most, rest) = whole.split_at(whole.len() - 1);
    slow.write_all(most.as_bytes()).await.unwrap();
    let refused = async {
        loop {
            let answer = exchange(server.address(), &whole).await;
            if answer.status != 200 {
                break answer;
            }
        }
    };
    let refused = timeout(PATIENCE, refused).await.unwrap();
    assert_eq!(refused.status, 500);
    assert!(refused.body.contains("ErrorServerBusy"), "{}", refused.body);
    slow.write_all(rest.as_bytes()).await.unwrap();
    let answer = timeout(PATIENCE, crate::stage::read_answer(&mut slow)).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(exchange(server.address(), &whole).await.status, 200, "room comes back");
}
