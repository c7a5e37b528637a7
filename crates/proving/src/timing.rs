//! Whether two things take the same time, on a machine that has other things to do.
//!
//! They are done by turns, so that what slows one down slows the other, too. What counts is the median of the differences, and
//! how well it is known: order statistics bound it without a word on how times are distributed. So both answers have to be
//! earned: samples are taken until the bounds lie inside of what counts as alike, or outside.

use std::time::Duration;

use tokio::time::Instant;

/// Standard deviations that the bounds are away: a wrong answer once in some 15,000.
const SIGMAS: f64 = 4.0;
/// From here on there are bounds at all.
const FEWEST: usize = 20;
/// Who cannot tell by then will not.
const MOST: usize = 3_000;

/// Does the first thing (`0`) and the second (`1`) by turns until it is known whether their times differ by less than `tolerance`, as a part of what
/// the quicker one takes.
///
/// # Panics
/// When they do not, or when it cannot be told from thousands of turns.
pub async fn assert_alike(what: &str, tolerance: f64, mut act: impl AsyncFnMut(usize)) {
    let mut pairs: Vec<[f64; 2]> = Vec::new();
    loop {
        let mut times = [Duration::ZERO; 2];
        for which in [pairs.len() % 2, 1 - pairs.len() % 2] {
            let started = Instant::now();
            act(which).await;
            times[which] = started.elapsed();
        }
        pairs.push(times.map(|time| time.as_secs_f64()));
        match judge(&pairs, tolerance) {
            Judgement::Alike => return,
            Judgement::Unknown if pairs.len() < MOST => {}
            judgement => panic!("{what}: {judgement:?} after {} turns: {}", pairs.len(), shown(&pairs)),
        }
    }
}

#[derive(Debug, PartialEq)]
enum Judgement {
    Alike,
    Apart,
    Unknown,
}

fn judge(pairs: &[[f64; 2]], tolerance: f64) -> Judgement {
    let count = pairs.len();
    // The number of differences below the median is binomial: its deviation is half the root of their number.
    let away = (SIGMAS * (count as f64).sqrt() / 2.0).ceil() as usize;
    let Some(lower) = (count / 2).checked_sub(away).filter(|_| count >= FEWEST) else {
        return Judgement::Unknown;
    };
    let differences = sorted(pairs.iter().map(|[one, other]| one - other));
    let (low, high) = (differences[lower], differences[count - 1 - lower]);
    let allowed = tolerance * median(pairs, 0).min(median(pairs, 1));
    if low > -allowed && high < allowed {
        Judgement::Alike
    } else if low > allowed || high < -allowed {
        Judgement::Apart
    } else {
        Judgement::Unknown
    }
}

fn median(pairs: &[[f64; 2]], which: usize) -> f64 {
    sorted(pairs.iter().map(|pair| pair[which]))[pairs.len() / 2]
}

fn sorted(numbers: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut numbers: Vec<_> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers
}

fn shown(pairs: &[[f64; 2]]) -> String {
    let [one, other] = [0, 1].map(|which| median(pairs, which) * 1e3);
    format!("{one:.3} ms and {other:.3} ms in the middle")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// Times that are mostly about `middles`, and now and then ten times that.
    fn drawn(middles: [f64; 2], count: usize) -> Vec<[f64; 2]> {
        let mut random = Random::new(1);
        let mut draw = |middle: f64| {
            let slow = if random.within(0..10) == 0 { 10.0 } else { 1.0 };
            middle * slow * (0.7 + random.within(0..600) as f64 / 1_000.0)
        };
        (0..count).map(|_| middles.map(&mut draw)).collect()
    }

    #[test]
    fn what_takes_a_tenth_longer_is_alike_and_what_takes_half_as_long_again_is_not() {
        assert_eq!(judge(&drawn([1.0, 1.1], 400), 0.33), Judgement::Alike);
        assert_eq!(judge(&drawn([1.1, 1.0], 400), 0.33), Judgement::Alike);
        assert_eq!(judge(&drawn([1.0, 1.5], 400), 0.33), Judgement::Apart);
        assert_eq!(judge(&drawn([1.5, 1.0], 400), 0.33), Judgement::Apart);
    }

    #[test]
    fn few_samples_tell_what_is_far_apart_and_nothing_else() {
        assert_eq!(judge(&drawn([1.0, 20.0], 19), 0.33), Judgement::Unknown);
        assert_eq!(judge(&drawn([1.0, 20.0], 25), 0.33), Judgement::Apart);
        assert_eq!(judge(&drawn([1.0, 1.1], 25), 0.1), Judgement::Unknown);
    }
}
