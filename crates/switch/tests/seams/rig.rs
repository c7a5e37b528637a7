//! A switch with settings, a clock that the test turns, and a world that says only what the test says.
//!
//! Texts go in, texts come out: each turn gives everything that the switch wants done, in order, as short words (see [`word`]).
//! What was sent is kept in full. The disk is silent until the test speaks for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

use call::{Limits, Save};
use dial::{Caller, CapsSettings, CountedNumbers, DialPolicy, Dialler, Permit, Plan, PlanSettings, Reach, WallTime};
use sip::{
    BranchKey, CallIdHeader, Destination, Moment, Path, Tag, Timers, Transport,
    sdp::{Codec, SrtpKey},
};
use switch::{
    Answer, Event, Found, Identity, Listener, Order, Output, Patience, Settings, Sound, Srtp, Switch, TrunkSettings,
    journal::{CallKey, Entry, IdHash, Write},
};

pub(crate) const T1: Duration = Duration::from_millis(500);
pub(crate) const CONNECT_LIMIT: Duration = Duration::from_secs(4);
pub(crate) const PATIENCE: Patience = Patience {
    disconnect: Duration::from_secs(2),
    disk: Duration::from_secs(5),
};
pub(crate) const OWNER: [u8; 32] = [1; 32];
pub(crate) const OURS: &str = "192.0.2.1:5060";
pub(crate) const TRUNK: &str = "192.0.2.5:5060";
/// A host beyond the trunk, which it may send us to.
pub(crate) const PHONE: &str = "192.0.2.9:5060";

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.5\r\ns=-\r\nc=IN IP4 192.0.2.5\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";

pub(crate) fn path(transport: Transport, local: &str, remote: &str) -> Path {
    Path {
        transport,
        local: local.parse().unwrap(),
        remote: remote.parse().unwrap(),
    }
}

pub(crate) fn udp(remote: &str) -> Path {
    path(Transport::Udp, OURS, remote)
}

/// A connection that somebody has made to us.
pub(crate) fn connection_from(remote: &str) -> Path {
    path(Transport::Tcp, OURS, remote)
}

/// The connection that we make to the trunk.
pub(crate) fn tcp() -> Path {
    path(Transport::Tcp, "192.0.2.1:40000", TRUNK)
}

pub(crate) fn found(remote: &str) -> Found {
    Found {
        remote: remote.parse().unwrap(),
        local: Some("192.0.2.1".parse().unwrap()),
    }
}

/// One trunk at this URI, whom nobody asks whether it is there.
pub(crate) fn trunk(name: &str, next_hop: &str) -> TrunkSettings {
    let first_hop = Destination::parse(next_hop).unwrap();
    TrunkSettings {
        name: name.to_owned(),
        next_hop: next_hop.to_owned(),
        domain: first_hop.host.clone(),
        first_hop,
        from: "<sip:onhook@example.org>".to_owned(),
        outbound_proxy: None,
        credentials: None,
        codecs: vec![Codec::Pcma],
        srtp: Srtp::Off,
        keepalive: None,
        register: None,
        reach: Reach::new(None),
    }
}

pub(crate) fn settings() -> Settings {
    Settings {
        identity: Identity {
            branch_key: BranchKey::new([7; 32]),
            before: CallKey::before(1),
            secret: [9; 32],
        },
        limits: Limits {
            ring: Duration::from_secs(30),
            max_duration: Duration::from_secs(1800),
            session_expires: None,
            t1: T1,
        },
        timers: Timers::default(),
        ended_retention: Duration::from_secs(60),
        caps: CapsSettings {
            live: 100_000,
            live_per_mailbox: 100_000,
            live_per_trunk: 100_000,
            starts_per_second_per_trunk: 100_000,
            starts_per_minute_per_mailbox: 100_000,
            starts_per_hour_per_mailbox: 100_000,
            time_per_day_per_mailbox: Duration::from_secs(1 << 40),
            starts_per_minute_per_address: 100_000,
            starts_per_ten_minutes_per_number: 100_000,
            starts_per_minute_to_own_phone: 100_000,
            time_per_day_to_own_phone: Duration::from_secs(1 << 40),
        },
        counted: CountedNumbers::new(plan()),
        trunks: vec![trunk("pbx", "sip:192.0.2.5:5060")],
        listeners: vec![Listener {
            transport: Transport::Udp,
            address: OURS.parse().unwrap(),
        }],
        external_address: None,
        peers: Vec::new(),
        requests_per_second: None,
        user_agent: "onhook".to_owned(),
        connect_limit: CONNECT_LIMIT,
        invites_per_hop: 24,
    }
}

