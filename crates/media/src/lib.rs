//! Sound: files to frames, frames to RTP.
