//! The response codes we answer with, and their texts.

/// Declares the codes as variants with their name on the wire and the text that goes with them.
macro_rules! response_codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $text:literal;)*) => {
        /// Why an operation was not done: `m:ResponseCode` other than `NoError`.
        ///
        /// Only codes of the published `m:ResponseCodeType`. `NoError` is no variant, so that a success with an
        /// error's code cannot be built.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ResponseCode {
            $($(#[$doc])* $variant,)*
        }

        impl ResponseCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code as the schema spells it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// `m:MessageText`, written for the person at the client.
            pub fn text(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

response_codes! {
    /// The item belongs to somebody else.
    AccessDenied = "ErrorAccessDenied", "Access is denied. Check credentials and try again.";
    /// Fault: the caller may not act as that mailbox.
    ImpersonateUserDenied = "ErrorImpersonateUserDenied",
        "The account does not have permission to impersonate the requested user.";
    /// Fault: the operation is younger than the schema version asked for.
    IncorrectSchemaVersion = "ErrorIncorrectSchemaVersion",
        "The request is valid but does not specify the correct server version in the RequestServerVersion SOAP header.  Ensure that the RequestServerVersion SOAP header is set with the correct RequestServerVersionValue.";
    /// Our own fault; the log has the cause.
    InternalServerError = "ErrorInternalServerError", "An internal server error occurred. The operation failed.";
    /// Our own fault, and it may pass.
    InternalServerTransientError = "ErrorInternalServerTransientError",
        "An internal server error occurred. Try again later.";
    /// An argument names nothing that is here, such as `ActingAs`.
    InvalidArgument = "ErrorInvalidArgument", "The argument is invalid.";
    /// Fault: the header names nobody.
    InvalidExchangeImpersonationHeaderData = "ErrorInvalidExchangeImpersonationHeaderData",
        "The ExchangeImpersonation header data is invalid.";
    /// `Id=""`
    InvalidIdEmpty = "ErrorInvalidIdEmpty", "Id must be non-empty.";
    /// No id of this server has that form.
    InvalidIdMalformed = "ErrorInvalidIdMalformed", "Id is malformed.";
    /// Fault: the schema has this operation, and this server does not serve it.
    InvalidOperation = "ErrorInvalidOperation", "The operation isn't offered by this server.";
    /// Unknown, malformed, forgotten or somebody else's call: all alike.
    InvalidPhoneCallId = "ErrorInvalidPhoneCallId", "The phone call ID isn't valid.";
    /// Empty, too long, or with characters no number has.
    InvalidPhoneNumber = "ErrorInvalidPhoneNumber", "The phone number isn't valid.";
    /// Fault: no operation in the body, or several.
    InvalidRequest = "ErrorInvalidRequest", "The request is invalid.";
    /// Fault: a schema version that does not exist.
    InvalidServerVersion = "ErrorInvalidServerVersion", "The specified server version is invalid.";
    /// A SIP URI that is none, or that may not be dialled.
    InvalidSipUri = "ErrorInvalidSIPUri", "The SIP address isn't valid.";
    /// No trunk is up.
    IpGatewayNotFound = "ErrorIPGatewayNotFound", "A valid IP gateway couldn't be found.";
    /// No such message.
    ItemNotFound = "ErrorItemNotFound", "The specified object was not found in the store.";
    /// Fault: the mailbox to act as is not here.
    NonExistentMailbox = "ErrorNonExistentMailbox", "The SMTP address has no mailbox associated with it.";
    /// Well formed, but no rule allows it.
    PhoneNumberNotDialable = "ErrorPhoneNumberNotDialable",
        "Dialing restrictions are preventing the phone number that was entered from being dialed.";
    /// Fault: see [`Violation`](crate::Violation).
    SchemaValidation = "ErrorSchemaValidation", "The request failed schema validation.";
    /// A concurrency or rate cap was met; carries how long to wait.
    ServerBusy = "ErrorServerBusy", "The server cannot service this request right now. Try again later.";
    /// The minutes of the day are spent.
    SubmissionQuotaExceeded = "ErrorSubmissionQuotaExceeded", "The submission quota has been exceeded.";
    /// The user has no dial plan.
    UnifiedMessagingDialPlanNotFound = "ErrorUnifiedMessagingDialPlanNotFound", "A dial plan could not be found.";
    /// The message has no playable sound, or the call failed in another way.
    UnifiedMessagingRequestFailed = "ErrorUnifiedMessagingRequestFailed", "The UnifiedMessaging request failed.";
    /// Draining, or no node can take the call.
    UnifiedMessagingServerNotFound = "ErrorUnifiedMessagingServerNotFound",
        "A connection couldn't be made to the Unified Messaging server.";
    /// The id has no such format here.
    UnsupportedTypeForConversion = "ErrorUnsupportedTypeForConversion", "The type isn't supported for conversion.";
    /// The user may not use Play on Phone.
    UserNotUnifiedMessagingEnabled = "ErrorUserNotUnifiedMessagingEnabled",
        "The user isn't enabled for Unified Messaging";
}