/// The same with one trunk that is reached by TCP.
pub(crate) fn settings_tcp() -> Settings {
    let listener = Listener {
        transport: Transport::Tcp,
        address: OURS.parse().unwrap(),
    };
    Settings {
        trunks: vec![trunk("pbx", "sip:192.0.2.5:5060;transport=tcp")],
        listeners: vec![listener],
        ..settings()
    }
}

fn plan() -> Plan {
    Plan::new(PlanSettings {
        country: Some("DE".parse().unwrap()),
        ..PlanSettings::default()
    })
}

pub(crate) fn permit() -> Permit {
    let alice = Dialler {
        name: Some("alice".to_owned()),
        extension: None,
        phones: vec!["0171 2345678".to_owned()],
    };
    let caller = Caller {
        key: OWNER,
        name: alice.name.clone(),
        address: None,
    };
    DialPolicy::new(plan(), Vec::new())
        .permit(caller, &alice, "+49 171 2345678")
        .unwrap()
}

pub(crate) fn order(number: u64) -> Order {
    Order {
        permit: permit(),
        id: id(number),
        call_id: CallIdHeader::new(format!("call-{number}@onhook")),
        local_tag: Tag::new(format!("ours-{number}")),
        session_id: number,
        srtp_key: SrtpKey([0; 30]),
        rtp: ["0.0.0.0:30000", "[::]:30002"].map(|rtp| rtp.parse().unwrap()).into(),
    }
}

pub(crate) fn id(number: u64) -> IdHash {
    IdHash::of(&number.to_string())
}

/// What left, and which way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) path: Path,
    pub(crate) text: String,
}

impl Sent {
    pub(crate) fn header(&self, name: &str) -> &str {
        header(&self.text, name).unwrap_or_else(|| panic!("no {name} in\n{}", self.text))
    }
}

fn header<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

pub(crate) struct Rig {
    pub(crate) switch: Switch,
    /// Since the start.
    pub(crate) now: Duration,
    pub(crate) sent: Vec<Sent>,
    pub(crate) events: Vec<Event>,
    pub(crate) answers: Vec<(u64, String)>,
    /// What the disk has said nothing about.
    pub(crate) entries: Vec<Entry>,
    /// All that was ever written, by call.
    pub(crate) written: Vec<Entry>,
    pub(crate) connects: Vec<(u64, SocketAddr)>,
    /// Which call is which, and how many of its intents are durable.
    placing: BTreeMap<String, CallKey>,
    intents: BTreeMap<CallKey, usize>,
    /// CSeq numbers of the INVITEs that were seen to leave.
    invites: BTreeMap<CallKey, BTreeSet<String>>,
}

impl Rig {
    /// With one trunk by UDP.
    pub(crate) fn new() -> Self {
        Self::with(settings())
    }

    /// With one trunk by TCP.
    pub(crate) fn tcp() -> Self {
        Self::with(settings_tcp())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let mut rig = Self {
            switch: Switch::new(settings, Moment::default(), wall(Duration::ZERO)),
            now: Duration::ZERO,
            sent: Vec::new(),
            events: Vec::new(),
            answers: Vec::new(),
            entries: Vec::new(),
            written: Vec::new(),
            connects: Vec::new(),
            placing: BTreeMap::new(),
            intents: BTreeMap::new(),
            invites: BTreeMap::new(),
        };
        rig.turn(|_| {});
        rig
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment::after_start(self.now)
    }

    /// One turn at this time, and all that it wants done, but for events and who may connect.
    pub(crate) fn turn(&mut self, input: impl FnOnce(&mut Switch)) -> Vec<String> {
        self.switch.begin_turn(self.moment(), wall(self.now));
        input(&mut self.switch);
        self.switch.end_turn();
        self.drain()
    }

