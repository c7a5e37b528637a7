//! Any messages in any order, and any time between them: what leaves is bounded, goes a path that was there before and is read as a
//! message of its own; no timer is overdue; and when everything is answered, stopped and waited for, nothing is left.
#![no_main]

use std::time::Duration;

use sip::{Bounds, ForServer, Message, Method, Moment, Path, ServerId, Start, Timers, Transactions, Transport, Tx};

const BOUNDS: Bounds = Bounds {
    waiting: 8,
    finished: 8,
    client_bytes: 1 << 16,
    servers: 8,
    server_bytes: 1 << 16,
};
const T1: Duration = Duration::from_millis(500);

fn path(of: u8) -> Path {
    Path {
        transport: [Transport::Udp, Transport::Tcp, Transport::Tls][usize::from(of % 3)],
        local: ([192, 0, 2, 1], 5060).into(),
        remote: ([192, 0, 2, of % 2], 5060).into(),
    }
}

struct World {
    transactions: Transactions,
    now: Moment,
    ours: Vec<Tx>,
    theirs: Vec<(ServerId, Vec<u8>)>,
}

impl World {
    /// Takes everything out. An input makes at most one message leave; what waited 64 × T1, some for each transaction.
    fn drain(&mut self, at_most: usize) {
        let mut left = 0;
        while let Some(transmit) = self.transactions.poll_transmit() {
            assert!((0..6).any(|of| path(of) == transmit.path));
            left += 1;
            if let Ok(message) = Message::parse(&transmit.bytes)
                && *message.start() == Start::Request(Method::Ack)
            {
                assert_eq!(message.cseq().method, Method::Ack);
            }
        }
        assert!(left <= at_most, "{left} have left");
        while self.transactions.poll_event().is_some() {}
        let load = self.transactions.load();
        assert!(load.waiting <= BOUNDS.waiting && load.finished <= BOUNDS.finished && load.servers <= BOUNDS.servers);
        assert!(load.client_bytes <= BOUNDS.client_bytes + 8 * (1 << 16), "{load:?}");
        assert_eq!(load.servers == 0, load.server_bytes == 0);
    }

    fn wait(&mut self, duration: Duration) {
        self.now = self.now + duration;
        self.transactions.handle_timeout(self.now);
        assert!(self.transactions.poll_timeout().is_none_or(|(due, _)| due > self.now));
    }

    fn message(&mut self, on: Path, bytes: &[u8], status: u16) {
        let Ok(message) = Message::parse(bytes) else { return };
        if message.status().is_some() {
            self.transactions.handle_response(self.now, &message);
            return self.drain(1);
        }
        let seen = self.transactions.handle_request(self.now, on, &message);
        self.drain(1);
        if matches!(
            seen,
            ForServer::New | ForServer::Cancelled(_) | ForServer::UnknownCancel
        ) && let Some(id) = self.transactions.accept(self.now, on, &message)
        {
            assert_eq!(
                self.transactions.handle_request(self.now, on, &message),
                ForServer::Absorbed
            );
            self.theirs.push((id, bytes.to_vec()));
            self.reply(self.theirs.len() - 1, status);
        }
    }

    fn reply(&mut self, which: usize, status: u16) {
        let Some((id, bytes)) = self.theirs.get(which) else {
            return;
        };
        let mut reply = Vec::new();
        if let Ok(request) = Message::parse(bytes) {
            let (source, tag) = (([192, 0, 2, 9], 5060).into(), sip::Tag::new("us"));
            request.print_reply(&mut reply, source, &tag, &sip::Reply::status(status), "onhook");
        }
        self.transactions.reply(self.now, *id, status, reply);
        self.drain(1);
    }

    /// A request of ours: the message that a peer might have sent. An ACK is none: those of refusals are the transactions' own, and that of
    /// a 2xx is no transaction.
    fn send(&mut self, on: Path, bytes: &[u8]) {
        let Ok(message) = Message::parse(bytes) else { return };
        if message.status().is_some() || *message.method() == Method::Ack {
            return;
        }
        let tx = Tx {
            branch: sip::Branch::new(message.branch()),
            method: message.method().clone(),
        };
        self.transactions.send(self.now, on, tx.clone(), bytes.to_vec());
        self.ours.push(tx);
        self.drain(1);
    }
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let timers = Timers {
        t1: T1,
        ..Timers::default()
    };
    let mut world = World {
        transactions: Transactions::with_bounds(timers, BOUNDS),
        now: Moment::default(),
        ours: Vec::new(),
        theirs: Vec::new(),
    };
    for step in input.split(|byte| *byte == 0).take(64) {
        let [what, of, bytes @ ..] = step else { continue };
        let status = [100, 180, 200, 299, 300, 486, 699][usize::from(of % 7)];
        match what {
            b's' => world.send(path(*of), bytes),
            b'w' => {
                world.wait(Duration::from_millis(u64::from(*of) * 16));
                world.drain(16 * 4);
            }
            b'r' => world.reply(bytes.len(), status),
            b'g' => {
                world.transactions.unreachable(world.now, &path(*of));
                world.drain(0);
            }
            _ => world.message(path(*of), bytes, status),
        }
    }
    for tx in std::mem::take(&mut world.ours) {
        world.transactions.stop(&tx);
    }
    for which in 0..world.theirs.len() {
        world.reply(which, 200);
    }
    world.wait(T1 * 64);
    world.drain(16 * 12);
    assert_eq!(world.transactions.load(), sip::Load::default());
    assert_eq!(world.transactions.poll_timeout(), None);
});
