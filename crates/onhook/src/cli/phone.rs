//! `onhook phone`: a small real SIP phone.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use media::{Codec, Heard};
use serde_json::json;
use sip::Transport;
use tokio::sync::mpsc;

use super::{Exit, Failure};
use crate::{
    config::{Period, ValueError},
    net::Listener,
    phone::{Behaviour, Phone, PhoneEvent, PhoneOptions, What},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
What happens is told on standard error, a line each; with --json on standard output, one JSON object a line. \
Ctrl-C hangs up every call and ends the phone.

Examples:
  onhook phone --listen 127.0.0.1:5061 --ring 1s --save heard.wav
  onhook phone --listen 127.0.0.1:5061 --busy
  onhook phone --codec g722 --hang-up-after 3s --json")]
pub(super) struct Args {
    /// The address to listen on, by UDP and by TCP
    #[arg(long, default_value = "127.0.0.1:5061")]
    listen: SocketAddr,

    /// How long to ring before answering
    #[arg(long, default_value = "1s", value_parser = duration, value_name = "TIME")]
    ring: Duration,

    /// Answer every call with 486 Busy Here
    #[arg(long, group = "refusal")]
    busy: bool,

    /// Ring and never answer
    #[arg(long, group = "refusal")]
    no_answer: bool,

    /// Answer every call with 603 Decline
    #[arg(long, group = "refusal")]
    decline: bool,

    /// Hang up this long after answering
    #[arg(long, value_parser = duration, value_name = "TIME", conflicts_with = "refusal")]
    hang_up_after: Option<Duration>,

    /// The codecs to take; the caller's order decides between them
    #[arg(long, value_parser = codec, value_delimiter = ',', default_value = "pcmu,pcma,g722")]
    codec: Vec<Codec>,

    /// Save what is heard to this WAV file (one file per call, numbered from the second on)
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,

    /// Print what happens as JSON
    #[arg(long)]
    json: bool,
}

fn duration(text: &str) -> Result<Duration, ValueError> {
    text.parse().map(|Period(duration)| duration)
}

fn codec(name: &str) -> Result<Codec, &'static str> {
    Codec::from_encoding_name(name).ok_or("one of pcmu, pcma and g722")
}

pub(super) fn run(args: Args) -> Result<Exit, Failure> {
    let behaviour = match &args {
        Args { busy: true, .. } => Behaviour::Busy,
        Args { decline: true, .. } => Behaviour::Decline,
        Args { no_answer: true, .. } => Behaviour::NoAnswer,
        _ => Behaviour::Answer,
    };
    let listener = |transport| Listener {
        transport,
        address: args.listen,
    };
    let options = PhoneOptions {
        listeners: vec![listener(Transport::Udp), listener(Transport::Tcp)],
        behaviour,
        ring: args.ring,
        codecs: args.codec,
        hang_up_after: args.hang_up_after,
        ..PhoneOptions::default()
    };
    let report = Report {
        began: Instant::now(),
        save: args.save,
        json: args.json,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let (phone, mut events) = Phone::start(options).map_err(|error| Failure::new(Exit::Failed, error))?;
        report.listening(&phone)?;
        let followed = tokio::select! {
            followed = report.follow(&mut events) => followed,
            interrupted = interrupt() => interrupted.map_err(Failure::from),
        };
        // The calls end while their last events are still being told, also when nobody reads them any more.
        let (rest, ()) = tokio::join!(report.follow(&mut events), phone.hang_up());
        followed.and(rest)
    })?;
    Ok(Exit::Done)
}

/// Ctrl-C, or the signal of a service manager.
async fn interrupt() -> io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed,
        _ = terminate.recv() => Ok(()),
    }
}

/// Tells a person or a script what happens, and saves what was heard.
struct Report {
    began: Instant,
    save: Option<PathBuf>,
    json: bool,
}

