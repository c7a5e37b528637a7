//! Sound for many phones at once: how evenly it comes, what such a call costs, and how soon a BYE leaves beside it.

use std::time::Duration;

use crate::{
    BenchError,
    farm::SOUNDING,
    figures::Figures,
    lab::{Lab, Layout, Program, pass},
    measures, process,
};

use super::crowd::FIRST;

/// From the last answer until streams are listened to, and how long.
const SETTLE: Duration = Duration::from_secs(2);
const LISTEN: Duration = Duration::from_secs(5);
/// Calls that are hung up beside the streams.
const BESIDE: usize = 1000;
/// What is clean, in milliseconds: the 99th of a hundred pauses, and the 9,999th of ten thousand.
const CLEAN_P99: f64 = 22.0;
const CLEAN_P9999: f64 = 40.0;

/// What so many streams came to.
struct Playing {
    is_clean: bool,
    pause_p99: f64,
    bye_p99: f64,
    memory: f64,
}

/// More and more streams, until they are not clean any more.
pub(crate) async fn streams(
    program: &Program,
    nth: usize,
    numbers: &[usize],
    figures: &mut Figures,
) -> Result<(), BenchError> {
    let mut most = 0;
    for &streams in numbers {
        // With two thousand, and that comes first, there are rows to fill; of more only whether they are clean is asked.
        if most == 0 && streams > 2000 {
            break;
        }
        let playing = play(program, streams).await?;
        match streams {
            1000 => {
                figures.add(nth, measures::PAUSE_1000, playing.pause_p99);
                figures.add(nth, measures::BYE_1000, playing.bye_p99);
                figures.add(nth, measures::MEMORY_PLAYING, playing.memory);
            }
            2000 => {
                figures.add(nth, measures::PAUSE_2000, playing.pause_p99);
                figures.add(nth, measures::BYE_2000, playing.bye_p99);
            }
            _ => {}
        }
        if playing.is_clean {
            most = streams;
        } else if streams >= 2000 {
            break;
        }
    }
    figures.add(nth, measures::STREAMS_CLEAN, most as f64);
    Ok(())
}

async fn play(program: &Program, streams: usize) -> Result<Playing, BenchError> {
    let lab = Lab::open(program, Layout::default()).await?;
    let pid = lab.pid();
    lab.place(1, 0..FIRST)?;
    let beside = lab.place(8, FIRST..FIRST + BESIDE)?;
    let before = process::memory(pid)? + process::kernel_memory()?;
    lab.place(8, SOUNDING..SOUNDING + streams)?;
    pass(SETTLE);
    let memory = (process::memory(pid)? + process::kernel_memory()? - before) / streams as f64;
    lab.farm.streams.take();
    pass(LISTEN);
    let pacing = lab.farm.streams.take();
    if pacing.streams() != streams {
        return Err(BenchError::Stuck("not every stream is heard"));
    }
    let pause = |part| pacing.pause(part).ok_or(BenchError::Stuck("no sound is heard"));
    let (p99, p9999) = (pause(0.99)?, pause(0.9999)?);
    let hung_up = lab.hang_up(8, &beside)?;
    lab.close().await?;
    Ok(Playing {
        is_clean: p99 < CLEAN_P99 && p9999 < CLEAN_P9999 && pacing.missing == 0,
        pause_p99: p99,
        bye_p99: hung_up.bye_p99(),
        memory,
    })
}
