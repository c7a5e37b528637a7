//! A forking proxy: one INVITE in, one to each phone out; the best refusal back, and every 2xx (RFC 3261 §16.7).

use std::rc::Rc;

use sip::Method;

use crate::{
    message::{At, Message, Node},
    network::Purpose,
    world::World,
};

#[derive(Default)]
pub(crate) struct Proxy {
    forks: Vec<Forked>,
    /// Branches that still rang when another phone answered, of a proxy that cancels nobody: nobody can stop them.
    pub(crate) abandoned: Vec<Rc<str>>,
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
    invite: Rc<Message>,
    refused: Option<Rc<Message>>,
    answered: bool,
}

impl Proxy {
    /// Whether an INVITE of this branch was forked here.
    pub(crate) fn has_forked(&self, branch: &str) -> bool {
        self.forks.iter().any(|fork| *fork.invite.branch == *branch)
    }
}

impl World {
    pub(crate) fn proxy_hears(&mut self, call: usize, from: Node, message: &Rc<Message>) {
        match (from, message.is_request(), &message.method) {
            (Node::House, true, Method::Invite) => self.proxy_invited(call, message),
            (Node::House, true, Method::Cancel) => self.proxy_cancelled(call, message),
            (Node::House, true, Method::Ack) => {
                let fork = self.parties[call]
                    .proxy
                    .forks
                    .iter()
                    .find(|fork| fork.invite.branch == message.branch);
                let repeat = fork.and_then(|fork| fork.repeat);
                self.stop_repeat(call, repeat);
            }
            (Node::Phone(at), false, Method::Invite) => self.proxy_answered(at, message),
            _ => {}
        }
    }

    fn proxy_invited(&mut self, call: usize, invite: &Rc<Message>) {
        if let Some(fork) = self.parties[call]
            .proxy
            .forks
            .iter()
            .find(|fork| fork.invite.branch == invite.branch)
        {
            if let Some(last) = fork.last.clone() {
                self.send(Node::Proxy(call), Node::House, &last);
            }
            return;
        }
        let Some(script) = self.scenario.calls[call].proxy else {
            return;
        };
        let fork = self.parties[call].proxy.forks.len();
        self.parties[call].proxy.forks.push(Forked {
            invite: invite.clone(),
            last: None,
            repeat: None,
            branches: Vec::new(),
            answered: false,
            over: false,
        });
        if !invite.satisfies(script.asks) {
            let refusal = Message {
                asks: script.asks,
                ..invite.answered(407, Some("proxy"))
            };
            return self.proxy_refuses(call, fork, refusal);
        }
        let trying = Rc::new(invite.answered(100, None));
        self.parties[call].proxy.forks[fork].last = Some(trying.clone());
        self.send(Node::Proxy(call), Node::House, &trying);
        for phone in 0..self.parties[call].phones.len() {
            let copy = Rc::new(Message {
                branch: format!("z9hG4bK-proxy-{fork}-{phone}").into(),
                ..(**invite).clone()
            });
            self.parties[call].proxy.forks[fork].branches.push(Branch {
                invite: copy.clone(),
                refused: None,
                answered: false,
            });
            self.send(Node::Proxy(call), Node::Phone(At { call, phone }), &copy);
        }
    }

    fn proxy_refuses(&mut self, call: usize, fork: usize, refusal: Message) {
        let refusal = Rc::new(refusal);
        self.parties[call].proxy.forks[fork].over = true;
        self.parties[call].proxy.forks[fork].last = Some(refusal.clone());
        let repeat = self.send_repeatedly(Node::Proxy(call), Node::House, refusal, Purpose::Refusal);
        self.parties[call].proxy.forks[fork].repeat = Some(repeat);
    }

