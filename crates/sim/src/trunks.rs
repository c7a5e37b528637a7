//! Trunks that are asked whether they are there (OPTIONS) and registered with (REGISTER, RFC 3261 §10.3), and that are away for a while.

mod registrar;

use sip::Path;

use crate::{
    house::Input,
    lanes::LaneName,
    scenario::Millis,
    streams::Trouble,
    world::{Event, World},
};

/// What the trunks of a run have seen.
#[derive(Default)]
pub(crate) struct Trunks {
    registrars: Vec<registrar::Registrar>,
}

impl Trunks {
    pub(crate) fn of(count: usize) -> Self {
        Self {
            registrars: (0..count).map(|_| registrar::Registrar::default()).collect(),
        }
    }
}

/// Whether what leaves belongs to a trunk and to no call.
pub(crate) fn is_of_trunk(bytes: &[u8]) -> bool {
    bytes.starts_with(b"OPTIONS ") || bytes.starts_with(b"REGISTER ")
}

impl World {
    /// What we ask a trunk goes there, and its answer comes back.
    pub(crate) fn ask_trunk(&mut self, path: Path, bytes: &[u8]) {
        let now = self.now;
        let Some(trunk) = self.trunk_at(path.remote) else {
            return self.watch.fail("nothing goes where nobody is", || {
                format!("a trunk's request to {path} at {now} ms")
            });
        };
        let Some(asked) = Asked::read(bytes) else {
            return self.watch.fail("what leaves can be read", || {
                format!("at {now} ms: {}", String::from_utf8_lossy(bytes))
            });
        };
        self.check_asked(trunk, asked.is_register, &asked.call_id, asked.expires);
        let script = self.scenario.trunks[trunk].clone();
        let passes = !path.transport.is_stream() || self.passes(&path);
        let network = self.scenario.network(now);
        let lost = network.lost_out.max(network.lost_back);
        let lane = self.lanes.lane(LaneName::of("asked", script.number));
        let is_lost = !path.transport.is_stream() && lost > 0 && lane.chance(lost);
        if script.is_away(now).is_some() {
            if script.refuses && !path.transport.is_stream() {
                self.after(1, Event::Refused(self.house.incarnation, trunk, bytes.to_vec()));
            }
            return;
        }
        if is_lost || !passes {
            return;
        }
        let said = match script.registrar.filter(|_| asked.is_register) {
            Some(registrar) => self.register(trunk, &registrar, &asked),
            None => Some(Said::plainly(200)),
        };
        let Some(said) = said else { return };
        let answer = asked.answered(said.status, &said.headers);
        self.ladder.note(now, || {
            let headers = said.headers.trim_end();
            format!("{} to trunk {}: {} {headers}", asked.cseq, script.number, said.status)
        });
        let wait = 1 + self
            .lanes
            .lane(LaneName::of("asked", script.number))
            .below(network.delay);
        let incarnation = self.house.incarnation;
        self.after(
            wait,
            Event::TrunkAnswers {
                incarnation,
                trunk,
                path,
                answer,
                granted: said.granted,
            },
        );
    }

    /// It comes back, when the trunk has not gone away meanwhile.
    pub(crate) fn trunk_answers(&mut self, trunk: usize, path: Path, answer: Vec<u8>, granted: Option<u32>) {
        if path.transport.is_stream() && !self.passes(&path) {
            return;
        }
        self.hand_over(Input::OfTrunk {
            trunk,
            path,
            answer,
            granted,
        });
    }

    /// From now on nobody is there: what is open to it goes dead.
    pub(crate) fn trunk_goes_away(&mut self, trunk: usize, until: Millis) {
        let now = self.now;
        self.ladder.note(now, || {
            format!("trunk {trunk} is away until {until} ms", trunk = trunk + 1)
        });
        for connection in self.streams.of_trunk(trunk) {
            self.trouble(connection, Trouble::HalfOpen);
        }
    }
}

/// A request that belongs to no call, as far as its answer needs it.
struct Asked {
    via: String,
    from: String,
    to: String,
    call_id: String,
    cseq: String,
    contact: String,
    expires: u32,
    has_credentials: bool,
    is_register: bool,
}

/// What a trunk answers.
struct Said {
    status: u16,
    headers: String,
    /// For how many seconds we are registered from now on.
    granted: Option<u32>,
}

impl Said {
    fn plainly(status: u16) -> Self {
        Self {
            status,
            headers: String::new(),
            granted: None,
        }
    }
}

impl Asked {
    fn read(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (head, _) = text.split_once("\r\n\r\n")?;
        let value = |name: &str| {
            let mut lines = head.split("\r\n").filter_map(|line| line.split_once(": "));
            lines.find(|(of, _)| *of == name).map(|(_, value)| value.to_owned())
        };
        Some(Self {
            via: value("Via")?,
            from: value("From")?,
            to: value("To")?,
            call_id: value("Call-ID")?,
            cseq: value("CSeq")?,
            contact: value("Contact")?,
            expires: value("Expires").and_then(|seconds| seconds.parse().ok()).unwrap_or(0),
            has_credentials: value("Authorization").is_some(),
            is_register: head.starts_with("REGISTER"),
        })
    }

    fn answered(&self, status: u16, headers: &str) -> Vec<u8> {
        let Self {
            via,
            from,
            to,
            call_id,
            cseq,
            ..
        } = self;
        format!(
            "SIP/2.0 {status} Said So\r\nVia: {via}\r\nFrom: {from}\r\nTo: {to};tag=trunk\r\nCall-ID: {call_id}\r\nCSeq: {cseq}\r\n\
             {headers}Content-Length: 0\r\n\r\n"
        )
        .into_bytes()
    }
}
