//! Real files, made by ffmpeg and sox (`tests/sounds/`), against the sound they were made from.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by failing")]

use std::time::Duration;

use media::compare::likeness;
use media::{Clip, Codec, Limits, Sound, SoundError, SoundFacts, SoundFormat, WavEncoding};
use proptest::prelude::*;

const REFERENCE: &[u8] = include_bytes!("sounds/reference-16000.wav");

const FILES: [(&str, &[u8], SoundFormat, u32, u16); 8] = [
    (
        "stereo MP3",
        include_bytes!("sounds/stereo-44100.mp3"),
        SoundFormat::Mp3,
        44_100,
        2,
    ),
    (
        "mono MP3 with ID3",
        include_bytes!("sounds/mono-16000-id3.mp3"),
        SoundFormat::Mp3,
        16_000,
        1,
    ),
    (
        "A-law",
        include_bytes!("sounds/alaw-8000.wav"),
        SoundFormat::Wav(WavEncoding::ALaw),
        8000,
        1,
    ),
    (
        "mu-law",
        include_bytes!("sounds/mulaw-8000.wav"),
        SoundFormat::Wav(WavEncoding::MuLaw),
        8000,
        1,
    ),
    (
        "Microsoft ADPCM",
        include_bytes!("sounds/adpcm-ms-11025.wav"),
        SoundFormat::Wav(WavEncoding::AdpcmMicrosoft),
        11_025,
        1,
    ),
    (
        "stereo IMA ADPCM",
        include_bytes!("sounds/adpcm-ima-stereo-22050.wav"),
        SoundFormat::Wav(WavEncoding::AdpcmIma),
        22_050,
        2,
    ),
    (
        "MP3 in WAV",
        include_bytes!("sounds/mp3-in-wav-8000.wav"),
        SoundFormat::Wav(WavEncoding::Mp3),
        8000,
        1,
    ),
    ("PCM", REFERENCE, SoundFormat::Wav(WavEncoding::Pcm16), 16_000, 1),
];

/// A block of ADPCM at 11 kHz, which ffmpeg fills up at the end, is the longest.
const PADDING: Duration = Duration::from_millis(190);

fn decode(bytes: &[u8], sample_rate: u32) -> Result<Sound, SoundError> {
    Sound::decode(bytes, sample_rate, &Limits::default())
}

#[test]
fn every_format_gives_the_sound_and_its_facts() {
    let reference = decode(REFERENCE, 8000).unwrap();
    for (name, bytes, format, sample_rate, channels) in FILES {
        let sound = decode(bytes, 8000).unwrap();
        assert_eq!(
            (sound.facts.format, sound.facts.sample_rate, sound.facts.channels),
            (format, sample_rate, channels)
        );
        assert_eq!(SoundFacts::read(bytes, &Limits::default()), Ok(sound.facts), "{name}");
        let difference = sound.facts.duration.abs_diff(reference.facts.duration);
        assert!(difference < PADDING, "{name}: {:?}", sound.facts.duration);
        let likeness = likeness(&reference.samples, &sound.samples).unwrap();
        assert!(likeness.score > 0.97, "{name}: {likeness:?}");
        // An MP3 without a LAME header keeps its encoder's delay of 1,105 samples.
        assert!(likeness.lag.abs() < 1200, "{name}: {likeness:?}");
    }
}

#[test]
fn every_codec_carries_the_sound() {
    for codec in Codec::ALL {
        let reference = decode(REFERENCE, codec.sample_rate()).unwrap();
        for (name, bytes, ..) in FILES {
            let clip = Clip::encode(bytes, codec, &Limits::default()).unwrap();
            let heard = hear(&clip);
            let likeness = likeness(&reference.samples, &heard).unwrap();
            assert!(likeness.score > 0.93, "{name} in {codec}: {likeness:?}");
            assert!(
                clip.duration().abs_diff(reference.facts.duration) < PADDING,
                "{name} in {codec}"
            );
        }
    }
}

/// The clip as a phone hears it.
fn hear(clip: &Clip) -> Vec<i16> {
    let mut ear = media::Ear::new(96, clip.codec(), Duration::from_secs(60));
    for at in 0..clip.frame_count() {
        let header = media::rtp::RtpHeader {
            marker: at == 0,
            payload_type: 96,
            sequence_number: at as u16,
            timestamp: at as u32 * 160,
            ssrc: 1,
        };
        ear.handle_packet(&[&header.print()[..], clip.frame(at).unwrap()].concat());
    }
    ear.finish().samples
}

/// One second of a tone in each channel, written by another library.
fn wav(bits: u16, format: hound::SampleFormat, sample_rate: u32, channels: u16) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let spec = hound::WavSpec {
        channels,
        sample_rate,
        bits_per_sample: bits,
        sample_format: format,
    };
    let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
    for i in 0..sample_rate {
        let tone = (f64::from(i) * 1000.0 * std::f64::consts::TAU / f64::from(sample_rate)).sin() * 0.5;
        for _ in 0..channels {
            match format {
                hound::SampleFormat::Float => writer.write_sample(tone as f32).unwrap(),
                hound::SampleFormat::Int => {
                    writer
                        .write_sample((tone * f64::from(2_u32.pow(u32::from(bits) - 1) - 1)) as i32)
                        .unwrap();
                }
            }
        }
    }
    writer.finalize().unwrap();
    bytes.into_inner()
}

