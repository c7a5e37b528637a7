//! One phone: rings, answers, hangs up or is hung up, and repeats what was lost, as RFC 3261 §13.3 and §17.2 have it.

use std::{
    fmt,
    time::{Duration, Instant},
};

use super::{Habits, message::Message, way::Home};
use crate::random::Random;

/// The numbers that are dialled start here. Of the next hundred thousand none may be read as one that is never called; from 10 000 000
/// on, ten of each ten thousand are premium-rate ones (976) of North America.
pub const NUMBERS: u64 = 3_000_000;

/// From this number on, every phone shares its number with another.
pub const FORKING: u64 = 20_000_000;

/// What one phone will do, drawn when it is called.
struct Script {
    rings_for: Duration,
    hangs_up_after: Option<Duration>,
    /// Two phones share the number, and both answer.
    forks: bool,
    /// The first BYE is answered with 407.
    challenges: bool,
    /// Sends sound and takes none, which saves the run from packets nobody counts.
    takes_no_sound: bool,
}

impl Script {
    fn draw(habits: &Habits, number: &str) -> Self {
        let number = number.parse().unwrap_or_default();
        let mut random = Random::part(habits.seed, number);
        let rings_for = random.up_to(habits.rings_up_to);
        let hangs_up = random.chance(habits.hang_up);
        Self {
            rings_for,
            hangs_up_after: hangs_up.then(|| random.up_to(habits.hang_up_within)),
            forks: random.chance(habits.fork) || number >= FORKING,
            challenges: random.chance(habits.challenge),
            takes_no_sound: !random.chance(habits.take_sound),
        }
    }
}

/// Something a phone does after some time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Alarm {
    Answer,
    RepeatAnswer {
        leg: usize,
        pause: Duration,
        since: Instant,
    },
    RepeatRefusal {
        pause: Duration,
        since: Instant,
    },
    HangUp {
        leg: usize,
    },
    RepeatBye {
        leg: usize,
        pause: Duration,
        since: Instant,
    },
    Forget,
}

/// What is to be sent and done later.
#[derive(Default)]
pub(super) struct Doings {
    pub(super) send: Vec<String>,
    pub(super) later: Vec<(Duration, Alarm)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ringing,
    Answered,
    /// Cancelled; whether the server has ACKed it.
    Refused {
        acked: bool,
    },
}

/// An answered phone.
#[derive(Debug)]
struct Leg {
    tag: String,
    off_hook: bool,
    acked: bool,
    /// Would hang up, and waits for its ACK: without one it must not send BYE (RFC 3261 §15).
    wants_to_hang_up: bool,
    challenged: bool,
    /// Our own BYE, until it is answered.
    bye: Option<String>,
    /// The last BYE that came, and how it was answered.
    byed: Option<(String, String)>,
}

pub(super) struct PhoneCall {
    pub(super) number: String,
    invite: Message,
    script: Script,
    state: State,
    legs: Vec<Leg>,
    t1: Duration,
    home: Home,
    sdp: String,
}

impl PhoneCall {
    pub(super) fn ring(
        invite: Message,
        number: String,
        habits: &Habits,
        home: Home,
        sdp: String,
        doings: &mut Doings,
    ) -> Self {
        let script = Script::draw(habits, &number);
        let call = Self {
            number,
            invite,
            state: State::Ringing,
            legs: Vec::new(),
            t1: habits.t1,
            home,
            sdp,
            script,
        };
        doings.send.push(call.ringing());
        doings.later.push((call.script.rings_for, Alarm::Answer));
        call
    }

    /// Phones of this call that ring or are off-hook.
    pub(super) fn up(&self) -> usize {
        match self.state {
            State::Ringing => 1,
            State::Answered => self.legs.iter().filter(|leg| leg.off_hook).count(),
            State::Refused { .. } => 0,
        }
    }

    pub(super) fn acked(&self) -> usize {
        self.legs.iter().filter(|leg| leg.off_hook && leg.acked).count()
    }

