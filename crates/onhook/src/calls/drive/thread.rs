//! The one thread that runs the switch: the whole I/O of the core.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, atomic::Ordering},
    thread,
    time::Instant,
};

use sip::Moment;
use switch::{Answer, Found, Output, Patience, PlaceRefusal, Sound, Switch, journal::CallKey};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot, watch},
};

use super::{
    AGAIN, Parts, Snapshot,
    admitted::Admitted,
    inbox::{Command, HandedIn, News, Reports},
    sounds::{Ordered, SoundRoom},
    telling,
};
use crate::{
    calls::{Sounds, wall_clock},
    crash_points,
    journal::{Batches, History, Journal, TakingUp, Written},
    net::{Arrival, Connect, Names, NetEvent, Streams, TlsOf, Udp},
    panics::{Vital, vital},
};

/// News and commands that one turn takes in at most: then it is the turn of everything else.
const A_TURN: usize = 1024;

struct Driver {
    switch: Switch,
    udp: Udp,
    streams: Streams,
    names: Names,
    /// Of streams and names.
    events: mpsc::Receiver<NetEvent>,
    admitted: Arc<Admitted>,
    /// Which of the streams' TLS settings each trunk has.
    tls_of_trunks: Vec<Option<usize>>,
    handed_in: HandedIn,
    reports: Reports,
    journal: Journal,
    batches: Batches,
    /// What the journal refused at once.
    refused: Vec<Written>,
    taking_up: TakingUp,
    snapshot: Arc<Snapshot>,
    sound: SoundRoom,
    runtime: Handle,
    patience: Patience,
    started: Instant,
    requests: u64,
    /// Orders that no call has come of yet.
    ordered: BTreeMap<u64, Ordered>,
    /// Who waits for the answer to an order.
    placing: BTreeMap<u64, oneshot::Sender<Result<CallKey, PlaceRefusal>>>,
    /// Who else waits for an answer.
    waiting: BTreeMap<u64, oneshot::Sender<Answer>>,
    is_leaving: bool,
}

pub(super) fn start(
    parts: Parts,
    handed_in: HandedIn,
    reports: Reports,
    snapshot: Arc<Snapshot>,
    sounds: Arc<Sounds>,
    counted: watch::Sender<bool>,
) -> io::Result<watch::Receiver<()>> {
    let runtime = Handle::current();
    runtime.spawn(vital(
        "what reads the calls of the last day",
        read_last_day(parts.history, counted, reports.clone()),
    ));
    let sockets = parts.sockets;
    let started = Instant::now();
    let mut switch = Switch::new(parts.settings, Moment::default(), wall_clock());
    switch.end_leftovers(parts.recovered.leftovers);
    let of_the_journal = reports.clone();
    let mut driver = Driver {
        switch,
        udp: sockets.udp,
        streams: sockets.streams,
        names: sockets.names,
        events: sockets.events,
        admitted: sockets.admitted,
        tls_of_trunks: sockets.tls_of_trunks,
        handed_in,
        sound: SoundRoom::start(sounds, reports.clone(), &runtime),
        batches: parts
            .journal
            .batches(move |batch| of_the_journal.tell_from_a_thread(News::Written(batch))),
        refused: Vec::new(),
        reports,
        journal: parts.journal,
        taking_up: parts.recovered.taking_up,
        snapshot,
        runtime,
        patience: parts.patience,
        started,
        requests: 0,
        ordered: BTreeMap::new(),
        placing: BTreeMap::new(),
        waiting: BTreeMap::new(),
        is_leaving: false,
    };
    // Who may connect to us is known before anybody can have been told where we listen.
    driver.put_all();
    let (running, ended) = watch::channel(());
    thread::Builder::new().name("switch".to_owned()).spawn(move || {
        let _held = Vital("the owner of the calls");
        driver.run();
        drop(running);
    })?;
    Ok(ended)
}

