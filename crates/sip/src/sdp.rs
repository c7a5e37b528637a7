//! Offer and answer for one audio stream (RFC 3264, RFC 8866), either role, plain or protected (`crypto`).

mod crypto;

use std::{
    fmt::Write as _,
    net::{IpAddr, SocketAddr},
};

use crypto::{AVP, Crypto, OUR_TAG, SAVP};
pub use crypto::{Protection, SrtpKey};
use serde::{Deserialize, Serialize};

/// A codec that can be negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Codec {
    G722,
    Pcma,
    Pcmu,
}

impl Codec {
    /// The static payload type of RFC 3551 §6.
    #[must_use]
    pub fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
            Self::G722 => 9,
        }
    }

    /// The encoding name of RFC 3551. All three have an RTP clock of 8000 Hz, also G.722 (§4.5.2).
    #[must_use]
    pub fn encoding_name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
        }
    }

    const ALL: [Self; 3] = [Self::Pcmu, Self::Pcma, Self::G722];

    fn named(name: &str, clock_rate: u32) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|codec| clock_rate == 8000 && codec.encoding_name().eq_ignore_ascii_case(name))
    }
}

/// Payload type that we offer for telephone-event (RFC 4733); dynamic, and 101 by wide custom.
const TELEPHONE_EVENT: u8 = 101;

/// What we may do with the stream (RFC 3264 §5.1), seen from our side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    /// Whether we may send.
    #[must_use]
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive]
            .into_iter()
            .find(|direction| direction.as_str() == name)
    }

    /// The same stream seen from the other side (RFC 3264 §6.1).
    fn reversed(self) -> Self {
        match self {
            Self::SendOnly => Self::RecvOnly,
            Self::RecvOnly => Self::SendOnly,
            both @ (Self::SendRecv | Self::Inactive) => both,
        }
    }
}

/// Our end of the stream: where we receive, and what we are able to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalMedia {
    pub address: SocketAddr,
    /// `o=` session id; unique for this address.
    pub session_id: u64,
    /// `o=` version; one more with every description that differs (RFC 3264 §8).
    pub version: u64,
    /// In order of preference; never empty.
    pub codecs: Vec<Codec>,
    /// SRTP, if it is wanted. The descriptions then hold a key.
    pub protection: Option<Protection>,
}

/// What both sides agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// Where the peer receives.
    pub remote: SocketAddr,
    pub codec: Codec,
    /// The number that the peer wants to see on it.
    pub payload_type: u8,
    /// The peer's number for telephone-event, if it takes any.
    pub telephone_event: Option<u8>,
    pub direction: Direction,
    /// What the peer protects its sound with; ours is protected, too, when it is there.
    pub srtp: Option<SrtpKey>,
}

/// Why a description cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    #[error("not a session description")]
    Malformed,
    #[error("no audio stream, or it was refused")]
    NoAudio,
    #[error("no codec in common")]
    NoCommonCodec,
    #[error("no IP address to send to")]
    NoAddress,
    #[error("the peer wants its sound by IPv6 where ours is sent by IPv4, or the other way round")]
    OtherFamily,
    #[error("the peer does not protect the sound (SRTP), and the trunk requires it")]
    Unprotected,
    #[error("the peer names no key that its sound could be protected with (SRTP, AES_CM_128_HMAC_SHA1_80)")]
    NoCommonCrypto,
}

/// An offer of all our codecs and telephone-event, `sendrecv`.
#[must_use]
pub fn offer(local: &LocalMedia) -> String {
    let codecs: Vec<_> = local
        .codecs
        .iter()
        .map(|codec| (codec.payload_type(), *codec))
        .collect();
    let stream = Stream {
        profile: local.protection.map_or(AVP, Protection::profile),
        codecs: &codecs,
        event: Some(TELEPHONE_EVENT),
        direction: Direction::SendRecv,
        crypto: local.protection.map(|protection| Crypto {
            tag: OUR_TAG,
            key: protection.key,
        }),
    };
    let mut text = head(local);
    stream.print(&mut text, local);
    text
}

