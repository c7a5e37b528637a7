//! ADPCM in WAV: 4 bits a sample, in blocks that stand alone. Decoded here: symphonia's decoder overflows on spoilt blocks.

use super::{Meter, SoundError};

/// Appends a block's samples, interleaved; arguments are the block and the number of channels.
type DecodeBlock = fn(&[u8], usize, &mut Vec<i16>);

#[derive(Clone, Copy)]
pub(super) enum Coding {
    Microsoft,
    Ima,
}

/// Blocks of samples, and what the file says of them.
pub(super) struct Adpcm<'a> {
    pub(super) coding: Coding,
    pub(super) channels: u16,
    /// Bytes of one block.
    pub(super) block_align: u16,
    /// Samples a channel; the last block is padded beyond it.
    pub(super) fact: Option<u32>,
    pub(super) data: &'a [u8],
}

impl Adpcm<'_> {
    pub(super) fn decode(&self, meter: &mut Meter<'_>) -> Result<(), SoundError> {
        let channels = usize::from(self.channels);
        if channels > 2 {
            return Err(SoundError::UnsupportedChannels(self.channels));
        }
        let (header, decode_block): (usize, DecodeBlock) = match self.coding {
            Coding::Microsoft => (MICROSOFT_HEADER, microsoft_block),
            Coding::Ima => (IMA_HEADER, ima_block),
        };
        let align = usize::from(self.block_align);
        if align <= header * channels {
            return Err(SoundError::Malformed("its ADPCM blocks are too small"));
        }
        let mut left = self.fact.map_or(usize::MAX, |samples| samples as usize);
        let (mut interleaved, mut mono) = (Vec::new(), Vec::new());
        for block in self.data.chunks(align).filter(|block| block.len() > header * channels) {
            interleaved.clear();
            decode_block(block, channels, &mut interleaved);
            mono.clear();
            mono.extend(
                interleaved.chunks_exact(channels).map(|frame| {
                    frame.iter().map(|&sample| f32::from(sample) / 32_768.0).sum::<f32>() / channels as f32
                }),
            );
            mono.truncate(left);
            left -= mono.len();
            meter.block(&mono)?;
        }
        Ok(())
    }
}

/// Bytes of a block's header, a channel.
const MICROSOFT_HEADER: usize = 7;
const IMA_HEADER: usize = 4;

/// How the step grows with each code, in 256ths.
const MICROSOFT_ADAPTATION: [i32; 16] = [
    230, 230, 230, 230, 307, 409, 512, 614, 768, 614, 512, 409, 307, 230, 230, 230,
];
/// The seven standard predictors: weights of the last sample and the one before, in 256ths.
const MICROSOFT_PREDICTORS: [(i32, i32); 7] = [
    (256, 0),
    (512, -256),
    (0, 0),
    (192, 64),
    (240, 0),
    (460, -208),
    (392, -232),
];

#[derive(Clone, Copy, Default)]
struct Microsoft {
    weights: (i32, i32),
    step: i32,
    last: i32,
    before: i32,
}

impl Microsoft {
    fn sample(&mut self, code: u8) -> i16 {
        let predicted = (self.last * self.weights.0 + self.before * self.weights.1) >> 8;
        // The code is a signed nibble.
        let signed = (i32::from(code) ^ 8) - 8;
        let sample = clamp(predicted + signed * self.step);
        self.before = std::mem::replace(&mut self.last, i32::from(sample));
        self.step = (MICROSOFT_ADAPTATION[usize::from(code)] * self.step / 256).clamp(16, 1 << 16);
        sample
    }
}

/// Header: each channel's predictor, then each channel's step, last sample, sample before. Then nibbles, high one first, the
/// channels in turn.
fn microsoft_block(block: &[u8], channels: usize, samples: &mut Vec<i16>) {
    let (header, codes) = block.split_at(MICROSOFT_HEADER * channels);
    let (predictors, words) = header.split_at(channels);
    let word = |row: usize, channel: usize| {
        let at = 2 * (row * channels + channel);
        i32::from(i16::from_le_bytes([words[at], words[at + 1]]))
    };
    let mut states = [Microsoft::default(); 2];
    for (channel, state) in states[..channels].iter_mut().enumerate() {
        let weights = MICROSOFT_PREDICTORS
            .get(usize::from(predictors[channel]))
            .copied()
            .unwrap_or_default();
        *state = Microsoft {
            weights,
            step: word(0, channel),
            last: word(1, channel),
            before: word(2, channel),
        };
    }
    samples.extend(states[..channels].iter().map(|state| state.before as i16));
    samples.extend(states[..channels].iter().map(|state| state.last as i16));
    let nibbles = codes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    samples.extend(
        nibbles
            .enumerate()
            .map(|(number, code)| states[number % channels].sample(code)),
    );
}

/// How far each code moves the step index.
const IMA_ADAPTATION: [i32; 8] = [-1, -1, -1, -1, 2, 4, 6, 8];
const IMA_STEPS: [i32; 89] = [
    7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66, 73, 80, 88, 97, 107,
    118, 130, 143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408, 449, 494, 544, 598, 658, 724, 796, 876, 963,
    1060, 1166, 1282, 1411, 1552, 1707, 1878, 2066, 2272, 2499, 2749, 3024, 3327, 3660, 4026, 4428, 4871, 5358, 5894,
    6484, 7132, 7845, 8630, 9493, 10442, 11487, 12635, 13899, 15289, 16818, 18500, 20350, 22385, 24623, 27086, 29794,
    32767,
];

struct Ima {
    last: i32,
    index: i32,
}

impl Ima {
    fn sample(&mut self, code: u8) -> i16 {
        let step = IMA_STEPS[self.index as usize];
        let magnitude = i32::from(code & 7);
        let difference = ((2 * magnitude + 1) * step) >> 3;
        let sample = clamp(if code & 8 == 0 {
            self.last + difference
        } else {
            self.last - difference
        });
        self.last = i32::from(sample);
        self.index = (self.index + IMA_ADAPTATION[magnitude as usize]).clamp(0, IMA_STEPS.len() as i32 - 1);
        sample
    }
}

/// Header: each channel's first sample and step index. Then groups of four bytes, eight samples, for each channel in turn;
/// low nibble first.
fn ima_block(block: &[u8], channels: usize, samples: &mut Vec<i16>) {
    let (header, codes) = block.split_at(IMA_HEADER * channels);
    let group = IMA_HEADER * channels;
    let mut lines = [Vec::new(), Vec::new()];
    for (channel, line) in lines[..channels].iter_mut().enumerate() {
        let head = &header[IMA_HEADER * channel..];
        let last = i32::from(i16::from_le_bytes([head[0], head[1]]));
        let mut state = Ima {
            last,
            index: i32::from(head[2]).min(IMA_STEPS.len() as i32 - 1),
        };
        line.push(last as i16);
        let mine = codes.chunks_exact(group).flat_map(|group| &group[4 * channel..][..4]);
        line.extend(
            mine.flat_map(|byte| [byte & 15, byte >> 4])
                .map(|code| state.sample(code)),
        );
    }
    samples.extend((0..lines[0].len()).flat_map(|at| lines[..channels].iter().map(move |line| line[at])));
}

fn clamp(sample: i32) -> i16 {
    sample.clamp(-32_768, 32_767) as i16
}
