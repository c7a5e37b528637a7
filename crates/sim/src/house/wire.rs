//! What our side sends and hears: the transactions below the machine, as far as they decide about a call.

use std::rc::Rc;

use call::{Call, Silence};
use sip::{Method, Outgoing, Reply, SessionHeaders, Tx};

use super::Client;
use crate::{
    message::{Message, Node},
    sabotage::Sabotage,
    world::{Purpose, World},
};

impl World {
    // Requests of ours.

    /// Where INVITE and CANCEL go; what is inside a dialog goes to the phone itself.
    pub(super) fn entry(&self) -> Node {
        if self.scenario.proxy.is_some() {
            Node::Proxy
        } else {
            Node::Phone(0)
        }
    }

    pub(super) fn house_sends(&mut self, outgoing: &Outgoing) {
        let request = Rc::new(Message::of(outgoing));
        let to = match request.method {
            Method::Invite | Method::Cancel if request.to_tag().is_none() => self.entry(),
            _ => {
                let phone = request
                    .uri
                    .strip_prefix("sip:")
                    .and_then(|uri| uri.split('@').next()?.parse().ok());
                phone
                    .filter(|phone| *phone < self.phones.len())
                    .map_or(self.entry(), Node::Phone)
            }
        };
        if self.settings.sabotage.drops(&request, self) {
            return;
        }
        self.watch.sent(&request);
        if request.method == Method::Ack {
            return self.send(Node::House, to, &request);
        }
        if self
            .house
            .clients
            .iter()
            .any(|client| client.tx == outgoing.tx && !client.completed)
        {
            return; // it is being repeated already
        }
        let purpose = Purpose::HouseClient(outgoing.tx.clone());
        let repeat = self.send_repeatedly(Node::House, to, request.clone(), purpose);
        self.house.clients.push(Client {
            tx: outgoing.tx.clone(),
            request,
            to,
            repeat: Some(repeat),
            completed: false,
        });
    }

    /// Timer B or F.
    pub(crate) fn house_unanswered(&mut self, tx: &Tx) {
        self.house.clients.retain(|client| client.tx != *tx);
        self.ladder.note(self.now, || format!("no answer to {}", tx.method));
        self.with(|call, now| call.handle_silence(tx, Silence::TimedOut, now));
    }

    pub(crate) fn house_hears(&mut self, from: Node, message: &Rc<Message>) {
        if !self.house.up {
            return;
        }
        if message.is_request() {
            return self.house_asked(from, message);
        }
        let of = |client: &Client| *client.tx.branch.as_str() == *message.branch && client.tx.method == message.method;
        let client = self.house.clients.iter().position(of);
        if message.is_answer() {
            if let Some(at) = client.filter(|at| !self.house.clients[*at].completed) {
                let client = self.house.clients.swap_remove(at);
                self.stop_repeat(client.repeat);
            }
            return self.house_hears_answer(message);
        }
        let Some(at) = client else { return };
        let this = &mut self.house.clients[at];
        let (repeat, is_invite) = (this.repeat, message.method == Method::Invite);
        if message.status < 200 && !this.completed {
            // Proceeding: an INVITE is not repeated any more.
            if is_invite {
                self.stop_repeat(repeat);
            }
        } else {
            let first = !std::mem::replace(&mut this.completed, true);
            if is_invite {
                let (ack, to) = (Rc::new(this.request.acknowledging(message)), this.to);
                self.send(Node::House, to, &ack);
            }
            self.stop_repeat(repeat);
            if !first {
                return;
            }
        }
        self.check_bye_answered(message);
        let response = message.to_response();
        self.with(|call, now| call.handle_response(&response, now));
    }

    /// Every 2xx to an INVITE reaches the owner, whatever became of its transaction.
    fn house_hears_answer(&mut self, message: &Message) {
        self.watch.answered(message.to_tag().unwrap_or_default());
        let over = self.house.live.as_ref().is_none_or(|live| live.call.end().is_some());
        if over && self.settings.sabotage == Sabotage::LateAnswersLost {
            return self.check_acks();
        }
        let mut response = message.to_response();
        if self.settings.sabotage == Sabotage::SessionIgnored {
            response.session = SessionHeaders::default();
        }
        if !self.with(|call, now| call.handle_answer(&response, now))
            && let Some(call) = Call::stray(&response, "pbx".to_owned(), self.surroundings())
        {
            self.watch.tally.strays += 1;
            self.admit(call);
        }
        self.check_acks();
    }

    // Requests of the phones.

    fn house_asked(&mut self, from: Node, request: &Rc<Message>) {
        if request.method == Method::Ack {
            let stopped = self.repeats.iter_mut().find(|repeat| {
                matches!(repeat.purpose, Purpose::HouseAnswer(_))
                    && repeat.alive
                    && repeat.message().number == request.number
                    && repeat.message().from == request.from
            });
            if let Some(repeat) = stopped {
                repeat.alive = false;
                let ack = request.to_request();
                self.with(|call, _| call.handle_ack(&ack));
            }
            return;
        }
        let known =
            |(served, _): &&(Rc<Message>, _)| served.branch == request.branch && served.method == request.method;
        if let Some((_, reply)) = self.house.served.iter().find(known) {
            if let Some(reply) = reply.clone() {
                self.send(Node::House, from, &reply);
            }
            return;
        }
        let id = self.house.served.len() as u64;
        self.house.served.push((request.clone(), None));
        let incoming = request.to_request();
        let owned = self.house.live.as_ref().is_some_and(|live| live.call.owns(&incoming));
        if owned {
            self.watch.asked_by_phone(request);
            self.with(|call, now| call.handle_request(id, &incoming, now));
        } else {
            self.reply(id, &Reply::status(481));
        }
    }

    pub(super) fn reply(&mut self, id: u64, reply: &Reply) {
        let Some((request, kept)) = self.house.served.get_mut(id as usize) else {
            return;
        };
        let response = Rc::new(request.replied(reply));
        *kept = Some(response.clone());
        let tag = request.sender_tag().unwrap_or_default();
        let phone = self
            .phones
            .iter()
            .position(|phone| phone.legs.iter().any(|leg| leg.tag == tag));
        let to = Node::Phone(phone.unwrap_or_default());
        if request.method == Method::Invite {
            let purpose = if reply.status < 300 {
                Purpose::HouseAnswer(self.house.incarnation)
            } else {
                Purpose::Refusal
            };
            self.send_repeatedly(Node::House, to, response, purpose);
        } else {
            self.send(Node::House, to, &response);
        }
    }

    pub(crate) fn house_never_acked(&mut self, incarnation: u32) {
        if incarnation == self.house.incarnation {
            self.with(Call::handle_never_acked);
        }
    }
}
