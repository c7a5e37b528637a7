//! MP3, by symphonia's demuxer and decoder; tags around the stream are stepped over here, unread.

use std::io::Cursor;

use symphonia::core::codecs::audio::well_known::CODEC_ID_MP3;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::{FormatOptions, FormatReader};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::default::codecs::MpaDecoder;
use symphonia::default::formats::MpaReader;

use super::{Meter, SoundError, SoundFormat};

/// The first frame must begin this early (after an ID3 tag), or the file is something else.
const MAX_LEADING_BYTES: usize = 4096;

pub(super) fn decode(bytes: &[u8], meter: &mut Meter<'_>) -> Result<SoundFormat, SoundError> {
    let stream = without_id3(bytes);
    let near = &stream[..stream.len().min(MAX_LEADING_BYTES)];
    // The sync word: eleven bits set (ISO/IEC 11172-3 §2.4.1.3).
    if !near.windows(2).any(|pair| pair[0] == 0xff && pair[1] & 0xe0 == 0xe0) {
        return Err(SoundError::UnknownFormat);
    }
    let source = MediaSourceStream::new(Box::new(Cursor::new(stream)), MediaSourceStreamOptions::default());
    let mut reader = MpaReader::try_new(source, FormatOptions::default()).map_err(|_| SoundError::UnknownFormat)?;
    let params = reader
        .tracks()
        .first()
        .and_then(|track| track.codec_params.as_ref())
        .and_then(|params| params.audio())
        .filter(|params| params.codec == CODEC_ID_MP3)
        .ok_or(SoundError::UnsupportedEncoding("MPEG audio layer 1 or 2"))?;
    let mut decoder = MpaDecoder::try_new(params, &AudioDecoderOptions::default())
        .map_err(|_| SoundError::Malformed("its MPEG parameters do not fit together"))?;

    let mut spoilt = 0_u64;
    let mut good = 0_u64;
    let (mut interleaved, mut mono) = (Vec::<f32>::new(), Vec::new());
    // The end of a cut file is an I/O error: what came before it plays.
    while let Ok(Some(packet)) = reader.next_packet() {
        meter.in_time()?;
        let decoded = match decoder.decode(&packet) {
            Ok(decoded) => decoded,
            Err(Error::DecodeError(_) | Error::IoError(_)) => {
                spoilt += 1;
                continue;
            }
            Err(_) => return Err(SoundError::Malformed("its MPEG stream changes its shape")),
        };
        let (rate, channels) = (decoded.spec().rate(), decoded.spec().channels().count());
        if good == 0 {
            meter.begin(rate, u16::try_from(channels).unwrap_or(u16::MAX))?;
        } else if rate != meter.sample_rate {
            return Err(SoundError::Malformed("its sample rate changes on the way"));
        }
        good += 1;
        decoded.copy_to_vec_interleaved(&mut interleaved);
        mono.clear();
        mono.extend(
            interleaved
                .chunks_exact(channels)
                .map(|frame| frame.iter().sum::<f32>() / channels as f32),
        );
        meter.block(&mono)?;
    }
    match (good, spoilt) {
        (0, 0) => Err(SoundError::UnknownFormat),
        // The first frames after a cut lean on frames that are gone; more than that is not MP3.
        _ if spoilt > good => Err(SoundError::Malformed("most of its MPEG frames cannot be decoded")),
        _ => Ok(SoundFormat::Mp3),
    }
}

/// Cuts off ID3v2 in front (ID3v2.4 §3.1, more than one may stand there) and ID3v1 behind.
fn without_id3(mut bytes: &[u8]) -> &[u8] {
    while bytes.len() >= 10 && bytes.starts_with(b"ID3") {
        let size = bytes[6..10]
            .iter()
            .fold(0, |size, &byte| size << 7 | usize::from(byte & 0x7f));
        let footer = if bytes[5] & 0x10 == 0 { 0 } else { 10 };
        bytes = bytes.get(10 + size + footer..).unwrap_or_default();
    }
    match bytes.len().checked_sub(128) {
        Some(at) if bytes[at..].starts_with(b"TAG") => &bytes[..at],
        _ => bytes,
    }
}