impl Driver {
    fn run(mut self) {
        let runtime = self.runtime.clone();
        let _entered = runtime.enter();
        loop {
            // 1. What time it is: nothing below asks again.
            self.switch.begin_turn(self.now(), wall_clock());
            // 2. What has become of what was begun: the journal's word lets INVITEs and ACKs leave, and answers be given.
            self.take_news();
            self.take_events();
            // 3. What peers say: all that is there, before anything that is due is sent.
            self.take_datagrams();
            // 4. What operations ask for.
            self.take_commands();
            // 5. What is due; the switch then says what is to be done, in order: what is sent first, the journal's batch last.
            self.switch.end_turn();
            self.put_all();
            let nobody_asks = self.handed_in.commands.is_closed() && self.switch.live() == 0;
            if nobody_asks || self.is_leaving && self.waiting.is_empty() {
                let streams = self.streams.clone();
                runtime.spawn(async move { streams.stop().await });
                return;
            }
            // 6. Until somebody says something, or something is due.
            let due = self.switch.poll_timeout();
            self.udp.wait(due.map(|(due, _)| self.started + due.since_start()));
        }
    }

    fn now(&self) -> Moment {
        Moment::after_start(self.started.elapsed())
    }

    fn take_datagrams(&mut self) {
        let switch = &mut self.switch;
        self.udp.receive(&mut |path, arrival| match arrival {
            Arrival::Datagram(bytes) => switch.handle_message(path, bytes),
            Arrival::TooLong => switch.handle_too_long(path),
            Arrival::Refused(quoted) => switch.handle_refusal(quoted),
        });
    }

    fn take_events(&mut self) {
        for _ in 0..A_TURN {
            let Ok(event) = self.events.try_recv() else { return };
            match event {
                NetEvent::Connected { id: Some(id), path } => self.switch.connected(id, path),
                NetEvent::Connected { id: None, .. } => {}
                NetEvent::ConnectFailed { id, why } => self.switch.connect_failed(id, &why),
                NetEvent::Message { path, bytes } => self.switch.handle_message(path, &bytes),
                NetEvent::Closed { path, why } => {
                    tracing::debug!(%path, why, "a connection is closed");
                    self.switch.closed(path);
                }
                NetEvent::Found { host, addresses } => {
                    let addresses = addresses.into_iter().map(|towards| Found {
                        remote: towards.remote,
                        local: towards.local,
                    });
                    self.switch.found(&host, &addresses.collect::<Vec<_>>());
                }
                NetEvent::NotFound { host, why } => self.switch.not_found(&host, &why),
            }
        }
        self.reports.wake_again();
    }

    fn take_news(&mut self) {
        let refused = std::mem::take(&mut self.refused);
        self.hear(refused);
        for _ in 0..A_TURN {
            let Ok(news) = self.handed_in.news.try_recv() else {
                return;
            };
            match news {
                News::Written(batch) => self.hear(batch),
                News::Played(key) => self.switch.played(key),
                News::SoundFailed(key) => self.switch.sound_failed(key),
                News::LastDay { calls, counted } => {
                    self.switch.count(&calls);
                    let _ = counted.send(true);
                }
            }
        }
        self.reports.wake_again();
    }

    /// The journal's word.
    fn hear(&mut self, batch: Vec<Written>) {
        // An order that nobody waits for any more is not sent.
        let given_up = self.placing.iter().filter(|(_, reply)| reply.is_closed());
        let given_up: Vec<u64> = given_up.map(|(request, _)| *request).collect();
        for request in given_up {
            self.switch.abandon(request);
        }
        for Written {
            number,
            key,
            save,
            outcome,
        } in batch
        {
            if let Err(error) = outcome {
                tracing::error!(call = %key, ?save, %error, "the journal did not take a record");
            }
            crash_points::after(save);
            self.switch.written(number, outcome.is_ok());
        }
    }

