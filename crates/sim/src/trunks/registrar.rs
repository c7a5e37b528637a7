//! Registrars: one that grants, challenges and finds the time too short as RFC 3261 §10.3 has it, and one that has whims besides.

use super::{Asked, Said};
use crate::{
    lanes::{Lane, LaneName},
    parts::Family,
    scenario::{Millis, RegistrarScript},
    world::World,
};

/// What one has seen.
#[derive(Default)]
pub(super) struct Registrar {
    /// REGISTERs that it has refused.
    refused: u64,
    /// It says nothing until then.
    silent_until: Millis,
    /// What it makes of the REGISTER with this CSeq, however often that comes.
    whim: Option<(String, Whim)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whim {
    /// Grants so many seconds, whatever was asked for.
    Grants(u32),
    /// Grants what was asked for, and does not say so; says so in `Expires`; or behind a Contact of somebody else.
    SaysNothing,
    InExpires,
    BehindAnother,
    /// The nonce was good a moment ago.
    Stale,
    /// The time is too short, by so many seconds.
    TooBrief(u32),
    TooBriefAndSilent,
    Busy(u16),
    /// Nothing is heard of it for as long.
    Silent(Millis),
}

impl Whim {
    fn draw(lane: &mut Lane) -> Self {
        lane.pick(&[
            Self::SaysNothing,
            Self::InExpires,
            Self::BehindAnother,
            Self::Grants(7200),
            Self::Grants(30),
            Self::Grants(1),
            Self::Grants(0),
            Self::Stale,
            Self::Stale,
            Self::TooBrief(0),
            Self::TooBrief(60),
            Self::TooBriefAndSilent,
            Self::Busy(500),
            Self::Busy(503),
            Self::Busy(480),
            Self::Silent(3000),
            Self::Silent(60_000),
        ])
    }

    /// The answer with this mood; none when there is none.
    fn answer(self, asked: &Asked) -> Option<Said> {
        let refused = |status, headers: String| {
            Some(Said {
                headers,
                ..Said::plainly(status)
            })
        };
        let granted = |seconds: u32, headers: String| {
            Some(Said {
                status: 200,
                headers,
                granted: Some(seconds),
            })
        };
        let Asked { contact, expires, .. } = asked;
        match self {
            Self::Grants(seconds) => {
                let seconds = seconds.min(if *expires == 0 { 0 } else { u32::MAX });
                granted(seconds, format!("Contact: {contact};expires={seconds}\r\n"))
            }
            Self::SaysNothing => granted(*expires, String::new()),
            Self::InExpires => granted(*expires, format!("Contact: {contact}\r\nExpires: {expires}\r\n")),
            Self::BehindAnother => {
                let another = "\"A, B\" <sip:another@203.0.113.77>;expires=5";
                granted(*expires, format!("Contact: {another}, {contact};expires={expires}\r\n"))
            }
            Self::Stale => {
                let nonce = asked.cseq.len() + *expires as usize;
                let challenge =
                    format!(r#"Digest realm="pbx", nonce="s{nonce}", qop="auth", algorithm=MD5, stale=true"#);
                refused(401, format!("WWW-Authenticate: {challenge}\r\n"))
            }
            Self::TooBrief(by) => refused(423, format!("Min-Expires: {}\r\n", expires + by)),
            Self::TooBriefAndSilent => refused(423, String::new()),
            Self::Busy(status) => refused(status, "Retry-After: 20\r\n".to_owned()),
            Self::Silent(_) => None,
        }
    }
}

impl World {
    /// What becomes of a REGISTER; nothing is said by one that is silent.
    pub(super) fn register(&mut self, trunk: usize, script: &RegistrarScript, asked: &Asked) -> Option<Said> {
        if let Some(whim) = self.whim(trunk, script, asked) {
            self.watch.tally.fault(Family::FickleRegistrars);
            return whim.answer(asked);
        }
        let registrar = &mut self.trunks.registrars[trunk];
        if script.challenges && !asked.has_credentials {
            let challenge = r#"WWW-Authenticate: Digest realm="pbx", nonce="n", qop="auth", algorithm=MD5"#;
            return Some(Said {
                headers: format!("{challenge}\r\n"),
                ..Said::plainly(401)
            });
        }
        if asked.expires > 0 && asked.expires < script.least {
            return Some(Said {
                headers: format!("Min-Expires: {}\r\n", script.least),
                ..Said::plainly(423)
            });
        }
        if registrar.refused < script.refuses {
            registrar.refused += 1;
            return Some(Said::plainly(403));
        }
        let granted = asked.expires.min(script.grants.max(script.least));
        Some(Said {
            status: 200,
            headers: format!("Contact: {};expires={granted}\r\n", asked.contact),
            granted: Some(granted),
        })
    }

    fn whim(&mut self, trunk: usize, script: &RegistrarScript, asked: &Asked) -> Option<Whim> {
        let now = self.now;
        if script.whims == 0 || self.scenario.is_calm(now) {
            return None;
        }
        let number = self.scenario.trunks[trunk].number;
        let registrar = &mut self.trunks.registrars[trunk];
        if now < registrar.silent_until {
            return Some(Whim::Silent(0));
        }
        let known = registrar.whim.as_ref().filter(|(cseq, _)| *cseq == asked.cseq);
        if let Some((_, whim)) = known {
            return Some(*whim);
        }
        let lane = self.lanes.lane(LaneName::of(Family::FickleRegistrars.name(), number));
        let whim = lane.chance(script.whims).then(|| Whim::draw(lane))?;
        if let Whim::Silent(wait) = whim {
            registrar.silent_until = now + wait;
        }
        registrar.whim = Some((asked.cseq.clone(), whim));
        Some(whim)
    }
}
