//! The XML namespaces EWS speaks in, and names within them.
//!
//! Answers always use the `http` spelling. Requests may use `https` for soap, messages and types, each on its own:
//! documentation pages print them so, and people paste documentation.

use std::fmt;

pub(crate) const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
pub(crate) const MESSAGES: &str = "http://schemas.microsoft.com/exchange/services/2006/messages";
pub(crate) const TYPES: &str = "http://schemas.microsoft.com/exchange/services/2006/types";
pub(crate) const ERRORS: &str = "http://schemas.microsoft.com/exchange/services/2006/errors";
pub(crate) const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
pub(crate) const XSD: &str = "http://www.w3.org/2001/XMLSchema";

/// What a prefix, or its absence, stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Namespace {
    Unqualified,
    Soap,
    Messages,
    Types,
    Errors,
    Xsi,
    Other(Box<str>),
}

impl Namespace {
    /// Recognises a namespace name; unless `strict`, also the `https` spelling of soap, messages and types.
    pub(crate) fn of(uri: &str, strict: bool) -> Self {
        match uri {
            SOAP => Self::Soap,
            MESSAGES => Self::Messages,
            TYPES => Self::Types,
            ERRORS => Self::Errors,
            XSI => Self::Xsi,
            _ if !strict && is_https_of(uri, SOAP) => Self::Soap,
            _ if !strict && is_https_of(uri, MESSAGES) => Self::Messages,
            _ if !strict && is_https_of(uri, TYPES) => Self::Types,
            _ => Self::Other(uri.into()),
        }
    }

    pub(crate) fn uri(&self) -> &str {
        match self {
            Self::Unqualified => "",
            Self::Soap => SOAP,
            Self::Messages => MESSAGES,
            Self::Types => TYPES,
            Self::Errors => ERRORS,
            Self::Xsi => XSI,
            Self::Other(uri) => uri,
        }
    }
}

fn is_https_of(uri: &str, known: &str) -> bool {
    uri.strip_prefix("https") == known.strip_prefix("http")
}

/// An expanded name; prints as a schema validator names things: `'Body' in namespace 'http://…'`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name<'a> {
    pub(crate) namespace: Namespace,
    pub(crate) local: &'a str,
}

impl<'a> Name<'a> {
    pub(crate) const fn soap(local: &'a str) -> Self {
        Self {
            namespace: Namespace::Soap,
            local,
        }
    }

    pub(crate) const fn messages(local: &'a str) -> Self {
        Self {
            namespace: Namespace::Messages,
            local,
        }
    }

    pub(crate) const fn types(local: &'a str) -> Self {
        Self {
            namespace: Namespace::Types,
            local,
        }
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'", self.local)?;
        match self.namespace {
            Namespace::Unqualified => Ok(()),
            _ => write!(f, " in namespace '{}'", self.namespace.uri()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_spellings_are_recognised_unless_strict() {
        let printed = "https://schemas.microsoft.com/exchange/services/2006/messages";
        assert_eq!(Namespace::of(printed, false), Namespace::Messages);
        assert_eq!(Namespace::of(printed, true), Namespace::Other(printed.into()));
    }

    #[test]
    fn only_the_scheme_may_differ() {
        assert_eq!(
            Namespace::of("httpss://schemas.xmlsoap.org/soap/envelope/", false)
                .uri()
                .len(),
            43
        );
        assert_ne!(
            Namespace::of("HTTPS://schemas.xmlsoap.org/soap/envelope/", false),
            Namespace::Soap
        );
        assert_ne!(
            Namespace::of("https://schemas.xmlsoap.org/soap/envelope", false),
            Namespace::Soap
        );
    }
}
