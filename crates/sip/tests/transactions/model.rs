//! A second, naive account of transactions: figures 5 to 8 of RFC 3261 and figure 2 of RFC 6026, one after the other, and a
//! clock that ticks every millisecond.

use super::script::{Kind, Seen, Step};

const T1: u64 = 4;
const T2: u64 = 16;
const T4: u64 = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Calling, or Trying.
    Trying,
    Proceeding,
    Completed,
    Confirmed,
    Accepted,
    Terminated,
}
use State::{Accepted, Completed, Confirmed, Proceeding, Terminated, Trying};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Response(u16),
    Stop,
    Request,
    Reply(u16),
    Ack,
    AckOf2xx,
    Cancel,
    TransportError,
    Timer(char),
}

#[derive(Debug)]
struct Transaction {
    which: usize,
    kind: Kind,
    stream: bool,
    state: State,
    /// Letter, time left, and how long it was. What ends a transaction stands before what repeats.
    timers: Vec<(char, u64, u64)>,
    last: Option<u16>,
    acked: bool,
}

#[derive(Debug, Default)]
pub struct Model {
    transactions: Vec<Transaction>,
}

impl Model {
    /// Takes a step: what was told, then what left, then what happened.
    pub fn take(&mut self, step: Step) -> Vec<Seen> {
        let mut seen = Vec::new();
        match step {
            Step::Begin { kind, stream } => {
                let mut transaction = Transaction::new(self.transactions.len(), kind, stream);
                transaction.begin(&mut seen);
                self.transactions.push(transaction);
            }
            Step::Resume { stream } => {
                let mut transaction = Transaction::new(self.transactions.len(), Kind::InviteClient, stream);
                transaction.state = Proceeding;
                self.transactions.push(transaction);
            }
            Step::Response(which, status) => self.input(which, Kind::is_client, Input::Response(status), &mut seen),
            Step::Stop(which) => self.input(which, Kind::is_client, Input::Stop, &mut seen),
            Step::Again(which) => self.input(which, |kind| !kind.is_client(), Input::Request, &mut seen),
            Step::Reply(which, status) => self.input(which, |kind| !kind.is_client(), Input::Reply(status), &mut seen),
            Step::Ack(which) => self.input(which, |kind| kind == Kind::InviteServer, Input::Ack, &mut seen),
            Step::AckOf2xx(which) => self.input(which, |kind| kind == Kind::InviteServer, Input::AckOf2xx, &mut seen),
            Step::Cancel(which) => self.input(which, |kind| kind == Kind::InviteServer, Input::Cancel, &mut seen),
            Step::Gone { stream } => {
                for transaction in self.in_order().filter(|transaction| transaction.stream == stream) {
                    transaction.input(Input::TransportError, &mut seen);
                }
            }
            Step::Wait(milliseconds) => {
                for _ in 0..milliseconds {
                    for transaction in self.in_order() {
                        transaction.tick(&mut seen);
                    }
                }
            }
        }
        // What was told, what left and what happened are three things that are asked for one after the other.
        let kind = |seen: &Seen| match seen {
            Seen::Told(..) => 0,
            Seen::Request(_) | Seen::Ack(_) | Seen::Reply(..) => 1,
            Seen::Event(..) => 2,
        };
        seen.sort_by_key(kind);
        seen
    }

    /// Clients first, and the older before the younger.
    fn in_order(&mut self) -> impl Iterator<Item = &mut Transaction> {
        let (clients, servers): (Vec<_>, Vec<_>) = self.transactions.iter_mut().partition(|one| one.kind.is_client());
        clients.into_iter().chain(servers)
    }

    fn input(&mut self, which: usize, is: impl Fn(Kind) -> bool, input: Input, seen: &mut Vec<Seen>) {
        if let Some(transaction) = self
            .transactions
            .get_mut(which)
            .filter(|transaction| is(transaction.kind))
        {
            transaction.input(input, seen);
        }
    }
}

impl Transaction {
    fn new(which: usize, kind: Kind, stream: bool) -> Self {
        let (timers, last) = (Vec::new(), None);
        Self {
            which,
            kind,
            stream,
            state: Trying,
            timers,
            last,
            acked: false,
        }
    }

    fn begin(&mut self, seen: &mut Vec<Seen>) {
        let (repeats, ends) = match self.kind {
            Kind::InviteClient => ('A', 'B'),
            Kind::OtherClient => ('E', 'F'),
            Kind::InviteServer => {
                self.state = Proceeding;
                return;
            }
            Kind::OtherServer => return,
        };
        seen.push(Seen::Request(self.which));
        self.set(ends, 64 * T1);
        if !self.stream {
            self.set(repeats, T1);
        }
    }