    fn take_commands(&mut self) {
        for _ in 0..A_TURN {
            let Ok(command) = self.handed_in.commands.try_recv() else {
                return;
            };
            self.requests += 1;
            let request = self.requests;
            match command {
                Command::Place { order, sound, reply } => {
                    if reply.is_closed() {
                        continue;
                    }
                    if !self.journal.takes_new_calls() {
                        let _ = reply.send(Err(PlaceRefusal::NotJournaled));
                        continue;
                    }
                    self.ordered.insert(request, *sound);
                    self.placing.insert(request, reply);
                    self.switch.place(request, *order, self.patience);
                }
                Command::Disconnect { owner, id, reply } => {
                    crash_points::panic_at("owner");
                    self.waiting.insert(request, reply);
                    self.switch.disconnect(request, owner, id, self.patience);
                }
                Command::NeverDelivered(key) => self.switch.never_delivered(key),
                Command::Drain { reply } => {
                    self.waiting.insert(request, reply);
                    self.switch.drain(request);
                }
                Command::EndAll { reply } => {
                    self.waiting.insert(request, reply);
                    self.switch.end_all(request);
                }
                Command::Leave { reply } => {
                    self.is_leaving = true;
                    self.waiting.insert(request, reply);
                    self.switch.leave(request);
                }
            }
        }
        self.reports.wake_again();
    }

    fn put_all(&mut self) {
        while let Some(output) = self.switch.poll_output() {
            self.put(output);
        }
    }

    fn put(&mut self, output: Output) {
        match output {
            Output::Transmit(transmit) => {
                let path = transmit.path;
                let sent = if path.transport.is_stream() {
                    self.streams.send(&path, transmit.bytes)
                } else {
                    self.udp.send(&path, &transmit.bytes)
                };
                if let Err(error) = sent {
                    tracing::debug!(%path, %error, "a message did not leave");
                }
            }
            Output::Connect {
                number,
                transport,
                remote,
                host,
                trunk,
            } => self.streams.connect(Connect {
                id: number,
                transport,
                remote,
                server_name: host,
                tls: trunk
                    .and_then(|trunk| self.tls_of_trunks[trunk])
                    .map_or(TlsOf::Others, TlsOf::Trunk),
            }),
            Output::Close(path) => self.streams.close(&path),
            Output::Admit(host) => self.admitted.admit(host),
            Output::Dismiss(host) => self.admitted.dismiss(host),
            Output::Resolve(host) => self.names.look_up(&host),
            Output::Journal(batch) => {
                for entry in &batch {
                    crash_points::before(entry.save);
                }
                self.refused.extend(self.batches.submit(batch));
                if !self.refused.is_empty() {
                    self.reports.wake_again();
                }
            }
            Output::Answer(request, answer) => self.give(request, answer),
            Output::Snapshot(id, known) => self.snapshot.set(id, known),
            Output::Sound(key, Sound::Prepare { request, rtp }) => {
                if let Some(ordered) = self.ordered.remove(&request) {
                    self.sound.has(key, ordered.at(rtp));
                }
            }
            Output::Sound(key, sound) => self.sound.put(key, sound),
            Output::TakingUp(keys) => {
                self.taking_up.begin(&keys);
                for key in &keys {
                    crash_points::taking_up(key);
                }
            }
            Output::TakenUp(keys) => self.taking_up.done(&keys),
            Output::Event(event) => {
                if let switch::Event::Live(live) = event {
                    self.snapshot.live.store(live, Ordering::Relaxed);
                }
                telling::tell(&event);
            }
        }
    }

    fn give(&mut self, request: u64, answer: Answer) {
        if let Some(reply) = self.placing.remove(&request) {
            self.ordered.remove(&request);
            let placed = match answer {
                Answer::Placed(key) => Ok(key),
                Answer::NotPlaced(refusal) => Err(refusal),
                _ => return,
            };
            if let Err(Ok(key)) = reply.send(placed) {
                self.switch.never_delivered(key);
                // The wish to end is to be written, too, and this turn is closed.
                self.reports.wake_again();
            }
        } else if let Some(reply) = self.waiting.remove(&request) {
            let _ = reply.send(answer);
        }
    }
}

/// Until it has read what calls of the last day count, no new call begins, and nothing else waits: a call that a crash left is not in the
/// way of its own end.
async fn read_last_day(history: History, counted: watch::Sender<bool>, reports: Reports) {
    let calls = loop {
        match history.last_day(dial::STARTS_COUNT_FOR).await {
            Ok(calls) => break calls,
            Err(error) => {
                tracing::error!(%error, "the calls of the last day cannot be read: no new call is taken until they are");
                tokio::time::sleep(AGAIN).await;
            }
        }
    };
    reports.tell(News::LastDay { calls, counted }).await;
}
