//! The receiving side: RTP back to samples, in order, with the keys pressed.
//!
//! [`Ear`] is pure: packets go in, what was heard comes out. [`Hearing`] feeds one from a socket. There is no playout clock:
//! this is for recording and for tests, so nothing waits for late packets longer than a few packets' time.

mod heard;
mod hearing;

use std::collections::BTreeMap;
use std::time::Duration;

use audio_codec::Decoder;

pub use heard::{EarStats, Heard};
pub use hearing::Hearing;

use crate::codec::Codec;
use crate::resample::Resampler;
use crate::rtp::RtpPacket;
use crate::telephone_event::TelephoneEvent;

/// Packets held back for one that is missing.
const REORDER_DEPTH: usize = 8;
/// A sequence number further off than this begins a new stream (RFC 3550 appendix A.1, MAX_DROPOUT).
const MAX_JUMP: i64 = 3000;
/// A hole in RTP time up to this long is silence; a longer one is a new beginning.
const MAX_SILENCE_TICKS: u32 = 60 * Codec::CLOCK_RATE;
/// Keys remembered.
const MAX_KEYS: usize = 1024;

/// Puts packets in order and decodes them.
pub struct Ear {
    codecs: Vec<(u8, Codec)>,
    telephone_event: Option<u8>,
    max_samples: usize,
    source: Option<Source>,
    decoding: Option<Decoding>,
    heard: Heard,
}

/// The stream now listened to.
struct Source {
    ssrc: u32,
    /// Extended sequence number of the next packet in order.
    next: i64,
    early: BTreeMap<i64, Packet>,
    /// RTP time of the next sample.
    timestamp: u32,
    last_key: Option<u32>,
}

struct Packet {
    payload_type: u8,
    timestamp: u32,
    payload: Vec<u8>,
}

struct Decoding {
    codec: Codec,
    decoder: Box<dyn Decoder>,
    resampler: Resampler,
}

impl Ear {
    /// Hears at the rate of this codec, and knows it by the payload type of the answer; sound beyond `max_duration` is
    /// dropped.
    pub fn new(payload_type: u8, codec: Codec, max_duration: Duration) -> Self {
        let sample_rate = codec.sample_rate();
        Self {
            codecs: vec![(payload_type, codec)],
            telephone_event: None,
            max_samples: (max_duration.as_secs_f64() * f64::from(sample_rate)) as usize,
            source: None,
            decoding: None,
            heard: Heard {
                sample_rate,
                ..Heard::default()
            },
        }
    }

    /// Takes another codec, too, as a re-INVITE may agree on. What it brings is converted to the first one's rate.
    pub fn add_codec(&mut self, payload_type: u8, codec: Codec) {
        self.codecs.retain(|(known, _)| *known != payload_type);
        self.codecs.push((payload_type, codec));
    }

    /// The payload type of keys, or none.
    pub fn set_telephone_event(&mut self, payload_type: Option<u8>) {
        self.telephone_event = payload_type;
    }

    /// Takes a datagram from the RTP port.
    pub fn handle_packet(&mut self, bytes: &[u8]) {
        let Ok(RtpPacket { header, payload }) = RtpPacket::parse(bytes) else {
            self.heard.stats.unreadable += 1;
            return;
        };
        let sequence_number = i64::from(header.sequence_number);
        let at = self
            .source
            .as_ref()
            .filter(|source| source.ssrc == header.ssrc)
            .and_then(|source| {
                // The nearest extension of 16 bits to what we wait for.
                let ahead = (sequence_number - source.next + 0x8000).rem_euclid(0x1_0000) - 0x8000;
                (ahead.abs() <= MAX_JUMP).then_some(source.next + ahead)
            });
        let at = at.unwrap_or_else(|| {
            self.release_all();
            self.source = Some(Source {
                ssrc: header.ssrc,
                next: sequence_number,
                early: BTreeMap::new(),
                timestamp: header.timestamp,
                last_key: None,
            });
            sequence_number
        });
        let packet = Packet {
            payload_type: header.payload_type,
            timestamp: header.timestamp,
            payload: payload.to_vec(),
        };
        self.order(at, packet);
    }

    /// Ends listening: what was held back is decoded, the rest of the filter comes out.
    pub fn finish(mut self) -> Heard {
        self.release_all();
        self.end_decoding();
        self.heard
    }

