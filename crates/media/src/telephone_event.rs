//! Keys pressed during a call, as RTP events (RFC 4733 §2.3).

/// What one event packet says. A key sends many: the same event with a growing duration, the end three times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// 0 to 15 are keys; others are tones and signals.
    pub event: u8,
    /// The key was released.
    pub end: bool,
    /// Power below 0 dBm0, in dB.
    pub volume: u8,
    /// Since the packet's timestamp, in its clock's units.
    pub duration: u16,
}

impl TelephoneEvent {
    /// `None` for payloads that are too short; blocks after the first (redundancy) are left unread.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let &[event, flags, high, low, ..] = payload else {
            return None;
        };
        let duration = u16::from_be_bytes([high, low]);
        Some(Self {
            event,
            end: flags & 0x80 != 0,
            volume: flags & 0x3f,
            duration,
        })
    }

    pub fn print(&self) -> [u8; 4] {
        let [high, low] = self.duration.to_be_bytes();
        [self.event, u8::from(self.end) << 7 | (self.volume & 0x3f), high, low]
    }

    /// The key: `0` to `9`, `*`, `#`, `A` to `D`.
    pub fn key(&self) -> Option<char> {
        b"0123456789*#ABCD"
            .get(usize::from(self.event))
            .map(|&key| char::from(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_reads_as_it_says() {
        // RFC 4733 §5.1: digit 1, volume 10, duration 1,600, released.
        let event = TelephoneEvent::parse(&[1, 0x8a, 0x06, 0x40]).unwrap();
        assert_eq!(
            event,
            TelephoneEvent {
                event: 1,
                end: true,
                volume: 10,
                duration: 1600
            }
        );
        assert_eq!(event.key(), Some('1'));
        assert_eq!(event.print(), [1, 0x8a, 0x06, 0x40]);
    }

    #[test]
    fn keys_are_named_and_other_events_are_not() {
        let key = |event| {
            TelephoneEvent {
                event,
                end: false,
                volume: 0,
                duration: 0,
            }
            .key()
        };
        assert_eq!(
            (key(10), key(11), key(15), key(16)),
            (Some('*'), Some('#'), Some('D'), None)
        );
    }

    #[test]
    fn short_payloads_are_nothing() {
        assert_eq!(TelephoneEvent::parse(&[1, 2, 3]), None);
    }
}
