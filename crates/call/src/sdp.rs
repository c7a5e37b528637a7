//! Offer and answer for one audio stream (RFC 3264, RFC 8866), either role.

use std::{
    fmt::Write as _,
    net::{IpAddr, SocketAddr},
};

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
}

/// An offer of all our codecs and telephone-event, `sendrecv`.
#[must_use]
pub fn offer(local: &LocalMedia) -> String {
    let codecs: Vec<_> = local
        .codecs
        .iter()
        .map(|codec| (codec.payload_type(), *codec))
        .collect();
    let mut text = head(local);
    audio(&mut text, local, &codecs, Some(TELEPHONE_EVENT), Direction::SendRecv);
    text
}

/// Reads the answer to [`offer`].
///
/// # Errors
///
/// When the peer refused the stream, or answered with something that was not offered.
pub fn accept(local: &LocalMedia, answer: &[u8]) -> Result<Agreed, SdpError> {
    let session = sdp_types::Session::parse(answer).map_err(|_| SdpError::Malformed)?;
    let stream = session
        .medias
        .iter()
        .find(|media| is_audio(media))
        .ok_or(SdpError::NoAudio)?;
    agree(local, &session, stream, None)
}

/// Answers a peer's offer; `current` is kept where the peer still offers it, so that a hold changes no codec.
///
/// # Errors
///
/// When nothing in the offer can be accepted; the request then deserves 488 (RFC 3261 §13.3.1.3).
pub fn answer(local: &LocalMedia, offer: &[u8], current: Option<Codec>) -> Result<(String, Agreed), SdpError> {
    let session = sdp_types::Session::parse(offer).map_err(|_| SdpError::Malformed)?;
    let chosen = session.medias.iter().position(is_audio).ok_or(SdpError::NoAudio)?;
    let agreed = agree(local, &session, &session.medias[chosen], current)?;

    let mut text = head(local);
    for (at, media) in session.medias.iter().enumerate() {
        if at == chosen {
            let codec = [(agreed.payload_type, agreed.codec)];
            audio(&mut text, local, &codec, agreed.telephone_event, agreed.direction);
        } else {
            // A stream is refused by port 0, never by leaving it out (RFC 3264 §6).
            let _ = write!(text, "m={} 0 {} {}\r\n", media.media, media.proto, media.fmt);
        }
    }
    Ok((text, agreed))
}

fn is_audio(media: &sdp_types::Media) -> bool {
    media.media == "audio" && media.port != 0 && media.proto == "RTP/AVP"
}

fn agree(
    local: &LocalMedia,
    session: &sdp_types::Session,
    stream: &sdp_types::Media,
    current: Option<Codec>,
) -> Result<Agreed, SdpError> {
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
    Ok(Agreed {
        remote: SocketAddr::new(ip, stream.port),
        codec,
        payload_type,
        telephone_event,
        direction,
    })
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

fn audio(text: &mut String, local: &LocalMedia, codecs: &[(u8, Codec)], event: Option<u8>, direction: Direction) {
    let _ = write!(text, "m=audio {} RTP/AVP", local.address.port());
    for number in codecs.iter().map(|(number, _)| *number).chain(event) {
        let _ = write!(text, " {number}");
    }
    text.push_str("\r\n");
    for (number, codec) in codecs {
        let _ = write!(text, "a=rtpmap:{number} {}/8000\r\n", codec.encoding_name());
    }
    if let Some(number) = event {
        let _ = write!(
            text,
            "a=rtpmap:{number} telephone-event/8000\r\na=fmtp:{number} 0-15\r\n"
        );
    }
    let _ = write!(text, "a=ptime:20\r\na={}\r\n", direction.as_str());
}
