//! Rules about where a request inside a dialog is to go (RFC 3261 §12.2.1.1): by the routers that its 2xx has recorded, to the Contact in it.

use std::rc::Rc;

use sip::Method;

use super::CallWatch;
use crate::{message::Message, world::World};

/// What the first 2xx of a dialog has said.
pub(super) struct Target {
    contact: Rc<str>,
    /// The last router that has added itself comes first.
    recorded: Option<Rc<str>>,
}

impl Target {
    /// Request-URI and Route of what goes there.
    fn request(&self) -> (String, String) {
        let recorded = self.recorded.as_deref().unwrap_or_default();
        let mut routes: Vec<_> = recorded.split(", ").filter(|route| !route.is_empty()).collect();
        routes.reverse();
        let first = routes.first().copied().unwrap_or_default();
        let contact = format!("<{}>", self.contact);
        if first.is_empty() || first.contains(";lr") {
            return (self.contact.to_string(), routes.join(", "));
        }
        // One that is no loose router takes the place of the target, which comes last.
        routes.remove(0);
        routes.push(&contact);
        (first.trim_matches(['<', '>']).to_owned(), routes.join(", "))
    }
}

impl CallWatch {
    /// A 2xx is handed in.
    pub(super) fn heard_target(&mut self, message: &Message) {
        let (Some(tag), Some(contact)) = (message.to_tag(), &message.contact) else {
            return;
        };
        if message.is_answer() && !self.targets.contains_key(tag) {
            let target = Target {
                contact: contact.clone(),
                recorded: message.route.clone(),
            };
            self.targets.insert(tag.into(), target);
        }
    }
}

impl World {
    pub(super) fn check_target(&mut self, call: usize, request: &Message) {
        let now = self.now;
        let watched = &self.watch.calls[call];
        // What belongs to an INVITE without a dialog has its Request-URI.
        if watched.is_invite(&request.branch) && request.method != Method::Invite {
            return;
        }
        let Some(target) = request.to_tag().and_then(|tag| watched.targets.get(tag)) else {
            return;
        };
        let (uri, route) = target.request();
        let said = (
            request.uri.as_deref().unwrap_or_default(),
            request.route.as_deref().unwrap_or_default(),
        );
        if said != (&uri, &route) {
            let said = format!("{said:?}");
            self.watch.fail("a request goes by the route of its dialog", || {
                format!("{} at {now} ms: {said} and not {uri} by {route}", request.label())
            });
        }
    }
}
