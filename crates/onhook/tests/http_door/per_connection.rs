//! What a service keeps for a connection.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use ews::{Fault, Response, ResponseMessage};
use onhook::auth::{LoginMethods, Presented};
use onhook::http::{Answer, Service, ServiceRequest, Unauthenticated};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::stage::{ALICE, DISCONNECT, PATIENCE, open, read_answer, request};

/// Notes how often each connection had been used before.
#[derive(Default)]
struct Notes {
    before: std::sync::Mutex<Vec<[usize; 2]>>,
    dropped: Arc<Notify>,
}

#[derive(Default)]
struct PerConnection {
    logins: AtomicUsize,
    answers: AtomicUsize,
    dropped: OnceLock<Arc<Notify>>,
}

impl Drop for PerConnection {
    fn drop(&mut self) {
        if let Some(dropped) = self.dropped.get() {
            dropped.notify_one();
        }
    }
}

impl Service for Notes {
    type Caller = ();
    type Connection = PerConnection;

    async fn authenticate(
        &self,
        _: Presented<'_>,
        _: LoginMethods,
        _: IpAddr,
        kept: &PerConnection,
    ) -> Result<(), Unauthenticated> {
        kept.dropped.get_or_init(|| Arc::clone(&self.dropped));
        kept.logins.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn answer(&self, request: ServiceRequest<'_, Self>) -> Result<Answer, Fault> {
        let kept = request.connection;
        let answers = kept.answers.fetch_add(1, Ordering::Relaxed);
        let before = [kept.logins.load(Ordering::Relaxed), answers];
        self.before.lock().unwrap().push(before);
        Ok(Response::DisconnectPhoneCall(ResponseMessage::Success(())).into())
    }
}

#[tokio::test]
async fn a_connection_keeps_what_is_its_own_until_it_ends() {
    let server = open("", Notes::default());
    let headers = format!("Authorization: {ALICE}\r\n");
    let whole = request("POST", "/EWS/Exchange.asmx", &headers, DISCONNECT).replace("Connection: close\r\n", "");
    let mut clients = Vec::new();
    for _ in 0..2 {
        clients.push(TcpStream::connect(server.address()).await.unwrap());
    }
    for client in [0, 1, 0] {
        clients[client].write_all(whole.as_bytes()).await.unwrap();
        let answer = timeout(PATIENCE, read_answer(&mut clients[client])).await.unwrap();
        assert_eq!(answer.status, 200);
    }
    assert_eq!(*server.service.before.lock().unwrap(), [[1, 0], [1, 0], [2, 1]]);
    for client in clients {
        drop(client);
        timeout(PATIENCE, server.service.dropped.notified()).await.unwrap();
    }
}