/// Reads the answer to [`offer`].
///
/// # Errors
///
/// When the peer refused the stream, or answered with something that was not offered.
pub fn accept(local: &LocalMedia, answer: &[u8]) -> Result<Agreed, SdpError> {
    let session = sdp_types::Session::parse(answer).map_err(|_| SdpError::Malformed)?;
    let chosen = audio(local, &session)?;
    let (agreed, crypto) = agree(local, &session, chosen, None)?;
    // The line that is answered is named by its number (RFC 4568 §5.1.3), and we have offered one.
    if crypto.is_some_and(|crypto| crypto.tag != OUR_TAG) {
        return Err(SdpError::NoCommonCrypto);
    }
    Ok(agreed)
}

/// Answers a peer's offer; `current` is kept where the peer still offers it, so that a hold changes no codec.
///
/// # Errors
///
/// When nothing in the offer can be accepted; the request then deserves 488 (RFC 3261 §13.3.1.3).
pub fn answer(local: &LocalMedia, offer: &[u8], current: Option<Codec>) -> Result<(String, Agreed), SdpError> {
    let session = sdp_types::Session::parse(offer).map_err(|_| SdpError::Malformed)?;
    let chosen = audio(local, &session)?;
    let (agreed, crypto) = agree(local, &session, chosen, current)?;

    let mut text = head(local);
    for media in &session.medias {
        if std::ptr::eq(media, chosen) {
            let stream = Stream {
                profile: if media.proto == SAVP { SAVP } else { AVP },
                codecs: &[(agreed.payload_type, agreed.codec)],
                event: agreed.telephone_event,
                direction: agreed.direction,
                crypto: local.protection.zip(crypto).map(|(protection, crypto)| Crypto {
                    tag: crypto.tag,
                    key: protection.key,
                }),
            };
            stream.print(&mut text, local);
        } else {
            // A stream is refused by port 0, never by leaving it out (RFC 3264 §6).
            let _ = write!(text, "m={} 0 {} {}\r\n", media.media, media.proto, media.fmt);
        }
    }
    Ok((text, agreed))
}

/// The stream to talk about: a protected one where we can protect, or else the first one.
fn audio<'a>(local: &LocalMedia, session: &'a sdp_types::Session) -> Result<&'a sdp_types::Media, SdpError> {
    let of = |profile: &'static str| {
        let is_it =
            move |media: &&sdp_types::Media| media.media == "audio" && media.port != 0 && media.proto == profile;
        session.medias.iter().find(is_it)
    };
    let protected = local.protection.and_then(|_| of(SAVP));
    protected.or_else(|| of(AVP)).ok_or(SdpError::NoAudio)
}

/// The key to use, if the sound is to be protected.
fn protect(local: &LocalMedia, stream: &sdp_types::Media) -> Result<Option<Crypto>, SdpError> {
    let Some(protection) = local.protection else {
        return Ok(None);
    };
    let crypto = stream
        .attributes
        .iter()
        .filter(|attribute| attribute.attribute == "crypto")
        .find_map(|attribute| Crypto::parse(attribute.value.as_deref()?));
    match crypto {
        Some(crypto) => Ok(Some(crypto)),
        None if stream.proto == SAVP => Err(SdpError::NoCommonCrypto),
        None if protection.required => Err(SdpError::Unprotected),
        None => Ok(None),
    }
}

