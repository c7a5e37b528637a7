//! What requests get.

use ews::Operation;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::stage::{ALICE, DISCONNECT, XML, exchange, get, post, request, start, start_slow, start_with};

#[tokio::test]
async fn the_documented_request_gets_the_documented_answer() {
    let server = start();
    for path in ["/EWS/Exchange.asmx", "/ews/exchange.asmx", "/EWS/EXCHANGE.ASMX?x=y"] {
        let headers = format!("Authorization: {ALICE}\r\nContent-Type: text/xml; charset=utf-8\r\n");
        let answer = exchange(server.address(), &request("POST", path, &headers, DISCONNECT)).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("text/xml; charset=utf-8"));
        assert_eq!(answer.header("cache-control"), Some("private"));
        assert_eq!(answer.header("request-id").unwrap().len(), 36);
        assert!(
            answer
                .body
                .starts_with("<?xml version=\"1.0\" encoding=\"utf-8\"?><s:Envelope")
        );
        assert!(
            answer
                .body
                .contains("<DisconnectPhoneCallResponse ResponseClass=\"Success\"")
        );
    }
}

#[tokio::test]
async fn errors_travel_with_200_and_faults_with_500() {
    let server = start();
    let body = DISCONNECT.replace("DisconnectPhoneCall", "GetPhoneCallInformation");
    let answer = post(&server, "", &body).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("ErrorInvalidPhoneCallId"));

    let answer = post(&server, "", &DISCONNECT.replace("PhoneCallId ", "PhoneCallKey ")).await;
    assert_eq!(answer.status, 500);
    assert_eq!(answer.header("content-type"), Some("text/xml; charset=utf-8"));
    assert!(answer.body.contains("a:ErrorSchemaValidation"));
    assert!(answer.body.contains("ServerVersionInfo"));

    let answer = post(&server, "", "").await;
    assert_eq!(answer.status, 500);
    assert!(answer.body.contains("a:ErrorInvalidRequest"));
}

#[tokio::test]
async fn strangers_get_the_challenge_that_works() {
    let server = start();
    for headers in [
        "",
        "Authorization: Basic d3Jvbmc6d3Jvbmc=\r\n",
        "Authorization: NTLM TlRMTVNTUAAB\r\n",
    ] {
        let answer = exchange(
            server.address(),
            &request("POST", "/EWS/Exchange.asmx", headers, DISCONNECT),
        )
        .await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"a realm\""));
        assert!(answer.header("request-id").is_some());
    }
    for path in [
        "/EWS/Services.wsdl",
        "/ews/messages.xsd",
        "/ews/types.xsd",
        "/EWS/Exchange.asmx",
    ] {
        assert_eq!(get(&server, path, "").await.status, 401);
    }
    let headers = format!("Authorization: {ALICE}\r\nAuthorization: {ALICE}\r\n");
    let twice = exchange(
        server.address(),
        &request("POST", "/EWS/Exchange.asmx", &headers, DISCONNECT),
    )
    .await;
    assert_eq!(twice.status, 401);
}

#[tokio::test]
async fn who_tries_too_often_is_told_when_to_come_back() {
    let server = start();
    let headers = "Authorization: Basic busy\r\n";
    let answer = exchange(
        server.address(),
        &request("POST", "/EWS/Exchange.asmx", headers, DISCONNECT),
    )
    .await;
    assert_eq!((answer.status, answer.header("retry-after")), (500, Some("2")));
    assert_eq!(answer.header("content-type"), Some("text/xml; charset=utf-8"));
    assert!(answer.body.contains("a:ErrorServerBusy"), "{}", answer.body);
    assert!(
        answer.body.contains("Name=\"BackOffMilliseconds\">1500<"),
        "{}",
        answer.body
    );
    let answer = get(&server, "/EWS/Services.wsdl", headers).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("2")));
    assert!(answer.body.contains("Try again later."), "{}", answer.body);
}

