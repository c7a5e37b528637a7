//! RIFF/WAVE, read here and not by symphonia: its reader refuses a file whose `data` length is a little wrong, as many
//! recorders leave it, allocates what a chunk claims, and does not say which encoding it refused.
//! Chunks other than `fmt `, `fact` and `data` are skipped.

use std::fmt;

use audio_codec::Decoder;

use super::adpcm::{Adpcm, Coding};
use super::{Meter, SoundError, SoundFormat, mp3};
use crate::codec::Codec;

/// How samples lie in a WAV file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WavEncoding {
    Pcm8,
    Pcm16,
    Pcm24,
    Pcm32,
    Float32,
    Float64,
    ALaw,
    MuLaw,
    AdpcmMicrosoft,
    AdpcmIma,
    Mp3,
}

impl fmt::Display for WavEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pcm8 => "PCM 8-bit",
            Self::Pcm16 => "PCM 16-bit",
            Self::Pcm24 => "PCM 24-bit",
            Self::Pcm32 => "PCM 32-bit",
            Self::Float32 => "float 32-bit",
            Self::Float64 => "float 64-bit",
            Self::ALaw => "A-law",
            Self::MuLaw => "mu-law",
            Self::AdpcmMicrosoft => "Microsoft ADPCM",
            Self::AdpcmIma => "IMA ADPCM",
            Self::Mp3 => "MP3",
        })
    }
}

/// Bytes of PCM or G.711 decoded at a time, about.
const BLOCK: usize = 8192;

/// A parsed header and the samples behind it.
pub(super) struct Wav<'a> {
    encoding: WavEncoding,
    channels: u16,
    sample_rate: u32,
    /// Bytes of one frame (a sample of each channel) or, for ADPCM, of one block.
    block_align: u16,
    /// Samples a channel as the `fact` chunk says; ADPCM's last block is padded beyond it.
    fact: Option<u32>,
    data: &'a [u8],
}

impl<'a> Wav<'a> {
    /// `None` if this is no WAV at all.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Option<Self>, SoundError> {
        let Some((riff, mut rest)) = bytes.split_at_checked(12) else {
            return Ok(None);
        };
        match (&riff[..4], &riff[8..]) {
            (b"RIFF", b"WAVE") => {}
            (b"RIFX" | b"RF64", b"WAVE") => {
                return Err(SoundError::UnsupportedEncoding("RIFX or RF64"));
            }
            _ => return Ok(None),
        }
        let (mut format, mut fact) = (None, None);
        while let Some((head, body)) = rest.split_at_checked(8) {
            let length = u32_at(head, 4) as usize;
            // A length beyond the end is a cut file, or a recorder that never came back to fill it in.
            let body_length = length.min(body.len());
            match &head[..4] {
                b"fmt " => format = Some(Format::parse(&body[..body_length])?),
                b"fact" if body_length >= 4 => fact = Some(u32_at(body, 0)),
                b"data" => {
                    let Format {
                        encoding,
                        channels,
                        sample_rate,
                        block_align,
                    } = format.ok_or(SoundError::Malformed("its data comes before its format"))?;
                    let data = &body[..body_length];
                    return Ok(Some(Self {
                        encoding,
                        channels,
                        sample_rate,
                        block_align,
                        fact,
                        data,
                    }));
                }
                _ => {}
            }
            // Chunks begin at even offsets.
            rest = body.get(body_length + body_length % 2..).unwrap_or_default();
        }
        Err(SoundError::Malformed("it has no data chunk"))
    }

    pub(super) fn decode(&self, meter: &mut Meter<'_>) -> Result<SoundFormat, SoundError> {
        match self.encoding {
            WavEncoding::Mp3 => {
                mp3::decode(self.data, meter)?;
            }
            WavEncoding::AdpcmMicrosoft => {
                meter.begin(self.sample_rate, self.channels)?;
                self.adpcm(Coding::Microsoft).decode(meter)?;
            }
            WavEncoding::AdpcmIma => {
                meter.begin(self.sample_rate, self.channels)?;
                self.adpcm(Coding::Ima).decode(meter)?;
            }
            _ => {
                meter.begin(self.sample_rate, self.channels)?;
                self.decode_plain(meter)?;
            }
        }
        Ok(SoundFormat::Wav(self.encoding))
    }

    fn adpcm(&self, coding: Coding) -> Adpcm<'a> {
        Adpcm {
            coding,
            channels: self.channels,
            block_align: self.block_align,
            fact: self.fact,
            data: self.data,
        }
    }

    /// Encodings in which every sample stands alone.
    fn decode_plain(&self, meter: &mut Meter<'_>) -> Result<(), SoundError> {
        let channels = usize::from(self.channels);
        let (width, sample): (usize, fn(&[u8]) -> f32) = match self.encoding {
            WavEncoding::Pcm8 => (1, |b| (f32::from(b[0]) - 128.0) / 128.0),
            WavEncoding::Pcm16 => (2, |b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0),
            WavEncoding::Pcm24 => (3, |b| {
                i32::from_le_bytes([0, b[0], b[1], b[2]]) as f32 / 2_147_483_648.0
            }),
            WavEncoding::Pcm32 => (4, |b| {
                i32::from_le_bytes([b[0], b[1], b[2], b[3]]) as f32 / 2_147_483_648.0
            }),
            WavEncoding::Float32 => (4, |b| finite(f32::from_le_bytes([b[0], b[1], b[2], b[3]]))),
            WavEncoding::Float64 => (8, |b| {
                finite(f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f32)
            }),
            WavEncoding::ALaw => return self.decode_g711(Codec::Pcma.decoder(), meter),
            WavEncoding::MuLaw => return self.decode_g711(Codec::Pcmu.decoder(), meter),
            WavEncoding::AdpcmMicrosoft | WavEncoding::AdpcmIma | WavEncoding::Mp3 => return Ok(()),
        };
        let frame = width * channels;
        let mut mono = Vec::new();
        for block in self.data.chunks(BLOCK / frame * frame) {
            mono.clear();
            mono.extend(
                block
                    .chunks_exact(frame)
                    .map(|frame| frame.chunks_exact(width).map(sample).sum::<f32>() / channels as f32),
            );
            meter.block(&mono)?;
        }
        Ok(())
    }

    fn decode_g711(&self, mut decoder: Box<dyn Decoder>, meter: &mut Meter<'_>) -> Result<(), SoundError> {
        let channels = usize::from(self.channels);
        let mut mono = Vec::new();
        for block in self.data.chunks(BLOCK / channels * channels) {
            let samples = decoder.decode(block);
            mono.clear();
            mono.extend(
                samples.chunks_exact(channels).map(|frame| {
                    frame.iter().map(|&sample| f32::from(sample) / 32_768.0).sum::<f32>() / channels as f32
                }),
            );
            meter.block(&mono)?;
        }
        Ok(())
    }
}

