//! What the switch wants done, in its order.

use std::rc::Rc;

use sip::Transmit;
use switch::{Output, Sound, journal::CallKey};

use crate::{
    message::Node,
    sabotage::ShellFault,
    scenario::{Kill, Millis, Side},
    strangers::is_to_stranger,
    wire,
    world::{Event, World},
};

impl World {
    /// The process may be killed before it is acted on, and after that.
    pub(super) fn put(&mut self, output: Output) {
        if let Some(outputs) = self.house.outputs.last_mut() {
            *outputs += 1;
        }
        if let Some(down) = self.dies(Side::Before) {
            return self.crash(down);
        }
        self.act_on(output);
        if let Some(down) = self.dies(Side::After) {
            self.crash(down);
        }
    }

    /// How long the process is away when it is killed at its last output.
    fn dies(&self, side: Side) -> Option<Millis> {
        let (process, output) = (self.house.incarnation as usize, *self.house.outputs.last()?);
        let kill = Kill { process, output, side };
        self.scenario.dies_at(kill).filter(|_| !self.scenario.is_calm(self.now))
    }

    fn act_on(&mut self, output: Output) {
        match &output {
            // Their bytes are added below.
            Output::Transmit(_) | Output::Journal(_) => {}
            other => self.digest.debug(other),
        }
        match output {
            Output::Transmit(transmit) => self.transmit(transmit),
            Output::Journal(entries) => self.write(entries),
            Output::Answer(request, answer) => self.answer(request, answer),
            Output::Snapshot(id, known) => self.snapshot_changed(id, known),
            Output::Sound(key, sound) => self.sound(key, &sound),
            Output::TakingUp(_) if self.settings.sabotage.is_in_shell(ShellFault::TakenUpUnsaid) => {}
            Output::TakingUp(keys) => {
                self.check_deaths(&keys);
                self.watch.taking_up(&keys);
                self.house.disk.taking_up(&keys);
            }
            Output::TakenUp(keys) => {
                self.check_taken_up(&keys);
                self.house.disk.taken_up(&keys);
            }
            Output::Resolve(host) => self.look_up(host),
            Output::Admit(host) => self.streams.admit(host),
            Output::Dismiss(host) => self.streams.dismiss(host),
            Output::Close(path) => self.close(&path),
            Output::Connect {
                number,
                transport,
                remote,
                trunk,
                ..
            } => self.dial(number, transport, remote, trunk),
            Output::Event(event) => self.happened(event),
        }
    }

    fn transmit(&mut self, transmit: Transmit) {
        let Transmit { path, mut bytes } = transmit;
        self.digest.debug(&path);
        self.digest.bytes(&bytes);
        if crate::trunks::is_of_trunk(&bytes) {
            return self.ask_trunk(path, &bytes);
        }
        if is_to_stranger(&bytes) {
            return self.answer_to_stranger(&path);
        }
        if self.settings.sabotage.is_in_shell(ShellFault::CutShort) {
            bytes.pop();
        }
        let now = self.now;
        let mut message = match wire::read(&bytes) {
            Ok(message) => message,
            Err(why) => {
                return self.watch.fail("what leaves can be read", || {
                    format!("{why} at {now} ms: {}", String::from_utf8_lossy(&bytes))
                });
            }
        };
        let Some(call) = self.call_named(message.name) else {
            return self.watch.fail("nothing goes where nobody is", || {
                format!("{} at {now} ms", message.label())
            });
        };
        self.check_transmit(call, &message, &path, &bytes);
        message.path = Some(path);
        let message = Rc::new(message);
        if path.transport.is_stream() {
            return self.write_to_peer(&path, call, &message);
        }
        match self.receiver(&path, call, &message) {
            Some(to) => self.send(Node::House, to, &message),
            None => self.watch.fail("nothing goes where nobody is", || {
                format!("{} to {} at {now} ms", message.label(), path.remote)
            }),
        }
    }

    fn sound(&mut self, key: CallKey, sound: &Sound) {
        match sound {
            Sound::Start { .. } => {
                self.house.begun += 1;
                let number = self.house.begun;
                self.house.sounds.insert(key, number);
                let call = self.house.keys.get(&key);
                let wait = call.map_or(1, |call| self.scenario.calls[*call].message);
                self.after(wait, Event::Finished(self.house.incarnation, number));
            }
            Sound::Prepare { .. } | Sound::Change { .. } => {}
            Sound::Stop => {
                self.house.sounds.remove(&key);
            }
        }
    }
}
