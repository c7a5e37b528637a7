//! Forking proxies: one INVITE in, one to each phone out, or to a second proxy; the best refusal back, and every 2xx (RFC 3261 §16.7).

use std::rc::Rc;

use sip::{Method, Transport};

use crate::{
    house::node::host_of,
    message::{At, Message, Node, trunk_address},
    network::Purpose,
    parts::Family,
    scenario::ProxyScript,
    world::{Event, World},
};

#[derive(Default)]
pub(crate) struct Proxy {
    forks: Vec<Forked>,
    /// Branches that still rang when another phone answered, of a proxy that cancels nobody: nobody can stop them.
    abandoned: Vec<Rc<str>>,
}

/// An INVITE and its branches.
struct Forked {
    invite: Rc<Message>,
    /// The last response sent back, when it was not a 2xx.
    last: Option<Rc<Message>>,
    repeat: Option<usize>,
    branches: Vec<Branch>,
    answered: bool,
    over: bool,
}

struct Branch {
    to: Node,
    invite: Rc<Message>,
    has_rung: bool,
    refused: Option<Rc<Message>>,
    answered: bool,
}

impl Branch {
    fn is_pending(&self) -> bool {
        self.refused.is_none() && !self.answered
    }
}

impl Proxy {
    /// Whether an INVITE of this branch was forked here.
    pub(crate) fn has_forked(&self, branch: &str) -> bool {
        self.find(branch).is_some()
    }

    fn find(&self, branch: &str) -> Option<usize> {
        self.forks.iter().position(|fork| *fork.invite.branch == *branch)
    }
}

impl World {
    fn proxy(&mut self, me: Node) -> &mut Proxy {
        let call = me.call().unwrap_or_default();
        let party = &mut self.parties[call];
        match me {
            Node::Behind(_) => &mut party.behind,
            Node::House | Node::Proxy(_) | Node::Phone(_) => &mut party.proxy,
        }
    }

    fn proxy_script(&self, me: Node) -> Option<ProxyScript> {
        match me {
            Node::Proxy(call) => self.scenario.calls[call].proxy,
            Node::Behind(call) => self.scenario.calls[call].behind,
            Node::House | Node::Phone(_) => None,
        }
    }

    /// Whether nobody can stop this INVITE of a phone any more: its proxy left it alone when another phone answered, or the one before that did.
    pub(crate) fn is_abandoned(&self, call: usize, branch: &Rc<str>) -> bool {
        let party = &self.parties[call];
        let mut forks = party.behind.forks.iter();
        let of_this = |fork: &&Forked| fork.branches.iter().any(|of| of.invite.branch == *branch);
        let before = forks.find(of_this).map(|fork| &fork.invite.branch);
        let abandoned = &party.proxy.abandoned;
        abandoned.contains(branch)
            || party.behind.abandoned.contains(branch)
            || before.is_some_and(|before| abandoned.contains(before))
    }

    pub(crate) fn proxy_hears(&mut self, me: Node, from: Node, message: &Rc<Message>) {
        let is_from_before = from == before(me);
        match (is_from_before, message.is_request(), &message.method) {
            (true, true, Method::Invite) => self.proxy_invited(me, message),
            (true, true, Method::Cancel) => self.proxy_cancelled(me, message),
            (true, true, Method::Ack) => {
                let proxy = self.proxy(me);
                let repeat = proxy.find(&message.branch).and_then(|fork| proxy.forks[fork].repeat);
                self.stop_repeat(me.call().unwrap_or_default(), repeat);
            }
            (false, false, Method::Invite) => self.proxy_answered(me, from, message),
            _ => {}
        }
    }

