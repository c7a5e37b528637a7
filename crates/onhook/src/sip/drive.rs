//! Client transactions: one call's messages leave in the order given, and what comes back becomes events.
//!
//! A task a message lets a BYE overtake the ACK before it. So each Call-ID with something to send has one task that
//! sends its messages one after the other, and is gone when there is none left. A transaction is then listened to by a
//! task of its own, so that an answer that takes long holds nothing up.

use std::{
    collections::{VecDeque, hash_map::Entry},
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use rsipstack::{
    sip::{self as rsip, SipMessage},
    transaction::{
        TransactionState,
        key::{TransactionKey, TransactionRole},
        transaction::{Transaction, TransactionEvent},
    },
    transport::{SipAddr, SipConnection},
};
use sip::{CallIdHeader, Method, Outgoing, Tx};
use tokio::time::timeout;

use super::{
    NoResponse, SipEvent,
    chains::{Step, WAITING},
    connect::ConnectError,
    listen::Transport,
    shared::Core,
    tap,
    trunk::Kept,
    wire,
};
use crate::panics::{Panicked, caught, vital};

/// Puts messages at the end of a call's queue.
pub(super) fn send(core: &Arc<Core>, call_id: &CallIdHeader, messages: Vec<Outgoing>, resumed: bool) {
    let mut refused = Vec::new();
    {
        let mut waiting = core.chains.waiting();
        let room = WAITING.saturating_sub(waiting.messages);
        let mut messages = messages;
        if messages.len() > room {
            refused = messages.split_off(room);
        }
        if !messages.is_empty() {
            waiting.messages += messages.len();
            let steps = messages.into_iter().map(|outgoing| Step { outgoing, resumed });
            match waiting.calls.entry(call_id.clone()) {
                Entry::Occupied(mut queue) => queue.get_mut().extend(steps),
                Entry::Vacant(free) => {
                    free.insert(steps.collect());
                    let (sender, call_id) = (core.clone(), call_id.clone());
                    core.spawn(vital("what a call sends", async move { run(&sender, &call_id).await }));
                }
            }
        }
    }
    for outgoing in refused {
        let why = NoResponse::Unreachable("too many messages wait to be sent".to_owned());
        // The events are likely to be full too; the call's own timers see to it then.
        let _ = core.events.try_send(SipEvent::NoResponse {
            call_id: call_id.clone(),
            tx: outgoing.tx,
            why,
        });
    }
}

/// Ends a transaction, sent or still waiting to be. Nothing more is told of it.
pub(super) fn stop(core: &Core, call_id: &CallIdHeader, tx: &Tx) {
    let mut waiting = core.chains.waiting();
    if let Some(queue) = waiting.calls.get_mut(call_id) {
        let before = queue.len();
        queue.retain(|step| step.outgoing.tx != *tx);
        let removed = before - queue.len();
        waiting.messages -= removed;
    }
    drop(waiting);
    if let Some((key, sender)) = core.chains.live().get(&(call_id.clone(), tx.clone())) {
        let _ = sender.send(TransactionEvent::Terminate(key.clone()));
    }
}

async fn run(core: &Arc<Core>, call_id: &CallIdHeader) {
    loop {
        let step = {
            let mut waiting = core.chains.waiting();
            let Some(step) = waiting.calls.get_mut(call_id).and_then(VecDeque::pop_front) else {
                waiting.calls.remove(call_id);
                return;
            };
            waiting.messages -= 1;
            step
        };
        let tx = step.outgoing.tx.clone();
        let live = (call_id.clone(), tx.clone());
        if core.chains.live().contains_key(&live) {
            // It is being repeated already; a second one would take its answers away.
            tracing::debug!(%call_id, method = %tx.method, "a request that is on its way was given again");
            continue;
        }
        let sending = caught(async {
            if tx.method == Method::Ack {
                return acknowledge(core, call_id, &step.outgoing).await;
            }
            let transaction = open(core, Some(call_id), &step.outgoing, step.resumed).await?;
            let stop = (transaction.key.clone(), transaction.tu_sender.clone());
            core.chains.live().insert(live.clone(), stop);
            let listener = core.clone();
            core.spawn(async move {
                let listened = caught(listen(&listener, &live, transaction)).await;
                listener.chains.live().remove(&live);
                if let Err(panicked) = listened {
                    listener.emit(no_response(live, panicked.into())).await;
                }
            });
            Ok(())
        });
        // A call whose request cannot be sent for a fault of ours has to know it: the others go on.
        let sent = sending.await.unwrap_or_else(|panicked| Err(panicked.into()));
        if let Err(why) = sent {
            core.emit(no_response((call_id.clone(), tx), why)).await;
        }
    }
}

fn no_response((call_id, tx): (CallIdHeader, Tx), why: NoResponse) -> SipEvent {
    SipEvent::NoResponse { call_id, tx, why }
}

impl From<Panicked> for NoResponse {
    fn from(panicked: Panicked) -> Self {
        Self::Unreachable(panicked.to_string())
    }
}

/// Tells of one transaction until it ends. A 2xx to INVITE is the tap's to tell.
async fn listen(core: &Core, (call_id, tx): &(CallIdHeader, Tx), mut transaction: Transaction) {
    while let Some(heard) = hear(&mut transaction).await {
        match heard {
            Ok(message) => {
                let answered =
                    tx.method == Method::Invite && message.status_code.kind() == rsip::StatusCodeKind::Successful;
                if let Some(response) = wire::response(&message).filter(|_| !answered) {
                    core.emit(SipEvent::Response(response)).await;
                }
            }
            Err(why) => {
                core.emit(SipEvent::NoResponse {
                    call_id: call_id.clone(),
                    tx: tx.clone(),
                    why,
                })
                .await;
                return;
            }
        }
    }
}

/// The next response of a peer, or the word that there will be none. `None`: the transaction has ended.
async fn hear(transaction: &mut Transaction) -> Option<Result<rsip::Response, NoResponse>> {
    loop {
        if let SipMessage::Response(message) = transaction.receive().await? {
            return Some(match (tap::is_made_up(&message), &message.status_code) {
                (false, _) => Ok(message),
                (true, rsip::StatusCode::RequestTimeout) => Err(NoResponse::TimedOut),
                (true, _) => Err(NoResponse::Unreachable("the connection broke while sending".to_owned())),
            });
        }
    }
}

/// Sends a request outside of any call and waits for its final response.
pub(super) async fn ask(core: &Arc<Core>, outgoing: &Outgoing) -> Result<rsip::Response, NoResponse> {
    let mut transaction = open(core, None, outgoing, false).await?;
    while let Some(heard) = hear(&mut transaction).await {
        let message = heard?;
        if message.status_code.kind() != rsip::StatusCodeKind::Provisional {
            return Ok(message);
        }
    }
    Err(NoResponse::TimedOut)
}

async fn open(
    core: &Arc<Core>,
    call_id: Option<&CallIdHeader>,
    outgoing: &Outgoing,
    resumed: bool,
) -> Result<Transaction, NoResponse> {
    let (request, connection, address) = prepare(core, call_id, outgoing).await?;
    let key = TransactionKey::from_request(&request, TransactionRole::Client)
        .map_err(|error| NoResponse::Unreachable(error.to_string()))?;
    let mut transaction = Transaction::new_client(key, request, core.endpoint.clone(), Some(connection.clone()));
    transaction.destination = Some(address);
    if resumed {
        transaction.state = TransactionState::Proceeding;
        return Ok(transaction);
    }
    in_time(core, &connection, transaction.send()).await?;
    Ok(transaction)
}

/// The ACK of a 2xx is no transaction: it goes out once for each 2xx (RFC 3261 §13.2.2.4).
async fn acknowledge(core: &Core, call_id: &CallIdHeader, outgoing: &Outgoing) -> Result<(), NoResponse> {
    let (request, connection, address) = prepare(core, Some(call_id), outgoing).await?;
    in_time(core, &connection, connection.send(request.into(), Some(&address))).await
}

async fn prepare(
    core: &Core,
    call_id: Option<&CallIdHeader>,
    outgoing: &Outgoing,
) -> Result<(rsip::Request, SipConnection, SipAddr), NoResponse> {
    let request = wire::parse_request(&outgoing.text).map_err(|error| NoResponse::Unreachable(error.to_string()))?;
    let place = wire::Destination::parse(&outgoing.destination).map_err(ConnectError::from);
    let connected = match call_id.and_then(|call_id| core.peers.trunk_of(call_id)) {
        Some(trunk) => {
            let connected = within_reach(core, &trunk, place).await;
            connected.map_err(|error| format!("trunk {}: {error}", trunk.trunk.name))
        }
        None => match place {
            Ok(place) => connect(core, &place, |_| true).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        },
    };
    let (connection, transport, address) = connected.map_err(NoResponse::Unreachable)?;
    if let Some(call_id) = call_id {
        core.peers.sends_to(call_id, address.ip());
    }
    Ok((request, connection, wire::sip_addr(transport, address)))
}

/// To where the peers of a call want its requests, if its trunk may send us there and we get there; else to the trunk
/// itself, with the same message. A phone that named a place which we do not go to, or that is not there, has to get its
/// BYE all the same, and its trunk knows the way.
async fn within_reach(
    core: &Core,
    trunk: &Kept,
    place: Result<wire::Destination, ConnectError>,
) -> Result<(SipConnection, Transport, SocketAddr), ConnectError> {
    let why = match place {
        Ok(place) if place == trunk.first_hop => return connect(core, &place, |_| true).await,
        // What was agreed on over TLS is not told in clear: passwords' digests, keys for the sound.
        Ok(place) if trunk.transport() == Transport::Tls && place.transport != Transport::Tls => {
            ConnectError::InClear(place.host)
        }
        Ok(place) => match connect(core, &place, |host| trunk.trunk.reach.permits(host)).await {
            Ok(connected) => return Ok(connected),
            Err(why) => why,
        },
        Err(why) => why,
    };
    tracing::warn!(trunk = %trunk.trunk.name, %why, "a call's requests go to its trunk instead of where its peer wants them");
    connect(core, &trunk.first_hop, |_| true).await
}

async fn connect(
    core: &Core,
    place: &wire::Destination,
    permits: impl Fn(IpAddr) -> bool,
) -> Result<(SipConnection, Transport, SocketAddr), ConnectError> {
    let (connection, address) = core.connector.connect(&core.net, place, permits).await?;
    Ok((connection, place.transport, address))
}

/// A peer that takes nothing holds up its own call, and not for long; its connection is not used again.
async fn in_time(
    core: &Core,
    connection: &SipConnection,
    sending: impl Future<Output = Result<(), rsipstack::Error>>,
) -> Result<(), NoResponse> {
    match timeout(core.stream_limit, sending).await {
        Ok(sent) => sent.map_err(|error| NoResponse::Unreachable(error.to_string())),
        Err(_) => {
            core.endpoint.transport_layer.remove_connection(connection);
            let limit = core.stream_limit;
            Err(NoResponse::Unreachable(format!("the peer took nothing for {limit:?}")))
        }
    }
}
