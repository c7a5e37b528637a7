//! A telephone exchange behind the trunk whose phones do what their number says.

use std::collections::HashMap;

use tokio::task::JoinHandle;

use crate::peer::{Message, Peer};

/// Answers, and holds the line.
pub(crate) const PATIENT: &str = "1000";
/// Answers, and hangs up at once.
pub(crate) const CURT: &str = "2000";
/// Rings for ever.
pub(crate) const AWAY: &str = "3000";
/// Never says anything; a CANCEL is in vain too.
pub(crate) const DEAD: &str = "4000";
// Three digits: refuses with that status.

/// Starts it; it works until the handle is dropped or aborted. Returns what a trunk's `next_hop` is.
pub(crate) async fn open() -> (String, JoinHandle<()>) {
    let peer = Peer::bind().await;
    (peer.uri(), tokio::spawn(serve(peer)))
}

async fn serve(mut peer: Peer) {
    let mut invites: HashMap<String, Message> = HashMap::new();
    loop {
        let message = peer.next_ever().await;
        let call = message.header("Call-ID").to_owned();
        match message.method() {
            "INVITE" => {
                ring(&peer, &message).await;
                invites.insert(call, message);
            }
            "ACK" => {
                if let Some(invite) = invites.get(&call).filter(|invite| invite.number() == CURT) {
                    peer.hang_up(invite).await;
                }
            }
            "CANCEL" => {
                if let Some(invite) = invites.get(&call).filter(|invite| invite.number() != DEAD) {
                    peer.reply(&message, 200).await;
                    peer.reply(invite, 487).await;
                }
            }
            "BYE" | "OPTIONS" => peer.reply(&message, 200).await,
            // Responses to our own BYE.
            _ => {}
        }
    }
}

async fn ring(peer: &Peer, invite: &Message) {
    match invite.number() {
        PATIENT | CURT => peer.answer(invite).await,
        AWAY => peer.reply(invite, 180).await,
        DEAD => {}
        status => peer.reply(invite, status.parse().unwrap()).await,
    }
}
