//! What may happen to some transactions, drawn or chosen, and what came of it in words that a model can say as well.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sip::{ForClient, ForServer, Path, ServerId, Timers, TransactionEvent};

use super::{Output, Request, Rig, at, request, tcp, udp};

/// Which of the four figures of RFC 3261 §17.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    InviteClient,
    OtherClient,
    InviteServer,
    OtherServer,
}

impl Kind {
    pub fn is_client(self) -> bool {
        matches!(self, Self::InviteClient | Self::OtherClient)
    }

    pub fn is_invite(self) -> bool {
        matches!(self, Self::InviteClient | Self::InviteServer)
    }
}

/// The numbers name a transaction; one that is too large, or of the wrong side, names none.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    Begin {
        kind: Kind,
        stream: bool,
    },
    Resume {
        stream: bool,
    },
    Response(usize, u16),
    Stop(usize),
    /// The request comes again.
    Again(usize),
    Reply(usize, u16),
    /// With the branch of the INVITE.
    Ack(usize),
    /// With a branch of its own.
    AckOf2xx(usize),
    Cancel(usize),
    Gone {
        stream: bool,
    },
    /// Milliseconds.
    Wait(u64),
}

pub const KINDS: [Kind; 4] = [
    Kind::InviteClient,
    Kind::OtherClient,
    Kind::InviteServer,
    Kind::OtherServer,
];

fn begin() -> impl Strategy<Value = Step> {
    (prop::sample::select(KINDS.to_vec()), any::<bool>()).prop_map(|(kind, stream)| Step::Begin { kind, stream })
}

/// Some transactions, and what happens to them and to others that begin later.
pub fn script() -> impl Strategy<Value = Vec<Step>> {
    let begins = prop::collection::vec(begin(), 1..4);
    (begins, prop::collection::vec(step(4), 1..60)).prop_map(|(begins, steps)| [begins, steps].concat())
}

pub fn step(transactions: usize) -> impl Strategy<Value = Step> {
    let which = 0..transactions;
    let status = prop::sample::select(vec![100_u16, 180, 199, 200, 299, 300, 486, 699]);
    prop_oneof![
        1 => begin(),
        1 => any::<bool>().prop_map(|stream| Step::Resume { stream }),
        6 => (which.clone(), status.clone()).prop_map(|(which, status)| Step::Response(which, status)),
        1 => which.clone().prop_map(Step::Stop),
        3 => which.clone().prop_map(Step::Again),
        5 => (which.clone(), status).prop_map(|(which, status)| Step::Reply(which, status)),
        3 => which.clone().prop_map(Step::Ack),
        3 => which.clone().prop_map(Step::AckOf2xx),
        1 => which.prop_map(Step::Cancel),
        1 => any::<bool>().prop_map(|stream| Step::Gone { stream }),
        4 => prop_oneof![0_u64..10, 0_u64..70, 200_u64..300].prop_map(Step::Wait),
    ]
}

/// Small, so that a script reaches their ends: 64 × T1 is 256 ms.
pub fn timers() -> Timers {
    Timers {
        t1: at(4).since_start(),
        t2: at(16).since_start(),
        t4: at(20).since_start(),
    }
}

pub fn path(stream: bool) -> Path {
    if stream { tcp() } else { udp() }
}

/// What can be seen of a step. The number is that of the transaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    Told(usize, &'static str),
    Request(usize),
    /// The ACK of a refusal.
    Ack(usize),
    Reply(usize, u16),
    Event(usize, &'static str),
}

/// The shipped transactions, with what a script has begun there.
pub struct Player {
    pub rig: Rig,
    begun: Vec<Begun>,
    ids: BTreeMap<ServerId, usize>,
    prefix: String,
}

struct Begun {
    kind: Kind,
    stream: bool,
    request: Request,
    id: Option<ServerId>,
}

impl Player {
    /// `prefix` keeps the branches of two players apart.
    pub fn new(prefix: &str) -> Self {
        Self {
            rig: Rig::new(timers()),
            begun: Vec::new(),
            ids: BTreeMap::new(),
            prefix: prefix.to_owned(),
        }
    }

