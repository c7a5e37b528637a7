//! The three codecs we speak on the wire, with the facts an SDP needs.

use std::fmt;

use audio_codec::{CodecType, Decoder, Encoder, create_decoder, create_encoder};

/// A codec for RTP. All three carry 8,000 bytes a second, so a 20 ms frame is 160 bytes in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Codec {
    Pcmu,
    Pcma,
    G722,
}

impl Codec {
    pub const ALL: [Self; 3] = [Self::Pcmu, Self::Pcma, Self::G722];

    /// The RTP clock, also G.722's: RFC 3551 §4.5.2 keeps an old mistake for compatibility.
    pub const CLOCK_RATE: u32 = 8000;

    /// The static payload type (RFC 3551 table 4).
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
            Self::G722 => 9,
        }
    }

    /// The codec of a static payload type, if it is one of ours.
    pub const fn from_payload_type(payload_type: u8) -> Option<Self> {
        match payload_type {
            0 => Some(Self::Pcmu),
            8 => Some(Self::Pcma),
            9 => Some(Self::G722),
            _ => None,
        }
    }

    /// The encoding name in `a=rtpmap` (compared without regard to case, RFC 4855 §3).
    pub const fn encoding_name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
        }
    }

    /// The codec of an `a=rtpmap` encoding name, in any case.
    pub fn from_encoding_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.encoding_name().eq_ignore_ascii_case(name))
    }

    /// Samples a second before encoding, in Hz.
    pub const fn sample_rate(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma => 8000,
            Self::G722 => 16_000,
        }
    }

    pub(crate) fn encoder(self) -> Box<dyn Encoder> {
        create_encoder(self.codec_type())
    }

    pub(crate) fn decoder(self) -> Box<dyn Decoder> {
        create_decoder(self.codec_type())
    }

    const fn codec_type(self) -> CodecType {
        match self {
            Self::Pcmu => CodecType::PCMU,
            Self::Pcma => CodecType::PCMA,
            Self::G722 => CodecType::G722,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.encoding_name())
    }
}
