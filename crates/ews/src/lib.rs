//! The EWS phone operations on the wire.
//!
//! Bytes become a typed [`Request`], a typed [`Response`] or [`Fault`] becomes a document; and the same for a
//! client. The WSDL and the schemas that describe all this are here too. There is no I/O, no clock, no policy:
//! whether a caller may do what is asked is decided elsewhere.
//!
//! A request takes this way: [`decode`] opens the envelope (`envelope.rs`), reads its header (`header.rs`), finds
//! the operation by the name of the Body's child (`operation.rs`), which decodes itself (one file for each
//! operation) with the words of a schema validator for what it refuses (`content.rs`). Below all of them is the
//! bounded XML reader (`xml.rs`).
//!
//! ```
//! use ews::{DecodeOptions, Operation, Response, ResponseMessage, ServerVersion, ServerVersionInfo, decode};
//!
//! let body = br#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"
//!     xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages">
//!   <s:Body><m:DisconnectPhoneCall><m:PhoneCallId Id="a-call"/></m:DisconnectPhoneCall></s:Body>
//! </s:Envelope>"#;
//! let request = decode(body, &DecodeOptions::default())?;
//! let Operation::DisconnectPhoneCall(disconnect) = request.operation else { panic!("another operation") };
//! assert_eq!(disconnect.phone_call_id.0, "a-call");
//!
//! let version = ServerVersionInfo { major: 15, minor: 1, build: 0, revision: 0, version: ServerVersion::EXCHANGE_2013 };
//! let answer = Response::DisconnectPhoneCall(ResponseMessage::Success(())).encode(&version);
//! assert!(answer.contains("ResponseCode>NoError</"));
//! # Ok::<(), ews::Fault>(())
//! ```

mod content;
mod convert_id;
mod declaration;
mod disconnect_phone_call;
mod enumeration;
mod envelope;
mod examples;
mod fault;
mod get_phone_call_information;
mod get_service_configuration;
mod header;
mod namespace;
mod not_served;
mod operation;
mod phone_call_id;
mod play_on_phone;
mod print;
mod reply;
mod response;
mod response_code;
mod version;
mod violation;
pub mod wsdl;
mod xml;

pub use convert_id::{AlternateId, ConvertId, IdFormat, Subject};
pub use disconnect_phone_call::DisconnectPhoneCall;
pub use envelope::{DecodeOptions, Request, addressed, decode};
pub use examples::{Example, examples};
pub use fault::Fault;
pub use get_phone_call_information::{
    ConnectionFailureCause, GetPhoneCallInformation, PhoneCallInformation, PhoneCallState, SipResponse,
};
pub use get_service_configuration::{GetServiceConfiguration, ServiceConfiguration, UnifiedMessagingConfiguration};
pub use header::ConnectingSid;
pub use operation::{Operation, Response};
pub use phone_call_id::PhoneCallId;
pub use play_on_phone::{ItemId, PlayOnPhone};
pub use reply::ReplyError;
pub use response::{ResponseError, ResponseMessage};
pub use response_code::ResponseCode;
pub use version::{ServerVersion, ServerVersionInfo};
pub use violation::Violation;
