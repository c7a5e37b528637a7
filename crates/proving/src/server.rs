//! The server as an operator has it: the built program, a configuration file, a store, one user and one message.

use std::{
    io::Write as _,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use rusqlite::{Connection, OpenFlags};
use serde::Deserialize;
use tempfile::TempDir;
use tokio::{
    net::TcpSocket,
    process::{Child, Command},
    time::sleep,
};

use crate::{ProvingError, certificates::Certificates, client::Access, phones::Transport};

/// Below those that the system gives to whoever asks for any.
const RTP_PORTS: RangeInclusive<u16> = 10_000..=30_999;
/// What [`Site::another`] has of the first, if it is there: a server that was killed leaves some of its store in the log.
const FURNITURE: [&str; 3] = ["onhook.db", "onhook.db-wal", "message.wav"];
const USER: &str = "proving";
const PASSWORD: &str = "proving-ground";
/// How long a start may take before it is called a failure.
const START: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(5);

/// What differs between runs.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The program to prove.
    pub onhook: PathBuf,
    /// SIP's T1; T2 and T4 keep their proportion to it.
    pub t1: Duration,
    pub max_live: usize,
    /// Where calls have their sound from: an even port, and the odd one after it.
    pub rtp_ports: RangeInclusive<u16>,
    /// How long DisconnectPhoneCall waits for the phone to confirm.
    pub disconnect_wait: Duration,
    /// What it speaks with the phones over.
    pub transport: Transport,
    /// Needed for TLS.
    pub certificates: Option<Arc<Certificates>>,
}

impl Setting {
    /// The server's own, when nothing is said.
    pub const DISCONNECT_WAIT: Duration = Duration::from_secs(2);

    /// Ports for the `nth` of `all` servers that run at a time.
    #[must_use]
    pub fn rtp_ports(nth: u64, all: u64) -> RangeInclusive<u16> {
        let pairs = u64::from(RTP_PORTS.end() - RTP_PORTS.start()).div_ceil(2) / all.max(1);
        let first = u64::from(*RTP_PORTS.start()) + 2 * pairs * nth;
        let port = |number| u16::try_from(number).unwrap_or(u16::MAX);
        port(first)..=port(first + 2 * pairs - 1)
    }
}

/// The folder in which a server lives, and its successors after it.
pub struct Site {
    folder: TempDir,
    setting: Setting,
    sip: SocketAddr,
    phones: SocketAddr,
    item_id: String,
    /// Bound to the port of the server, and never listening: else the system gives it to some client's connection before the server is there.
    _reserved: Option<TcpSocket>,
}

/// The caps that are not what is proved here.
const CAPS: &str = "max_live_per_trunk = 100000\nstarts_per_second_per_trunk = 1000000\nstarts_per_minute_per_mailbox = 1000000\n\
    starts_per_hour_per_mailbox = 1000000\nminutes_per_day_per_mailbox = 1000000\n\
    starts_per_minute_per_address = 1000000\nstarts_per_ten_minutes_per_number = 1000000";

impl Site {
    /// Writes the configuration and fills the store by onhook's own commands. Calls go to `phones`.
    ///
    /// # Errors
    /// When the program cannot be run or refuses.
    pub async fn furnish(setting: Setting, phones: SocketAddr) -> Result<Self, ProvingError> {
        let (sip, reserved) = if setting.transport.is_stream() {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseaddr(true)?;
            socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
            (socket.local_addr()?, Some(socket))
        } else {
            (UdpSocket::bind("127.0.0.1:0")?.local_addr()?, None)
        };
        let site = Self {
            _reserved: reserved,
            ..Self::empty(setting, phones, sip)?
        };
        std::fs::write(site.path("message.wav"), tone())?;
        site.run(&["user", "add", USER], &format!("{PASSWORD}\n")).await?;
        let message = site.path("message.wav").display().to_string();
        let item_id = site.run(&["voicemail", "add", "--mailbox", USER, &message], "").await?;
        Ok(Self { item_id, ..site })
    }

