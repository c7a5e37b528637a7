//! A message ready to be sent: encoded once for a codec, cut into frames, shared by every call that plays it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::codec::Codec;
use crate::sound::{Limits, SoundError, SoundFacts, decode_at};

/// What one RTP packet carries.
pub const FRAME_DURATION: Duration = Duration::from_millis(20);
/// Bytes of a frame, the same in all our codecs.
pub const FRAME_BYTES: usize = 160;

/// An encoded message. Cloning shares the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Clip {
    codec: Codec,
    frames: Arc<[u8]>,
}

impl Clip {
    /// Decodes, resamples and encodes a sound file. CPU-bound (some milliseconds a minute of sound, G.722 ten times that):
    /// call it where blocking is allowed, or through [`ClipCache`](crate::ClipCache), which sees to that.
    pub fn encode(bytes: &[u8], codec: Codec, limits: &Limits) -> Result<Self, SoundError> {
        Ok(Self::encode_with_facts(bytes, codec, limits)?.0)
    }

    /// The same, with what was learnt about the file on the way.
    pub fn encode_with_facts(bytes: &[u8], codec: Codec, limits: &Limits) -> Result<(Self, SoundFacts), SoundError> {
        let mut framer = Framer::new(codec);
        let facts = decode_at(bytes, codec.sample_rate(), limits, &mut |samples| framer.push(samples))?;
        Ok((framer.finish(), facts))
    }

    /// Encodes samples that are at [`Codec::sample_rate`] already.
    pub fn from_samples(samples: &[i16], codec: Codec) -> Self {
        let mut framer = Framer::new(codec);
        framer.push(samples);
        framer.finish()
    }

    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// The frame at this place, [`FRAME_BYTES`] long; `None` after the end. The same place is the same moment of the message
    /// in every codec.
    pub fn frame(&self, at: usize) -> Option<&[u8]> {
        self.frames.get(at * FRAME_BYTES..(at + 1) * FRAME_BYTES)
    }

    pub fn frame_count(&self) -> usize {
        self.frames.len() / FRAME_BYTES
    }

    pub fn byte_count(&self) -> usize {
        self.frames.len()
    }

    /// Playing time, in whole frames.
    pub fn duration(&self) -> Duration {
        FRAME_DURATION * u32::try_from(self.frame_count()).unwrap_or(u32::MAX)
    }
}

impl fmt::Debug for Clip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clip")
            .field("codec", &self.codec)
            .field("duration", &self.duration())
            .finish()
    }
}

/// Cuts samples into frames and encodes them; the last is filled with silence.
struct Framer {
    codec: Codec,
    encoder: Box<dyn audio_codec::Encoder>,
    frame_samples: usize,
    waiting: Vec<i16>,
    frames: Vec<u8>,
}

impl Framer {
    fn new(codec: Codec) -> Self {
        let frame_samples = codec.sample_rate() as usize / 50;
        Self {
            codec,
            encoder: codec.encoder(),
            frame_samples,
            waiting: Vec::new(),
            frames: Vec::new(),
        }
    }

    fn push(&mut self, samples: &[i16]) {
        self.waiting.extend_from_slice(samples);
        let whole = self.waiting.len() / self.frame_samples * self.frame_samples;
        self.frames.extend(self.encoder.encode(&self.waiting[..whole]));
        self.waiting.drain(..whole);
    }

    fn finish(mut self) -> Clip {
        if !self.waiting.is_empty() {
            self.waiting.resize(self.frame_samples, 0);
            self.frames.extend(self.encoder.encode(&self.waiting));
        }
        Clip {
            codec: self.codec,
            frames: self.frames.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_frame_is_filled_with_silence() {
        let clip = Clip::from_samples(&[1000; 170], Codec::Pcmu);
        assert_eq!(clip.frame_count(), 2);
        assert_eq!(clip.duration(), Duration::from_millis(40));
        let last = clip.frame(1).unwrap();
        assert_ne!(last[9], 0xff);
        assert!(last[10..].iter().all(|&byte| byte == 0xff), "mu-law silence is 0xff");
        assert_eq!(clip.frame(2), None);
    }

    #[test]
    fn a_frame_is_160_bytes_in_every_codec() {
        for codec in Codec::ALL {
            let samples = vec![0; codec.sample_rate() as usize];
            assert_eq!(Clip::from_samples(&samples, codec).frame_count(), 50, "{codec}");
        }
    }
}
