//! Sound files: what we can play, how long it is, and its samples.
//!
//! WAV (PCM, float, G.711, ADPCM, MP3 inside) and MP3; mono, or more channels mixed to one; 4 to 192 kHz. A file is decoded
//! block by block, so memory is bound by what comes out, not by what a file claims about itself.

mod adpcm;
mod mp3;
mod wav;

use std::fmt;
use std::time::{Duration, Instant};

use crate::resample::Resampler;

pub use wav::WavEncoding;

/// What works, for messages to people.
const FORMATS: &str = "WAV (PCM 8, 16, 24 or 32 bit, float, A-law, mu-law, Microsoft or IMA ADPCM, MP3) and MP3";

/// How much of a file we are ready to work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest file, in bytes.
    pub max_bytes: usize,
    /// Longest sound.
    pub max_duration: Duration,
    /// Longest time to work on it. Real files need a small part of the default.
    pub max_time: Duration,
}

impl Default for Limits {
    /// 32 MiB, 30 minutes, and 30 seconds of work.
    fn default() -> Self {
        Self {
            max_bytes: 32 << 20,
            max_duration: Duration::from_secs(30 * 60),
            max_time: Duration::from_secs(30),
        }
    }
}

/// Why a file cannot be played. Each says whose fault it is and what would work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SoundError {
    #[error("this is neither a WAV nor an MP3 file; these can be played: {FORMATS}")]
    UnknownFormat,
    #[error("a sound in {0} cannot be played; these can be: {FORMATS}")]
    UnsupportedEncoding(&'static str),
    #[error("a WAV with format tag {0:#06x} cannot be played; these can be: {FORMATS}")]
    UnsupportedWavTag(u16),
    #[error("a sound with {0} channels cannot be played; 1 to {max} can", max = MAX_CHANNELS)]
    UnsupportedChannels(u16),
    #[error("a sound with {0} samples a second cannot be played; {min} to {max} can", min = MIN_RATE, max = MAX_RATE)]
    UnsupportedRate(u32),
    #[error("the sound file is damaged: {0}")]
    Malformed(&'static str),
    #[error("the sound file holds no sound")]
    Empty,
    #[error("the sound file has {bytes} bytes; at most {max_bytes} are allowed")]
    TooLarge { bytes: usize, max_bytes: usize },
    #[error("the sound is longer than {} s, the longest allowed", max_duration.as_secs())]
    TooLong { max_duration: Duration },
    #[error("the sound file takes longer than {} s to decode, the longest allowed", max_time.as_secs_f64())]
    TooSlow { max_time: Duration },
}

/// Lowest and highest sample rate we convert from, in Hz.
const MIN_RATE: u32 = 4000;
const MAX_RATE: u32 = 192_000;
const MAX_CHANNELS: u16 = 8;

/// How a file holds its sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SoundFormat {
    Wav(WavEncoding),
    Mp3,
}

impl fmt::Display for SoundFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wav(encoding) => write!(f, "WAV {encoding}"),
            Self::Mp3 => f.write_str("MP3"),
        }
    }
}

/// What a sound file is, found by decoding all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoundFacts {
    pub format: SoundFormat,
    /// Samples a second and channel, in Hz.
    pub sample_rate: u32,
    pub channels: u16,
    /// Length of what was really there, whatever the header says.
    pub duration: Duration,
}

impl SoundFacts {
    /// Decodes the whole file and keeps nothing of it. CPU-bound, a few milliseconds a minute of sound.
    pub fn read(bytes: &[u8], limits: &Limits) -> Result<Self, SoundError> {
        decode_blocks(bytes, limits, &mut |_, _| {})
    }
}

/// A decoded sound: one channel of 16-bit samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound {
    pub facts: SoundFacts,
    /// Of `samples`, in Hz; the file's own rate is in `facts`.
    pub sample_rate: u32,
    pub samples: Vec<i16>,
}