    fn drain(&mut self) -> Vec<String> {
        let mut words = Vec::new();
        let mut journal = None;
        while let Some(output) = self.switch.poll_output() {
            assert_eq!(journal, None, "the batch is the last output, and {output:?} follows");
            words.extend(word(&output));
            match output {
                Output::Transmit(transmit) => self.see(Sent {
                    path: transmit.path,
                    text: String::from_utf8_lossy(&transmit.bytes).into_owned(),
                }),
                Output::Connect { number, remote, .. } => self.connects.push((number, remote)),
                Output::Journal(entries) => {
                    journal = Some(entries.len());
                    self.entries.extend(entries.iter().cloned());
                    self.written.extend(entries);
                }
                Output::Answer(request, answer) => {
                    let is_first = self.answers.iter().all(|(answered, _)| *answered != request);
                    assert!(is_first, "request {request} is answered a second time: {answer:?}");
                    self.answers.push((request, answer_word(&answer)));
                }
                Output::Event(event) => {
                    if let Event::Placing { key, call_id, .. } = &event {
                        self.placing.insert(call_id.clone(), *key);
                    }
                    self.events.push(event);
                }
                _ => {}
            }
        }
        words
    }

    /// Keeps what has left; no INVITE has before its intent is durable (promise 3).
    fn see(&mut self, sent: Sent) {
        let key = sent
            .text
            .starts_with("INVITE")
            .then(|| self.placing.get(sent.header("Call-ID")));
        if let Some(key) = key.flatten()
            && !sent.header("To").contains(";tag=")
        {
            let invites = self.invites.entry(*key).or_default();
            invites.insert(sent.header("CSeq").to_owned());
            let intents = self.intents.get(key).copied().unwrap_or_default();
            assert!(
                invites.len() <= intents,
                "an INVITE leaves whose intent is not durable: {sent:?}"
            );
        }
        self.sent.push(sent);
    }

    /// The journal's word about this entry.
    pub(crate) fn note(&mut self, entry: &Entry, durable: bool) {
        if durable && entry.save == Save::Intent {
            *self.intents.entry(entry.key).or_default() += 1;
        }
    }

    /// Lets so much time pass, from one timeout to the next.
    pub(crate) fn pass(&mut self, time: Duration) -> Vec<String> {
        let end = self.now + time;
        let mut words = Vec::new();
        let mut turns = 0;
        while let Some((due, why)) = self.switch.poll_timeout().filter(|(due, _)| due.since_start() <= end) {
            turns = if due.since_start() > self.now { 0 } else { turns + 1 };
            assert!(turns < 100, "{why} is due again and again at {:?}", self.now);
            self.now = self.now.max(due.since_start());
            words.extend(self.turn(|_| {}));
        }
        self.now = end;
        words
    }

    /// Lets time pass until the switch waits for nothing any more, or for nobody but its trunks.
    pub(crate) fn rest(&mut self, longest: Duration) -> Vec<String> {
        let mut words = self.durable();
        let end = self.now + longest;
        while let Some((due, _)) = self.switch.poll_timeout().filter(|(due, _)| due.since_start() <= end) {
            let wait = due.since_start().saturating_sub(self.now);
            words.extend(self.pass(wait));
            words.extend(self.durable());
        }
        words
    }

    /// The disk takes all that waits for it.
    pub(crate) fn durable(&mut self) -> Vec<String> {
        self.disk(true)
    }

    /// The disk takes none of it.
    pub(crate) fn not_durable(&mut self) -> Vec<String> {
        self.disk(false)
    }

    fn disk(&mut self, durable: bool) -> Vec<String> {
        let entries = std::mem::take(&mut self.entries);
        if entries.is_empty() {
            return Vec::new();
        }
        for entry in &entries {
            self.note(entry, durable);
        }
        self.turn(|switch| {
            for entry in entries {
                switch.written(entry.number, durable);
            }
        })
    }

    pub(crate) fn hear(&mut self, path: Path, text: &str) -> Vec<String> {
        self.turn(|switch| switch.handle_message(path, text.as_bytes()))
    }

    /// The trunk says so.
    pub(crate) fn trunk_says(&mut self, text: &str) -> Vec<String> {
        self.hear(udp(TRUNK), text)
    }