    pub fn stats(&self) -> EarStats {
        self.heard.stats
    }

    /// What was heard up to now.
    pub fn heard(&self) -> &Heard {
        &self.heard
    }

    fn order(&mut self, at: i64, packet: Packet) {
        let Some(source) = &mut self.source else {
            return;
        };
        if at < source.next || source.early.contains_key(&at) {
            self.heard.stats.duplicates += 1;
            return;
        }
        if source.early.last_key_value().is_some_and(|(&last, _)| at < last) {
            self.heard.stats.out_of_order += 1;
        }
        source.early.insert(at, packet);
        self.release(REORDER_DEPTH);
    }

    fn release_all(&mut self) {
        self.release(0);
    }

    /// Takes packets in order; a missing one is given up when more than `depth` wait behind it.
    fn release(&mut self, depth: usize) {
        while let Some(source) = &mut self.source
            && let Some(entry) = source.early.first_entry()
            && (*entry.key() == source.next || source.early.len() > depth)
            && let Some((at, packet)) = source.early.pop_first()
        {
            self.heard.stats.lost += (at - source.next) as u64;
            source.next = at + 1;
            self.hear(&packet);
        }
    }

    fn hear(&mut self, packet: &Packet) {
        if self.telephone_event == Some(packet.payload_type) {
            self.hear_key(packet);
        } else if let Some(&(_, codec)) = self.codecs.iter().find(|(number, _)| *number == packet.payload_type) {
            self.heard.stats.packets += 1;
            self.hear_sound(codec, packet);
        } else {
            self.heard.stats.unreadable += 1;
        }
    }

    /// All packets of one press have its beginning as their timestamp (RFC 4733 §2.5.1).
    fn hear_key(&mut self, packet: &Packet) {
        let Some(source) = &mut self.source else {
            return;
        };
        let Some(key) = TelephoneEvent::parse(&packet.payload).and_then(|event| event.key()) else {
            return;
        };
        if source.last_key.replace(packet.timestamp) != Some(packet.timestamp) && self.heard.keys.len() < MAX_KEYS {
            self.heard.keys.push(key);
        }
    }

    fn hear_sound(&mut self, codec: Codec, packet: &Packet) {
        if self.decoding.as_ref().is_none_or(|decoding| decoding.codec != codec) {
            self.end_decoding();
            let resampler = Resampler::new(codec.sample_rate(), self.heard.sample_rate);
            self.decoding = Some(Decoding {
                codec,
                decoder: codec.decoder(),
                resampler,
            });
        }
        let (Some(source), Some(decoding)) = (&mut self.source, &mut self.decoding) else {
            return;
        };
        let silence = packet.timestamp.wrapping_sub(source.timestamp);
        let silence = if silence <= MAX_SILENCE_TICKS {
            silence as usize
        } else {
            0
        };
        // One byte is one tick of the clock in all our codecs.
        source.timestamp = packet.timestamp.wrapping_add(packet.payload.len() as u32);

        let samples_per_tick = (codec.sample_rate() / Codec::CLOCK_RATE) as usize;
        // No more than fits; G.722 that is heard at 8 kHz takes two samples for one.
        let room = 2 * self.max_samples.saturating_sub(self.heard.samples.len());
        let mut samples = vec![0.0; (silence * samples_per_tick).min(room)];
        samples.extend(decoding.decoder.decode(&packet.payload).into_iter().map(f32::from));
        let mut converted = Vec::new();
        decoding.resampler.push(&samples, &mut converted);
        append(&mut self.heard.samples, &converted, self.max_samples);
    }

    fn end_decoding(&mut self) {
        if let Some(decoding) = self.decoding.take() {
            let mut converted = Vec::new();
            decoding.resampler.finish(&mut converted);
            append(&mut self.heard.samples, &converted, self.max_samples);
        }
    }
}