    fn proxy_invited(&mut self, me: Node, invite: &Rc<Message>) {
        if let Some(fork) = self.proxy(me).find(&invite.branch) {
            if let Some(last) = self.proxy(me).forks[fork].last.clone() {
                self.send(me, before(me), &last);
            }
            return;
        }
        let Some(script) = self.proxy_script(me) else { return };
        let fork = self.proxy(me).forks.len();
        self.proxy(me).forks.push(Forked {
            invite: invite.clone(),
            last: None,
            repeat: None,
            branches: Vec::new(),
            answered: false,
            over: false,
        });
        if !invite.satisfies(script.asks) {
            self.asks(script.asks);
            let refusal = Message {
                asks: script.asks,
                ..invite.answered(script.asks.status(407, invite.number), Some("proxy"))
            };
            return self.proxy_refuses(me, fork, refusal);
        }
        let trying = Rc::new(invite.answered(100, None));
        self.proxy(me).forks[fork].last = Some(trying.clone());
        self.send(me, before(me), &trying);
        if let Some(wait) = script.gives_up_after {
            self.after(wait, Event::ProxyGivesUp(me, fork));
        }
        for to in self.proxy_forks_to(me, script) {
            let name = match to {
                Node::Phone(at) => format!("{fork}-{}", at.phone),
                Node::House | Node::Proxy(_) | Node::Behind(_) => format!("{fork}-behind"),
            };
            let copy = Rc::new(Message {
                branch: format!("z9hG4bK-proxy-{name}").into(),
                ..(**invite).clone()
            });
            self.proxy(me).forks[fork].branches.push(Branch {
                to,
                invite: copy.clone(),
                has_rung: false,
                refused: None,
                answered: false,
            });
            self.send(me, to, &copy);
        }
    }

    fn proxy_forks_to(&mut self, me: Node, script: ProxyScript) -> Vec<Node> {
        let call = me.call().unwrap_or_default();
        let phones = script.phones.0..script.phones.1;
        let mut to: Vec<_> = phones.map(|phone| Node::Phone(At { call, phone })).collect();
        if matches!(me, Node::Proxy(_)) && self.scenario.calls[call].behind.is_some() {
            self.watch.tally.fault(Family::DeepForks);
            to.push(Node::Behind(call));
        }
        to
    }

    fn proxy_refuses(&mut self, me: Node, fork: usize, refusal: Message) {
        let refusal = Rc::new(refusal);
        self.proxy(me).forks[fork].over = true;
        self.proxy(me).forks[fork].last = Some(refusal.clone());
        let repeat = self.send_repeatedly(me, before(me), refusal, Purpose::Refusal);
        self.proxy(me).forks[fork].repeat = Some(repeat);
    }

    fn proxy_cancelled(&mut self, me: Node, cancel: &Message) {
        let found = self.proxy(me).find(&cancel.branch);
        let status = if found.is_some() { 200 } else { 481 };
        let response = Rc::new(cancel.answered(status, Some("proxy")));
        self.send(me, before(me), &response);
        let Some(fork) = found else { return };
        let this = &self.proxy(me).forks[fork];
        // After a final response a CANCEL has no effect (RFC 3261 §9.2).
        if this.over || this.answered {
            return;
        }
        self.cancel_branches(me, fork);
        if self.proxy_script(me).is_some_and(|script| script.early_487) {
            let refusal = self.proxy(me).forks[fork].invite.answered(487, Some("proxy"));
            self.proxy_refuses(me, fork, refusal);
        }
    }

    /// Nobody has answered in its time: it cancels all and says so (RFC 3261 §16.8).
    pub(crate) fn proxy_gives_up(&mut self, me: Node, fork: usize) {
        let this = &self.proxy(me).forks[fork];
        if this.over || this.answered {
            return;
        }
        self.watch.tally.fault(Family::Liberties);
        self.cancel_branches(me, fork);
        let refusal = self.proxy(me).forks[fork].invite.answered(408, Some("proxy"));
        self.proxy_refuses(me, fork, refusal);
    }

    fn cancel_branches(&mut self, me: Node, fork: usize) {
        let branches = self.proxy(me).forks[fork].branches.iter();
        let pending = branches.filter(|branch| branch.is_pending());
        let pending: Vec<_> = pending.map(|branch| (branch.to, branch.invite.clone())).collect();
        for (to, invite) in pending {
            let cancel = Message {
                method: Method::Cancel,
                sdp: false,
                ..(*invite).clone()
            };
            self.send(me, to, &Rc::new(cancel));
        }
    }