    pub(super) fn take(&mut self, message: &Message, now: Instant, doings: &mut Doings) {
        match message.method() {
            Some("INVITE") if message.branch() == self.invite.branch() => match self.state {
                State::Ringing => doings.send.push(self.ringing()),
                State::Refused { acked: false } => doings.send.push(self.refusal()),
                State::Answered | State::Refused { acked: true } => {} // a timer repeats what is to be repeated
            },
            Some("INVITE") => doings
                .send
                .push(message.response("488 Not Acceptable Here", "", "", "")),
            Some("CANCEL") => {
                let line = if message.branch() == self.invite.branch() {
                    "200 OK"
                } else {
                    "481 No Such Transaction"
                };
                doings.send.push(message.response(line, &self.tag(0), "", ""));
                if self.state == State::Ringing && line.starts_with("200") {
                    self.state = State::Refused { acked: false };
                    doings.send.push(self.refusal());
                    self.repeat(
                        Alarm::RepeatRefusal {
                            pause: self.t1,
                            since: now,
                        },
                        doings,
                    );
                }
            }
            Some("ACK") => match &mut self.state {
                State::Refused { acked } => *acked = true,
                State::Answered => {
                    if let Some(leg) = self.legs.iter().position(|leg| leg.tag == message.tag_of_to()) {
                        self.legs[leg].acked = true;
                        if self.legs[leg].wants_to_hang_up {
                            self.hang_up(leg, now, doings);
                        }
                    }
                }
                State::Ringing => {}
            },
            Some("BYE") => doings.send.push(self.bye(message)),
            Some(_) => doings.send.push(message.response("501 Not Implemented", "", "", "")),
            None => {
                let is_final = message.status().is_some_and(|status| status >= 200);
                if is_final && message.of_method() == "BYE" {
                    let leg = self.legs.iter_mut().find(|leg| leg.tag == message.tag_of_from());
                    if let Some(leg) = leg {
                        leg.bye = None;
                    }
                }
            }
        }
    }

    fn bye(&mut self, message: &Message) -> String {
        let Some(leg) = self.legs.iter_mut().find(|leg| leg.tag == message.tag_of_to()) else {
            return message.response("481 Call Does Not Exist", "", "", "");
        };
        if let Some((branch, answer)) = &leg.byed
            && branch == message.branch()
        {
            return answer.clone();
        }
        let has_credentials = message.header("Proxy-Authorization").is_some();
        let answer = if leg.off_hook && self.script.challenges && !leg.challenged && !has_credentials {
            leg.challenged = true;
            let challenge =
                "Proxy-Authenticate: Digest realm=\"phones\", nonce=\"5ca1ab1e\", algorithm=SHA-256, qop=\"auth\"\r\n";
            message.response("407 Proxy Authentication Required", "", challenge, "")
        } else if leg.off_hook || leg.bye.is_some() {
            leg.off_hook = false;
            message.response("200 OK", "", "", "")
        } else {
            message.response("481 Call Does Not Exist", "", "", "")
        };
        leg.byed = Some((message.branch().to_owned(), answer.clone()));
        answer
    }

    pub(super) fn wake(&mut self, alarm: Alarm, now: Instant, doings: &mut Doings) {
        match alarm {
            Alarm::Answer => self.answer(now, doings),
            Alarm::RepeatAnswer { leg, pause, since } => {
                let Some(at) = self.legs.get(leg).filter(|leg| leg.off_hook && !leg.acked) else {
                    return;
                };
                if now.duration_since(since) >= self.t1 * 64 {
                    // RFC 3261 §13.3.1.4: never ACKed, so the phone ends it.
                    return self.hang_up(leg, now, doings);
                }
                doings.send.push(self.ok(&at.tag));
                let pause = (pause * 2).min(self.t1 * 8);
                doings.later.push((pause, Alarm::RepeatAnswer { leg, pause, since }));
            }
            Alarm::RepeatRefusal { pause, since } => {
                if self.state == (State::Refused { acked: false }) && now.duration_since(since) < self.t1 * 64 {
                    doings.send.push(self.refusal());
                    let pause = (pause * 2).min(self.t1 * 8);
                    doings.later.push((pause, Alarm::RepeatRefusal { pause, since }));
                }
            }
            Alarm::HangUp { leg } => match self.legs.get_mut(leg) {
                Some(at) if !at.acked => at.wants_to_hang_up = true,
                _ => self.hang_up(leg, now, doings),
            },
            Alarm::RepeatBye { leg, pause, since } => {
                let Some(leg_at) = self.legs.get_mut(leg) else { return };
                if now.duration_since(since) >= self.t1 * 64 {
                    leg_at.bye = None;
                } else if let Some(bye) = &leg_at.bye {
                    doings.send.push(bye.clone());
                    let pause = (pause * 2).min(self.t1 * 8);
                    doings.later.push((pause, Alarm::RepeatBye { leg, pause, since }));
                }
            }
            Alarm::Forget => {}
        }
    }

    fn answer(&mut self, now: Instant, doings: &mut Doings) {
        if self.state != State::Ringing {
            return;
        }
        self.state = State::Answered;
        for leg in 0..if self.script.forks { 2 } else { 1 } {
            let tag = self.tag(leg);
            doings.send.push(self.ok(&tag));
            doings.later.push((
                self.t1,
                Alarm::RepeatAnswer {
                    leg,
                    pause: self.t1,
                    since: now,
                },
            ));
            if let Some(after) = self.script.hangs_up_after {
                doings.later.push((after, Alarm::HangUp { leg }));
            }
            self.legs.push(Leg {
                tag,
                off_hook: true,
                acked: false,
                wants_to_hang_up: false,
                challenged: false,
                bye: None,
                byed: None,
            });
        }
    }

