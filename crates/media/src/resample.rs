//! A streaming sample-rate converter: Kaiser-windowed sinc, polyphase, whole filter below the lower Nyquist frequency.
//!
//! `audio-codec` brings one too, but its filter has 24 taps at every ratio: from 44.1 kHz to 8 kHz a tone at 5 kHz folds to
//! 3 kHz only 13 dB down, and 3.4 kHz loses 4 dB. Here the filter grows with the ratio, so what would fold is 80 dB down.

use std::f64::consts::PI;

/// Zero crossings of the sinc on each side, counted at the lower of the two rates.
const ZERO_CROSSINGS: usize = 48;
/// Kaiser window shape for about 90 dB of stop band.
const KAISER_BETA: f64 = 8.96;
/// Middle of the transition band as a part of the lower rate: the stop band begins at its Nyquist frequency.
const CUTOFF: f64 = 0.47;
/// Rates with no large common divisor would need a table of many thousand phases; the nearest of these is 80 dB good.
const MAX_PHASES: u64 = 1024;

/// Converts blocks of samples; output is aligned in time with the input.
pub(crate) struct Resampler {
    input_rate: u64,
    output_rate: u64,
    phases: u64,
    taps: usize,
    /// `phases` filters of `taps` coefficients, in input order.
    table: Vec<f32>,
    /// Input not yet done with.
    pending: Vec<f32>,
    /// Where the next output's filter lies in `pending`, in units of 1 / `output_rate` of an input interval.
    position: u64,
    received: u64,
    produced: u64,
}

impl Resampler {
    /// `input_rate` and `output_rate` in Hz, neither 0.
    pub(crate) fn new(input_rate: u32, output_rate: u32) -> Self {
        let (input_rate, output_rate) = (u64::from(input_rate), u64::from(output_rate));
        let divisor = greatest_common_divisor(input_rate, output_rate);
        let phases = (output_rate / divisor).min(MAX_PHASES);
        let scale = (output_rate as f64 / input_rate as f64).min(1.0);
        let half = (ZERO_CROSSINGS as f64 / scale).ceil() as usize;
        let (taps, table) = if input_rate == output_rate {
            (0, Vec::new())
        } else {
            (2 * half, filters(phases, half, scale))
        };
        Self {
            input_rate,
            output_rate,
            phases,
            taps,
            table,
            pending: vec![0.0; taps / 2],
            position: 0,
            received: 0,
            produced: 0,
        }
    }

    /// Takes the next input and appends what can be computed from it to `output`.
    pub(crate) fn push(&mut self, input: &[f32], output: &mut Vec<f32>) {
        self.received += input.len() as u64;
        if self.taps == 0 {
            output.extend_from_slice(input);
            return;
        }
        self.pending.extend_from_slice(input);
        self.convert(output);
    }

    /// The input has ended: appends the rest. In all, `ceil(input × output_rate / input_rate)` samples come out.
    pub(crate) fn finish(mut self, output: &mut Vec<f32>) {
        if self.taps == 0 {
            return;
        }
        let wanted = (self.received * self.output_rate).div_ceil(self.input_rate);
        let missing = wanted.saturating_sub(self.produced) as usize;
        self.pending.extend(std::iter::repeat_n(0.0, self.taps));
        let before = output.len();
        self.convert(output);
        output.truncate(before + missing);
    }

    fn convert(&mut self, output: &mut Vec<f32>) {
        loop {
            // The window of taps begins one input after the whole part of the position.
            let first = (self.position / self.output_rate) as usize + 1;
            if first + self.taps > self.pending.len() {
                break;
            }
            let phase = (self.position % self.output_rate * self.phases / self.output_rate) as usize;
            let filter = &self.table[phase * self.taps..][..self.taps];
            output.push(dot_product(filter, &self.pending[first..][..self.taps]));
            self.produced += 1;
            self.position += self.input_rate;
        }
        let done = ((self.position / self.output_rate) as usize).min(self.pending.len());
        self.pending.drain(..done);
        self.position -= done as u64 * self.output_rate;
    }
}

/// The filters for outputs at 0, 1/phases, 2/phases ... of an input interval.
fn filters(phases: u64, half: usize, scale: f64) -> Vec<f32> {
    let mut table = Vec::with_capacity(phases as usize * 2 * half);
    for phase in 0..phases {
        let fraction = phase as f64 / phases as f64;
        let first = table.len();
        let mut sum = 0.0;
        for tap in 0..2 * half {
            let distance = tap as f64 + 1.0 - half as f64 - fraction;
            let value = sinc(2.0 * CUTOFF * scale * distance) * kaiser(distance / half as f64);
            sum += value;
            table.push(value as f32);
        }
        for value in &mut table[first..] {
            *value = (f64::from(*value) / sum) as f32;
        }
    }
    table
}

