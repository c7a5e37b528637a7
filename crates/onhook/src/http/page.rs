//! The page for a person who finds the endpoint, with a password or without.

use axum::http::{Method, Uri};

pub(super) const ENDPOINT: &str = "/EWS/Exchange.asmx";

/// What a browser shows whose user has no password to give.
pub(super) fn for_strangers(method: &Method, uri: &Uri) -> Option<String> {
    let is_page = method == Method::GET && uri.path().eq_ignore_ascii_case(ENDPOINT) && !asks_for_wsdl(uri);
    is_page.then(explanation)
}

pub(super) fn asks_for_wsdl(uri: &Uri) -> bool {
    uri.query().is_some_and(|query| query.eq_ignore_ascii_case("wsdl"))
}

pub(super) fn explanation() -> String {
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>onhook</title></head><body>\n\
     <h1>onhook: the telephone of Exchange Web Services</h1>\n\
     <p>This address is for programs. They send SOAP requests with POST: <b>PlayOnPhone</b> rings a phone and plays a \
     voice message, <b>GetPhoneCallInformation</b> tells how the call goes, <b>DisconnectPhoneCall</b> ends it.</p>\n\
     <p>The description is at <a href=\"Services.wsdl\">Services.wsdl</a>, with <a href=\"messages.xsd\">messages.xsd</a> \
     and <a href=\"types.xsd\">types.xsd</a>. Credentials are needed, as for every request here.</p>\n\
     <p>To try it from a terminal: <code>onhook play --wait --url ADDRESS --user NAME --item-id ID --to NUMBER</code></p>\n\
     </body></html>\n"
        .to_owned()
}