    fn hang_up(&mut self, leg: usize, now: Instant, doings: &mut Doings) {
        let Some(at) = self.legs.get_mut(leg).filter(|leg| leg.off_hook) else {
            return;
        };
        at.off_hook = false;
        let header = |name| self.invite.header(name).unwrap_or("");
        let target = header("Contact").split(['<', '>']).nth(1).unwrap_or("");
        let bye = format!(
            "BYE {target} SIP/2.0\r\nVia: {};rport;branch=z9hG4bK{}{leg}\r\nMax-Forwards: 70\r\n\
             From: {};tag={}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n",
            self.home.via(),
            header("Call-ID"),
            header("To"),
            at.tag,
            header("From"),
            header("Call-ID"),
        );
        at.bye = Some(bye.clone());
        doings.send.push(bye);
        self.repeat(
            Alarm::RepeatBye {
                leg,
                pause: self.t1,
                since: now,
            },
            doings,
        );
    }

    /// What a transaction repeats, it does where packets may be lost (RFC 3261 §17); a 2xx is repeated anywhere.
    fn repeat(&self, alarm: Alarm, doings: &mut Doings) {
        if !self.home.transport.is_stream() {
            doings.later.push((self.t1, alarm));
        }
    }

    fn tag(&self, leg: usize) -> String {
        format!("{}p{leg}", self.number)
    }

    fn ringing(&self) -> String {
        let contact = format!("Contact: <{}>\r\n", self.home.contact(&self.number));
        self.invite.response("180 Ringing", &self.tag(0), &contact, "")
    }

    fn refusal(&self) -> String {
        self.invite.response("487 Request Terminated", &self.tag(0), "", "")
    }

    fn ok(&self, tag: &str) -> String {
        let extra = format!(
            "Contact: <{}>\r\nContent-Type: application/sdp\r\n",
            self.home.contact(&self.number)
        );
        let direction = if self.script.takes_no_sound {
            "a=sendonly\r\n"
        } else {
            ""
        };
        self.invite
            .response("200 OK", tag, &extra, &format!("{}{direction}", self.sdp))
    }
}

impl fmt::Debug for PhoneCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PhoneCall")
            .field("number", &self.number)
            .field("state", &self.state)
            .field("legs", &self.legs)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phones::Transport;

    fn request(line: &str, to: &str, branch: &str) -> Message {
        let text = format!(
            "{line} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:1;branch={branch}\r\nFrom: <sip:o@h>;tag=f\r\nTo: {to}\r\n\
             Contact: <sip:o@127.0.0.1:1>\r\nCall-ID: c\r\nCSeq: 1 {}\r\n\r\n",
            line.split(' ').next().unwrap()
        );
        Message::parse(text.as_bytes()).unwrap()
    }

    fn ring() -> PhoneCall {
        let habits = Habits {
            seed: 1,
            t1: Duration::from_millis(500),
            rings_up_to: Duration::ZERO,
            hang_up: 100,
            hang_up_within: Duration::ZERO,
            fork: 0,
            challenge: 0,
            take_sound: 0,
            receive_buffer: super::super::RECEIVE_BUFFER,
        };
        let invite = request("INVITE sip:4711@127.0.0.1", "<sip:4711@h>", "z9hG4bKi");
        let home = Home {
            transport: Transport::Udp,
            address: "127.0.0.1:2".parse().unwrap(),
        };
        PhoneCall::ring(
            invite,
            "4711".to_owned(),
            &habits,
            home,
            String::new(),
            &mut Doings::default(),
        )
    }

    fn sent(doings: &Doings, what: &str) -> bool {
        doings.send.iter().any(|text| text.starts_with(what))
    }

    #[test]
    fn a_phone_without_its_ack_goes_on_repeating_its_answer_and_hangs_up_when_it_has_it() {
        let (mut phone, now) = (ring(), Instant::now());
        let mut doings = Doings::default();
        phone.wake(Alarm::Answer, now, &mut doings);
        phone.wake(Alarm::HangUp { leg: 0 }, now, &mut doings);
        assert!(sent(&doings, "SIP/2.0 200") && !sent(&doings, "BYE"));
        assert_eq!(phone.up(), 1, "off-hook, as far as anybody else can know");

        let mut doings = Doings::default();
        let (pause, since) = (phone.t1, now);
        phone.wake(Alarm::RepeatAnswer { leg: 0, pause, since }, now, &mut doings);
        assert!(sent(&doings, "SIP/2.0 200"));

        let mut doings = Doings::default();
        let tag = phone.tag(0);
        let ack = request(
            "ACK sip:4711@127.0.0.1:2",
            &format!("<sip:4711@h>;tag={tag}"),
            "z9hG4bKa",
        );
        phone.take(&ack, now, &mut doings);
        assert!(sent(&doings, "BYE"));
        assert_eq!(phone.up(), 0);
    }
}
