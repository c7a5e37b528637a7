//! A run from bytes, for a fuzzer. Any bytes are one, and one byte is one part or one decision: to change it leaves the others as they were.
//!
//! | bytes | say |
//! |---|---|
//! | 0, 1 | the seed of what is not said below; when it is 0, that is all harmless |
//! | 2, 3, 4 | how many calls, trunks and crashes |
//! | 5 to 12 | which families, a bit each |
//! | then four each | a lane, by its number; which of its decisions; the value, of 0 to 65,535 |

use std::collections::BTreeMap;

use crate::{
    lanes::LaneName,
    parts::{Family, MOST_CRASHES, Parts},
};

/// Bytes before the decisions.
const HEAD: usize = 13;

/// What the bytes say.
#[derive(Clone, Debug)]
pub(crate) struct Tape {
    head: [u8; HEAD],
    /// By lane and place.
    said: BTreeMap<(u8, u8), u32>,
}

impl Tape {
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let (said, length) = (bytes.get(HEAD..).unwrap_or_default(), bytes.len().min(HEAD));
        let mut head = [0; HEAD];
        head[..length].copy_from_slice(&bytes[..length]);
        let said = said.as_chunks().0.iter().map(|[lane, at, high, low]| {
            let value = u32::from(u16::from_be_bytes([*high, *low]));
            ((*lane, *at), value << 16 | value)
        });
        Self {
            head,
            said: said.collect(),
        }
    }

    pub(crate) fn seed(&self) -> u64 {
        u16::from_le_bytes([self.head[0], self.head[1]]).into()
    }

    pub(crate) fn parts(&self) -> Parts {
        let [_, _, calls, trunks, crashes, families @ ..] = self.head;
        let families = u64::from_le_bytes(families);
        let has = |(bit, family): (usize, Family)| (families >> bit & 1 == 1).then_some(family);
        Parts {
            calls: (1..=1 + u32::from(calls % 3)).collect(),
            trunks: (1..=1 + u32::from(trunks % 3)).collect(),
            families: Family::ALL.iter().copied().enumerate().filter_map(has).collect(),
            crashes: (1..=u32::from(crashes) % (MOST_CRASHES + 1)).collect(),
        }
    }

    /// What is decided on this lane, by place.
    pub(crate) fn said(&self, lane: LaneName) -> impl Iterator<Item = (usize, u32)> + '_ {
        let number = lane.number();
        let said = self.said.range((number, 0)..=(number, u8::MAX));
        said.map(|((_, at), value)| (usize::from(*at), *value))
    }

    /// The same, with zeros in between.
    pub(crate) fn values(&self, lane: LaneName) -> Vec<u32> {
        let mut values = Vec::new();
        for (at, value) in self.said(lane) {
            values.resize(at, 0);
            values.push(value);
        }
        values
    }
}
