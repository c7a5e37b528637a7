//! The service's description: what a WSDL-driven client needs, and nothing else.
//!
//! The schemas are the part of the published ones ([MS-OXWUMS], [MS-OXWCONFIG], [MS-OXWCVTID]) that this server
//! speaks, so that a client generated from them is one that works here.

use crate::print::print_attribute;

const SERVICES: &str = include_str!("../schema/Services.wsdl");
const END: &str = "</wsdl:definitions>";

/// `Services.wsdl`. With the endpoint's absolute address it holds a `wsdl:service`; without one it holds none, for
/// clients would take a wrong one at its word.
pub fn services_wsdl(address: Option<&str>) -> String {
    let Some(address) = address else {
        return SERVICES.to_owned();
    };
    let mut service = String::from(
        "  <wsdl:service name=\"ExchangeServices\">\n    \
         <wsdl:port name=\"ExchangeServicePort\" binding=\"tns:ExchangeServiceBinding\">\n      <soap:address",
    );
    print_attribute(&mut service, "location", address);
    service.push_str("/>\n    </wsdl:port>\n  </wsdl:service>\n");
    service.push_str(END);
    SERVICES.replace(END, &service)
}

/// `messages.xsd`: the operations and their responses.
pub fn messages_xsd() -> &'static str {
    include_str!("../schema/messages.xsd")
}

/// `types.xsd`: what messages are made of, and the header blocks.
pub fn types_xsd() -> &'static str {
    include_str!("../schema/types.xsd")
}
