//! Clients that are gone before they are answered: whoever cannot be told the id has no call, and a hang-up is carried out.

use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use ews::{DisconnectPhoneCall, ItemId, PhoneCallState, PlayOnPhone, ServerVersion};
use onhook::phone::{Phone, PhoneEvent, PhoneOptions, What};
use sip::Transport;
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::exchange::{self, PATIENT};
use crate::peer::Peer;
use crate::program::Program;
use crate::scene::{House, Lock, PATIENCE, PhoneCallId, Plan, Scene, User, request, soon};

/// How a client goes.
#[derive(Clone, Copy, Debug)]
enum Way {
    Close,
    /// It hears on, and sends no more.
    HalfClose,
    Reset,
}

const WAYS: [Way; 3] = [Way::Close, Way::HalfClose, Way::Reset];

/// Sends this and goes so much later. What had come until then, if anything had.
async fn ask_and_go(server: SocketAddr, bytes: &str, after: Duration, way: Way) -> String {
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut heard = Vec::with_capacity(16 * 1024);
    let _ = timeout(after, stream.read_buf(&mut heard)).await;
    match way {
        Way::Close => {}
        Way::HalfClose => {
            let _ = SockRef::from(&stream).shutdown(Shutdown::Write);
            let _ = soon("the end", stream.read_to_end(&mut heard)).await;
        }
        Way::Reset => SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap(),
    }
    String::from_utf8(heard).unwrap()
}

fn play(user: &User, headers: &str, number: &str) -> String {
    let play = PlayOnPhone {
        item_id: ItemId {
            id: user.long.clone(),
            change_key: None,
        },
        dial_string: number.to_owned(),
    };
    request("anna", headers, &play.encode(ServerVersion::EXCHANGE_2013))
}

fn disconnect(id: &PhoneCallId) -> String {
    let disconnect = DisconnectPhoneCall {
        phone_call_id: id.clone(),
    };
    request("anna", "", &disconnect.encode(ServerVersion::EXCHANGE_2013))
}

fn phone_call_id_in(answer: &str) -> Option<PhoneCallId> {
    let (_, id) = answer.split_once("PhoneCallId Id=\"")?;
    Some(PhoneCallId(id.split_once('"')?.0.to_owned()))
}

/// The built server, and a phone that answers soon.
struct Field {
    house: House,
    program: Program,
    phone: Phone,
    events: mpsc::Receiver<PhoneEvent>,
}

impl Field {
    async fn open() -> Self {
        let options = PhoneOptions {
            ring: Duration::from_millis(20),
            ..PhoneOptions::default()
        };
        let (phone, events) = Phone::start(options).unwrap();
        let house = House::build();
        let plan = Plan {
            calls: "max_live_per_mailbox = 8\ndrain_timeout = \"0s\"",
            ..Plan::to(format!("sip:{}", phone.address(Transport::Udp).unwrap()))
        };
        let program = Program::serve(&house, &plan).await;
        Self {
            house,
            program,
            phone,
            events,
        }
    }

    fn http(&self) -> SocketAddr {
        self.program.addresses.http[0].parse().unwrap()
    }

    /// Waits until no phone rings and nobody listens.
    async fn all_on_hook(&mut self) {
        let down = async {
            while self.phone.live_calls() > 0 || self.house.count("SELECT count(*) FROM call") > 0 {
                let _ = timeout(Duration::from_millis(20), self.events.recv()).await;
            }
        };
        soon("all phones to be on-hook", down).await;
    }

