//! Sound: files to frames, frames to RTP, RTP back to samples.
//!
//! The way of a message: [`Clip::encode`] decodes a WAV or MP3 file, resamples it and encodes it into 20 ms frames, once
//! per message and [`Codec`] ([`ClipCache`]); the [`Pacer`] sends those frames to every call that plays them, through a
//! port pair leased from the [`PortPool`]. The other direction, [`Ear`], turns received RTP back into samples, and
//! [`compare`] says whether two recordings are the same sound.
//!
//! This crate knows no SIP, no SDP and no calls: it is told addresses and payload types. It makes no random numbers; SSRC,
//! first sequence number, first timestamp and SRTP's keys are arguments. Opus is absent.

mod clip;
mod clip_cache;
mod codec;
pub mod compare;
mod ear;
mod no_files;
mod pacer;
mod ports;
mod resample;
pub mod rtcp;
pub mod rtp;
mod sound;
pub mod srtp;
pub mod telephone_event;

pub use clip::{Clip, FRAME_BYTES, FRAME_DURATION};
pub use clip_cache::{ClipCache, ClipError};
pub use codec::Codec;
pub use ear::{Ear, EarStats, Heard, Hearing};
pub use no_files::NoFiles;
pub use pacer::{Finished, Pacer, PacerError, PacerStats, Permits, PlayEnd, Playing, Remote, Stream};
pub use ports::{PortError, PortPool, PortPoolOptions, RtpPort};
pub use sound::{Limits, Sound, SoundError, SoundFacts, SoundFormat, WavEncoding};