/// Client libraries take a body for SOAP, and hide the status when it is none.
#[tokio::test]
async fn a_refused_post_has_no_body_and_a_person_is_told_why() {
    let server = start();
    let known = format!("Authorization: {ALICE}\r\n");
    let long = "x".repeat(64 * 1024 + 1);
    for (method, path, headers, body, status) in [
        ("POST", "/EWS/Exchange.asmx", "", DISCONNECT, 401),
        (
            "POST",
            "/EWS/Exchange.asmx",
            "Authorization: Basic down\r\n",
            DISCONNECT,
            503,
        ),
        ("POST", "/EWS/Exchange.asmx", &known, &long, 413),
        (
            "POST",
            "/EWS/Exchange.asmx",
            &format!("{known}Content-Encoding: gzip\r\n"),
            "",
            415,
        ),
        ("POST", "/owa", &known, DISCONNECT, 404),
        ("POST", "/EWS/Services.wsdl", &known, DISCONNECT, 405),
        ("DELETE", "/EWS/Exchange.asmx", &known, "", 405),
    ] {
        let answer = exchange(server.address(), &request(method, path, headers, body)).await;
        assert_eq!(
            (
                answer.status,
                answer.header("content-length"),
                answer.header("content-type")
            ),
            (status, Some("0"), None),
            "{method} {path}"
        );
    }
    for (path, headers, reason) in [
        ("/EWS/Services.wsdl", "", "Credentials are needed."),
        (
            "/EWS/Services.wsdl",
            "Authorization: Basic down\r\n",
            "Try again later.",
        ),
        ("/owa", "", "The EWS endpoint is"),
    ] {
        let answer = get(&server, path, headers).await;
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
        assert!(answer.body.contains(reason), "{path}: {}", answer.body);
    }
}

#[tokio::test]
async fn client_request_ids_are_echoed_on_request() {
    let server = start();
    let headers = "client-request-id: 42\r\nreturn-client-request-id: true\r\n";
    assert_eq!(
        post(&server, headers, DISCONNECT).await.header("client-request-id"),
        Some("42")
    );
    let headers = "client-request-id: 42\r\n";
    assert_eq!(
        post(&server, headers, DISCONNECT).await.header("client-request-id"),
        None
    );
}

#[tokio::test]
async fn what_is_no_soap_is_refused_in_http_s_words() {
    let server = start();
    assert_eq!(
        post(&server, "Content-Type: application/json\r\n", "{}").await.status,
        415
    );
    assert_eq!(
        post(&server, "Content-Type: text/xml; charset=utf-16\r\n", DISCONNECT)
            .await
            .status,
        415
    );
    assert_eq!(
        post(&server, "Content-Encoding: gzip\r\n", DISCONNECT).await.status,
        415
    );
    // What a browser sends to any site without asking first: of no type, of a form's, or of two.
    for headers in [
        "",
        "Content-Type:\r\n",
        "Content-Type: text/plain\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: text/xml, text/plain\r\n",
        "Content-Type: text/xml\r\nContent-Type: text/plain\r\n",
        "Content-Type: text/plain\r\nContent-Type: text/xml\r\n",
    ] {
        let request = format!(
            "POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {ALICE}\r\n{headers}\
             Content-Length: {}\r\n\r\n{DISCONNECT}",
            DISCONNECT.len()
        );
        assert_eq!(exchange(server.address(), &request).await.status, 415, "{headers:?}");
    }
    assert_eq!(get(&server, "/owa", "").await.status, 404);
    let answer = exchange(server.address(), &request("DELETE", "/EWS/Exchange.asmx", "", "")).await;
    assert_eq!(answer.status, 405);
    assert!(answer.header("allow").unwrap().contains("POST"));
    assert_eq!(exchange(server.address(), "HELLO\r\n\r\n").await.status, 400);
}

