//! One life of the server: what `crates/switch` does around a call's machine. It ends with a crash, and forgets everything.

use crate::{
    Fault,
    event::{Input, Output, Save},
    machine::Machine,
    message::Message,
    record::{Phase, Phone, Record},
};

/// Something that leaves the process, in order. It may die after each.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    Send(Message),
    Write(Save, Record),
    Tell(Answer),
}

/// The answer to a request of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    Placed,
    NotPlaced,
    /// To DisconnectPhoneCall.
    NoError,
    NotDisconnected,
}

/// Who has the one place among INVITEs that nothing has come back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Window {
    Free,
    Ours,
    /// Another call's INVITE.
    Another,
}

/// A request to place the call that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Placing {
    Waited,
    /// Its client has left.
    Abandoned,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    machine: Option<Machine>,
    /// Whether the INVITE waits for a place in the window.
    held: bool,
    pub window: Window,
    /// Whether a provisional has come back to the INVITE: then it is not said again.
    pub provisional: bool,
    /// Whether the transaction of the CANCEL waits for its response.
    pub cancelling: bool,
    placing: Option<Placing>,
    /// A request to end the call that waits for its answer; whether it also waits for the far end.
    disconnecting: Option<bool>,
    /// Whether the journal took the wish or the end; nothing before it has said so.
    durable: Option<bool>,
    /// Whether the call holds a grant, and how many the gate counts.
    holds: bool,
    pub granted: i8,
    /// Whether the call is known as one that ended before this process began.
    past: bool,
    fault: Option<Fault>,
}

impl Process {
    #[must_use]
    pub fn new(window: Window, fault: Option<Fault>) -> Self {
        Self {
            machine: None,
            held: false,
            window,
            provisional: false,
            cancelling: false,
            placing: None,
            disconnecting: None,
            durable: None,
            holds: false,
            granted: 0,
            past: false,
            fault,
        }
    }

    /// The next life, with what the disk has.
    pub fn restart(disk: Option<&Record>, fault: Option<Fault>) -> (Self, Vec<Effect>) {
        let mut process = Self::new(Window::Free, fault);
        let mut effects = Vec::new();
        match disk {
            Some(record) if record.is_over() => process.past = true,
            Some(record) if fault != Some(Fault::NoTakeUp) => {
                let intent = Machine::place(None).0.record();
                let record = if fault == Some(Fault::TakenUpFromIntent) {
                    &intent
                } else {
                    record
                };
                let (machine, outputs) = Machine::take_up(record, fault);
                process.begin(machine, outputs, &mut effects);
            }
            _ => {}
        }
        (process, effects)
    }

    #[must_use]
    pub fn machine(&self) -> Option<&Machine> {
        self.machine.as_ref()
    }

    /// Whether the INVITE waits for a place in the window.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// Whether the client of DisconnectPhoneCall waits for the far end.
    #[must_use]
    pub fn waits_for_the_far_end(&self) -> bool {
        self.disconnecting == Some(true)
    }

    /// Whether a client waits for the disk.
    #[must_use]
    pub fn waits_for_the_disk(&self) -> bool {
        self.placing == Some(Placing::Waited) || (self.disconnecting == Some(false) && self.durable.is_none())
    }