impl Sound {
    /// Decodes a file and converts it to `sample_rate` (Hz). CPU-bound: call it where blocking is allowed.
    pub fn decode(bytes: &[u8], sample_rate: u32, limits: &Limits) -> Result<Self, SoundError> {
        let mut samples = Vec::new();
        let facts = decode_at(bytes, sample_rate, limits, &mut |block| {
            samples.extend_from_slice(block)
        })?;
        Ok(Self {
            facts,
            sample_rate,
            samples,
        })
    }
}

/// Decodes a file at `sample_rate` and hands out blocks of 16-bit samples.
pub(crate) fn decode_at(
    bytes: &[u8],
    sample_rate: u32,
    limits: &Limits,
    each_block: &mut dyn FnMut(&[i16]),
) -> Result<SoundFacts, SoundError> {
    let mut resampler = None;
    let mut converted = Vec::new();
    let mut quantised = Vec::new();
    let mut hand_out = |converted: &mut Vec<f32>| {
        quantised.clear();
        quantised.extend(converted.drain(..).map(quantise));
        each_block(&quantised);
    };
    let facts = decode_blocks(bytes, limits, &mut |rate, block| {
        let resampler = resampler.get_or_insert_with(|| Resampler::new(rate, sample_rate));
        resampler.push(block, &mut converted);
        hand_out(&mut converted);
    })?;
    if let Some(resampler) = resampler {
        resampler.finish(&mut converted);
        hand_out(&mut converted);
    }
    Ok(facts)
}

/// Full scale is 1.0; louder is clipped.
fn quantise(sample: f32) -> i16 {
    (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16
}

/// Receives blocks of one-channel samples and their rate in Hz.
type EachBlock<'a> = &'a mut dyn FnMut(u32, &[f32]);

fn decode_blocks(bytes: &[u8], limits: &Limits, each_block: EachBlock<'_>) -> Result<SoundFacts, SoundError> {
    if bytes.len() > limits.max_bytes {
        return Err(SoundError::TooLarge {
            bytes: bytes.len(),
            max_bytes: limits.max_bytes,
        });
    }
    let mut meter = Meter {
        began: Instant::now(),
        max_time: limits.max_time,
        max_duration: limits.max_duration,
        sample_rate: 0,
        channels: 0,
        frames: 0,
        each_block,
    };
    let format = match wav::Wav::parse(bytes)? {
        Some(wav) => wav.decode(&mut meter)?,
        None => mp3::decode(bytes, &mut meter)?,
    };
    if meter.frames == 0 {
        return Err(SoundError::Empty);
    }
    Ok(SoundFacts {
        format,
        sample_rate: meter.sample_rate,
        channels: meter.channels,
        duration: Duration::from_secs_f64(meter.frames as f64 / f64::from(meter.sample_rate)),
    })
}

/// Stands between a decoder and the receiver of its samples, and stops what grows too long.
struct Meter<'a> {
    began: Instant,
    max_time: Duration,
    max_duration: Duration,
    sample_rate: u32,
    channels: u16,
    frames: u64,
    each_block: EachBlock<'a>,
}

impl Meter<'_> {
    /// Said once by the decoder, before the first block.
    fn begin(&mut self, sample_rate: u32, channels: u16) -> Result<(), SoundError> {
        if !(MIN_RATE..=MAX_RATE).contains(&sample_rate) {
            return Err(SoundError::UnsupportedRate(sample_rate));
        }
        if !(1..=MAX_CHANNELS).contains(&channels) {
            return Err(SoundError::UnsupportedChannels(channels));
        }
        (self.sample_rate, self.channels) = (sample_rate, channels);
        Ok(())
    }

    /// Said at least once for every block of a file, whether there was sound in it or not.
    fn in_time(&self) -> Result<(), SoundError> {
        if self.began.elapsed() > self.max_time {
            let max_time = self.max_time;
            return Err(SoundError::TooSlow { max_time });
        }
        Ok(())
    }

    fn block(&mut self, samples: &[f32]) -> Result<(), SoundError> {
        self.in_time()?;
        self.frames += samples.len() as u64;
        if self.frames as f64 > self.max_duration.as_secs_f64() * f64::from(self.sample_rate) {
            return Err(SoundError::TooLong {
                max_duration: self.max_duration,
            });
        }
        (self.each_block)(self.sample_rate, samples);
        Ok(())
    }
}
