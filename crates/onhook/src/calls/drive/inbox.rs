//! What others hand in: commands of operations, and what comes back from the journal, the sound room and the resolver.

use std::sync::Arc;

use switch::{
    Answer, Order, PlaceRefusal,
    journal::{CallKey, Counted, IdHash},
};
use tokio::sync::{mpsc, oneshot, watch};

use super::sounds::Ordered;
use crate::{journal::Written, net::Wake};

/// Commands that may wait for the thread; a further one waits at its sender.
const COMMANDS: usize = 1024;
/// What may have come back and not been read; whoever brings more waits.
const NEWS: usize = 4096;

/// What operations ask for.
pub(super) enum Command {
    Place {
        order: Box<Order>,
        sound: Box<Ordered>,
        reply: oneshot::Sender<Result<CallKey, PlaceRefusal>>,
    },
    Disconnect {
        owner: [u8; 32],
        id: IdHash,
        reply: oneshot::Sender<Answer>,
    },
    NeverDelivered(CallKey),
    Drain {
        reply: oneshot::Sender<Answer>,
    },
    EndAll {
        reply: oneshot::Sender<Answer>,
    },
    Leave {
        reply: oneshot::Sender<Answer>,
    },
}

/// What comes back.
pub(super) enum News {
    /// The journal's word about a batch.
    Written(Vec<Written>),
    Played(CallKey),
    SoundFailed(CallKey),
    /// What calls of earlier servers count for the caps.
    LastDay {
        calls: Vec<Counted>,
        counted: watch::Sender<bool>,
    },
}

/// Where operations hand it in. Cloning is cheap; when the last one is gone, nobody can ask for anything any more, and the thread
/// ends with its last call.
#[derive(Clone)]
pub(super) struct Commands {
    commands: mpsc::Sender<Command>,
    // Dropped after the sender, so that the thread finds it gone.
    woken: Arc<WakeWhenGone>,
}

struct WakeWhenGone(Wake);

impl Drop for WakeWhenGone {
    fn drop(&mut self) {
        self.0.wake();
    }
}

/// Where the thread's own helpers tell what came back. Cloning is cheap.
#[derive(Clone)]
pub(super) struct Reports {
    news: mpsc::Sender<News>,
    wake: Wake,
}

/// The other end, which the thread reads.
pub(super) struct HandedIn {
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) news: mpsc::Receiver<News>,
}

/// The thread is gone.
pub(super) struct Gone;

pub(super) fn open(wake: Wake) -> (Commands, Reports, HandedIn) {
    let ((commands, commands_in), (news, news_in)) = (mpsc::channel(COMMANDS), mpsc::channel(NEWS));
    let woken = Arc::new(WakeWhenGone(wake.clone()));
    let handed_in = HandedIn {
        commands: commands_in,
        news: news_in,
    };
    (Commands { commands, woken }, Reports { news, wake }, handed_in)
}

impl Commands {
    pub(super) async fn send(&self, command: Command) -> Result<(), Gone> {
        self.commands.send(command).await.map_err(|_| Gone)?;
        self.woken.0.wake();
        Ok(())
    }
}

impl Reports {
    pub(super) async fn tell(&self, news: News) {
        if self.news.send(news).await.is_ok() {
            self.wake.wake();
        }
    }

    /// The same from a thread that may wait.
    pub(super) fn tell_from_a_thread(&self, news: News) {
        if self.news.blocking_send(news).is_ok() {
            self.wake.wake();
        }
    }

    /// Something is left to be read.
    pub(super) fn wake_again(&self) {
        self.wake.wake();
    }
}
