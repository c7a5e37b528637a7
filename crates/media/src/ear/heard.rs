//! What was heard, and how well it arrived.

use std::time::Duration;

/// Counts of what arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EarStats {
    /// RTP packets of sound, duplicates not counted.
    pub packets: u64,
    /// Missing when their turn came.
    pub lost: u64,
    pub out_of_order: u64,
    pub duplicates: u64,
    /// Datagrams that are no RTP or have a payload type nobody agreed on.
    pub unreadable: u64,
}

/// What an [`Ear`](super::Ear) heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    pub samples: Vec<i16>,
    /// Of `samples`, in Hz: the rate of the first codec agreed on.
    pub sample_rate: u32,
    /// Keys in the order they were pressed.
    pub keys: String,
    pub stats: EarStats,
}

impl Heard {
    pub fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.samples.len() as f64 / f64::from(self.sample_rate.max(1)))
    }

    /// Writes a 16-bit WAV file.
    pub fn save(&self, path: &std::path::Path) -> Result<(), hound::Error> {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: self.sample_rate,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut file = hound::WavWriter::create(path, spec)?;
        let mut samples = file.get_i16_writer(self.samples.len() as u32);
        self.samples.iter().for_each(|&sample| samples.write_sample(sample));
        samples.flush()?;
        file.finalize()
    }
}
