//! BYE, through challenges and repetitions, for the call's own dialog and for those that other forks opened (`fork`).
//!
//! A BYE that was refused or met silence is sent again as a new transaction, since only a phone that has heard it is
//! surely on-hook. RFC 3261 §15.1.1 would allow to forget the dialog at once.

use super::{Call, Fork, Limits, Output, Save, Surroundings};
use crate::{
    dialog::{Dialog, Local},
    record::{EndCause, Phase, RECORD_VERSION, Record, Wish},
    timer::Timer,
};
use sip::{
    BranchKey, CSeq, Challenge, Method, Moment, Outgoing, Response, Tx,
    digest::{Authenticator, Credentials, Subject},
};

/// Transactions' lengths that BYE is tried for before a call is given up as unconfirmed.
const BYE_TRANSACTIONS: u32 = 3;

/// `CSeq` numbers that may have been used in a dialog that nobody remembers.
const STRAY_CSEQS: u32 = 100;

/// A BYE on its way.
#[derive(Debug)]
pub(super) struct Bye {
    tx: Tx,
    auth: Authenticator,
    /// When to send another one: soon after a refusal, or when the transaction should long have been over.
    again: Moment,
    /// When to stop trying.
    until: Moment,
    /// Set once it is over: whether the far end has confirmed it.
    confirmed: Option<bool>,
}

/// What came back for a BYE.
enum Fate<'a> {
    Confirmed,
    Challenged(&'a [Challenge]),
    /// Refused, or never answered.
    Missed,
}

impl Bye {
    pub(super) fn sent(tx: Tx, limits: &Limits, now: Moment) -> Self {
        Self {
            tx,
            auth: Authenticator::default(),
            again: now + limits.patience(),
            until: now + limits.transaction() * BYE_TRANSACTIONS,
            confirmed: None,
        }
    }

    /// Whether the far end has confirmed it, once it is over.
    pub(super) fn confirmed(&self) -> Option<bool> {
        self.confirmed
    }

    fn is_over(&self) -> bool {
        self.confirmed.is_some()
    }

    /// The BYE again with credentials, or nothing when that is of no use.
    fn authorize(
        &mut self,
        challenges: &[Challenge],
        credentials: Option<&Credentials>,
        dialog: &mut Dialog,
        local: &Local,
        key: &BranchKey,
    ) -> Option<Outgoing> {
        let credentials = credentials?;
        self.auth.challenged(challenges).ok()?;
        let cnonce = key.cnonce(&dialog.call_id, dialog.local_cseq);
        let subject = Subject {
            method: &Method::Bye,
            uri: &dialog.request_uri(),
            body: &[],
            cnonce: &cnonce,
        };
        let authorizations = self.auth.authorize(credentials, subject);
        let headers: Vec<_> = authorizations
            .iter()
            .map(|header| (header.name, header.value.as_str()))
            .collect();
        Some(next_bye(dialog, &headers, local, key))
    }
}

impl Call {
    /// Makes a call that nobody remembers from the 2xx of its INVITE alone, in order to end it as any other: once this is
    /// saved, ACK and BYE, through challenges and silence (promise 2).
    ///
    /// Nothing when the branch is not ours: a forged 2xx must not make us send anywhere. `trunk` is for the record.
    #[must_use]
    pub fn stray(response: &Response, trunk: String, around: Surroundings) -> Option<Self> {
        let (branch, call_id, cseq) = (&response.branch, &response.call_id, &response.cseq);
        if cseq.method != Method::Invite || !around.key.is_ours(branch, call_id, cseq) {
            return None;
        }
        let mut dialog = Dialog::from_stray(response)?;
        // The BYE of the call itself may have used the next numbers; gaps are legal (RFC 3261 §12.2.2).
        dialog.local_cseq = dialog.local_cseq.saturating_add(STRAY_CSEQS);
        let record = Record {
            version: RECORD_VERSION,
            trunk,
            invite_via: String::new(),
            invite_cseq: cseq.number,
            request_uri: dialog.remote_target.clone(),
            destination: dialog.remote_target.clone(),
            path: None,
            dialog,
            phase: Phase::Answered,
            wish: Some(Wish::Drain),
            forks: Vec::new(),
        };
        let mut call = Self::with(record, around);
        call.save(Save::Answer);
        Some(call)
    }