    fn proxy_answered(&mut self, me: Node, from: Node, response: &Rc<Message>) {
        let of_branch = |branch: &Branch| branch.to == from && branch.invite.branch == response.branch;
        let mut forks = self.proxy(me).forks.iter().enumerate();
        let found = forks.find_map(|(fork, this)| Some((fork, this.branches.iter().position(of_branch)?)));
        let Some((fork, at)) = found else { return };
        let route = self.proxy_records(me, response);
        let this = &mut self.proxy(me).forks[fork];
        let back = Message {
            branch: this.invite.branch.clone(),
            via: this.invite.via.clone(),
            route,
            ..(**response).clone()
        };
        let branch = &mut this.branches[at];
        match response.status {
            ..=100 => {}
            101..200 if this.over || this.answered => {}
            101..200 => {
                branch.has_rung = true;
                let back = Rc::new(back);
                this.last = Some(back.clone());
                self.send(me, before(me), &back);
            }
            // Every 2xx is passed on, also after a final response (RFC 3261 §16.7, RFC 6026 §7.3).
            200..300 => {
                branch.answered = true;
                let first = !std::mem::replace(&mut this.answered, true);
                this.last = None;
                self.send(me, before(me), &Rc::new(back));
                if first {
                    self.proxy_has_an_answer(me, fork);
                }
            }
            _ => {
                let ack = Rc::new(branch.invite.acknowledging(response));
                branch.refused = Some(Rc::new(back.clone()));
                self.send(me, from, &ack);
                self.proxy_says_199(me, fork, at, &back);
                self.proxy_refused(me, fork);
            }
        }
    }

    /// Record-Route of this response as it goes on.
    fn proxy_records(&self, me: Node, response: &Message) -> Option<Rc<str>> {
        let is_recorded = self.proxy_script(me).is_some_and(|script| script.records_route);
        if !is_recorded || !(101..300).contains(&response.status) {
            return response.route.clone();
        }
        let own = match me {
            Node::Behind(_) => "<sip:10.1.1.1;lr>".to_owned(),
            _ => self.route_of_trunk(me.call()?, response.path.map_or(Transport::Udp, |path| path.transport))?,
        };
        let before = response.route.as_deref().map(|route| format!("{route}, "));
        Some(format!("{}{own}", before.unwrap_or_default()).into())
    }

    /// What stands at the trunk of a call, as it calls itself in a Record-Route.
    pub(crate) fn route_of_trunk(&self, call: usize, transport: Transport) -> Option<String> {
        let trunk = &self.scenario.trunks[self.watch.trunk_of(call)?];
        let address = trunk_address(trunk.number, transport);
        let host = trunk.named.map_or_else(|| address.ip().to_string(), |_| host_of(trunk));
        Some(format!("<sip:{host}:{};transport={transport};lr>", address.port()))
    }

    /// An early dialog is over, and others are not (RFC 6228 §6).
    fn proxy_says_199(&mut self, me: Node, fork: usize, at: usize, refusal: &Message) {
        let says_199 = self.proxy_script(me).is_some_and(|script| script.says_199);
        let this = &self.proxy(me).forks[fork];
        let is_one_of_many = this.branches.iter().any(Branch::is_pending);
        if !says_199 || this.over || this.answered || !is_one_of_many || !this.branches[at].has_rung {
            return;
        }
        let said = Rc::new(Message {
            status: 199,
            ..refusal.clone()
        });
        self.send(me, before(me), &said);
    }

    fn proxy_has_an_answer(&mut self, me: Node, fork: usize) {
        if self.proxy_script(me).is_some_and(|script| script.cancels_others) {
            return self.cancel_branches(me, fork);
        }
        let proxy = self.proxy(me);
        let pending = proxy.forks[fork].branches.iter().filter(|branch| branch.is_pending());
        proxy
            .abandoned
            .extend(pending.map(|branch| branch.invite.branch.clone()));
    }

    /// All have refused: the lowest status is passed on, a 6xx before all.
    fn proxy_refused(&mut self, me: Node, fork: usize) {
        let this = &self.proxy(me).forks[fork];
        if this.over || this.answered {
            return;
        }
        let refusals: Option<Vec<_>> = this.branches.iter().map(|branch| branch.refused.clone()).collect();
        let Some(refusals) = refusals else {
            if this
                .branches
                .iter()
                .any(|branch| branch.refused.as_ref().is_some_and(|refused| refused.status >= 600))
            {
                self.cancel_branches(me, fork);
            }
            return;
        };
        let best = refusals
            .iter()
            .min_by_key(|refusal| (refusal.status < 600, refusal.status));
        if let Some(best) = best {
            let best = (**best).clone();
            self.proxy_refuses(me, fork, best);
        }
    }
}

/// Who sends INVITEs to this proxy, and gets its responses.
fn before(me: Node) -> Node {
    match me {
        Node::Behind(call) => Node::Proxy(call),
        Node::House | Node::Proxy(_) | Node::Phone(_) => Node::House,
    }
}
