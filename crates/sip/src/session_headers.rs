//! The headers that session timers go by (RFC 4028), read and written.

use std::fmt;

use crate::method::Method;

/// No session interval is shorter than this, in seconds (RFC 4028 §5).
pub const SHORTEST_INTERVAL: u32 = 90;

/// The option tag of session timers (RFC 4028 §7).
pub const OPTION_TAG: &str = "timer";

/// Who refreshes, named by the roles in the transaction at hand and not by those in the call (RFC 4028 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// Who sent the request.
    Uac,
    /// Who answered it.
    Uas,
}

impl Refresher {
    fn as_str(self) -> &'static str {
        match self {
            Self::Uac => "uac",
            Self::Uas => "uas",
        }
    }
}

/// The value of `Session-Expires` (RFC 4028 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    /// The session interval, in seconds.
    pub interval: u32,
    pub refresher: Option<Refresher>,
}

impl SessionExpires {
    /// Reads a header value; parameters that are not known change nothing.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let mut parts = value.split(';');
        let interval = parts.next()?.trim().parse().ok()?;
        let refresher = parts
            .filter_map(|parameter| parameter.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("refresher"))
            .and_then(|(_, value)| {
                [Refresher::Uac, Refresher::Uas]
                    .into_iter()
                    .find(|refresher| refresher.as_str().eq_ignore_ascii_case(value.trim()))
            });
        Some(Self { interval, refresher })
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.interval)?;
        match self.refresher {
            Some(refresher) => write!(f, ";refresher={}", refresher.as_str()),
            None => Ok(()),
        }
    }
}

/// What a message of a peer says about session timers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionHeaders {
    /// `Session-Expires`.
    pub expires: Option<SessionExpires>,
    /// `Min-SE`: the shortest interval the peer takes, in seconds.
    pub min_se: Option<u32>,
    /// Whether `Supported` or `Require` names `timer`.
    pub timer: bool,
    /// Whether `Allow` names UPDATE.
    pub update: bool,
}

impl SessionHeaders {
    /// Takes note of one header of the message, by its full name; passes over what says nothing here.
    pub fn note(&mut self, name: &str, value: &str) {
        let lists = |item: &str| value.split(',').any(|listed| listed.trim().eq_ignore_ascii_case(item));
        match name.to_ascii_lowercase().as_str() {
            "session-expires" => self.expires = self.expires.or_else(|| SessionExpires::parse(value)),
            // It may carry parameters, none of which is known (RFC 4028 §5).
            "min-se" => self.min_se = value.split(';').next().and_then(|number| number.trim().parse().ok()),
            "supported" | "require" => self.timer |= lists(OPTION_TAG),
            "allow" => self.update |= lists(Method::Update.as_str()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for text in ["300", "90;refresher=uac", "4294967295;refresher=uas"] {
            assert_eq!(SessionExpires::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_value_is_read_as_peers_spell_it() {
        let read = |text| SessionExpires::parse(text).map(|value| (value.interval, value.refresher));
        assert_eq!(
            read(" 1800 ; x=1 ; Refresher = UAS"),
            Some((1800, Some(Refresher::Uas)))
        );
        assert_eq!(read("1800;refresher=both"), Some((1800, None)));
        assert_eq!(read("1800;refresher"), Some((1800, None)));
        for nonsense in ["", "soon", "-1", "4294967296", ";refresher=uac"] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_message_says_what_it_takes() {
        let mut headers = SessionHeaders::default();
        for (name, value) in [
            ("Supported", "100rel, replaces"),
            ("Supported", "path,Timer"),
            ("ALLOW", "INVITE, ACK"),
            ("Allow", "BYE, UPDATE"),
            ("min-se", "120;later=1"),
            ("Session-Expires", "300"),
            ("Session-Expires", "600"),
            ("Subject", "timer"),
        ] {
            headers.note(name, value);
        }
        assert_eq!(headers.expires.map(|expires| expires.interval), Some(300));
        assert_eq!(headers.min_se, Some(120));
        assert!(headers.timer && headers.update);

        let mut headers = SessionHeaders::default();
        headers.note("Supported", "timers");
        headers.note("Allow", "UPDATED");
        assert!(!headers.timer && !headers.update);
    }
}