    /// Takes a step, but for waiting. Tells what the call said; what came out has to be drained.
    pub fn take(&mut self, step: Step) -> Vec<Seen> {
        let now = self.rig.now;
        match step {
            Step::Begin { kind, stream } => self.begin(kind, stream),
            Step::Resume { stream } => {
                let begun = self.next(Kind::InviteClient, stream);
                self.rig.resume(path(stream), &begun.request);
                self.begun.push(begun);
            }
            Step::Response(which, status) => {
                if let Some(begun) = self.find(which, Kind::is_client) {
                    let text = begun.request.response(status, "peer");
                    let told = match self.rig.response(&text) {
                        ForClient::Provisional(tx) => {
                            assert_eq!(tx, self.begun[which].request.tx());
                            "provisional"
                        }
                        ForClient::Final(tx) => {
                            assert_eq!(tx, self.begun[which].request.tx());
                            "final"
                        }
                        ForClient::Answer => "answer",
                        ForClient::Absorbed => "absorbed",
                        ForClient::Stray => "stray",
                    };
                    return vec![Seen::Told(which, told)];
                }
            }
            Step::Stop(which) => {
                if let Some(begun) = self.find(which, Kind::is_client) {
                    let tx = begun.request.tx();
                    self.rig.transactions.stop(&tx);
                }
            }
            Step::Again(which) => {
                if let Some(begun) = self.find(which, |kind| !kind.is_client()) {
                    let text = begun.request.text();
                    return self.request(which, &text);
                }
            }
            Step::Ack(which) => {
                if let Some(begun) = self.find(which, |kind| kind == Kind::InviteServer) {
                    let text = begun.request.ack("us");
                    return self.request(which, &text);
                }
            }
            Step::AckOf2xx(which) => {
                if let Some(begun) = self.find(which, |kind| kind == Kind::InviteServer) {
                    let text = begun.request.ack("us").replace(&begun.request.branch, "z9hG4bKanother");
                    return self.request(which, &text);
                }
            }
            Step::Cancel(which) => {
                if let Some(begun) = self.find(which, |kind| kind == Kind::InviteServer) {
                    let cancel = Request {
                        method: "CANCEL",
                        ..begun.request.clone()
                    };
                    return self.request(which, &cancel.text());
                }
            }
            Step::Reply(which, status) => {
                if let Some(begun) = self.find(which, |kind| !kind.is_client()) {
                    let (id, text) = (begun.id, begun.request.response(status, "us"));
                    self.rig.reply(id.unwrap(), status, &text);
                }
            }
            Step::Gone { stream } => self.rig.transactions.unreachable(now, &path(stream)),
            Step::Wait(_) => {}
        }
        Vec::new()
    }

    /// What has come out.
    pub fn drain(&mut self) -> Vec<Seen> {
        let outputs = super::drain(&mut self.rig.transactions);
        outputs.into_iter().map(|output| self.seen(output)).collect()
    }

    /// The clock goes on, and only at its end is there a look at the timers.
    pub fn wait(&mut self, milliseconds: u64) {
        self.rig.now = self.rig.now + at(milliseconds).since_start();
        self.rig.transactions.handle_timeout(self.rig.now);
    }

    fn next(&self, kind: Kind, stream: bool) -> Begun {
        let number = self.begun.len();
        let method = if kind.is_invite() { "INVITE" } else { "BYE" };
        Begun {
            kind,
            stream,
            request: Request {
                cseq: u32::try_from(number).unwrap(),
                ..request(method, &format!("{}{number}", self.prefix))
            },
            id: None,
        }
    }

    fn begin(&mut self, kind: Kind, stream: bool) {
        let mut begun = self.next(kind, stream);
        if kind.is_client() {
            self.rig.send(path(stream), &begun.request);
        } else {
            let id = self.rig.accept(path(stream), &begun.request);
            begun.id = Some(id);
            self.ids.insert(id, self.begun.len());
        }
        self.begun.push(begun);
    }

    fn find(&self, which: usize, is: impl Fn(Kind) -> bool) -> Option<&Begun> {
        self.begun.get(which).filter(|begun| is(begun.kind))
    }

    fn request(&mut self, which: usize, text: &str) -> Vec<Seen> {
        let told = match self.rig.request(path(self.begun[which].stream), text) {
            ForServer::Absorbed => "absorbed",
            ForServer::New => "new",
            ForServer::UnknownCancel => "unknown cancel",
            ForServer::StrayAck => "stray ack",
            ForServer::Cancelled(id) => {
                assert_eq!(self.ids[&id], which);
                "cancelled"
            }
            ForServer::Acked(id) => {
                assert_eq!(self.ids[&id], which);
                "acked"
            }
        };
        vec![Seen::Told(which, told)]
    }

    fn seen(&self, output: Output) -> Seen {
        match output {
            Output::Sent(on, text) => {
                let is = |(which, begun): (usize, &Begun)| {
                    let request = &begun.request;
                    if path(begun.stream) != on {
                        return None;
                    }
                    let replies = [100, 180, 199, 200, 299, 300, 486, 699];
                    let reply = replies
                        .into_iter()
                        .find(|status| text == request.response(*status, "us"));
                    match reply {
                        Some(status) => Some(Seen::Reply(which, status)),
                        None if text == request.text() => Some(Seen::Request(which)),
                        None if text == request.ack("peer") => Some(Seen::Ack(which)),
                        None => None,
                    }
                };
                let mut all = self
                    .begun
                    .iter()
                    .enumerate()
                    .filter(|(_, begun)| text.contains(&begun.request.branch));
                all.find_map(is)
                    .unwrap_or_else(|| panic!("nobody sends this on {on}: {text}"))
            }
            Output::Event(TransactionEvent::TimedOut(tx)) => Seen::Event(self.of(&tx), "timed out"),
            Output::Event(TransactionEvent::Unreachable(tx)) => Seen::Event(self.of(&tx), "unreachable"),
            Output::Event(TransactionEvent::ConnectionLost(tx)) => Seen::Event(self.of(&tx), "connection lost"),
            Output::Event(TransactionEvent::NeverAcked(id)) => Seen::Event(self.ids[&id], "never acked"),
            Output::Event(TransactionEvent::Over(id)) => Seen::Event(self.ids[&id], "over"),
        }
    }

    fn of(&self, tx: &sip::Tx) -> usize {
        self.begun.iter().position(|begun| begun.request.tx() == *tx).unwrap()
    }
}
