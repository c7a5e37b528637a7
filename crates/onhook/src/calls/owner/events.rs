//! What peers say, and who it is for.

use call::Silence;

use super::Owner;
use crate::{
    calls::requests,
    sip::{Incoming, NoResponse, SipEvent},
};

impl Owner {
    pub(super) fn handle_event(&mut self, event: SipEvent) {
        let now = self.now();
        match event {
            SipEvent::Response(response) => {
                self.with_call_id(&response.call_id, |live| live.call.handle_response(&response, now));
            }
            SipEvent::NoResponse { call_id, tx, why } => {
                let silence = match why {
                    NoResponse::TimedOut => Silence::TimedOut,
                    NoResponse::Unreachable(why) => {
                        tracing::warn!(sip.call_id = %call_id, %why, "a request could not be sent");
                        Silence::Unreachable
                    }
                };
                self.with_call_id(&call_id, |live| live.call.handle_silence(&tx, silence, now));
            }
            SipEvent::Answer(response) => {
                if !self.with_call_id(&response.call_id, |live| live.call.handle_answer(&response, now)) {
                    self.end_stray(&response);
                }
            }
            SipEvent::Request(incoming) => self.handle_request(incoming),
        }
    }

    fn handle_request(&mut self, incoming: Incoming) {
        let owned = self
            .by_call_id(&incoming.request.call_id)
            .filter(|key| self.live.get(key).is_some_and(|live| live.call.owns(&incoming.request)));
        let Some(key) = owned else {
            return requests::answer_stranger(&incoming);
        };
        let now = self.now();
        self.next_request += 1;
        let id = self.next_request;
        self.with(key, |live| {
            let request = incoming.request.clone();
            live.requests.insert(id, incoming);
            live.call.handle_request(id, &request, now);
        });
    }
}