    /// Whether a phone of this call may be up as far as this process knows.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.machine.as_ref().is_some_and(|machine| !machine.is_drained())
    }

    pub fn place(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.placing = Some(Placing::Waited);
        let (machine, outputs) = Machine::place(self.fault);
        self.begin(machine, outputs, &mut effects);
        effects
    }

    fn begin(&mut self, machine: Machine, outputs: Vec<Output>, effects: &mut Vec<Effect>) {
        self.machine = Some(machine);
        self.follow(outputs, effects);
        self.settle(effects);
    }

    /// Nobody waits for the id of the call any more.
    pub fn abandon(&mut self) {
        if self.placing.is_some() {
            self.placing = Some(Placing::Abandoned);
        }
    }

    pub fn disconnect(&mut self) -> Vec<Effect> {
        if self.past {
            return vec![Effect::Tell(Answer::NoError)];
        }
        if self.machine.is_none() {
            return vec![Effect::Tell(Answer::NotDisconnected)];
        }
        self.disconnecting = Some(true);
        self.handle(Input::HangUp)
    }

    /// The far end has been waited for long enough.
    pub fn wait_no_longer(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.disconnecting = Some(false);
        self.settle(&mut effects);
        effects
    }

    /// The disk has been waited for long enough.
    pub fn disk_is_late(&mut self) -> Vec<Effect> {
        if self.placing.take_if(|placing| *placing == Placing::Waited).is_some() {
            let mut effects = self.handle(Input::HangUp);
            effects.push(Effect::Tell(Answer::NotPlaced));
            return effects;
        }
        self.disconnecting = None;
        vec![Effect::Tell(Answer::NotDisconnected)]
    }

    /// The journal's word.
    pub fn saved(&mut self, save: Save, durable: bool) -> Vec<Effect> {
        let mut effects = Vec::new();
        let placing = if save == Save::Intent {
            self.placing.take()
        } else {
            None
        };
        if placing == Some(Placing::Abandoned) {
            effects.extend(self.handle(Input::HangUp));
        }
        if matches!(save, Save::Wish | Save::End) || self.fault == Some(Fault::AnyRecordCounts) {
            self.durable = Some(durable || self.durable == Some(true));
        }
        effects.extend(self.handle(if durable {
            Input::Saved(save)
        } else {
            Input::NotSaved(save)
        }));
        if placing == Some(Placing::Waited) {
            let answer = if durable { Answer::Placed } else { Answer::NotPlaced };
            effects.push(Effect::Tell(answer));
        }
        effects
    }

    /// A message has come.
    pub fn receive(&mut self, message: Message) -> Vec<Effect> {
        let input = match message {
            Message::Ringing => Input::Ringing,
            Message::Refused => Input::Refused,
            Message::Answer(phone) => Input::Answer(phone),
            Message::CancelDone | Message::NothingToCancel => {
                self.cancelling = false;
                if message == Message::CancelDone {
                    return Vec::new();
                }
                Input::NothingToCancel
            }
            Message::ByeDone(phone, number) => Input::ByeDone(phone, number),
            Message::ByeRefused(phone, number) => Input::ByeRefused(phone, number),
            Message::PhoneBye(phone) => Input::PhoneBye(phone),
            Message::Invite | Message::Cancel | Message::Ack(_) | Message::Bye(..) => return Vec::new(),
        };
        self.provisional |= input == Input::Ringing;
        if matches!(input, Input::Ringing | Input::Refused | Input::Answer(_)) {
            self.leave_window();
        }
        self.handle(input)
    }

    /// The other call's INVITE has its answer.
    pub fn next_in_window(&mut self) -> Vec<Effect> {
        self.window = Window::Free;
        if !std::mem::take(&mut self.held) {
            return Vec::new();
        }
        self.window = Window::Ours;
        vec![Effect::Send(Message::Invite)]
    }

    /// The INVITE has waited for a place in the window long enough.
    pub fn window_is_full(&mut self) -> Vec<Effect> {
        self.held = false;
        self.handle(Input::InviteUnreachable)
    }

    /// Timer B; `nobody_there`: and nothing else has come from there.
    pub fn invite_times_out(&mut self, nobody_there: bool) -> Vec<Effect> {
        self.leave_window();
        self.handle(if nobody_there {
            Input::NobodyThere
        } else {
            Input::InviteTimesOut
        })
    }

    /// One input for the machine, then everything that follows from it.
    pub fn handle(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        let Some(machine) = &mut self.machine else {
            if let Input::Answer(phone) = input
                && self.fault != Some(Fault::StrayIgnored)
            {
                let (machine, outputs) = Machine::stray(phone, self.fault);
                self.begin(machine, outputs, &mut effects);
            }
            return effects;
        };
        let outputs = machine.handle(input);
        let has_wish = machine.has_wish();
        self.follow(outputs, &mut effects);
        // An INVITE that waits for its place is not to leave any more.
        if has_wish && self.held && self.fault != Some(Fault::HeldInviteLeaves) {
            self.held = false;
            if let Some(machine) = &mut self.machine {
                let outputs = machine.handle(Input::InviteUnreachable);
                self.follow(outputs, &mut effects);
            }
        }
        self.settle(&mut effects);
        effects
    }

    fn follow(&mut self, outputs: Vec<Output>, effects: &mut Vec<Effect>) {
        for output in outputs {
            match output {
                Output::Save(save) => {
                    let record = self.machine.as_ref().map(Machine::record);
                    effects.extend(record.map(|record| Effect::Write(save, closed(record, save))));
                }
                Output::Invite if self.window == Window::Another => self.held = true,
                Output::Invite => {
                    self.window = Window::Ours;
                    effects.push(Effect::Send(Message::Invite));
                }
                Output::Cancel => {
                    self.cancelling = true;
                    effects.push(Effect::Send(Message::Cancel));
                }
                Output::Ack(phone) => effects.push(Effect::Send(Message::Ack(phone))),
                Output::Bye(phone, number) => effects.push(Effect::Send(Message::Bye(phone, number))),
                Output::Stop => self.leave_window(),
                Output::Resume => {}
            }
        }
    }

    fn leave_window(&mut self) {
        if self.window == Window::Ours && self.fault != Some(Fault::WindowKept) {
            self.window = Window::Free;
        }
    }

    /// The grant, and the answers that are due.
    fn settle(&mut self, effects: &mut Vec<Effect>) {
        let Some(machine) = &self.machine else { return };
        match (self.holds, machine.is_drained()) {
            (true, true) => {
                self.holds = false;
                self.granted -= match self.fault {
                    Some(Fault::GrantBackTwice) => 2,
                    Some(Fault::GrantBackNever) => 0,
                    _ => 1,
                };
            }
            (false, false) if !(machine.has_ended() && self.fault == Some(Fault::GrantNotTakenAgain)) => {
                self.holds = true;
                self.granted += 1;
            }
            _ => {}
        }
        let Some(waits_for_the_far_end) = self.disconnecting else {
            return;
        };
        let is_over = matches!(machine.phase(), Phase::Ended { .. });
        let durable = match self.fault {
            Some(Fault::NoErrorEarly) => Some(true),
            Some(Fault::NoErrorNever) => None,
            _ => self.durable,
        };
        let answer = match durable {
            _ if !is_over && waits_for_the_far_end => return,
            Some(durable) if is_over || durable => Answer::NoError,
            Some(_) => Answer::NotDisconnected,
            None => return,
        };
        if self.fault != Some(Fault::NoErrorTwice) {
            self.disconnecting = None;
        }
        effects.push(Effect::Tell(answer));
    }

    /// Whether this phone's answer would change anything here.
    #[must_use]
    pub fn heeds(&self, phone: Phone) -> bool {
        let mut after = self.clone();
        let effects = after.receive(Message::Answer(phone));
        !effects.is_empty() || after != *self
    }
}

/// What is written at the end leaves no phone to be hung up.
fn closed(record: Record, save: Save) -> Record {
    match save {
        Save::End => Record {
            forks: [None; 2],
            ..record
        },
        Save::Intent | Save::Answer | Save::Fork(_) | Save::Wish => record,
    }
}