    /// Each call was ended by a hang-up, and none by the end of the server.
    async fn end(self) {
        let (status, log) = self.program.terminate().await;
        assert!(status.success(), "{log}");
        assert_eq!(self.house.count("SELECT count(*) FROM cdr WHERE cause = 'drain'"), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_phone_rings_on_for_a_client_that_is_gone() {
    let mut field = Field::open().await;
    let anna = field.program.anna(&field.house);
    // hyper looks out for the end of clients that mean to stay, and of no others.
    let asks = ["", "Connection: close\r\n"].map(|headers| play(&anna, headers, "4711"));
    let mut untold = 0;
    for turn in 0..120_u32 {
        let (after, way) = (Duration::from_micros(u64::from(turn / 3 * 75)), WAYS[turn as usize % 3]);
        // Who closes both halves never learns what was on its way: then there is no answer before. A half tells it all.
        let lock = (!matches!(way, Way::HalfClose)).then(|| Lock::take(&field.house));
        let answer = ask_and_go(field.http(), &asks[turn as usize % 2], after, way).await;
        if let Some(lock) = lock {
            lock.release();
        }
        match phone_call_id_in(&answer) {
            // It was told in time: the call is this client's.
            Some(id) => anna.disconnect(&id).await.unwrap(),
            None => untold += 1,
        }
    }
    assert!(untold >= 80, "{untold}");
    field.all_on_hook().await;
    // And the places of all of them are back.
    for _ in 0..8 {
        let placed = async {
            while let Err(code) = anna.try_play("4711").await {
                assert_eq!(code, "ErrorServerBusy");
            }
        };
        soon("a place", placed).await;
    }
    let (status, log) = field.program.terminate().await;
    assert!(status.success(), "{log}");
    // These eight were up; all others had been hung up.
    assert_eq!(field.house.count("SELECT count(*) FROM cdr WHERE cause = 'drain'"), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_is_carried_out_though_its_client_is_gone() {
    let mut field = Field::open().await;
    let anna = field.program.anna(&field.house);
    for turn in 0..60 {
        let id = anna.play("4711").await;
        let up = async { while !matches!(field.events.recv().await.unwrap().what, What::Acked) {} };
        soon("the phone to be up", up).await;
        let after = Duration::from_micros(u64::from(turn / 3 * 100_u32));
        ask_and_go(field.http(), &disconnect(&id), after, WAYS[turn as usize % 3]).await;
        let down = async { while !matches!(field.events.recv().await.unwrap().what, What::Ended { .. }) {} };
        soon("the phone to be down", down).await;
    }
    field.all_on_hook().await;
    field.end().await;
}

/// The answer waits for the disk, and its client does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_not_sent_when_its_client_has_gone_before_its_intent_is_durable() {
    let mut peer = Peer::bind().await;
    let scene = Scene::open(Plan::to(peer.uri())).await;
    let anna = scene.anna();
    // Who is known costs no hash any more.
    anna.disconnect(&PhoneCallId("none".to_owned())).await.unwrap_err();
    for after in 0..4 {
        let lock = Lock::take(&scene.house);
        let answer = ask_and_go(
            scene.http(),
            &play(&anna, "", "4711"),
            Duration::from_millis(after),
            Way::HalfClose,
        )
        .await;
        assert_eq!(answer, "");
        lock.release();
        while scene.server.live_calls() > 0 {
            tokio::task::yield_now().await;
        }
    }
    peer.nothing_new(scene.sip()).await;
}

/// The next request that has begun hides from hyper that the client has closed, and the first bytes that are written to a
/// closed connection are written well.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_hung_up_when_its_answer_was_written_to_nobody() {
    let mut peer = Peer::bind().await;
    let scene = Scene::open(Plan {
        calls: "ring_limit = \"10m\"",
        ..Plan::to(peer.uri())
    })
    .await;
    let anna = scene.anna();
    for way in [Way::Close, Way::Reset] {
        let lock = Lock::take(&scene.house);
        let ask = play(&anna, "", "4711") + "POST /EWS";
        let asking = ask_and_go(scene.http(), &ask, Duration::from_millis(100), way);
        assert_eq!(asking.await, "", "{way:?}");
        lock.release();
        let invite = peer.expect("INVITE").await;
        peer.reply(&invite, 180).await;
        let cancel = peer.expect("CANCEL").await;
        peer.reply(&cancel, 200).await;
        peer.reply(&invite, 487).await;
        peer.expect("ACK").await;
    }
}

/// It is the server that is late then.
#[tokio::test(flavor = "multi_thread")]
async fn who_goes_as_soon_as_it_has_its_answer_keeps_its_call() {
    let (next_hop, _exchange) = exchange::open().await;
    let scene = Scene::open(Plan {
        calls: "max_live = 1000\nmax_live_per_mailbox = 1000",
        ..Plan::to(next_hop)
    })
    .await;
    let anna = scene.anna();
    let ask = play(&anna, "", PATIENT);
    let mut ids = Vec::new();
    for _ in 0..90 {
        let answer = ask_and_go(scene.http(), &ask, PATIENCE, Way::Close).await;
        let Some(id) = phone_call_id_in(&answer) else {
            panic!("{}: {answer}", ids.len())
        };
        ids.push(id);
    }
    for id in &ids {
        assert_ne!(anna.state(id).await, PhoneCallState::Disconnected);
    }
}