    pub(crate) fn place(&mut self, number: u64) -> Vec<String> {
        self.turn(|switch| switch.place(number, order(number), PATIENCE))
    }

    pub(crate) fn disconnect(&mut self, request: u64, number: u64) -> Vec<String> {
        self.turn(|switch| switch.disconnect(request, OWNER, id(number), PATIENCE))
    }

    /// A call whose INVITE is out.
    pub(crate) fn invited(&mut self, number: u64) -> Sent {
        self.place(number);
        self.durable();
        self.last("INVITE")
    }

    /// A call whose intent is durable, and whose INVITE waits for something.
    pub(crate) fn invited_not(&mut self, number: u64) {
        self.place(number);
        self.durable();
        assert_eq!(self.answer_to(number), Some("placed"));
        assert!(
            self.sent
                .iter()
                .all(|sent| !sent.text.contains(&format!("call-{number}@")))
        );
    }

    /// A call that is up; gives its INVITE.
    pub(crate) fn up(&mut self, number: u64) -> Sent {
        let invite = self.invited(number);
        self.hear(invite.path, &answer(&invite, 200));
        self.durable();
        invite
    }

    /// The newest message that begins so.
    #[track_caller]
    pub(crate) fn last(&self, start: &str) -> Sent {
        let found = self.sent.iter().rev().find(|sent| sent.text.starts_with(start));
        found
            .cloned()
            .unwrap_or_else(|| panic!("no {start} among {:#?}", self.sent))
    }

    /// How many messages that begin so have left.
    pub(crate) fn count(&self, start: &str) -> usize {
        self.sent.iter().filter(|sent| sent.text.starts_with(start)).count()
    }

    pub(crate) fn answer_to(&self, request: u64) -> Option<&str> {
        let found = self.answers.iter().find(|(answered, _)| *answered == request);
        found.map(|(_, answer)| answer.as_str())
    }

    /// What a crash now would leave, as far as the disk has taken it.
    pub(crate) fn leftovers(&self) -> Vec<switch::journal::Leftover> {
        let waiting = |entry: &Entry| self.entries.iter().any(|other| other.number == entry.number);
        let mut left: BTreeMap<CallKey, switch::journal::Leftover> = BTreeMap::new();
        for entry in self.written.iter().filter(|entry| !waiting(entry)) {
            match &entry.write {
                Write::Intent { id_hash, intent } => {
                    let leftover = switch::journal::Leftover {
                        key: entry.key,
                        id_hash: *id_hash,
                        intent: intent.clone(),
                        state: None,
                        deaths: 0,
                    };
                    left.insert(entry.key, leftover);
                }
                Write::State(state) => {
                    if let Some(leftover) = left.get_mut(&entry.key) {
                        leftover.state = Some(state.clone());
                    }
                }
                Write::Ended(_) => {
                    left.remove(&entry.key);
                }
            }
        }
        left.into_values().collect()
    }

    /// The next process, which finds what this one has left.
    pub(crate) fn crash(&self, settings: Settings) -> Self {
        let mut next = Self::with(next_process(settings));
        let leftovers = self.leftovers();
        next.turn(|switch| switch.end_leftovers(leftovers));
        next
    }

    pub(crate) fn has(&self, wanted: impl Fn(&Event) -> bool) -> bool {
        self.events.iter().any(wanted)
    }
}

pub(crate) fn next_process(settings: Settings) -> Settings {
    let identity = Identity {
        before: CallKey::before(2),
        secret: [10; 32],
        ..settings.identity
    };
    Settings { identity, ..settings }
}

fn wall(now: Duration) -> WallTime {
    WallTime::after_epoch(Duration::from_secs(1_800_000_000) + now)
}

