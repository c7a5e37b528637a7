//! The two requests that Microsoft's documentation prints end a live call, byte for byte as printed but for the id.

use onhook::client::{Client, Trust};
use onhook::config::Secret;
use onhook::phone::{Ending, PhoneOptions, What};
use tokio::task::spawn_blocking;

use crate::stage::{PASSWORD, byes, stage};

const EXCHANGE_2010: &str = include_str!("../../../ews/tests/fixtures/exchange-2010-documentation.request.xml");
const CLIENT_DEVELOPER: &str =
    include_str!("../../../ews/tests/fixtures/exchange-client-developer-documentation.request.xml");
/// Their answer, by the same pages: namespaces in http, and the version numbers our own.
const ANSWER: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
    <s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Header>\
    <h:ServerVersionInfo MajorVersion=\"15\" MinorVersion=\"1\" MajorBuildNumber=\"2507\" MinorBuildNumber=\"61\" \
    Version=\"Exchange2016\" xmlns:h=\"http://schemas.microsoft.com/exchange/services/2006/types\" \
    xmlns=\"http://schemas.microsoft.com/exchange/services/2006/types\" \
    xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\"/></s:Header>\
    <s:Body xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\">\
    <DisconnectPhoneCallResponse ResponseClass=\"Success\" \
    xmlns=\"http://schemas.microsoft.com/exchange/services/2006/messages\"><ResponseCode>NoError</ResponseCode>\
    </DisconnectPhoneCallResponse></s:Body></s:Envelope>";
async fn ends_a_live_call(documented: &str) {
    let mut stage = stage(PhoneOptions::default()).await;
    let client = Client::new(&stage.url(), "anna", &Secret::new(PASSWORD), &Trust::Public).unwrap();
    let item_id = stage.item_id.clone();
    let placed = spawn_blocking(move || client.play_on_phone(&item_id, "4711"));
    let id = placed.await.unwrap().unwrap();
    let told = stage.phone_tells(|what| matches!(what, What::Acked)).await;
    let number = told.iter().find_map(|what| match what {
        What::Invited { number, .. } => Some(number.as_str()),
        _ => None,
    });
    assert_eq!(number, Some("4711"));

    let request = documented.replace("OWVl4NWb3N29t", &id.0);
    let (head, body) = stage.post(&request).await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert_eq!(body, ANSWER);

    let told = stage.phone_tells(|what| matches!(what, What::Ended { .. })).await;
    assert_eq!(byes(&told), 1, "{told:?}");
    let Some(What::Ended { why, .. }) = told.last() else {
        panic!("{told:?}")
    };
    assert_eq!(*why, Ending::CallerHungUp);

    // Once more: it has ended, so that is fine, and nothing is sent.
    let (_, body) = stage.post(&request).await;
    assert_eq!(body, ANSWER);
    stage.server.stop().await;
    stage.phone.hang_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exchange_2010_page_s_request_ends_a_live_call() {
    ends_a_live_call(EXCHANGE_2010).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_developer_page_s_request_ends_a_live_call() {
    ends_a_live_call(CLIENT_DEVELOPER).await;
}