    fn set(&mut self, letter: char, milliseconds: u64) {
        self.stop(letter);
        self.timers.push((letter, milliseconds, milliseconds));
        self.timers.sort_by_key(|(letter, ..)| "AEGX".contains(*letter));
    }

    fn stop(&mut self, letter: char) {
        self.timers.retain(|(other, ..)| *other != letter);
    }

    fn tick(&mut self, seen: &mut Vec<Seen>) {
        for (_, left, _) in &mut self.timers {
            *left -= 1;
        }
        let due: Vec<char> = self
            .timers
            .iter()
            .filter(|(_, left, _)| *left == 0)
            .map(|(letter, ..)| *letter)
            .collect();
        for letter in due {
            if self.state != Terminated {
                self.input(Input::Timer(letter), seen);
            }
        }
    }

    /// A timer that has run out is set again, twice as long.
    fn again(&mut self, letter: char, longest: u64) {
        let was = self.timers.iter().find(|(other, ..)| *other == letter).unwrap().2;
        self.set(letter, (2 * was).min(longest));
    }

    fn go(&mut self, state: State) {
        self.state = state;
        self.timers.clear();
    }

    /// Enters a state that lasts this long; none at all when that is nothing.
    fn stay(&mut self, state: State, letter: char, milliseconds: u64) {
        self.go(state);
        if milliseconds == 0 {
            self.go(Terminated);
        } else {
            self.set(letter, milliseconds);
        }
    }

    fn input(&mut self, input: Input, seen: &mut Vec<Seen>) {
        match self.kind {
            Kind::InviteClient => self.figure_5(input, seen),
            Kind::OtherClient => self.figure_6(input, seen),
            Kind::InviteServer => self.figure_7(input, seen),
            Kind::OtherServer => self.figure_8(input, seen),
        }
    }

    /// INVITE client transaction, with RFC 6026's Accepted.
    fn figure_5(&mut self, input: Input, seen: &mut Vec<Seen>) {
        let which = self.which;
        let mut told = |what| seen.push(Seen::Told(which, what));
        match (self.state, input) {
            (Trying, Input::Timer('A')) => {
                seen.push(Seen::Request(which));
                self.again('A', u64::MAX);
            }
            (Trying, Input::Timer('B')) => {
                seen.push(Seen::Event(which, "timed out"));
                self.go(Terminated);
            }
            (Trying | Proceeding, Input::Response(100..=199)) => {
                told("provisional");
                self.go(Proceeding);
            }
            (Trying | Proceeding, Input::Response(200..=299)) => {
                told("answer");
                self.stay(Accepted, 'M', 64 * T1);
            }
            (Trying | Proceeding, Input::Response(_)) => {
                told("final");
                seen.push(Seen::Ack(which));
                self.stay(Completed, 'D', if self.stream { 0 } else { 64 * T1 });
            }
            (Trying | Proceeding, Input::TransportError) => {
                seen.push(Seen::Event(which, "connection lost"));
                self.go(Terminated);
            }
            (Trying | Proceeding, Input::Stop) | (Completed, Input::Timer('D')) | (Accepted, Input::Timer('M')) => {
                self.go(Terminated);
            }
            (Completed | Accepted | Terminated, Input::Response(200..=299)) => told("answer"),
            (Completed, Input::Response(300..)) => {
                told("absorbed");
                seen.push(Seen::Ack(which));
            }
            (Completed | Accepted, Input::Response(_)) => told("absorbed"),
            (Terminated, Input::Response(_)) => told("stray"),
            (Completed | Accepted | Terminated, Input::Stop | Input::TransportError) => {}
            impossible => panic!("{impossible:?}"),
        }
    }

    /// Non-INVITE client transaction.
    fn figure_6(&mut self, input: Input, seen: &mut Vec<Seen>) {
        let which = self.which;
        let mut told = |what| seen.push(Seen::Told(which, what));
        match (self.state, input) {
            (Trying, Input::Timer('E')) => {
                seen.push(Seen::Request(which));
                self.again('E', T2);
            }
            (Proceeding, Input::Timer('E')) => {
                seen.push(Seen::Request(which));
                self.set('E', T2);
            }
            (Trying | Proceeding, Input::Timer('F')) => {
                seen.push(Seen::Event(which, "timed out"));
                self.go(Terminated);
            }
            (Trying | Proceeding, Input::Response(100..=199)) => {
                told("provisional");
                self.state = Proceeding;
            }
            (Trying | Proceeding, Input::Response(_)) => {
                told("final");
                self.stay(Completed, 'K', if self.stream { 0 } else { T4 });
            }
            (Trying | Proceeding, Input::TransportError) => {
                seen.push(Seen::Event(which, "connection lost"));
                self.go(Terminated);
            }
            (Trying | Proceeding, Input::Stop) | (Completed, Input::Timer('K')) => self.go(Terminated),
            (Completed, Input::Response(_)) => told("absorbed"),
            (Terminated, Input::Response(_)) => told("stray"),
            (Completed | Terminated, Input::Stop | Input::TransportError) => {}
            impossible => panic!("{impossible:?}"),
        }
    }