    fn proxy_cancelled(&mut self, call: usize, cancel: &Message) {
        let found = self.parties[call]
            .proxy
            .forks
            .iter()
            .position(|fork| fork.invite.branch == cancel.branch);
        let status = if found.is_some() { 200 } else { 481 };
        let response = Rc::new(cancel.answered(status, Some("proxy")));
        self.send(Node::Proxy(call), Node::House, &response);
        let Some(fork) = found else { return };
        let this = &self.parties[call].proxy.forks[fork];
        // After a final response a CANCEL has no effect (RFC 3261 §9.2).
        if this.over || this.answered {
            return;
        }
        self.cancel_branches(call, fork);
        if self.scenario.calls[call].proxy.is_some_and(|script| script.early_487) {
            let refusal = self.parties[call].proxy.forks[fork].invite.answered(487, Some("proxy"));
            self.proxy_refuses(call, fork, refusal);
        }
    }

    fn cancel_branches(&mut self, call: usize, fork: usize) {
        let pending: Vec<_> = self.parties[call].proxy.forks[fork]
            .branches
            .iter()
            .enumerate()
            .filter(|(_, branch)| branch.refused.is_none() && !branch.answered)
            .map(|(phone, branch)| (phone, branch.invite.clone()))
            .collect();
        for (phone, invite) in pending {
            let cancel = Message {
                method: Method::Cancel,
                sdp: false,
                ..(*invite).clone()
            };
            self.send(Node::Proxy(call), Node::Phone(At { call, phone }), &Rc::new(cancel));
        }
    }

    fn proxy_answered(&mut self, at: At, response: &Rc<Message>) {
        let At { call, phone } = at;
        let of_phone = |fork: &Forked| {
            let branch = fork.branches.get(phone);
            branch.is_some_and(|branch| branch.invite.branch == response.branch)
        };
        let Some(fork) = self.parties[call].proxy.forks.iter().position(of_phone) else {
            return;
        };
        let this = &mut self.parties[call].proxy.forks[fork];
        let back = Message {
            branch: this.invite.branch.clone(),
            via: this.invite.via.clone(),
            ..(**response).clone()
        };
        let branch = &mut this.branches[phone];
        match response.status {
            ..=100 => {}
            101..200 if this.over || this.answered => {}
            101..200 => {
                let back = Rc::new(back);
                this.last = Some(back.clone());
                self.send(Node::Proxy(call), Node::House, &back);
            }
            // Every 2xx is passed on, also after a final response (RFC 3261 §16.7, RFC 6026 §7.3).
            200..300 => {
                branch.answered = true;
                let first = !std::mem::replace(&mut this.answered, true);
                this.last = None;
                self.send(Node::Proxy(call), Node::House, &Rc::new(back));
                if first {
                    self.proxy_has_an_answer(call, fork, phone);
                }
            }
            _ => {
                let ack = Rc::new(branch.invite.acknowledging(response));
                branch.refused = Some(Rc::new(back));
                self.send(Node::Proxy(call), Node::Phone(At { call, phone }), &ack);
                self.proxy_refused(call, fork);
            }
        }
    }

    fn proxy_has_an_answer(&mut self, call: usize, fork: usize, answered: usize) {
        if self.scenario.calls[call]
            .proxy
            .is_some_and(|script| script.cancels_others)
        {
            return self.cancel_branches(call, fork);
        }
        let pending = self.parties[call].proxy.forks[fork]
            .branches
            .iter()
            .enumerate()
            .filter(|(phone, branch)| *phone != answered && branch.refused.is_none() && !branch.answered)
            .map(|(_, branch)| branch.invite.branch.clone());
        let pending: Vec<_> = pending.collect();
        self.parties[call].proxy.abandoned.extend(pending);
    }

    /// All have refused: the lowest status is passed on, a 6xx before all.
    fn proxy_refused(&mut self, call: usize, fork: usize) {
        let this = &self.parties[call].proxy.forks[fork];
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
                self.cancel_branches(call, fork);
            }
            return;
        };
        let best = refusals
            .iter()
            .min_by_key(|refusal| (refusal.status < 600, refusal.status));
        if let Some(best) = best {
            let best = (**best).clone();
            self.proxy_refuses(call, fork, best);
        }
    }
}