    fn empty(setting: Setting, phones: SocketAddr, sip: SocketAddr) -> Result<Self, ProvingError> {
        let site = Self {
            folder: tempfile::tempdir()?,
            setting,
            sip,
            phones,
            item_id: String::new(),
            _reserved: None,
        };
        let (t1, max_live, ports) = (
            site.setting.t1.as_millis(),
            site.setting.max_live,
            &site.setting.rtp_ports,
        );
        // Earlier programs, which are measured beside this one, do not know it.
        let disconnect_wait = match site.setting.disconnect_wait {
            Setting::DISCONNECT_WAIT => String::new(),
            other => format!("disconnect_wait = \"{}ms\"\n", other.as_millis()),
        };
        let tls = match &site.setting.certificates {
            Some(certificates) => {
                certificates.write(site.folder.path())?;
                "[sip.tls]\ncert = \"sip.crt\"\nkey = \"sip.key\"\nca = \"ca.crt\"\n"
            }
            None => "",
        };
        let transport = site.setting.transport;
        let next_hop = transport.uri(None, phones);
        let text = format!(
            "[http]\nlisten = \"127.0.0.1:0\"\n\
             [sip]\nlisten = [\"{transport}:{}\"]\n{tls}[sip.timers]\nt1 = \"{t1}ms\"\nt2 = \"{}ms\"\nt4 = \"{}ms\"\n\
             [media]\nrtp_ports = \"{}-{}\"\n\
             [[trunk]]\nname = \"phones\"\nnext_hop = \"{next_hop}\"\nkeepalive = \"0s\"\n\
             username = \"proving\"\npassword = \"{PASSWORD}\"\n\
             [store]\nballast = \"1 MiB\"\n\
             [calls]\nmax_live = {max_live}\nmax_live_per_mailbox = {max_live}\n{disconnect_wait}{CAPS}\n\
             [dial]\nallow = [\"^[0-9]{{2,12}}$\"]\n[log]\nlevel = \"warn\"\n",
            site.sip,
            t1 * 8,
            t1 * 10,
            ports.start(),
            ports.end(),
        );
        std::fs::write(site.path("onhook.toml"), text)?;
        Ok(site)
    }

    /// A site with all that is in this one, and the same addresses: only one of the two may serve at a time.
    ///
    /// # Errors
    /// When files cannot be copied.
    pub fn another(&self) -> Result<Self, ProvingError> {
        let other = Self::empty(self.setting.clone(), self.phones, self.sip)?;
        for name in FURNITURE {
            if self.path(name).exists() {
                std::fs::copy(self.path(name), other.path(name))?;
            }
        }
        Ok(Self {
            item_id: self.item_id.clone(),
            ..other
        })
    }

    /// Puts the live calls of another site, whose server is dead, into this one's journal, as calls of an earlier life.
    ///
    /// # Errors
    /// When one of the stores cannot be used.
    pub fn take_over_calls(&self, other: &Self) -> Result<(), ProvingError> {
        let connection = Connection::open(self.path("onhook.db"))?;
        connection.execute("ATTACH ?1 AS other", [other.path("onhook.db").display().to_string()])?;
        connection.execute_batch(
            "BEGIN IMMEDIATE;
             CREATE TEMP TABLE shift AS SELECT max(k) AS by FROM (SELECT 0 AS k UNION ALL SELECT k FROM call);
             INSERT INTO call (k, id_hash, intent) SELECT k + by, id_hash, intent FROM other.call, shift;
             INSERT INTO call_state (k, phase, wish, dialog)
                 SELECT k + by, phase, wish, dialog FROM other.call_state, shift;
             UPDATE incarnation SET last = last + (SELECT last FROM other.incarnation);
             COMMIT",
        )?;
        Ok(())
    }

    /// Puts so many records of calls into the store that ended long ago, within the time for which records are kept.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub fn add_old_records(&self, records: u64) -> Result<(), ProvingError> {
        let connection = Connection::open(self.path("onhook.db"))?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        // Two gigabytes: what is random goes into an index.
        connection.pragma_update(None, "cache_size", -2_000_000)?;
        connection.execute(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
             INSERT INTO cdr (k, id_hash, owner, started, ended, cause, record)
                 SELECT n - 1 - ?1, randomblob(32), randomblob(32), at - 30000, at, 'finished', CAST(printf(
                     '{\"trunk\":\"phones\",\"to\":\"sip:%d@127.0.0.1\",\"call_id\":\"%s\",\"rang\":true,\"answered\":true,'
                     || '\"end\":{\"cause\":{\"Wished\":\"Finished\"},\"confirmed\":true},\"refusal\":null}', n, hex(randomblob(16))) AS BLOB)
                 FROM (SELECT n, (unixepoch() - 86400 * 2 - (?1 - n) * 86400 * 80 / ?1) * 1000 AS at FROM n)",
            [i64::try_from(records).unwrap_or(i64::MAX)],
        )?;
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }

    /// Where the server listens for SIP.
    #[must_use]
    pub const fn sip(&self) -> SocketAddr {
        self.sip
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where the server's warnings went.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.path("onhook.log")
    }

    async fn run(&self, arguments: &[&str], input: &str) -> Result<String, ProvingError> {
        let input_path = self.path("input");
        std::fs::write(&input_path, input)?;
        let output = Command::new(&self.setting.onhook)
            .args(arguments)
            .arg("--config")
            .arg(self.path("onhook.toml"))
            .stdin(std::fs::File::open(input_path)?)
            .output()
            .await?;
        if !output.status.success() {
            return Err(ProvingError::Command {
                command: arguments.join(" "),
                said: String::from_utf8_lossy(&output.stderr).into_owned(),
            });
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Starts a server here and waits until it is ready.
    ///
    /// `crash_point` is one that a program built with the feature `crash-points` dies at: `after-wish:3`.
    ///
    /// # Errors
    /// When it ends before, or takes longer than a minute.
    pub async fn serve(&self, crash_point: Option<&str>) -> Result<Serving, ProvingError> {
        let ready_file = self.path("ready");
        let _ = std::fs::remove_file(&ready_file);
        let log = std::fs::File::options().create(true).append(true).open(self.log())?;
        let started = Instant::now();
        let mut command = Command::new(&self.setting.onhook);
        command
            .args(["serve", "--config"])
            .arg(self.path("onhook.toml"))
            .arg("--ready-file")
            .arg(&ready_file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true);
        if let Some(point) = crash_point {
            command.env("ONHOOK_CRASH_POINT", point);
        }
        let mut child = command.spawn()?;
        let said = || std::fs::read_to_string(self.log()).unwrap_or_default();
        loop {
            if let Ok(text) = std::fs::read(&ready_file) {
                let ready: Ready = serde_json::from_slice(&text).map_err(std::io::Error::other)?;
                let address = *ready.http.first().ok_or_else(|| ProvingError::NotReady(said()))?;
                let access = Access {
                    address,
                    user: USER,
                    password: PASSWORD.to_owned(),
                    item_id: self.item_id.clone(),
                };
                return Ok(Serving { child, access, started });
            }
            if child.try_wait()?.is_some() || started.elapsed() > START {
                return Err(ProvingError::NotReady(said()));
            }
            sleep(POLL).await;
        }
    }

    /// What the store's call detail records say.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn records(&self) -> Result<Records, ProvingError> {
        read_records(&self.path("onhook.db"))
    }
}