    /// Hangs up a call that was answered and ACKed.
    pub(super) fn send_bye(&mut self, now: Moment) {
        self.stop_media();
        for timer in [Timer::MaxDuration, Timer::Refresh, Timer::SessionExpires] {
            self.timers.stop(timer);
        }
        self.record.phase = Phase::Terminating;
        let outgoing = next_bye(&mut self.record.dialog, &[], &self.around.local, &self.around.key);
        self.bye = Some(Bye::sent(outgoing.tx.clone(), &self.around.limits, now));
        self.send(outgoing);
        self.schedule_byes();
    }

    pub(super) fn handle_bye_response(&mut self, response: &Response, now: Moment) {
        let fate = match response.status {
            ..200 => return,
            // With 481 and 408 the far end says that it knows the dialog no more (RFC 3261 §15.1.1, RFC 5057 §5.1).
            200..300 | 408 | 481 => Fate::Confirmed,
            401 | 407 => Fate::Challenged(&response.challenges),
            // Also what RFC 5057 §5.1 says ends a dialog (404, 502 and others): it may come from a proxy on the way.
            _ => Fate::Missed,
        };
        self.follow_bye(&response.tx(), fate, now);
    }

    pub(super) fn handle_bye_silence(&mut self, tx: &Tx, now: Moment) {
        self.follow_bye(tx, Fate::Missed, now);
    }

    fn follow_bye(&mut self, tx: &Tx, fate: Fate<'_>, now: Moment) {
        let Self {
            record,
            around,
            bye,
            forks,
            outputs,
            ..
        } = self;
        let own = bye.as_mut().map(|bye| (bye, &mut record.dialog));
        let others = forks.iter_mut().filter_map(Fork::ending_mut);
        let found = own
            .into_iter()
            .chain(others)
            .find(|(bye, _)| bye.tx == *tx && !bye.is_over());
        let Some((bye, dialog)) = found else { return };
        match fate {
            Fate::Confirmed => bye.confirmed = Some(true),
            Fate::Challenged(challenges) => {
                let credentials = around.credentials.as_ref();
                match bye.authorize(challenges, credentials, dialog, &around.local, &around.key) {
                    Some(outgoing) => {
                        bye.tx = outgoing.tx.clone();
                        bye.again = now + around.limits.patience();
                        outputs.push_back(Output::Send(outgoing));
                    }
                    None => bye.confirmed = Some(false),
                }
            }
            Fate::Missed if now >= bye.until => bye.confirmed = Some(false),
            Fate::Missed => bye.again = now + around.limits.t1 * 8,
        }
        self.settle_byes();
    }

    /// Sends every BYE that is due once more, as a new transaction.
    pub(super) fn bye_again(&mut self, now: Moment) {
        let Self {
            record,
            around,
            bye,
            forks,
            outputs,
            ..
        } = self;
        let own = bye.as_mut().map(|bye| (bye, &mut record.dialog));
        let others = forks.iter_mut().filter_map(Fork::ending_mut);
        let due = |bye: &Bye| bye.again <= now && !bye.is_over();
        for (bye, dialog) in own.into_iter().chain(others).filter(|(bye, _)| due(bye)) {
            if now >= bye.until {
                bye.confirmed = Some(false);
                continue;
            }
            let outgoing = next_bye(dialog, &[], &around.local, &around.key);
            bye.tx = outgoing.tx.clone();
            bye.auth = Authenticator::default();
            bye.again = now + around.limits.patience();
            outputs.push_back(Output::Send(outgoing));
        }
        self.settle_byes();
    }

    /// The call is over with its own BYE; those of the forks run on.
    fn settle_byes(&mut self) {
        self.settle_forks();
        // Every BYE of the call's own dialog has a wish behind it, which is the cause that `finish` names.
        if let Some(confirmed) = self.bye.as_ref().and_then(Bye::confirmed) {
            self.finish(EndCause::RemoteHangup, confirmed);
        }
        self.schedule_byes();
    }

    pub(super) fn schedule_byes(&mut self) {
        let byes = self.bye.iter().chain(self.forks.iter().filter_map(Fork::ending));
        match byes.filter(|bye| !bye.is_over()).map(|bye| bye.again).min() {
            Some(due) => self.timers.set(Timer::AnotherBye, due),
            None => self.timers.stop(Timer::AnotherBye),
        }
    }
}

/// The BYE that is next in a dialog.
pub(super) fn next_bye(dialog: &mut Dialog, headers: &[(&str, &str)], local: &Local, key: &BranchKey) -> Outgoing {
    dialog.local_cseq = dialog.local_cseq.saturating_add(1);
    let cseq = CSeq {
        number: dialog.local_cseq,
        method: Method::Bye,
    };
    dialog.request(cseq, headers, None, local, key)
}