/// An output in a word or two.
fn word(output: &Output) -> Option<String> {
    Some(match output {
        Output::Transmit(transmit) => {
            let text = String::from_utf8_lossy(&transmit.bytes).into_owned();
            let start = text.split("\r\n").next().unwrap_or_default();
            let what = match start.strip_prefix("SIP/2.0 ") {
                Some(rest) => format!(
                    "{} to {}",
                    rest.split(' ').next().unwrap_or_default(),
                    header(&text, "CSeq")
                        .and_then(|cseq| cseq.split(' ').nth(1))
                        .unwrap_or_default()
                ),
                None => start.split(' ').next().unwrap_or_default().to_owned(),
            };
            match transmit.path.remote.to_string() {
                remote if remote == TRUNK => what,
                remote => format!("{what} > {remote}"),
            }
        }
        Output::Connect { remote, host, .. } if remote.ip().to_string() == *host => format!("connect {remote}"),
        Output::Connect { remote, host, .. } => format!("connect {remote} as {host}"),
        Output::Close(path) => format!("close {} from {}", path.remote, path.local),
        Output::Resolve(host) => format!("resolve {host}"),
        Output::Journal(entries) => {
            let saves = entries.iter().map(|entry| save_word(entry.save));
            format!("journal {}", saves.collect::<Vec<_>>().join(" "))
        }
        Output::Answer(request, answer) => format!("answer {request}: {}", answer_word(answer)),
        Output::Snapshot(_, None) => "forgotten".to_owned(),
        Output::Snapshot(_, Some(known)) => format!("{:?}", known.information.state),
        Output::Sound(_, Sound::Start { .. }) => "sound starts".to_owned(),
        Output::Sound(_, Sound::Change { .. }) => "sound changes".to_owned(),
        Output::Sound(_, Sound::Stop) => "sound stops".to_owned(),
        Output::TakingUp(keys) => format!("taking up {}", keys.len()),
        Output::TakenUp(keys) => format!("taken up {}", keys.len()),
        Output::Sound(_, Sound::Prepare { .. }) | Output::Admit(_) | Output::Dismiss(_) | Output::Event(_) => {
            return None;
        }
    })
}

fn save_word(save: Save) -> String {
    match save {
        Save::Fork(_) => "fork".to_owned(),
        save => format!("{save:?}").to_lowercase(),
    }
}

fn answer_word(answer: &Answer) -> String {
    match answer {
        Answer::Placed(_) => "placed".to_owned(),
        Answer::NotPlaced(why) => format!("{why:?}"),
        Answer::Disconnected => "disconnected".to_owned(),
        Answer::NotDisconnected(why) => format!("{why:?}"),
        Answer::AllEnded => "all ended".to_owned(),
        Answer::Left => "left".to_owned(),
    }
}

/// The far end's response to a request of ours, with its To tag, its Contact, and to an INVITE's 200 a description.
pub(crate) fn answer(request: &Sent, status: u16) -> String {
    answer_with(request, status, "phone", &["Contact: <sip:phone@192.0.2.5:5060>"])
}

pub(crate) fn answer_with(request: &Sent, status: u16, tag: &str, headers: &[&str]) -> String {
    let to = request.header("To");
    let to = match to.contains(";tag=") || status == 100 {
        true => to.to_owned(),
        false => format!("{to};tag={tag}"),
    };
    let is_answer = status == 200 && request.text.starts_with("INVITE");
    let body = if is_answer { SDP } else { "" };
    let mut lines = vec![
        format!("SIP/2.0 {status} Reason"),
        format!("Via: {}", request.header("Via")),
        format!("From: {}", request.header("From")),
        format!("To: {to}"),
        format!("Call-ID: {}", request.header("Call-ID")),
        format!("CSeq: {}", request.header("CSeq")),
    ];
    lines.extend(headers.iter().map(|line| (*line).to_owned()));
    if is_answer {
        lines.push("Content-Type: application/sdp".to_owned());
    }
    lines.push(format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    lines.join("\r\n")
}

/// A request of the phone inside the call of this INVITE.
pub(crate) fn from_phone(invite: &Sent, method: &str, cseq: u32) -> String {
    let is_offer = method == "INVITE";
    let body = if is_offer { SDP } else { "" };
    let content = if is_offer {
        "Content-Type: application/sdp\r\n"
    } else {
        ""
    };
    format!(
        "{method} sip:onhook@192.0.2.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.5:5060;branch=z9hG4bK-{}-{method}-{cseq}\r\n\
         Max-Forwards: 70\r\nFrom: {};tag=phone\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n\
         Contact: <sip:phone@192.0.2.5:5060>\r\n{content}Content-Length: {}\r\n\r\n{body}",
        invite.header("Call-ID"),
        invite.header("To"),
        invite.header("From"),
        invite.header("Call-ID"),
        body.len()
    )
}
