//! EWS clients that ask for little of the cores: each a thread with one connection, one request at a time.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, SystemTime},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ews::{DisconnectPhoneCall, GetPhoneCallInformation, ItemId, PhoneCallId, PlayOnPhone, ServerVersion};
use proving::client::Access;

use crate::{BenchError, farm};

/// Stands in a request where the number or the id will.
const PLACEHOLDER: &str = "0-placeholder-0";
/// No answer takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A call that is up.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) phone: usize,
    pub(crate) id: String,
}

/// A request and its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) at: SystemTime,
    pub(crate) took: Duration,
}

pub(crate) struct Client {
    stream: TcpStream,
    play: [String; 2],
    information: [String; 2],
    disconnect: [String; 2],
    host: String,
    request: String,
    answer: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(access: &Access) -> Result<Self, BenchError> {
        let stream = TcpStream::connect(access.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let credentials = BASE64_STANDARD.encode(format!("{}:{}", access.user, access.password));
        let phone_call_id = PhoneCallId(PLACEHOLDER.to_owned());
        let version = ServerVersion::EXCHANGE_2013;
        let item_id = ItemId {
            id: access.item_id.clone(),
            change_key: None,
        };
        let dial_string = PLACEHOLDER.to_owned();
        Ok(Self {
            stream,
            play: halves(&PlayOnPhone { item_id, dial_string }.encode(version)),
            information: halves(
                &GetPhoneCallInformation {
                    phone_call_id: phone_call_id.clone(),
                }
                .encode(version),
            ),
            disconnect: halves(&DisconnectPhoneCall { phone_call_id }.encode(version)),
            host: format!(
                "POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: {}\r\nAuthorization: Basic {credentials}\r\n\
                 Content-Type: text/xml; charset=utf-8\r\nContent-Length: ",
                access.address
            ),
            request: String::new(),
            answer: Vec::with_capacity(4096),
        })
    }

    /// Rings this phone.
    pub(crate) fn play(&mut self, phone: usize) -> Result<(Held, Asked), BenchError> {
        let body = self.play.join(&farm::number(phone));
        let asked = self.ask(&body)?;
        let text = String::from_utf8_lossy(&self.answer);
        let id = text
            .split_once("PhoneCallId Id=\"")
            .and_then(|(_, rest)| Some(rest.split_once('"')?.0));
        let id = id
            .ok_or_else(|| BenchError::Answer(text.clone().into_owned()))?
            .to_owned();
        Ok((Held { phone, id }, asked))
    }

    /// Whether it is `Connected`.
    pub(crate) fn is_connected(&mut self, held: &Held) -> Result<(bool, Asked), BenchError> {
        let body = self.information.join(&held.id);
        let asked = self.ask(&body)?;
        Ok((contains(&self.answer, b">Connected<"), asked))
    }

    pub(crate) fn disconnect(&mut self, held: &Held) -> Result<Asked, BenchError> {
        let body = self.disconnect.join(&held.id);
        self.ask(&body)
    }

    /// One request; its answer is a success, else that is an error.
    fn ask(&mut self, body: &str) -> Result<Asked, BenchError> {
        self.request.clear();
        self.request.push_str(&self.host);
        self.request.push_str(&body.len().to_string());
        self.request.push_str("\r\n\r\n");
        self.request.push_str(body);
        let at = SystemTime::now();
        self.stream.write_all(self.request.as_bytes())?;
        self.answer.clear();
        let mut chunk = [0; 4096];
        let mut whole = None;
        while whole.is_none_or(|whole| self.answer.len() < whole) {
            let read = self.stream.read(&mut chunk)?;
            if read == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            self.answer.extend_from_slice(&chunk[..read]);
            whole = whole.or_else(|| length(&self.answer));
        }
        let took = at.elapsed().unwrap_or_default();
        if contains(&self.answer, b"NoError") {
            Ok(Asked { at, took })
        } else {
            Err(BenchError::Answer(String::from_utf8_lossy(&self.answer).into_owned()))
        }
    }
}

fn halves(request: &str) -> [String; 2] {
    let (before, after) = request.split_once(PLACEHOLDER).unwrap_or((request, ""));
    [before.to_owned(), after.to_owned()]
}

fn contains(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len()).any(|window| window == what)
}

/// How long the answer is with its head, once that is whole.
fn length(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let text = str::from_utf8(&answer[..head]).ok()?;
    let length = text.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().ok())?
    });
    Some(head + 4 + length.unwrap_or(0))
}

/// So many clients do the same with each of these, one after the other as they are free.
pub(crate) fn each<T: Sync, D: Send>(
    access: &Access,
    clients: usize,
    with: &[T],
    act: impl Fn(&mut Client, &T) -> Result<D, BenchError> + Sync,
) -> Result<Vec<D>, BenchError> {
    let (next, all) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(with.len())));
    // Connections are there before the first of them asks.
    let ready = (0..clients)
        .map(|_| Client::connect(access))
        .collect::<Result<Vec<_>, _>>()?;
    thread::scope(|scope| {
        let acting: Vec<_> = ready
            .into_iter()
            .map(|mut client| {
                let (next, all, act) = (&next, &all, &act);
                scope.spawn(move || {
                    let mut done = Vec::new();
                    while let Some(one) = with.get(next.fetch_add(1, Relaxed)) {
                        done.push(act(&mut client, one)?);
                    }
                    all.lock().unwrap_or_else(PoisonError::into_inner).extend(done);
                    Ok::<_, BenchError>(())
                })
            })
            .collect();
        for client in acting {
            client
                .join()
                .map_err(|_| BenchError::Stuck("a client has panicked"))??;
        }
        Ok::<_, BenchError>(())
    })?;
    Ok(all.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Rings these phones.
pub(crate) fn place(
    access: &Access,
    clients: usize,
    phones: impl Iterator<Item = usize>,
) -> Result<Vec<Held>, BenchError> {
    let phones: Vec<usize> = phones.collect();
    let mut held = each(access, clients, &phones, |client, phone| Ok(client.play(*phone)?.0))?;
    held.sort_by_key(|held| held.phone);
    Ok(held)
}

/// Hangs all of these up: the calls and what each request took.
pub(crate) fn hang_up(access: &Access, clients: usize, calls: &[Held]) -> Result<Vec<(usize, Asked)>, BenchError> {
    each(access, clients, calls, |client, held| {
        Ok((held.phone, client.disconnect(held)?))
    })
}