/// Eight sums side by side, so that the compiler can use vector registers.
fn dot_product(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a.remainder().iter().zip(b.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a.zip(b) {
        for lane in 0..8 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// The window at `x`, from -1 (one end) to 1 (the other).
fn kaiser(x: f64) -> f64 {
    bessel_i0(KAISER_BETA * (1.0 - x * x).max(0.0).sqrt()) / bessel_i0(KAISER_BETA)
}

/// Modified Bessel function of the first kind and order 0, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut sum, mut term, mut k) = (1.0, 1.0, 1.0);
    while term > sum * 1e-12 {
        term *= quarter / (k * k);
        sum += term;
        k += 1.0;
    }
    sum
}

const fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: u32, frequency: f64, seconds: f64) -> Vec<f32> {
        let count = (f64::from(rate) * seconds) as usize;
        (0..count)
            .map(|i| (0.5 * (2.0 * PI * frequency * i as f64 / f64::from(rate)).sin()) as f32)
            .collect()
    }

    fn resample(input: &[f32], from: u32, to: u32, block: usize) -> Vec<f32> {
        let mut resampler = Resampler::new(from, to);
        let mut output = Vec::new();
        for block in input.chunks(block) {
            resampler.push(block, &mut output);
        }
        resampler.finish(&mut output);
        output
    }

    /// Power ratio of `wanted` to what differs from it in `got`, away from the ends.
    fn signal_to_noise(wanted: &[f32], got: &[f32]) -> f64 {
        let range = wanted.len() / 10..wanted.len().min(got.len()) * 9 / 10;
        let power = |samples: &mut dyn Iterator<Item = f32>| samples.map(|x| f64::from(x).powi(2)).sum::<f64>();
        let signal = power(&mut wanted[range.clone()].iter().copied());
        let noise = power(&mut range.map(|i| wanted[i] - got[i]));
        10.0 * (signal / noise.max(1e-30)).log10()
    }

    #[test]
    fn a_tone_keeps_pitch_level_and_time() {
        for from in [8000, 11_025, 16_000, 22_050, 44_100, 48_000, 44_101, 96_000, 192_000] {
            for to in [8000, 16_000] {
                let got = resample(&tone(from, 1000.0, 0.5), from, to, 1000);
                let ratio = signal_to_noise(&tone(to, 1000.0, 0.5), &got);
                assert!(ratio > 70.0, "{from} to {to}: {ratio:.1} dB");
            }
        }
    }

    #[test]
    fn speech_up_to_3_4_khz_passes() {
        let got = resample(&tone(44_100, 3400.0, 0.5), 44_100, 8000, 512);
        let ratio = signal_to_noise(&tone(8000, 3400.0, 0.5), &got);
        assert!(ratio > 60.0, "{ratio:.1} dB");
    }

    #[test]
    fn nothing_folds_below_the_new_nyquist_frequency() {
        for frequency in [4100.0, 5000.0, 7000.0, 12_000.0, 20_000.0] {
            let got = resample(&tone(44_100, frequency, 0.5), 44_100, 8000, 512);
            let loudest = got[400..got.len() - 400]
                .iter()
                .fold(0.0_f32, |max, x| max.max(x.abs()));
            let down = 20.0 * f64::from(loudest / 0.5).log10();
            assert!(down < -75.0, "{frequency} Hz is only {down:.1} dB down");
        }
    }

    #[test]
    fn block_sizes_make_no_difference_and_no_sample_is_lost() {
        for (from, to) in [(44_100, 8000), (8000, 16_000), (192_000, 8000), (11_025, 16_000)] {
            let input = tone(from, 700.0, 0.2);
            let whole = resample(&input, from, to, usize::MAX);
            assert_eq!(
                whole.len() as u64,
                (input.len() as u64 * u64::from(to)).div_ceil(u64::from(from))
            );
            for block in [1, 7, 160, 1152] {
                assert_eq!(whole, resample(&input, from, to, block), "{from} to {to} by {block}");
            }
        }
    }

    #[test]
    fn very_short_input_gives_its_few_samples() {
        assert!(resample(&[], 44_100, 8000, 1).is_empty());
        assert_eq!(resample(&[0.5], 44_100, 8000, 1).len(), 1);
        assert_eq!(resample(&[0.5; 3], 8000, 16_000, 1).len(), 6);
    }
}
