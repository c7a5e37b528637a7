//! What may happen to a switch, drawn at random.

use proptest::{prelude::*, sample::Index};

use super::LEFT;

/// What may come at any time.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    Place,
    Disconnect(u64),
    Abandon(u64),
    Never(Index),
    Played(Index),
    SoundFailed(Index),
    /// A response to something that has left, or what is left of it.
    Response(Index, u16, u8, Spoilt),
    /// A request of the phone of a call, or what is left of it.
    Request(Index, u8, u32, Spoilt),
    Bytes(u8, Vec<u8>),
    /// The journal's word about the oldest entries.
    Written(u8, bool),
    /// About one that nobody waits for.
    WrittenAnyhow(u64, bool),
    Connected(u64),
    ConnectFailed(u64),
    Closed(Index),
    Refused(Index),
    Found(u8, u8),
    Pass(u32),
    Leave,
}

/// How bytes are changed on their way.
#[derive(Clone, Debug)]
pub(super) enum Spoilt {
    No,
    Cut(Index),
    Byte(Index, u8),
    Twice(Index),
}

impl Spoilt {
    pub(super) fn apply(&self, text: &str) -> Vec<u8> {
        let mut bytes = text.as_bytes().to_vec();
        match self {
            Self::No => {}
            Self::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Self::Byte(at, byte) => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Self::Twice(at) => {
                let lines: Vec<&str> = text.split_inclusive("\r\n").collect();
                let at = at.index(lines.len());
                let mut twice = lines.clone();
                twice.insert(at, lines[at]);
                bytes = twice.concat().into_bytes();
            }
        }
        bytes
    }
}

fn spoilt() -> impl Strategy<Value = Spoilt> {
    prop_oneof![
        6 => Just(Spoilt::No),
        1 => any::<Index>().prop_map(Spoilt::Cut),
        1 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Spoilt::Byte(at, byte)),
        1 => any::<Index>().prop_map(Spoilt::Twice),
    ]
}

pub(super) fn happening() -> impl Strategy<Value = Happening> {
    let status = prop_oneof![
        Just(100_u16),
        Just(180),
        Just(200),
        Just(200),
        Just(401),
        Just(407),
        Just(422),
        Just(423),
        Just(481),
        Just(486),
        Just(487),
        Just(503),
        100_u16..700
    ];
    prop_oneof![
        4 => Just(Happening::Place),
        2 => prop_oneof![1_u64..12, LEFT + 1..LEFT + 7].prop_map(Happening::Disconnect),
        1 => (1_u64..12).prop_map(Happening::Abandon),
        1 => any::<Index>().prop_map(Happening::Never),
        1 => any::<Index>().prop_map(Happening::Played),
        1 => any::<Index>().prop_map(Happening::SoundFailed),
        12 => (any::<Index>(), status, 0_u8..6, spoilt()).prop_map(|(of, status, place, how)| Happening::Response(of, status, place, how)),
        5 => (any::<Index>(), 0_u8..9, 0_u32..6, spoilt()).prop_map(|(of, method, cseq, how)| Happening::Request(of, method, cseq, how)),
        1 => (0_u8..3, prop::collection::vec(any::<u8>(), 0..200)).prop_map(|(from, bytes)| Happening::Bytes(from, bytes)),
        8 => (1_u8..6, prop::bool::weighted(0.9)).prop_map(|(count, durable)| Happening::Written(count, durable)),
        1 => (0_u64..40, any::<bool>()).prop_map(|(number, durable)| Happening::WrittenAnyhow(number, durable)),
        3 => (0_u64..8).prop_map(Happening::Connected),
        2 => (0_u64..8).prop_map(Happening::ConnectFailed),
        1 => any::<Index>().prop_map(Happening::Closed),
        1 => any::<Index>().prop_map(Happening::Refused),
        2 => (0_u8..5, 0_u8..4).prop_map(|(host, what)| Happening::Found(host, what)),
        4 => prop_oneof![0_u32..600, 0_u32..40_000].prop_map(Happening::Pass),
        1 => Just(Happening::Leave),
    ]
}