#[test]
fn every_sample_width_rate_and_channel_count_gives_the_same_tone() {
    let tone = decode(&wav(16, hound::SampleFormat::Int, 8000, 1), 8000).unwrap();
    let widths = [
        (8, hound::SampleFormat::Int, WavEncoding::Pcm8),
        (16, hound::SampleFormat::Int, WavEncoding::Pcm16),
        (24, hound::SampleFormat::Int, WavEncoding::Pcm24),
        (32, hound::SampleFormat::Int, WavEncoding::Pcm32),
        (32, hound::SampleFormat::Float, WavEncoding::Float32),
    ];
    for (bits, format, encoding) in widths {
        for sample_rate in [8000, 11_025, 22_050, 44_100, 48_000, 96_000] {
            for channels in [1, 2, 6] {
                let sound = decode(&wav(bits, format, sample_rate, channels), 8000).unwrap();
                assert_eq!(sound.facts.format, SoundFormat::Wav(encoding));
                assert_eq!(sound.facts.duration, Duration::from_secs(1));
                assert_eq!(sound.samples.len(), 8000);
                let score = likeness(&tone.samples, &sound.samples).unwrap().score;
                assert!(score > 0.999, "{encoding} at {sample_rate} with {channels}: {score}");
                let loudest = sound.samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
                assert!(
                    (16_000..16_800).contains(&loudest),
                    "{encoding} at {sample_rate} with {channels}: {loudest}"
                );
            }
        }
    }
}

#[test]
fn gsm_is_refused_by_name_and_the_error_says_what_works() {
    let error = decode(include_bytes!("sounds/gsm-8000.wav"), 8000).unwrap_err();
    assert_eq!(error, SoundError::UnsupportedEncoding("WAV GSM 6.10"));
    assert!(error.to_string().contains("MP3"), "{error}");
}

#[test]
fn what_is_no_sound_file_is_refused() {
    for bytes in [
        &b""[..],
        b"RIFF",
        b"hello, this is a text file and no sound",
        &[0; 5000],
        &[0xff; 5000],
    ] {
        assert_eq!(decode(bytes, 8000), Err(SoundError::UnknownFormat));
    }
    assert!(matches!(
        decode(b"RIFF\0\0\0\0WAVEfmt ", 8000),
        Err(SoundError::Malformed(_))
    ));
}

#[test]
fn limits_are_kept() {
    let limits = Limits {
        max_duration: Duration::from_millis(500),
        ..Limits::default()
    };
    for (name, bytes, ..) in FILES {
        let error = Clip::encode(bytes, Codec::Pcmu, &limits).unwrap_err();
        assert_eq!(
            error,
            SoundError::TooLong {
                max_duration: limits.max_duration
            },
            "{name}"
        );
    }
    let limits = Limits {
        max_bytes: 100,
        ..Limits::default()
    };
    assert!(matches!(
        SoundFacts::read(REFERENCE, &limits),
        Err(SoundError::TooLarge { max_bytes: 100, .. })
    ));
}

#[test]
fn a_cut_file_plays_up_to_the_cut() {
    for (name, bytes, ..) in FILES {
        let sound = decode(&bytes[..bytes.len() / 2], 8000).unwrap();
        let whole = decode(bytes, 8000).unwrap();
        let part = sound.facts.duration.as_secs_f64() / whole.facts.duration.as_secs_f64();
        assert!((0.4..0.6).contains(&part), "{name}: {part}");
    }
}

#[test]
fn a_data_length_never_filled_in_means_the_rest_of_the_file() {
    for length in [u32::MAX, 0x7fff_0000] {
        let mut bytes = wav(16, hound::SampleFormat::Int, 8000, 1);
        bytes[4..8].copy_from_slice(&length.to_le_bytes());
        bytes[40..44].copy_from_slice(&length.to_le_bytes());
        assert_eq!(decode(&bytes, 8000).unwrap().facts.duration, Duration::from_secs(1));
    }
}

#[test]
fn rates_and_channels_out_of_range_are_refused() {
    let with = |at: usize, value: u32, width: usize| {
        let mut bytes = wav(16, hound::SampleFormat::Int, 8000, 1);
        bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
        decode(&bytes, 8000).unwrap_err()
    };
    assert_eq!(with(24, 0, 4), SoundError::UnsupportedRate(0));
    assert_eq!(with(24, u32::MAX, 4), SoundError::UnsupportedRate(u32::MAX));
    assert_eq!(with(22, 0, 2), SoundError::UnsupportedChannels(0));
    assert_eq!(with(22, 65_535, 2), SoundError::UnsupportedChannels(65_535));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_bytes_are_a_sound_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        let _ = decode(&bytes, 8000);
    }

    /// Bytes changed, cut out and repeated in real files of every kind.
    #[test]
    fn spoilt_files_are_a_sound_or_an_error(
        file in 0..FILES.len(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..20),
        near_start in proptest::collection::vec((0_usize..64, any::<u8>()), 0..4),
        cut in any::<proptest::sample::Index>(),
    ) {
        let mut bytes = FILES[file].1.to_vec();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        for (at, value) in near_start {
            bytes[at] = value;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        let _ = Clip::encode(&bytes, Codec::Pcmu, &Limits::default());
    }
}
