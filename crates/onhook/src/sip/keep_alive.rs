//! OPTIONS: whether anybody is there. Any final response says that a trunk is up, silence or a failed connection that it is
//! down.

use std::{sync::Arc, time::Duration};

use sip::{CallIdHeader, Method};

use super::{
    NoResponse, drive,
    out_of_call::{OutOfCall, request_uri, uri_without_parameters},
    shared::{Core, random_text},
    trunk::{Kept, Reachability},
};

/// Asks the trunk in every interval until the room closes.
pub(super) async fn keep_alive(core: Arc<Core>, kept: Arc<Kept>, interval: Duration) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let reachability = match options(&core, &kept).await {
            Ok(()) => Reachability::Up,
            Err(why) => Reachability::Down(why),
        };
        kept.note(reachability);
    }
}

async fn options(core: &Arc<Core>, kept: &Kept) -> Result<(), NoResponse> {
    let local = core
        .local(kept)
        .await
        .map_err(|error| NoResponse::Unreachable(error.to_string()))?;
    let target = request_uri(&kept.trunk.next_hop);
    let from = format!("<{}>", uri_without_parameters(&local.contact));
    let request = OutOfCall {
        method: Method::Options,
        request_uri: &target,
        from: &from,
        to: &format!("<{target}>"),
        from_tag: &random_text(),
        call_id: &CallIdHeader::new(random_text()),
        cseq: 1,
        headers: &[("Accept", sip::APPLICATION_SDP.to_owned())],
    };
    drive::ask(core, &request.print(core, kept, &local)).await.map(|_| ())
}