/// What a `fmt ` chunk says, checked.
struct Format {
    encoding: WavEncoding,
    channels: u16,
    sample_rate: u32,
    block_align: u16,
}

impl Format {
    fn parse(chunk: &[u8]) -> Result<Self, SoundError> {
        if chunk.len() < 16 {
            return Err(SoundError::Malformed("its format chunk is cut short"));
        }
        let bits = u16_at(chunk, 14);
        let tag = match u16_at(chunk, 0) {
            // WAVE_FORMAT_EXTENSIBLE: the true tag opens the GUID of the sub-format.
            0xfffe if chunk.len() >= 40 => u16_at(chunk, 24),
            tag => tag,
        };
        let encoding = match (tag, bits) {
            (0x0001, 8) => WavEncoding::Pcm8,
            (0x0001, 16) => WavEncoding::Pcm16,
            (0x0001, 24) => WavEncoding::Pcm24,
            (0x0001, 32) => WavEncoding::Pcm32,
            (0x0002, 4) => WavEncoding::AdpcmMicrosoft,
            (0x0003, 32) => WavEncoding::Float32,
            (0x0003, 64) => WavEncoding::Float64,
            (0x0006, _) => WavEncoding::ALaw,
            (0x0007, _) => WavEncoding::MuLaw,
            (0x0011, 4) => WavEncoding::AdpcmIma,
            (0x0055, _) => WavEncoding::Mp3,
            (0x0001..=0x0003 | 0x0011, _) => {
                return Err(SoundError::UnsupportedEncoding(
                    "WAV with an odd number of bits a sample",
                ));
            }
            (0x0031, _) => return Err(SoundError::UnsupportedEncoding("WAV GSM 6.10")),
            (0x0161..=0x0163, _) => {
                return Err(SoundError::UnsupportedEncoding("WAV Windows Media Audio"));
            }
            (tag, _) => return Err(SoundError::UnsupportedWavTag(tag)),
        };
        Ok(Self {
            encoding,
            channels: u16_at(chunk, 2),
            sample_rate: u32_at(chunk, 4),
            block_align: u16_at(chunk, 12),
        })
    }
}

/// Silence for NaN and the infinities; the filter would spread them.
fn finite(sample: f32) -> f32 {
    if sample.is_finite() {
        sample.clamp(-8.0, 8.0)
    } else {
        0.0
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