/// A running server. It is killed when this is dropped.
pub struct Serving {
    child: Child,
    /// How to ask it.
    pub access: Access,
    /// When its process was started.
    pub started: Instant,
}

impl Serving {
    /// The server's process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// SIGKILL, and the end of the process awaited.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn kill(mut self) -> Result<(), ProvingError> {
        Ok(self.child.kill().await?)
    }

    /// Waits until it ends by itself; `None` when it does not within `patience`.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn ended(&mut self, patience: Duration) -> Result<Option<ExitStatus>, ProvingError> {
        match tokio::time::timeout(patience, self.child.wait()).await {
            Ok(status) => Ok(Some(status?)),
            Err(_) => Ok(None),
        }
    }
}

/// The part of `--ready-file` that is needed.
#[derive(Deserialize)]
struct Ready {
    http: Vec<SocketAddr>,
}

/// Counts over the store's tables of calls.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// Calls that have ended.
    pub ended: u32,
    /// Of these, the ones whose end the far end has not confirmed.
    pub unconfirmed: u32,
    /// What these have in common: cause, how far they came, and how many there are, the most frequent first.
    pub unconfirmed_because: Vec<(String, u32)>,
    /// Calls without an end.
    pub open: u32,
}

fn read_records(store: &Path) -> Result<Records, ProvingError> {
    let mut connection = Connection::open_with_flags(store, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    // All of one moment: a call that ends in between would be in neither table.
    let connection = connection.transaction()?;
    let count = |of: &str| connection.query_row(&format!("SELECT count(*) FROM {of}"), [], |row| row.get::<_, u32>(0));
    let unconfirmed_because = connection
        .prepare(
            "WITH ended AS (SELECT cause, CAST(record AS TEXT) AS record FROM cdr)
             SELECT cause || CASE WHEN record ->> 'answered' THEN ', answered' WHEN record ->> 'rang' THEN ', rang'
                             ELSE ', silent' END AS kind, count(*)
             FROM ended WHERE NOT record ->> '$.end.confirmed' GROUP BY kind ORDER BY 2 DESC",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Records {
        ended: count("cdr")?,
        unconfirmed: unconfirmed_because.iter().map(|(_, count)| count).sum(),
        unconfirmed_because,
        open: count("call")?,
    })
}

/// Twenty seconds of a quiet hum, 8 kHz, 16 bits: longer than any call here is listened to.
fn tone() -> Vec<u8> {
    const RATE: u32 = 8000;
    let samples = (0..RATE * 20).map(|n| if n / 20 % 2 == 0 { 1000_i16 } else { -1000 });
    let data: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
    let mut wav = Vec::with_capacity(data.len() + 44);
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let _ = wav.write_all(b"RIFF");
    let _ = wav.write_all(&(length + 36).to_le_bytes());
    let _ = wav.write_all(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    let _ = wav.write_all(&RATE.to_le_bytes());
    let _ = wav.write_all(&(RATE * 2).to_le_bytes());
    let _ = wav.write_all(b"\x02\0\x10\0data");
    let _ = wav.write_all(&length.to_le_bytes());
    let _ = wav.write_all(&data);
    wav
}
