//! The demonstration: a server, a phone and a client, put together, and one call from beginning to end.

use std::{
    io::Write as _,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use ews::{ConnectionFailureCause, PhoneCallId, PhoneCallInformation, PhoneCallState};
use media::{Heard, Sound};
use sip::Transport;
use tokio::{sync::mpsc, time::timeout};

use super::{
    ladder::{self, Between, Rung, Way},
    verdict::{ALIKE, Verdict},
};
use crate::{
    auth::{self, Caller},
    cli::{Exit, Failure},
    client::{Client, ClientError, Trust},
    config::{Config, Secret},
    phone::{Direction, Ending, Phone, PhoneEvent, PhoneOptions, What},
    server::Server,
    store::{NewMessage, Store, UserName},
};

/// The message that is played: speech of about seven seconds.
const MESSAGE: &[u8] = include_bytes!("../../../assets/this-is-onhook.wav");
const NUMBER: &str = "4711";
const USER: &str = "demo";

const RINGS_FOR: Duration = Duration::from_millis(1500);
/// Into the message, and well before its end: the hang-up comes in the middle.
const LISTENS_FOR: Duration = Duration::from_millis(3500);
/// Longer than anything here may take.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(100);

pub(super) async fn play(save: Option<&Path>) -> Result<Exit, Failure> {
    let folder = tempfile::tempdir()?;
    say("A voice message is played to a phone and hung up in the middle. All of it happens on this machine.\n")?;

    let options = PhoneOptions {
        ring: RINGS_FOR,
        ..PhoneOptions::default()
    };
    let (phone, events) = Phone::start(options).map_err(failed)?;
    let address = phone
        .address(Transport::Udp)
        .ok_or_else(|| failed("the phone has no UDP address"))?;
    let config = config(folder.path(), address)?;
    let (password, item_id) = furnish(&config)?;
    let server = Server::start(&config).await.map_err(failed)?;
    let addresses = server.addresses();
    let http = *addresses
        .http
        .first()
        .ok_or_else(|| failed("the server has no HTTP address"))?;
    say(&format!(
        "  server  http://{http}/EWS/Exchange.asmx, SIP at {}\n  phone   udp:{address}, rings for {:.1} s\n  message {item_id}: {:.1} s of speech\n",
        addresses.sip.join(", "),
        RINGS_FOR.as_secs_f64(),
        sound(8000)?.len() as f64 / 8000.0,
    ))?;

    let client = Client::new(
        &format!("http://{http}/EWS/Exchange.asmx"),
        USER,
        &password,
        &Trust::Public,
    )
    .map_err(failed)?;
    let call = DemoCall {
        client,
        started: Instant::now(),
        events,
        seen: Seen::default(),
        states: Vec::new(),
    };
    let (verdict, heard) = call.perform(&item_id).await?;
    server.stop().await;
    phone.hang_up().await;

    if let (Some(path), Some(heard)) = (save, &heard) {
        heard.save(path).map_err(failed)?;
        say(&format!("\nWhat the phone heard is in {}.", path.display()))?;
    }
    say(&format!("\n{verdict}"))?;
    if verdict.holds() {
        say("The phone is on-hook, and onhook said so only after it was.")?;
        Ok(Exit::Done)
    } else {
        say("Something did not happen: see ✗ above.")?;
        Ok(Exit::Failed)
    }
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
    Failure::new(Exit::Failed, error)
}

fn say(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

fn sound(sample_rate: u32) -> Result<Vec<i16>, Failure> {
    Ok(Sound::decode(MESSAGE, sample_rate, &media::Limits::default())
        .map_err(failed)?
        .samples)
}

/// The configuration an operator would write, with ports that the system chooses.
fn config(folder: &Path, phone: SocketAddr) -> Result<Config, Failure> {
    let text = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[sip]\nlisten = [\"udp:127.0.0.1:0\"]\n[store]\nballast = \"0\"\n\
         [[trunk]]\nname = \"phone\"\nnext_hop = \"sip:{phone}\"\nkeepalive = \"0s\"\n\
         [dial]\nallow = [\"^[0-9]{{2,6}}$\"]\n"
    );
    Ok(Config::parse(&text, &folder.join("onhook.toml"))?)
}

/// One user and one message, as `onhook user add` and `onhook voicemail add` make them.
fn furnish(config: &Config) -> Result<(Secret, String), Failure> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(failed)?;
    let password = Secret::new(random.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let store = Store::open(&config.store.path)?;
    let name: UserName = USER.parse().map_err(failed)?;
    store
        .add_user(&name, &auth::password::hash(&password).map_err(failed)?)
        .map_err(failed)?;
    let facts = media::SoundFacts::read(MESSAGE, &media::Limits::default()).map_err(failed)?;
    let id = store.add_message(&NewMessage {
        owner: &Caller::named(&name).key,
        mailbox: USER,
        name: "this-is-onhook.wav",
        facts: facts.into(),
        audio: MESSAGE,
    })?;
    Ok((password, id.to_string()))
}

/// What the phone has reported so far.
#[derive(Default)]
struct Seen {
    rang: bool,
    answered: Option<media::Codec>,
    /// When the BYE came.
    bye_came: Option<Instant>,
    ended: Option<Ending>,
    heard: Option<std::sync::Arc<Heard>>,
}

struct DemoCall {
    client: Client,
    started: Instant,
    events: mpsc::Receiver<PhoneEvent>,
    seen: Seen,
    /// What EWS has said, without repetitions.
    states: Vec<&'static str>,
}

impl DemoCall {
    async fn perform(mut self, item_id: &str) -> Result<(Verdict, Option<std::sync::Arc<Heard>>), Failure> {
        let mut verdict = Verdict::default();
        say(&ladder::head())?;

        self.soap(Way::Right, &format!("PlayOnPhone to {NUMBER}"))?;
        let item = item_id.to_owned();
        let id = self.ask(move |client| client.play_on_phone(&item, NUMBER)).await?;
        self.soap(
            Way::Left,
            &format!("NoError, PhoneCallId {}…", id.0.get(..6).unwrap_or_default()),
        )?;
        verdict.check("PlayOnPhone placed a call", !id.0.is_empty(), "NoError");

        let connected = self.follow(&id, PhoneCallState::Connected).await?;
        verdict.check(
            "the phone rang",
            self.seen.rang,
            if self.seen.rang { "ringing" } else { "silent" },
        );
        verdict.check(
            "the phone answered",
            self.seen.answered.is_some(),
            self.seen.answered.map_or("no".to_owned(), |codec| codec.to_string()),
        );
        verdict.check("EWS followed the call", connected.is_some(), self.states.join(", "));

        self.show_events_for(LISTENS_FOR).await?;
        self.soap(Way::Right, "DisconnectPhoneCall")?;
        let call = id.clone();
        let ended = self.ask(move |client| client.disconnect(&call)).await;
        let answered = Instant::now();
        self.show_events_until(|seen| seen.ended.is_some()).await?;
        self.soap(Way::Left, if ended.is_ok() { "NoError" } else { "an error" })?;
        verdict.check(
            "DisconnectPhoneCall succeeded",
            ended.is_ok(),
            ended.err().map_or("NoError".to_owned(), |error| error.to_string()),
        );
        // The promise: when onhook says so, it is so already.
        let before = self
            .seen
            .bye_came
            .and_then(|bye_came| answered.checked_duration_since(bye_came));
        verdict.check(
            "the phone was on-hook when it did",
            before.is_some() && self.seen.ended == Some(Ending::CallerHungUp),
            before.map_or("no".to_owned(), |before| {
                format!("BYE {:.1} ms before", before.as_secs_f64() * 1000.0)
            }),
        );

        let last = self.follow(&id, PhoneCallState::Disconnected).await?;
        let cause = last.map(|information| information.failure_cause);
        verdict.check(
            "EWS says Disconnected, and no failure",
            cause == Some(ConnectionFailureCause::None),
            cause.map_or("nothing".to_owned(), |cause| {
                format!("ConnectionFailureCause {cause:?}")
            }),
        );
        self.judge_sound(&mut verdict)?;
        Ok((verdict, self.seen.heard))
    }

    fn judge_sound(&self, verdict: &mut Verdict) -> Result<(), Failure> {
        let what = "the phone heard the message, up to the hang-up";
        let Some(heard) = &self.seen.heard else {
            verdict.check(what, false, "nothing");
            return Ok(());
        };
        let message = sound(heard.sample_rate)?;
        let score = media::compare::likeness(&message, &heard.samples).map_or(0.0, |likeness| likeness.score);
        let length = heard.duration();
        let in_the_middle = length > LISTENS_FOR / 2 && heard.samples.len() < message.len();
        let seen = format!(
            "{:.2} s in {} packets, {:.0} % alike",
            length.as_secs_f64(),
            heard.stats.packets,
            score * 100.0
        );
        verdict.check(what, score >= ALIKE && in_the_middle, seen);
        Ok(())
    }

    /// Asks in short intervals until EWS reports `state`, and draws each answer that differs from the one before.
    async fn follow(
        &mut self,
        id: &PhoneCallId,
        state: PhoneCallState,
    ) -> Result<Option<PhoneCallInformation>, Failure> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let call = id.clone();
            let information = self.ask(move |client| client.information(&call)).await?;
            self.show_events_at_hand()?;
            let name = information.state.name();
            if self.states.last() != Some(&name) {
                self.states.push(name);
                self.soap(Way::Left, &format!("GetPhoneCallInformation: {name}"))?;
            }
            if information.state == state {
                return Ok(Some(information));
            }
            self.show_events_for(POLL).await?;
        }
        Ok(None)
    }

    /// One SOAP exchange, on a thread of its own, as the client is not asynchronous. The phone is watched meanwhile.
    async fn ask<T: Send + 'static>(
        &mut self,
        ask: impl FnOnce(Client) -> Result<T, ClientError> + Send + 'static,
    ) -> Result<T, Failure> {
        let client = self.client.clone();
        let mut asking = tokio::task::spawn_blocking(move || ask(client));
        loop {
            tokio::select! {
                answer = &mut asking => return answer.map_err(failed)?.map_err(failed),
                Some(event) = self.events.recv() => self.show(event)?,
            }
        }
    }

    async fn show_events_for(&mut self, duration: Duration) -> Result<(), Failure> {
        let deadline = tokio::time::Instant::now() + duration;
        while let Ok(Some(event)) = timeout(
            deadline.saturating_duration_since(tokio::time::Instant::now()),
            self.events.recv(),
        )
        .await
        {
            self.show(event)?;
        }
        Ok(())
    }

    async fn show_events_until(&mut self, enough: impl Fn(&Seen) -> bool) -> Result<(), Failure> {
        while !enough(&self.seen) {
            match timeout(PATIENCE, self.events.recv()).await {
                Ok(Some(event)) => self.show(event)?,
                Ok(None) | Err(_) => break,
            }
        }
        Ok(())
    }

    fn show_events_at_hand(&mut self) -> Result<(), Failure> {
        while let Ok(event) = self.events.try_recv() {
            self.show(event)?;
        }
        Ok(())
    }

    fn show(&mut self, event: PhoneEvent) -> Result<(), Failure> {
        match event.what {
            What::Message(direction, label) => {
                let way = match direction {
                    Direction::Received => Way::Right,
                    Direction::Sent => Way::Left,
                };
                if direction == Direction::Received && label.starts_with("BYE") {
                    self.seen.bye_came = Some(event.at);
                }
                self.draw(Rung {
                    at: event.at,
                    between: Between::OnhookAndPhone,
                    way,
                    label: in_short(&label),
                })?;
            }
            What::Ringing => self.seen.rang = true,
            What::Answered { codec } => self.seen.answered = codec,
            What::Ended { why, heard } => {
                self.seen.ended = Some(why);
                self.seen.heard = heard;
            }
            What::Invited { .. } | What::Acked | What::Heard | What::Changed { .. } => {}
        }
        Ok(())
    }

    fn soap(&self, way: Way, label: &str) -> Result<(), Failure> {
        self.draw(Rung {
            at: Instant::now(),
            between: Between::ClientAndOnhook,
            way,
            label: label.to_owned(),
        })
    }

    fn draw(&self, rung: Rung) -> Result<(), Failure> {
        say(&rung.draw(self.started))
    }
}

/// `INVITE` for `INVITE sip:4711@…`, `200 OK` for `200 OK (INVITE)`.
fn in_short(message: &str) -> String {
    let end = message
        .find(" sip:")
        .or_else(|| message.find(" ("))
        .unwrap_or(message.len());
    message[..end].to_owned()
}