    /// INVITE server transaction, with RFC 6026's Accepted. Timer X is the repetition of a 2xx (RFC 3261 §13.3.1.4).
    fn figure_7(&mut self, input: Input, seen: &mut Vec<Seen>) {
        let which = self.which;
        match (self.state, input) {
            (Terminated, Input::Reply(_) | Input::TransportError) => {}
            (Terminated, Input::Request) => seen.push(Seen::Told(which, "new")),
            (Terminated, Input::Ack | Input::AckOf2xx) => seen.push(Seen::Told(which, "stray ack")),
            (Terminated, Input::Cancel) => seen.push(Seen::Told(which, "unknown cancel")),
            (_, Input::Cancel) => seen.push(Seen::Told(which, "cancelled")),
            (state, Input::Request) => {
                seen.push(Seen::Told(which, "absorbed"));
                if let (Proceeding | Completed, Some(status)) = (state, self.last) {
                    seen.push(Seen::Reply(which, status));
                }
            }
            (Proceeding, Input::Reply(status)) => {
                seen.push(Seen::Reply(which, status));
                self.last = Some(status);
                if (200..300).contains(&status) {
                    self.stay(Accepted, 'L', 64 * T1);
                    self.set('X', T1);
                } else if status >= 300 {
                    self.stay(Completed, 'H', 64 * T1);
                    if !self.stream {
                        self.set('G', T1);
                    }
                }
            }
            (Completed, Input::Timer(letter @ 'G')) | (Accepted, Input::Timer(letter @ 'X')) => {
                seen.push(Seen::Reply(which, self.last.unwrap()));
                self.again(letter, T2);
            }
            (Completed, Input::Ack) => {
                seen.push(Seen::Told(which, "absorbed"));
                self.stay(Confirmed, 'I', if self.stream { 0 } else { T4 });
                if self.state == Terminated {
                    seen.push(Seen::Event(which, "over"));
                }
            }
            (Accepted, Input::Ack | Input::AckOf2xx) => {
                seen.push(Seen::Told(which, if self.acked { "absorbed" } else { "acked" }));
                self.acked = true;
                self.stop('X');
            }
            (Confirmed, Input::Ack) => seen.push(Seen::Told(which, "absorbed")),
            (Proceeding | Completed | Confirmed, Input::Ack | Input::AckOf2xx) => {
                seen.push(Seen::Told(which, "stray ack"));
            }
            (Accepted, Input::TransportError) if !self.acked => {
                if self.stream {
                    self.stop('X');
                }
            }
            (Accepted, Input::Timer('L')) if !self.acked => {
                seen.push(Seen::Event(which, "never acked"));
                self.go(Terminated);
            }
            (_, Input::TransportError | Input::Timer('H' | 'I' | 'L')) => {
                seen.push(Seen::Event(which, "over"));
                self.go(Terminated);
            }
            (_, Input::Reply(_)) => {}
            impossible => panic!("{impossible:?}"),
        }
    }

    /// Non-INVITE server transaction.
    fn figure_8(&mut self, input: Input, seen: &mut Vec<Seen>) {
        let which = self.which;
        match (self.state, input) {
            (Terminated, Input::Request) => seen.push(Seen::Told(which, "new")),
            (Terminated, Input::Reply(_) | Input::TransportError) | (Completed, Input::Reply(_)) => {}
            (_, Input::Request) => {
                seen.push(Seen::Told(which, "absorbed"));
                seen.extend(self.last.map(|status| Seen::Reply(which, status)));
            }
            (Trying | Proceeding, Input::Reply(status)) => {
                seen.push(Seen::Reply(which, status));
                self.last = Some(status);
                self.state = Proceeding;
                if status >= 200 {
                    self.stay(Completed, 'J', if self.stream { 0 } else { 64 * T1 });
                    if self.state == Terminated {
                        seen.push(Seen::Event(which, "over"));
                    }
                }
            }
            (_, Input::TransportError) | (Completed, Input::Timer('J')) => {
                seen.push(Seen::Event(which, "over"));
                self.go(Terminated);
            }
            impossible => panic!("{impossible:?}"),
        }
    }
}