fn agree(
    local: &LocalMedia,
    session: &sdp_types::Session,
    stream: &sdp_types::Media,
    current: Option<Codec>,
) -> Result<(Agreed, Option<Crypto>), SdpError> {
    let crypto = protect(local, stream)?;
    let formats: Vec<(u8, Format)> = stream
        .fmt
        .split_ascii_whitespace()
        .filter_map(|number| number.parse().ok())
        .filter_map(|number| Some((number, format(stream, number)?)))
        .collect();
    let common = |(number, format): &(u8, Format)| match format {
        Format::Audio(codec) if local.codecs.contains(codec) => Some((*number, *codec)),
        Format::Audio(_) | Format::TelephoneEvent => None,
    };
    let (payload_type, codec) = formats
        .iter()
        .filter_map(common)
        .find(|(_, codec)| Some(*codec) == current)
        .or_else(|| formats.iter().find_map(common))
        .ok_or(SdpError::NoCommonCodec)?;
    let telephone_event = formats
        .iter()
        .find(|(_, format)| *format == Format::TelephoneEvent)
        .map(|(number, _)| *number);

    let ip: IpAddr = stream
        .connections
        .first()
        .or(session.connection.as_ref())
        .and_then(|connection| connection.connection_address.split('/').next()?.parse().ok())
        .ok_or(SdpError::NoAddress)?;
    // Our port is of one family, that of the trunk.
    if !ip.is_unspecified() && ip.is_ipv4() != local.address.is_ipv4() {
        return Err(SdpError::OtherFamily);
    }
    let remote_direction = stream
        .attributes
        .iter()
        .chain(&session.attributes)
        .find_map(|attribute| Direction::parse(&attribute.attribute))
        .unwrap_or(Direction::SendRecv);
    // An unspecified address is how RFC 2543 put a call on hold (RFC 3264 §8.4).
    let direction = match (ip.is_unspecified(), remote_direction.reversed()) {
        (true, Direction::SendRecv | Direction::RecvOnly) => Direction::RecvOnly,
        (true, Direction::SendOnly | Direction::Inactive) => Direction::Inactive,
        (false, direction) => direction,
    };
    let agreed = Agreed {
        remote: SocketAddr::new(ip, stream.port),
        codec,
        payload_type,
        telephone_event,
        direction,
        srtp: crypto.map(|crypto| crypto.key),
    };
    Ok((agreed, crypto))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Audio(Codec),
    TelephoneEvent,
}

/// What a payload type number means in this stream: its `rtpmap`, or else the static table.
fn format(stream: &sdp_types::Media, number: u8) -> Option<Format> {
    let mapped = stream
        .attributes
        .iter()
        .filter(|attribute| attribute.attribute == "rtpmap")
        .filter_map(|attribute| attribute.value.as_deref()?.trim().split_once(' '))
        .find(|(mapped, _)| mapped.parse() == Ok(number))
        .map(|(_, encoding)| encoding.trim());
    match mapped {
        Some(encoding) => {
            let mut parts = encoding.split('/');
            let name = parts.next()?;
            let clock_rate = parts.next()?.trim().parse().ok()?;
            if name.eq_ignore_ascii_case("telephone-event") && clock_rate == 8000 {
                return Some(Format::TelephoneEvent);
            }
            Codec::named(name, clock_rate).map(Format::Audio)
        }
        None => Codec::ALL
            .into_iter()
            .find(|codec| codec.payload_type() == number)
            .map(Format::Audio),
    }
}

fn head(local: &LocalMedia) -> String {
    let ip = local.address.ip();
    let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
    format!(
        "v=0\r\no=onhook {} {} IN {family} {ip}\r\ns=onhook\r\nc=IN {family} {ip}\r\nt=0 0\r\n",
        local.session_id, local.version
    )
}

/// Our stream, as we offer or answer it.
struct Stream<'a> {
    profile: &'static str,
    codecs: &'a [(u8, Codec)],
    event: Option<u8>,
    direction: Direction,
    crypto: Option<Crypto>,
}

impl Stream<'_> {
    fn print(&self, text: &mut String, local: &LocalMedia) {
        let _ = write!(text, "m=audio {} {}", local.address.port(), self.profile);
        for number in self.codecs.iter().map(|(number, _)| *number).chain(self.event) {
            let _ = write!(text, " {number}");
        }
        text.push_str("\r\n");
        for (number, codec) in self.codecs {
            let _ = write!(text, "a=rtpmap:{number} {}/8000\r\n", codec.encoding_name());
        }
        if let Some(number) = self.event {
            let _ = write!(
                text,
                "a=rtpmap:{number} telephone-event/8000\r\na=fmtp:{number} 0-15\r\n"
            );
        }
        if let Some(crypto) = self.crypto {
            text.push_str(&crypto.print());
        }
        let _ = write!(text, "a=ptime:20\r\na={}\r\n", self.direction.as_str());
    }
}
