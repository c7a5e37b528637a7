//! What holds whatever happens: the same in one turn or in many, alone or among others, and at rest nothing is left.

use std::{collections::BTreeSet, time::Duration};

use proptest::{prelude::*, sample::Index};
use sip::{Path, Transport};
use switch::{Found, Listener, Load, Registration, Settings, Switch};

use crate::rig::{
    OURS, OWNER, PATIENCE, Rig, Sent, T1, TRUNK, answer, answer_with, found, from_phone, id, order, path, settings,
    trunk, udp,
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_turn_before_its_time_changes_nothing() {
    let mut rig = Rig::new();
    let invite = rig.invited(1);
    for millis in [100, 399, 1, 499, 1, 250] {
        rig.pass(Duration::from_millis(millis));
        let (load, events) = (rig.switch.load(), rig.events.len());
        let due = rig.switch.poll_timeout();
        assert_eq!(rig.turn(|_| {}), [""; 0]);
        assert_eq!(
            (rig.switch.load(), rig.events.len(), rig.switch.poll_timeout()),
            (load, events, due)
        );
    }
    assert_eq!(rig.count("INVITE"), 2, "{invite:?}");
}

/// One thing that happens.
type Input = Box<dyn FnOnce(&mut Switch)>;

/// In one turn or in a turn each. Gives what has left, and what is remembered.
fn happen(rig: &mut Rig, together: bool, inputs: Vec<Input>) {
    if together {
        rig.turn(|switch| {
            for input in inputs {
                input(switch);
            }
        });
    } else {
        for input in inputs {
            rig.turn(input);
        }
    }
}

fn heard(texts: Vec<(Path, String)>) -> Vec<Input> {
    let input = |(path, text): (Path, String)| -> Input {
        Box::new(move |switch: &mut Switch| switch.handle_message(path, text.as_bytes()))
    };
    texts.into_iter().map(input).collect()
}

fn durable(rig: &mut Rig) -> Vec<Input> {
    let word = |entry: switch::journal::Entry| -> Input {
        Box::new(move |switch: &mut Switch| switch.written(entry.number, true))
    };
    let entries = std::mem::take(&mut rig.entries);
    for entry in &entries {
        rig.note(entry, true);
    }
    entries.into_iter().map(word).collect()
}

/// The life of these calls, each a bit different.
fn lives(numbers: &[u64], together: bool) -> (Rig, Vec<Load>) {
    let mut rig = Rig::new();
    let mut loads = Vec::new();
    let placing =
        |number: u64| -> Input { Box::new(move |switch: &mut Switch| switch.place(number, order(number), PATIENCE)) };
    happen(
        &mut rig,
        together,
        numbers.iter().map(|number| placing(*number)).collect(),
    );
    loads.push(rig.switch.load());
    for round in 0..4 {
        let words = durable(&mut rig);
        happen(&mut rig, together, words);
        loads.push(rig.switch.load());
        let mut texts = Vec::new();
        for sent in rig.sent.clone() {
            let number = number_of(&sent);
            let text = match (round, sent.text.split(' ').next()) {
                (0, Some("INVITE")) => Some(answer(&sent, if number.is_multiple_of(3) { 486 } else { 183 })),
                (1, Some("INVITE")) if !number.is_multiple_of(3) => Some(answer(&sent, 200)),
                (2, Some("INVITE")) if number % 3 == 1 => Some(from_phone(&sent, "BYE", 1)),
                (3, Some("BYE" | "CANCEL")) => Some(answer(&sent, 200)),
                _ => None,
            };
            texts.extend(text.map(|text| (sent.path, text)));
        }
        happen(&mut rig, together, heard(texts));
        if round == 2 {
            let disconnecting = |number: u64| -> Input {
                Box::new(move |switch: &mut Switch| switch.disconnect(1000 + number, OWNER, id(number), PATIENCE))
            };
            happen(
                &mut rig,
                together,
                numbers.iter().map(|number| disconnecting(*number)).collect(),
            );
        }
        loads.push(rig.switch.load());
    }
    let words = durable(&mut rig);
    happen(&mut rig, together, words);
    loads.push(rig.switch.load());
    (rig, loads)
}

fn number_of(sent: &Sent) -> u64 {
    let call_id = sent.header("Call-ID");
    let number = call_id
        .strip_prefix("call-")
        .and_then(|rest| rest.strip_suffix("@onhook"));
    number.and_then(|number| number.parse().ok()).unwrap_or_default()
}

#[test]
fn in_one_turn_or_in_many_the_same_bytes_leave_and_the_same_is_remembered() {
    let numbers: Vec<u64> = (1..=20).collect();
    let ((one, one_load), (many, many_load)) = (lives(&numbers, true), lives(&numbers, false));
    assert_eq!(one_load, many_load);
    assert_eq!(
        one.answers.iter().collect::<BTreeSet<_>>(),
        many.answers.iter().collect::<BTreeSet<_>>()
    );
    let sorted = |rig: &Rig| {
        let mut sent: Vec<(u64, String)> = rig
            .sent
            .iter()
            .map(|sent| (number_of(sent), sent.text.clone()))
            .collect();
        sent.sort_by_key(|(number, _)| *number);
        sent
    };
    assert_eq!(sorted(&one), sorted(&many));
    assert!(one.count("BYE") > 5 && one.count("CANCEL") == 0 && one.count("SIP/2.0 200") > 5);
}

#[test]
fn a_call_sends_the_same_bytes_alone_and_beside_others() {
    for number in 1..=4 {
        let (alone, _) = lives(&[number], true);
        for numbers in [(1..=20).collect::<Vec<u64>>(), (1..=20).rev().collect()] {
            let (among, _) = lives(&numbers, true);
            let of = |rig: &Rig| {
                let own = rig.sent.iter().filter(|sent| number_of(sent) == number);
                own.cloned().collect::<Vec<_>>()
            };
            assert_eq!(of(&alone), of(&among));
        }
    }
}

/// What may come at any time.
#[derive(Clone, Debug)]
enum Happening {
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
enum Spoilt {
    No,
    Cut(Index),
    Byte(Index, u8),
    Twice(Index),
}

impl Spoilt {
    fn apply(&self, text: &str) -> Vec<u8> {
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

fn happening() -> impl Strategy<Value = Happening> {
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

/// Two trunks, one by a name and UDP with everything, one by TCP.
fn world() -> Settings {
    let mut settings = settings();
    settings.limits.max_duration = SECOND * 60;
    settings.limits.session_expires = Some(SECOND * 90);
    settings.caps.live_per_trunk = 3;
    let mut by_name = trunk("name", "sip:pbx.example");
    by_name.keepalive = Some(SECOND * 30);
    by_name.register = Some(Registration {
        expires: SECOND * 600,
        retry: SECOND * 2,
        address_of_record: "<sip:alice@pbx.example>".to_owned(),
        request_uri: "sip:pbx.example".to_owned(),
    });
    by_name.credentials = Some(sip::digest::Credentials {
        username: "alice".to_owned(),
        password: "secret".to_owned(),
    });
    let mut by_tcp = trunk("tcp", "sip:192.0.2.5:5060;transport=tcp");
    by_tcp.keepalive = Some(SECOND * 30);
    settings.trunks = vec![by_name, by_tcp];
    settings.listeners.push(Listener {
        transport: Transport::Tcp,
        address: OURS.parse().unwrap(),
    });
    settings
}

const HOSTS: [&str; 5] = [
    "pbx.example",
    "192.0.2.5",
    "phone.example",
    "192.0.2.9",
    "never.asked.example",
];
const CONTACTS: [&str; 6] = [
    "<sip:phone@192.0.2.5>",
    "<sip:phone@192.0.2.9>",
    "<sip:phone@phone.example>",
    "<sip:phone@127.0.0.1>",
    "<sip:phone@192.0.2.9;transport=tcp>",
    "nonsense",
];
const METHODS: [&str; 9] = [
    "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "UPDATE", "NOTIFY", "NONSENSE",
];

fn connection(number: u64) -> Path {
    path(Transport::Tcp, &format!("192.0.2.1:{}", 40_000 + number), TRUNK)
}

struct Story {
    rig: Rig,
    placed: u64,
    asked: u64,
    left: bool,
}

impl Story {
    fn one_of<'s>(sent: &'s [Sent], of: &Index) -> Option<&'s Sent> {
        let requests: Vec<&Sent> = sent.iter().filter(|sent| !sent.text.starts_with("SIP/2.0")).collect();
        (!requests.is_empty()).then(|| requests[of.index(requests.len())])
    }

    fn keys(&self) -> Vec<switch::journal::CallKey> {
        let keys: BTreeSet<_> = self.rig.written.iter().map(|entry| entry.key).collect();
        keys.into_iter().collect()
    }

    fn happens(&mut self, what: &Happening) {
        let sent = self.rig.sent.clone();
        match what {
            Happening::Place => {
                self.placed += 1;
                let number = self.placed;
                self.rig.place(number);
            }
            Happening::Disconnect(number) => {
                self.asked += 1;
                self.rig.disconnect(10_000 + self.asked, *number);
            }
            Happening::Abandon(number) => {
                self.rig.turn(|switch| switch.abandon(*number));
            }
            Happening::Never(of) | Happening::Played(of) | Happening::SoundFailed(of) => {
                let keys = self.keys();
                if !keys.is_empty() {
                    let key = keys[of.index(keys.len())];
                    self.rig.turn(|switch| match what {
                        Happening::Never(_) => switch.never_delivered(key),
                        Happening::Played(_) => switch.played(key),
                        _ => switch.sound_failed(key),
                    });
                }
            }
            Happening::Response(of, status, place, how) => {
                if let Some(request) = Self::one_of(&sent, of) {
                    let contact = format!("Contact: {}", CONTACTS[usize::from(*place)]);
                    let challenge = "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n\"";
                    let headers = [contact.as_str(), challenge, "Min-SE: 120", "Min-Expires: 700"];
                    let tag = ["one", "two"][usize::from(*place) % 2];
                    let text = answer_with(request, *status, tag, &headers);
                    let bytes = how.apply(&text);
                    self.rig.turn(|switch| switch.handle_message(request.path, &bytes));
                }
            }
            Happening::Request(of, method, cseq, how) => {
                let invites: Vec<Sent> = sent
                    .iter()
                    .filter(|sent| sent.text.starts_with("INVITE"))
                    .cloned()
                    .collect();
                if !invites.is_empty() {
                    let invite = &invites[of.index(invites.len())];
                    let text = from_phone(invite, METHODS[usize::from(*method)], *cseq).replace("tag=phone", "tag=one");
                    let bytes = how.apply(&text);
                    self.rig.turn(|switch| switch.handle_message(udp(TRUNK), &bytes));
                }
            }
            Happening::Bytes(from, bytes) => {
                let from = [udp(TRUNK), udp("192.0.2.66:5060"), connection(1)][usize::from(*from)];
                self.rig.turn(|switch| switch.handle_message(from, bytes));
            }
            Happening::Written(count, durable) => {
                let count = usize::from(*count).min(self.rig.entries.len());
                let entries: Vec<_> = self.rig.entries.drain(..count).collect();
                for entry in &entries {
                    self.rig.note(entry, *durable);
                }
                self.rig.turn(|switch| {
                    for entry in entries {
                        switch.written(entry.number, *durable);
                    }
                });
            }
            Happening::WrittenAnyhow(number, durable) => {
                // Only what is not waited for: a word is said once.
                if self.rig.entries.iter().all(|entry| entry.number != *number) {
                    self.rig.turn(|switch| switch.written(*number, *durable));
                }
            }
            Happening::Connected(back) => {
                let number = self.number(*back);
                self.rig.turn(|switch| switch.connected(number, connection(number)));
            }
            Happening::ConnectFailed(back) => {
                let number = self.number(*back);
                self.rig.turn(|switch| switch.connect_failed(number, "refused"));
            }
            Happening::Closed(of) => {
                if let Some(sent) = Self::one_of(&sent, of) {
                    self.rig.turn(|switch| switch.closed(sent.path));
                }
            }
            Happening::Refused(of) => {
                if let Some(sent) = Self::one_of(&sent, of) {
                    self.rig.turn(|switch| switch.handle_refusal(sent.text.as_bytes()));
                }
            }
            Happening::Found(host, what) => {
                let addresses: &[Found] = &[found("192.0.2.5"), found("192.0.2.9"), found("2001:db8::9")];
                self.rig
                    .turn(|switch| switch.found(HOSTS[usize::from(*host)], &addresses[..usize::from(*what)]));
            }
            Happening::Pass(millis) => {
                self.rig.pass(Duration::from_millis(u64::from(*millis)));
            }
            Happening::Leave => {
                if !std::mem::replace(&mut self.left, true) {
                    self.asked += 1;
                    let request = 10_000 + self.asked;
                    self.rig.turn(|switch| switch.leave(request));
                }
            }
        }
    }

    /// Of a connection that was wanted lately.
    fn number(&self, back: u64) -> u64 {
        let last = self.rig.connects.last().map_or(0, |(number, _)| *number);
        last.saturating_sub(back)
    }
}

/// Calls that an earlier process left have numbers above it.
const LEFT: u64 = 100;

/// The process after one that died with so many calls up, ringing, and only just placed.
fn after_a_crash(left: u64) -> Rig {
    let mut before = Rig::with(world());
    before.turn(|switch| switch.found("pbx.example", &[found("192.0.2.5")]));
    for number in 1..=left {
        before.place(LEFT + number);
        before.durable();
        let status = [None, Some(200), Some(180)][number as usize % 3];
        let invite = before
            .sent
            .iter()
            .rev()
            .find(|sent| sent.text.starts_with("INVITE"))
            .cloned();
        if let (Some(invite), Some(status)) = (invite, status) {
            before.hear(invite.path, &answer(&invite, status));
            before.durable();
        }
    }
    let mut leftovers = before.leftovers();
    for (leftover, deaths) in leftovers.iter_mut().zip([0, 0, 1, 2, 3, 0]) {
        leftover.deaths = deaths;
    }
    let mut rig = Rig::with(crate::rig::next_process(world()));
    rig.turn(|switch| switch.end_leftovers(leftovers));
    // Their phones speak, too.
    rig.sent
        .extend(before.sent.into_iter().filter(|sent| sent.text.starts_with("INVITE")));
    rig
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// The rig sees to it that no request of the house is answered twice, that the batch comes last, that no INVITE leaves before
    /// its intent is durable, and that nothing is due again and again.
    #[test]
    fn whatever_happens_every_request_is_answered_and_at_rest_nothing_is_left(left in 0_u64..7, story in prop::collection::vec(happening(), 0..120)) {
        let mut it = Story { rig: after_a_crash(left), placed: 0, asked: 0, left: false };
        it.rig.turn(|switch| switch.found("pbx.example", &[found("192.0.2.5")]));
        for happening in &story {
            it.happens(happening);
            let load = it.rig.switch.load();
            prop_assert!(load.live <= 6 + 128 && load.windows <= 2 * load.live.max(48), "{load:?}");
            prop_assert!(load.ids == load.live + load.past + load.leftovers && load.call_ids <= load.live + load.leftovers, "{load:?}");
            prop_assert!(load.requests <= load.transactions.waiting + load.live, "{load:?}");
            prop_assert!(load.unacked <= load.transactions.servers, "{load:?}");
        }
        let started = it.rig.now;
        while it.rig.now - started < SECOND * 900 {
            it.rig.durable();
            it.rig.pass(SECOND);
        }
        prop_assert_eq!(it.rig.answers.len() as u64, it.placed + it.asked);
        let load = it.rig.switch.load();
        prop_assert_eq!(
            (load.live, load.past, load.leftovers, load.early, load.ids, load.call_ids, load.writing, load.unacked),
            (0, 0, 0, 0, 0, 0, 0, 0)
        );
        prop_assert_eq!((load.requests, load.waiting, load.windows, it.rig.switch.live()), (0, 0, 0, 0));
        prop_assert!(load.hosts <= 3, "those of the trunks: {:?}", load);
        prop_assert!(load.wakes <= 2 + 2 && load.connections <= 2, "trunks, and a connection each: {:?}", load);
        // The trunks are asked on; all else is over.
        prop_assert!(load.transactions.waiting <= 3 && load.transactions.finished <= 12, "{:?}", load);
        prop_assert_eq!(load.transactions.servers, 0);
        prop_assert!(T1 < SECOND);
    }
}