#[tokio::test]
async fn a_client_that_expects_100_continue_gets_it_known_or_not() {
    let server = start();
    let head = |authorization: &str| {
        format!(
            "POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\n{XML}\
             Content-Length: {}\r\n{authorization}\r\n",
            DISCONNECT.len()
        )
    };
    let alice = format!("Authorization: {ALICE}\r\n");
    for (authorization, status) in [("", "HTTP/1.1 401 "), (&alice, "HTTP/1.1 200 ")] {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(head(authorization).as_bytes()).await.unwrap();
        let mut interim = [0; 25];
        stream.read_exact(&mut interim).await.unwrap();
        assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
        stream.write_all(DISCONNECT.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(status), "{answer}");
    }
}

#[tokio::test]
async fn the_description_names_the_address_that_was_asked() {
    let server = start();
    let headers = format!("Authorization: {ALICE}\r\n");
    for path in ["/EWS/Services.wsdl", "/ews/services.wsdl", "/EWS/Exchange.asmx?WSDL"] {
        let answer = get(&server, path, &headers).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("text/xml; charset=utf-8"));
        assert!(
            answer
                .body
                .contains("<soap:address location=\"http://test.example:8080/EWS/Exchange.asmx\"/>")
        );
    }
    let server = start_with("public_url = \"https://voice.example/EWS/Exchange.asmx\"");
    let answer = get(&server, "/EWS/Services.wsdl", &headers).await;
    assert!(
        answer
            .body
            .contains("location=\"https://voice.example/EWS/Exchange.asmx\"")
    );
    assert!(
        get(&server, "/EWS/messages.xsd", &headers)
            .await
            .body
            .contains("<xs:schema")
    );
    assert!(
        get(&server, "/EWS/types.xsd", &headers)
            .await
            .body
            .contains("PhoneCallStateType")
    );
}

#[tokio::test]
async fn a_person_is_told_what_this_is_with_or_without_a_password() {
    let server = start();
    let answer = get(&server, "/EWS/Exchange.asmx", "").await;
    assert_eq!(answer.status, 401);
    assert!(answer.body.contains("PlayOnPhone"));
    let answer = get(&server, "/ews/Exchange.asmx", &format!("Authorization: {ALICE}\r\n")).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("text/html; charset=utf-8"))
    );
    assert!(answer.body.contains("Services.wsdl"));
}

#[tokio::test]
async fn shutdown_lets_the_request_under_way_be_answered() {
    let server = start_slow("");
    let headers = format!("Authorization: {ALICE}\r\n");
    let whole = request("POST", "/EWS/Exchange.asmx", &headers, DISCONNECT);
    let address = server.address();
    let answering = tokio::spawn(async move { exchange(address, &whole).await });
    server.service.asked.notified().await;
    server.shutdown.cancel();
    server.service.let_go.notify_one();
    assert_eq!(answering.await.unwrap().status, 200);
    server.serving.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

/// Whatever operation comes next is held to this, too: strangers are not served, and what is malformed is a fault.
#[tokio::test]
async fn every_operation_is_refused_to_strangers_and_when_malformed() {
    let server = start();
    for operation in Operation::examples() {
        let name = operation.name();
        let document = operation.encode(ews::ServerVersion::EXCHANGE_2013);
        let stranger = exchange(server.address(), &request("POST", "/EWS/Exchange.asmx", "", &document)).await;
        assert_eq!(stranger.status, 401, "{name}");

        let close = format!("</m:{name}>");
        let malformed = document.replace(&close, &format!("<m:Foo/>{close}"));
        assert_ne!(malformed, document, "{name}");
        let answer = post(&server, "", &malformed).await;
        assert_eq!(answer.status, 500, "{name}");
        let violation = format!("The element '{name}' in namespace");
        assert!(
            answer.body.contains("a:ErrorSchemaValidation") && answer.body.contains(&violation),
            "{name}"
        );
    }
}
