//! Sound files that claim more than they hold, or are made to be slow: each ends as a sound or with a clear word, within
//! the limits on time and memory (promise 9).

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by failing")]

use std::time::{Duration, Instant};

use media::{Clip, Codec, Limits, SoundError, SoundFacts};

const MP3: &[u8] = include_bytes!("sounds/mono-16000-id3.mp3");
/// A quarter of what a file may have: enough for half an hour of the smallest samples.
const SIZE: usize = 8 << 20;

/// A WAV header for these, and what follows.
fn wav(tag: u16, channels: u16, rate: u32, align: u16, bits: u16, data: &[u8]) -> Vec<u8> {
    let mut file = b"RIFF\xff\xff\xff\x7fWAVEfmt \x10\0\0\0".to_vec();
    file.extend(tag.to_le_bytes());
    file.extend(channels.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend(rate.wrapping_mul(align.into()).to_le_bytes());
    file.extend(align.to_le_bytes());
    file.extend(bits.to_le_bytes());
    file.extend(b"data\xff\xff\xff\xff");
    file.extend(data);
    file
}

fn full(before: &[u8], part: &[u8]) -> Vec<u8> {
    let mut file = before.to_vec();
    while file.len() + part.len() <= SIZE {
        file.extend(part);
    }
    file
}

fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let header = |tag, channels, rate, align, bits| wav(tag, channels, rate, align, bits, &[]);
    let frame = MP3.windows(2).position(|pair| pair == [0xff, 0xf3]).unwrap();
    vec![
        ("empty ID3 tags", full(b"", b"ID3\x04\0\0\0\0\0\0")),
        ("a huge ID3 tag", full(b"ID3\x04\0\x10\x7f\x7f\x7f\x7f", b"\0")),
        ("MPEG syncs", full(b"", b"\xff")),
        ("MPEG headers", full(b"", b"\xff\xfb\x90\x00")),
        ("MPEG headers without a rate", full(b"", b"\xff\xfb\xfc\x00")),
        ("MPEG headers of free format", full(b"", b"\xff\xfb\x00\x00")),
        ("MPEG frames without end", full(&[], &MP3[frame..])),
        ("a good frame and garbage", full(MP3, b"\xff\xf3\x18\xc4garbage")),
        ("a good frame and zeros", full(MP3, b"\0")),
        ("chunks of nothing", full(b"RIFF\xff\xff\xff\x7fWAVE", b"junk\0\0\0\0")),
        (
            "format chunks",
            full(&header(1, 1, 8000, 2, 16)[..12], &header(1, 1, 8000, 2, 16)[12..36]),
        ),
        (
            "IMA blocks of one byte",
            full(&header(0x11, 1, 192_000, 5, 4), b"\0\0\0\0\0"),
        ),
        (
            "Microsoft blocks of one byte",
            full(&header(2, 2, 192_000, 15, 4), b"\0"),
        ),
        (
            "one huge ADPCM block",
            full(&header(2, 2, 192_000, u16::MAX, 4), b"\x77"),
        ),
        (
            "a rate that shares no factor",
            full(&header(1, 1, 191_999, 1, 8), b"\x80\xff\0"),
        ),
        ("hours at the lowest rate", full(&header(6, 1, 4000, 1, 8), b"\xd5")),
        (
            "floats that are no numbers",
            full(&header(3, 1, 48_000, 4, 32), &f32::NAN.to_le_bytes()),
        ),
        (
            "eight channels",
            full(&header(3, 8, 192_000, 64, 64), &f64::MAX.to_le_bytes()),
        ),
    ]
}

#[test]
fn hostile_files_end_within_the_limits() {
    let limits = Limits::default();
    for (name, file) in hostile() {
        let began = Instant::now();
        let mut outcome = None;
        let used = allocation_counter::measure(|| outcome = Some(Clip::encode(&file, Codec::Pcmu, &limits)));
        let took = began.elapsed();
        println!(
            "{name}: {took:?}, {} KiB at once, {:?}",
            used.bytes_max >> 10,
            outcome.unwrap()
        );
        assert!(took < limits.max_time + Duration::from_secs(5), "{name}: {took:?}");
        // Half an hour of frames, twice while they move, and the longest filter.
        assert!(used.bytes_max < 64 << 20, "{name}: {} bytes at once", used.bytes_max);
    }
}

#[test]
fn a_file_that_takes_too_long_is_refused() {
    let limits = Limits {
        max_time: Duration::ZERO,
        ..Limits::default()
    };
    for file in [
        MP3,
        include_bytes!("sounds/alaw-8000.wav"),
        include_bytes!("sounds/adpcm-ms-11025.wav"),
    ] {
        let error = SoundFacts::read(file, &limits).unwrap_err();
        assert_eq!(
            error,
            SoundError::TooSlow {
                max_time: Duration::ZERO
            }
        );
        assert!(error.to_string().contains("longer than 0 s to decode"), "{error}");
    }
}

#[test]
fn what_cannot_be_is_refused_in_words() {
    for (file, word) in [
        (wav(1, 1, 0, 2, 16, &[0; 64]), "0 samples a second"),
        (wav(1, 0, 8000, 2, 16, &[0; 64]), "0 channels"),
        (wav(1, 1, u32::MAX, 2, 16, &[0; 64]), "4294967295 samples a second"),
        (wav(1, u16::MAX, 8000, 2, 16, &[0; 64]), "65535 channels"),
        (wav(2, 1, 8000, 0, 4, &[0; 64]), "blocks are too small"),
        (wav(0x11, 2, 8000, 8, 4, &[0; 64]), "blocks are too small"),
        (wav(1, 1, 8000, 2, 16, &[]), "holds no sound"),
        (wav(6, 1, 4000, 1, 8, &vec![0xd5; 4000 * 60 * 31]), "longer than 1800 s"),
        (full(b"", b"\0\0"), "neither a WAV nor an MP3"),
        (vec![0; (32 << 20) + 1], "at most 33554432 are allowed"),
    ] {
        let error = SoundFacts::read(&file, &Limits::default()).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}
