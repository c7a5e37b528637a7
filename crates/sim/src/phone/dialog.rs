//! What a phone asks and is asked inside a dialog.

use std::rc::Rc;

use sip::{Method, Path, Refresher, SessionExpires, SessionHeaders};

use super::{Act, Hook, half};
use crate::{
    message::{Asks, At, HOUSE, Message, Node},
    network::Purpose,
    parts::Family,
    world::{Event, World},
};

impl World {
    pub(super) fn phone_byes(&mut self, at: At, leg: usize) {
        self.hook(at, leg, Hook::Down);
        let this = self.leg(at, leg);
        this.byed = true;
        let repeat = this.repeat;
        self.stop_repeat(at.call, repeat);
        self.phone_requests(at, leg, Method::Bye, false, SessionHeaders::default());
    }

    pub(super) fn phone_refreshes(&mut self, at: At, leg: usize) {
        let script = self.script(at);
        let Some(session) = script.session else { return };
        if self.leg(at, leg).acked {
            let asked = SessionExpires {
                refresher: Some(Refresher::Uac),
                ..session
            };
            let says = script.says(Some(script.quarrel.map_or(asked, |quarrel| quarrel.asks(asked))));
            let method = if script.updates { Method::Update } else { Method::Invite };
            self.phone_requests(at, leg, method, false, says);
        }
        let act = Act::Refresh;
        self.after(half(session), Event::Phone { at, leg, act });
    }

    pub(super) fn phone_requests(&mut self, at: At, leg: usize, method: Method, sdp: bool, session: SessionHeaders) {
        let request = self.phone_request(at, leg, method, sdp, session);
        self.send_request(at, leg, request);
    }

    pub(super) fn send_request(&mut self, at: At, leg: usize, request: Message) {
        let purpose = Purpose::PhoneClient { at, leg };
        self.send_repeatedly(Node::Phone(at), Node::House, Rc::new(request), purpose);
    }

    /// The next request of the phone in this dialog.
    pub(super) fn phone_request(
        &mut self,
        at: At,
        leg: usize,
        method: Method,
        sdp: bool,
        session: SessionHeaders,
    ) -> Message {
        let transport = self.leg(at, leg).transport();
        let contact = self.contact(at, transport);
        let path = Path {
            transport,
            local: (HOUSE.0, transport.default_port()).into(),
            remote: self.address(at, transport),
        };
        let this = self.leg(at, leg);
        this.number += 1;
        Message {
            name: this.invite.name,
            status: 0,
            via: "".into(),
            path: Some(path),
            branch: format!("z9hG4bK-{}-{}", this.tag, this.number).into(),
            number: this.number,
            from: format!("{};tag={}", this.invite.to, this.tag).into(),
            to: this.invite.from.clone(),
            contact: matches!(method, Method::Invite | Method::Update).then_some(contact),
            method,
            credentials: None,
            asks: Asks::Nothing,
            sdp,
            session,
            uri: None,
            route: None,
            more: None,
        }
    }

    pub(super) fn phone_hears_response(&mut self, at: At, from: Node, response: &Rc<Message>) {
        let of_this = |message: &Message| message.branch == response.branch && message.method == response.method;
        let repeats = &mut self.parties[at.call].repeats;
        let found = repeats.iter_mut().find_map(|repeat| match repeat.purpose {
            Purpose::PhoneClient { at: of, leg } if of == at && of_this(repeat.message()) => Some((leg, repeat)),
            _ => None,
        });
        let Some((leg, repeat)) = found else { return };
        if response.status < 200 {
            return;
        }
        let first = std::mem::replace(&mut repeat.alive, false);
        let refresh = repeat.message().session.expires.is_some();
        if response.method == Method::Invite {
            let request = repeat.message().clone();
            let branch = if response.status < 300 {
                format!("{}-ack", request.branch).into()
            } else {
                request.branch.clone()
            };
            let ack = Message {
                method: Method::Ack,
                sdp: response.status < 300 && !request.sdp,
                branch,
                ..request
            };
            self.send(Node::Phone(at), from, &Rc::new(ack));
        }
        // Nobody knows the session any more (RFC 4028 §10).
        if first && refresh && response.status == 481 && self.leg(at, leg).hook == Hook::Up {
            self.phone_byes(at, leg);
        }
    }

    /// BYE, and whatever else there may be inside the dialog.
    pub(super) fn phone_asked(&mut self, at: At, from: Node, request: &Rc<Message>) {
        let script = self.script(at);
        let leg = self.phone(at).legs.iter().position(|leg| {
            request.to_tag() == Some(leg.tag.as_str()) && request.sender_tag() == leg.invite.sender_tag()
        });
        let Some(leg) = leg else {
            let response = Rc::new(request.answered(481, None));
            return self.send(Node::Phone(at), from, &response);
        };
        let transport = self.leg(at, leg).transport();
        let (refused, contact) = (self.phone(at).byes_refused, self.contact(at, transport));
        let this = self.leg(at, leg);
        if let Some((_, response)) = this.served.iter().find(|(branch, _)| *branch == request.branch) {
            let response = response.clone();
            if response.status > 0 {
                self.send(Node::Phone(at), from, &response);
            }
            return;
        }
        let mut response = request.answered(200, None);
        if this.hook != Hook::Up {
            response.status = 481;
        } else if request.number <= this.remote_number {
            response.status = 500; // RFC 3261 §12.2.2
        } else if !request.satisfies(script.asks_bye) {
            response.status = script.asks_bye.status(401, request.number);
            response.asks = script.asks_bye;
        } else if request.method == Method::Bye && refused < script.refuses_byes {
            response.status = 503;
        }
        this.remote_number = this.remote_number.max(request.number);
        if response.status > 400 {
            self.asks(response.asks);
        } else {
            self.quarrel_about_session(at, request, &mut response);
        }
        match (&request.method, response.status) {
            (Method::Bye, _) => {}
            (Method::Invite, 200) => {
                response.contact = Some(contact);
                response.sdp = true;
                response.session = script.says(script.refreshed(request));
            }
            (Method::Update, 200) if !script.updates => response.status = 405,
            (_, 200) => response.session = script.says(script.refreshed(request)),
            _ => {}
        }
        let is_taken = response.status == 200;
        if let (Method::Bye, 200, Some(status)) = (&request.method, response.status, script.liberties.bye) {
            response.status = status;
            self.watch.tally.fault(Family::Liberties);
        }
        let response = Rc::new(response);
        let this = self.leg(at, leg);
        this.served.push((request.branch.clone(), response.clone()));
        let repeats = [this.repeat, this.reinvited.map(|(_, repeat)| repeat)];
        match (&request.method, response.status) {
            (Method::Bye, _) if is_taken => {
                for repeat in repeats {
                    self.stop_repeat(at.call, repeat);
                }
                self.hook(at, leg, Hook::Down);
            }
            (Method::Bye, 503) => self.phone(at).byes_refused += 1,
            (Method::Invite, 200) => {
                let purpose = Purpose::PhoneAnswer { at, leg };
                let repeat = self.send_repeatedly(Node::Phone(at), from, response, purpose);
                self.leg(at, leg).reinvited = Some((request.number, repeat));
                return;
            }
            _ => {}
        }
        if response.status > 0 {
            self.send(Node::Phone(at), from, &response);
        }
    }
}