impl Report {
    fn listening(&self, phone: &Phone) -> io::Result<()> {
        for transport in [Transport::Udp, Transport::Tcp] {
            let Some(address) = phone.address(transport) else {
                continue;
            };
            if self.json {
                let line = json!({ "event": "listening", "transport": transport.as_str(), "address": address });
                writeln!(io::stdout(), "{line}")?;
            } else {
                writeln!(io::stderr(), "listening on {transport}:{address}")?;
            }
        }
        Ok(())
    }

    /// Until the phone is off and everything is told.
    async fn follow(&self, events: &mut mpsc::Receiver<PhoneEvent>) -> Result<(), Failure> {
        while let Some(event) = events.recv().await {
            self.tell(&event)?;
        }
        Ok(())
    }

    fn tell(&self, event: &PhoneEvent) -> Result<(), Failure> {
        let seconds = event.at.duration_since(self.began).as_secs_f64();
        let saved = match (&event.what, &self.save) {
            (What::Ended { heard: Some(heard), .. }, Some(path)) => Some(save(heard, path, event.call)?),
            _ => None,
        };
        if self.json {
            let mut line = fields(&event.what);
            line["call"] = event.call.into();
            line["at"] = ((seconds * 1000.0).round() / 1000.0).into();
            if let Some(path) = &saved {
                line["saved"] = path.to_string_lossy().into();
            }
            writeln!(io::stdout(), "{line}")?;
        } else {
            writeln!(io::stderr(), "{seconds:9.3}  #{}  {}", event.call, event.what)?;
            if let Some(path) = &saved {
                writeln!(io::stderr(), "{:9}  #{}  saved {}", "", event.call, path.display())?;
            }
        }
        Ok(())
    }
}

fn fields(what: &What) -> serde_json::Value {
    match what {
        What::Message(direction, line) => json!({ "event": "message", "direction": direction.as_str(), "line": line }),
        What::Invited {
            from,
            number,
            call_id,
            source,
            transport,
        } => json!({
            "event": "invited", "from": from, "number": number, "sip_call_id": call_id, "source": source,
            "transport": transport.as_str(),
        }),
        What::Ringing => json!({ "event": "ringing" }),
        What::Answered { codec } => json!({ "event": "answered", "codec": codec.map(Codec::encoding_name) }),
        What::Acked => json!({ "event": "acked" }),
        What::Heard => json!({ "event": "heard" }),
        What::Changed { codec, listening } => {
            json!({ "event": "changed", "codec": codec.encoding_name(), "listening": listening })
        }
        What::Ended { why, heard } => json!({
            "event": "ended",
            "why": why.to_string(),
            "heard": heard.as_ref().map(|heard| json!({
                "seconds": heard.duration().as_secs_f64(),
                "sample_rate": heard.sample_rate,
                "packets": heard.stats.packets,
                "lost": heard.stats.lost,
                "keys": heard.keys,
            })),
        }),
    }
}

/// `heard.wav` for the first call, `heard-2.wav` for the second.
fn save(heard: &Heard, path: &Path, call: u32) -> Result<PathBuf, Failure> {
    let path = match call {
        1 => path.to_owned(),
        number => {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let extension = path
                .extension()
                .map_or_else(String::new, |it| format!(".{}", it.to_string_lossy()));
            path.with_file_name(format!("{stem}-{number}{extension}"))
        }
    };
    heard
        .save(&path)
        .map_err(|error| Failure::new(Exit::Failed, format!("{}: {error}", path.display())))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_call_has_a_file_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let heard = Heard {
            sample_rate: 8000,
            samples: vec![1; 160],
            ..Heard::default()
        };
        let path = folder.path().join("heard.wav");
        assert_eq!(save(&heard, &path, 1).unwrap(), path);
        assert_eq!(save(&heard, &path, 2).unwrap(), folder.path().join("heard-2.wav"));
        assert!(folder.path().join("heard-2.wav").exists());
        assert!(save(&heard, &folder.path().join("no/such/folder.wav"), 1).is_err());
    }
}
