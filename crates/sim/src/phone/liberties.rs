//! What a phone does out of turn, and what its answers say that leads elsewhere.

use std::rc::Rc;

use sip::{Method, SessionHeaders, Transport};

use crate::{
    message::{At, Message, Node},
    parts::Family,
    scenario::{Elsewhere, Liberty, Route},
    world::World,
};

impl World {
    pub(super) fn phone_takes_liberty(&mut self, at: At, leg: usize, liberty: Liberty) {
        self.watch.tally.fault(Family::Liberties);
        let no_timers = SessionHeaders::default();
        match liberty {
            Liberty::Asks(name) => self.phone_requests(at, leg, named(name), false, no_timers),
            Liberty::AsksAgain(name) => {
                // With the number of one before it, and a branch of its own.
                let mut request = self.phone_request(at, leg, named(name), false, no_timers);
                request.number = 1;
                request.branch = format!("{}-again", request.branch).into();
                self.send_request(at, leg, request);
            }
            Liberty::Offer => self.phone_requests(at, leg, Method::Update, true, no_timers),
            Liberty::Reinvite => {
                self.phone_requests(at, leg, Method::Invite, false, no_timers);
                self.phone_requests(at, leg, Method::Invite, true, no_timers);
            }
            Liberty::Cancel => {
                let invite = self.phone_request(at, leg, Method::Invite, true, no_timers);
                let cancel = Message {
                    method: Method::Cancel,
                    contact: None,
                    sdp: false,
                    ..invite.clone()
                };
                self.send_request(at, leg, invite);
                self.send_request(at, leg, cancel);
            }
            Liberty::Bye => {
                self.phone_byes(at, leg);
                self.phone_requests(at, leg, Method::Bye, false, no_timers);
            }
        }
    }

    /// It rings, and says so once, or as often as it likes.
    pub(super) fn phone_rings(&mut self, at: At, leg: usize) {
        let liberties = self.script(at).liberties;
        self.phone_responds(at, leg, 180);
        let said = self.leg(at, leg).last.clone();
        let Some(said) = said.filter(|_| liberties.rings > 0) else {
            return;
        };
        let via = self.leg(at, leg).via;
        for nth in 1..=liberties.rings {
            self.watch.tally.fault(Family::Liberties);
            let mut again = (*said).clone();
            again.status = if nth % 2 == 0 { 180 } else { 183 };
            if liberties.rings_untagged {
                again.to = self.leg(at, leg).invite.to.clone();
            }
            if liberties.rings_reliably {
                again.more = Some(format!("Require: 100rel\r\nRSeq: {nth}\r\n").into());
            }
            self.send(Node::Phone(at), via, &Rc::new(again));
        }
    }

    /// Where else and when to call, as a refusal says.
    pub(super) fn refers_elsewhere(&mut self, at: At, status: u16) -> Option<Rc<str>> {
        if !self.script(at).liberties.refers {
            return None;
        }
        self.watch.tally.fault(Family::Liberties);
        let lines = match status {
            300..400 => "Contact: <sip:else@198.51.255.1>;q=0.7, <sip:inside@127.0.0.1>\r\nContact: <tel:+4930123>\r\n",
            _ => "Retry-After: 1 (soon);duration=60\r\n",
        };
        Some(lines.into())
    }

    /// The routers that an answer records, the last one first.
    pub(super) fn recorded(&mut self, at: At, transport: Transport) -> Option<Rc<str>> {
        let script = self.script(at);
        if script.elsewhere.is_some() || script.records.is_some() {
            self.watch.tally.fault(Family::Elsewhere);
        }
        let trunk = self.route_of_trunk(at.call, transport)?;
        let route = match script.records? {
            Route::Trunk => trunk,
            Route::Twice => format!("<sip:10.0.0.2;lr>, {trunk}, {trunk}"),
            Route::Inside => format!("{trunk}, <sip:10.1.1.1;lr>"),
            Route::StrictInside => "<sip:strict@172.16.0.9>".to_owned(),
            Route::StrictTrunk => format!("<sip:10.0.0.2;lr>, {}", trunk.replace(";lr", "")),
            Route::Nobody => "<tel:+49301>, nonsense".to_owned(),
        };
        Some(route.into())
    }

    /// A Contact that leads to no place where we may go.
    pub(crate) fn contact_elsewhere(&self, at: At, elsewhere: Elsewhere) -> String {
        let host = match elsewhere {
            Elsewhere::Private => "10.9.8.7".to_owned(),
            Elsewhere::LinkLocal => "169.254.9.9".to_owned(),
            Elsewhere::Multicast => "224.0.1.75".to_owned(),
            Elsewhere::Telephone => return "tel:+4930123456".to_owned(),
            Elsewhere::NoName | Elsewhere::SilentName | Elsewhere::NameInside => self.host_of_phone(at),
        };
        format!("sip:{}@{host}", at.phone)
    }
}

fn named(name: &'static str) -> Method {
    match name {
        "INFO" => Method::Info,
        "OPTIONS" => Method::Options,
        "NOTIFY" => Method::Notify,
        other => Method::Other(other.to_owned()),
    }
}