fn append(samples: &mut Vec<i16>, more: &[f32], max_samples: usize) {
    let room = max_samples.saturating_sub(samples.len());
    samples.extend(
        more.iter()
            .take(room)
            .map(|sample| sample.round().clamp(-32_768.0, 32_767.0) as i16),
    );
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clip::Clip;
    use crate::rtp::RtpHeader;

    fn packet(sequence_number: u16, timestamp: u32, payload_type: u8, payload: &[u8]) -> Vec<u8> {
        let header = RtpHeader {
            marker: false,
            payload_type,
            sequence_number,
            timestamp,
            ssrc: 1,
        };
        [&header.print()[..], payload].concat()
    }

    fn ear() -> Ear {
        let mut ear = Ear::new(0, Codec::Pcmu, Duration::from_secs(10));
        ear.set_telephone_event(Some(101));
        ear
    }

    /// Frames whose samples tell their number.
    fn frame(number: i16) -> Vec<u8> {
        Clip::from_samples(&[number * 1000; 160], Codec::Pcmu)
            .frame(0)
            .unwrap()
            .to_vec()
    }

    fn numbers(heard: &Heard) -> Vec<i16> {
        heard
            .samples
            .chunks(160)
            .map(|frame| (f32::from(frame[0]) / 1000.0).round() as i16)
            .collect()
    }

    #[test]
    fn packets_out_of_order_are_put_in_order_across_the_wrap() {
        let mut ear = ear();
        let first = 65_534_u16;
        for number in [0, 2, 1, 4, 4, 3] {
            let packet = packet(
                first.wrapping_add(number),
                u32::from(number) * 160,
                0,
                &frame(number as i16 + 1),
            );
            ear.handle_packet(&packet);
        }
        let heard = ear.finish();
        assert_eq!(numbers(&heard), [1, 2, 3, 4, 5]);
        assert_eq!(
            heard.stats,
            EarStats {
                packets: 5,
                lost: 0,
                out_of_order: 2,
                duplicates: 1,
                unreadable: 0
            }
        );
    }

    #[test]
    fn a_lost_packet_is_silence_of_its_length() {
        let mut ear = ear();
        for number in [1_u16, 2, 4, 5] {
            ear.handle_packet(&packet(number, u32::from(number) * 160, 0, &frame(number as i16)));
        }
        let heard = ear.finish();
        assert_eq!(numbers(&heard), [1, 2, 0, 4, 5]);
        assert_eq!(heard.stats.lost, 1);
    }

    #[test]
    fn a_new_source_goes_on_behind_the_old_one() {
        let mut ear = ear();
        ear.handle_packet(&packet(1, 160, 0, &frame(1)));
        let mut other = packet(40_000, 0xffff_0000, 0, &frame(2));
        other[8..12].copy_from_slice(&[9; 4]);
        ear.handle_packet(&other);
        assert_eq!(numbers(&ear.finish()), [1, 2]);
    }

    #[test]
    fn a_key_pressed_is_heard_once() {
        let mut ear = ear();
        let press = |event, duration: u16| {
            TelephoneEvent {
                event,
                end: false,
                volume: 10,
                duration,
            }
            .print()
        };
        let events = [
            (5, 1000, 160),
            (5, 1000, 320),
            (5, 1000, 320),
            (5, 3000, 160),
            (11, 5000, 160),
        ];
        for (number, (event, timestamp, duration)) in events.into_iter().enumerate() {
            ear.handle_packet(&packet(number as u16, timestamp, 101, &press(event, duration)));
        }
        assert_eq!(ear.finish().keys, "55#");
    }

    proptest! {
        /// Headers near to one another, so that packets meet in one stream.
        #[test]
        fn any_packets_in_any_order_are_heard_within_the_limit(
            packets in proptest::collection::vec(
                (0_u16..40, any::<u32>(), prop_oneof![Just(0_u8), Just(101)], 0_u32..2, proptest::collection::vec(any::<u8>(), 0..300)),
                0..60,
            ),
            junk in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut ear = ear();
            for (sequence_number, timestamp, payload_type, ssrc, payload) in packets {
                let header = RtpHeader { marker: false, payload_type, sequence_number, timestamp, ssrc };
                ear.handle_packet(&[&header.print()[..], &payload].concat());
                ear.handle_packet(&junk);
            }
            prop_assert!(ear.finish().duration() <= Duration::from_secs(10));
        }
    }

    #[test]
    fn sound_beyond_the_limit_and_wild_time_stamps_cost_no_memory() {
        let mut ear = Ear::new(0, Codec::Pcmu, Duration::from_millis(100));
        for number in 0..50_u16 {
            ear.handle_packet(&packet(
                number,
                u32::from(number).wrapping_mul(0x0f00_0000),
                0,
                &frame(1),
            ));
        }
        assert_eq!(ear.finish().samples.len(), 800);
    }
}
