//! `onhook play`: ask a server for PlayOnPhone, and follow the call if wanted.

use std::io::{self, Write as _};
use std::time::Duration;

use ews::{ConnectionFailureCause, PhoneCallId, PhoneCallInformation, PhoneCallState};
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::call_report::{CallReport, line};
use super::progress::Progress;
use super::{Exit, Failure, ServerArgs};
use crate::client::{Client, ClientError};
use crate::config::Period;

/// How often the server is asked how the call is going.
const POLL: Duration = Duration::from_millis(500);
/// How often in a row it may be out of reach before we give up following.
const LOST_POLLS: u32 = 20;

const EXIT_CODES: &str = "\
Standard output gets the call's id, one line, as soon as there is one; or with --json an object, with --wait at the end \
of the call. Everything else goes to standard error.

Exit codes: 0 the call was placed (with --wait: and has ended without a failure), 1 failed, 2 wrong usage, 3 refused by \
the server, 4 wrong user or password, 5 server unreachable, 6 the phone was not answered (busy, no answer, unavailable), \
130 hung up by Ctrl-C.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// The voice message, as `onhook voicemail add` printed it
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    item_id: String,

    /// The number to call
    #[arg(long, value_name = "NUMBER")]
    to: String,

    /// Follow the call to its end; Ctrl-C hangs up
    #[arg(long)]
    wait: bool,

    /// How long the message is ("42s"), for the progress bar: EWS does not tell
    #[arg(long, value_name = "TIME", requires = "wait")]
    duration: Option<Period>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args) -> Result<Exit, Failure> {
    let client = args.server.client()?;
    if args.wait {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        return runtime.block_on(play_and_follow(client, args));
    }
    let id = client.play_on_phone(&args.item_id, &args.to)?;
    if args.json {
        CallReport::new(&id, None).json(&mut io::stdout().lock())?;
    } else {
        print_id(&id)?;
    }
    Ok(Exit::Done)
}

fn print_id(id: &PhoneCallId) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", id.0)?;
    out.flush()
}

async fn play_and_follow(client: Client, args: Args) -> Result<Exit, Failure> {
    // From here on Ctrl-C is ours: a call that is being placed must not be left behind.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (item_id, number) = (args.item_id, args.to);
    let id = blocking(&client, move |client| client.play_on_phone(&item_id, &number)).await??;
    if !args.json {
        print_id(&id)?;
    }
    let mut progress = Progress::new(args.duration.map(|period| period.0));
    let followed = follow(&client, &id, &mut interrupt, &mut progress).await;
    progress.finish();
    let ended = followed?;
    if args.json {
        CallReport::new(&id, ended.as_ref()).json(&mut io::stdout().lock())?;
    }
    let Some(information) = ended else {
        writeln!(io::stderr(), "Hung up.")?;
        return Ok(Exit::Interrupted);
    };
    writeln!(io::stderr(), "{}", line(&information))?;
    Ok(match information.failure_cause {
        ConnectionFailureCause::None => Exit::Done,
        _ => Exit::NotAnswered,
    })
}

/// Asks until the call is over; `None` when Ctrl-C ended it.
async fn follow(
    client: &Client,
    id: &PhoneCallId,
    interrupt: &mut Signal,
    progress: &mut Progress,
) -> Result<Option<PhoneCallInformation>, Failure> {
    let mut polls = interval(POLL);
    polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut lost = 0;
    loop {
        let next = async {
            polls.tick().await;
            let id = id.clone();
            blocking(client, move |client| client.information(&id)).await
        };
        let information = tokio::select! {
            information = next => information?,
            _ = interrupt.recv() => {
                let id = id.clone();
                blocking(client, move |client| client.disconnect(&id)).await??;
                return Ok(None);
            }
        };
        match information {
            Ok(information) => {
                lost = 0;
                progress.show(information.state);
                if information.state == PhoneCallState::Disconnected {
                    return Ok(Some(information));
                }
            }
            Err(ClientError::Unreachable { .. }) if lost < LOST_POLLS => lost += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

async fn blocking<T: Send + 'static>(
    client: &Client,
    ask: impl FnOnce(&Client) -> Result<T, ClientError> + Send + 'static,
) -> io::Result<Result<T, ClientError>> {
    let client = client.clone();
    Ok(spawn_blocking(move || ask(&client)).await?)
}
