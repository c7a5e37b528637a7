//! `docs/call-phases.md` says what every phase makes of every input; here each cell is asked of the machine.
//!
//! After a change of the machine that is meant: `UPDATE_DOCS=1 cargo test -p call --test phases_are_documented`.

mod rig;

use std::{fmt::Write as _, fs};

use call::{Call, End, EndCause, Phase, Save, Silence};
use rig::{ANSWER, MD5, Rig, www};
use sip::{Method, Tag};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/call-phases.md");
const BEGIN: &str = "<!-- from here on written by crates/call/tests/phases_are_documented.rs -->\n";

type Start = fn() -> Rig;
/// Hands the input in; false where it cannot occur, such as an answer to a request that was never sent.
type Input = fn(&mut Rig) -> bool;

fn answered_and_wished() -> Rig {
    let mut rig = Rig::cancelling();
    rig.answer("phone").gives(["save Answer"]);
    rig
}

const PHASES: [(&str, &str, Start); 13] = [
    (
        "Placing",
        "The intent is on its way to the disk; nothing was sent.",
        Rig::placing,
    ),
    ("Calling", "INVITE sent, and not one response yet.", Rig::calling),
    ("Calling, after a 100", "A CANCEL may leave.", Rig::trying),
    ("Early", "The phone rings.", Rig::early),
    (
        "Cancelling, held",
        "The wish to end came before any provisional.",
        Rig::held,
    ),
    (
        "Cancelling, sent",
        "The wish to end came before the answer.",
        Rig::cancelling,
    ),
    ("Answered", "A 2xx came; the ACK waits for the disk.", Rig::answered),
    (
        "Answered, with a wish to end",
        "The 2xx crossed the CANCEL.",
        answered_and_wished,
    ),
    ("Confirmed", "ACK sent; the phone hears the message.", Rig::confirmed),
    (
        "Confirmed, ours to refresh",
        "The 2xx named a session interval, and us as the refresher.",
        || Rig::in_session("300;refresher=uac", true),
    ),
    ("Confirmed, UPDATE sent", "The session is being refreshed.", || {
        Rig::refreshing(true)
    }),
    (
        "Confirmed, re-INVITE sent",
        "The same with a phone that takes no UPDATE.",
        || Rig::refreshing(false),
    ),
    ("Terminating", "BYE sent.", Rig::terminating),
];

const INPUTS: [(&str, Input); 64] = [
    ("hang-up", |rig| done(rig.disconnect())),
    ("message finished", |rig| command(rig, Call::media_finished)),
    ("no sound for it", |rig| command(rig, Call::media_failed)),
    ("server drains", |rig| command(rig, Call::drain)),
    ("its next timer", |rig| {
        let Some((due, _)) = rig.call.poll_timeout() else {
            return false;
        };
        rig.now = due;
        rig.call.handle_timeout(due);
        true
    }),
    ("intent saved", |rig| done(rig.saved(Save::Intent))),
    ("intent not saved", |rig| done(rig.save_failed(Save::Intent))),
    ("answer saved", |rig| done(rig.saved(Save::Answer))),
    ("answer not saved", |rig| done(rig.save_failed(Save::Answer))),
    ("INVITE: 100", |rig| response(rig, "INVITE", 100)),
    ("INVITE: 180", |rig| response(rig, "INVITE", 180)),
    ("INVITE: 2xx of the phone", |rig| answer(rig, "phone")),
    ("INVITE: 2xx of another fork", |rig| {
        // A re-INVITE goes to one phone alone.
        rig.count("INVITE") > 0 && rig.last("INVITE").to_tag().is_none() && answer(rig, "fork")
    }),
    ("the same, saved", |rig| forked(rig) && done(rig.saved(Save::Fork(0)))),
    ("the same, not saved", |rig| {
        forked(rig) && done(rig.save_failed(Save::Fork(0)))
    }),
    ("INVITE: 2xx, branch not ours", |rig| {
        rig.count("INVITE") > 0 && {
            let mut forged = rig.answer_of("forger");
            forged.branch = sip::Branch::new("z9hG4bKguess");
            done(rig.deliver(&forged))
        }
    }),
    ("INVITE: 3xx", |rig| response(rig, "INVITE", 302)),
    ("INVITE: 4xx–6xx", |rig| response(rig, "INVITE", 486)),
    ("INVITE: 487", |rig| response(rig, "INVITE", 487)),
    ("INVITE: 401/407, answerable", |rig| challenge(rig, "INVITE", 401)),
    ("INVITE: 401/407, not answerable", |rig| response(rig, "INVITE", 401)),
    ("INVITE: 408 or 481", |rig| response(rig, "INVITE", 481)),
    ("INVITE: 422, a longer interval", |rig| too_small(rig, "INVITE", 600)),
    ("INVITE: 422, no use", |rig| too_small(rig, "INVITE", 90)),
    ("INVITE: 491", |rig| response(rig, "INVITE", 491)),
    ("INVITE: timer B", |rig| silence(rig, "INVITE", Silence::TimedOut)),
    ("INVITE: timer B, and nobody there", |rig| {
        silence(rig, "INVITE", Silence::NobodyThere)
    }),
    ("INVITE: its connection lost", |rig| {
        silence(rig, "INVITE", Silence::ConnectionLost)
    }),
    ("INVITE: not sendable", |rig| {
        silence(rig, "INVITE", Silence::Unreachable)
    }),
    ("CANCEL: 200", |rig| response(rig, "CANCEL", 200)),
    ("CANCEL: 481", |rig| response(rig, "CANCEL", 481)),
    ("CANCEL: timer F", |rig| silence(rig, "CANCEL", Silence::TimedOut)),
    ("CANCEL: its connection lost", |rig| {
        silence(rig, "CANCEL", Silence::ConnectionLost)
    }),
    ("CANCEL: not sendable", |rig| {
        silence(rig, "CANCEL", Silence::Unreachable)
    }),
    ("UPDATE: 2xx", |rig| response(rig, "UPDATE", 200)),
    ("UPDATE: 408 or 481", |rig| response(rig, "UPDATE", 481)),
    ("UPDATE: 405 or 501", |rig| response(rig, "UPDATE", 405)),
    ("UPDATE: 422, a longer interval", |rig| too_small(rig, "UPDATE", 600)),
    ("UPDATE: 401/407, answerable", |rig| challenge(rig, "UPDATE", 407)),
    ("UPDATE: other refusal", |rig| response(rig, "UPDATE", 500)),
    ("UPDATE: timer F", |rig| silence(rig, "UPDATE", Silence::TimedOut)),
    ("UPDATE: not sendable", |rig| {
        silence(rig, "UPDATE", Silence::Unreachable)
    }),
    ("BYE: 2xx", |rig| response(rig, "BYE", 200)),
    ("BYE: 408 or 481", |rig| response(rig, "BYE", 481)),
    ("BYE: other refusal", |rig| response(rig, "BYE", 500)),
    ("BYE: 401/407, answerable", |rig| challenge(rig, "BYE", 407)),
    ("BYE: 401/407, not answerable", |rig| response(rig, "BYE", 401)),
    ("BYE: timer F", |rig| silence(rig, "BYE", Silence::TimedOut)),
    ("BYE: not sendable", |rig| silence(rig, "BYE", Silence::Unreachable)),
    ("BYE of the phone", |rig| done(rig.peer(Method::Bye, ""))),
    ("BYE of another dialog", |rig| {
        let mut bye = rig.peer_request(Method::Bye, "");
        bye.from_tag = Some(Tag::new("stranger"));
        done(rig.receive(&bye))
    }),
    ("re-INVITE with an offer", |rig| {
        let moved = ANSWER.replace("4000", "4002");
        done(rig.peer(Method::Invite, &moved))
    }),
    ("re-INVITE without", |rig| done(rig.peer(Method::Invite, ""))),
    ("re-INVITE, unusable offer", |rig| {
        done(rig.peer(Method::Invite, "nonsense"))
    }),
    ("UPDATE with an offer", |rig| {
        let moved = ANSWER.replace("4000", "4002");
        done(rig.peer(Method::Update, &moved))
    }),
    ("UPDATE without", |rig| done(rig.peer(Method::Update, ""))),
    ("UPDATE, interval too short", |rig| {
        let mut update = rig.peer_request(Method::Update, "");
        update.session = rig::session("30");
        done(rig.receive(&update))
    }),
    ("OPTIONS or INFO", |rig| done(rig.peer(Method::Options, ""))),
    ("NOTIFY", |rig| done(rig.peer(Method::Notify, ""))),
    ("other method", |rig| {
        done(rig.peer(Method::Other("MESSAGE".to_owned()), ""))
    }),
    ("a request out of order", |rig| {
        rig.peer(Method::Info, "").drain();
        let mut old = rig.peer_request(Method::Info, "");
        old.cseq.number = 0;
        done(rig.receive(&old))
    }),
    ("CANCEL of the phone", |rig| done(rig.peer(Method::Cancel, ""))),
    ("ACK of a re-INVITE", |rig| {
        let ack = rig.peer_request(Method::Ack, ANSWER);
        rig.call.handle_ack(&ack);
        true
    }),
    ("re-INVITE never ACKed", |rig| command(rig, Call::handle_never_acked)),
];

fn awaits_answer(phase: &Phase) -> bool {
    matches!(phase, Phase::Calling { .. } | Phase::Early | Phase::Cancelling { .. })
}

/// Another phone than the call's own has answered.
fn forked(rig: &mut Rig) -> bool {
    let own = rig.count("INVITE") == 0 || rig.last("INVITE").to_tag().is_some() || awaits_answer(&rig.call.phase());
    !own && {
        answer(rig, "fork");
        rig.drain();
        true
    }
}

fn done(_: &mut Rig) -> bool {
    true
}

fn command(rig: &mut Rig, command: fn(&mut Call, sip::Moment)) -> bool {
    command(&mut rig.call, rig.now);
    true
}

fn response(rig: &mut Rig, method: &str, status: u16) -> bool {
    rig.count(method) > 0 && done(rig.response_to(method, status))
}

fn challenge(rig: &mut Rig, method: &str, status: u16) -> bool {
    rig.count(method) > 0 && done(rig.challenge(method, status, &[www(MD5)]))
}

fn too_small(rig: &mut Rig, method: &str, min_se: u32) -> bool {
    rig.count(method) > 0 && {
        let mut response = rig.last(method).response(422, Some("phone"));
        response.session.min_se = Some(min_se);
        done(rig.deliver(&response))
    }
}

fn silence(rig: &mut Rig, method: &str, silence: Silence) -> bool {
    rig.count(method) > 0 && done(rig.silence(method, silence))
}

fn answer(rig: &mut Rig, phone: &str) -> bool {
    rig.count("INVITE") > 0 && done(rig.answer(phone))
}

fn phase(rig: &Rig) -> String {
    let wish = rig.call.record().wish;
    match rig.call.phase() {
        Phase::Placing => "Placing".to_owned(),
        Phase::Calling { trying: false } => "Calling".to_owned(),
        Phase::Calling { trying: true } => "Calling, after a 100".to_owned(),
        Phase::Early => "Early".to_owned(),
        Phase::Cancelling { sent: false } => "Cancelling, held".to_owned(),
        Phase::Cancelling { sent: true } => "Cancelling, sent".to_owned(),
        Phase::Answered if wish.is_some() => "Answered, with a wish to end".to_owned(),
        Phase::Answered => "Answered".to_owned(),
        Phase::Confirmed => "Confirmed".to_owned(),
        Phase::Terminating => "Terminating".to_owned(),
        Phase::Ended(End { cause, confirmed }) => {
            let cause = match cause {
                EndCause::Wished(wish) => format!("{wish:?}"),
                EndCause::Rejected { status, .. } => format!("Rejected {status}"),
                EndCause::Unauthorized { status, .. } => format!("Unauthorized {status}"),
                EndCause::RemoteHangup | EndCause::Unreachable | EndCause::NotJournaled => {
                    format!("{cause:?}")
                }
            };
            format!("Ended: {cause}{}", if confirmed { "" } else { ", unconfirmed" })
        }
    }
}

fn written() -> String {
    let mut page = String::new();
    for (name, what, start) in PHASES.into_iter().chain([("Ended", "Over.", Rig::ended as Start)]) {
        let _ = write!(
            page,
            "\n## {name}\n\n{what}\n\n| input | what goes out | then |\n|---|---|---|\n"
        );
        let mut passed_over = Vec::new();
        // Inputs that stand together and do the same share a row.
        let mut rows: Vec<(Vec<&str>, String)> = Vec::new();
        for (input, hand_in) in INPUTS {
            let mut rig = start();
            let before = phase(&rig);
            if !hand_in(&mut rig) {
                continue;
            }
            let (outputs, after) = (rig.drain(), phase(&rig));
            let then = if after == before { "" } else { &after };
            if outputs.is_empty() && then.is_empty() {
                passed_over.push(input);
                continue;
            }
            let does = format!("{} | {then}", outputs.join(", "));
            match rows.last_mut().filter(|(_, last)| *last == does) {
                Some((inputs, _)) => inputs.push(input),
                None => rows.push((vec![input], does)),
            }
        }
        for (inputs, does) in rows {
            let _ = writeln!(page, "| {} | {does} |", inputs.join("; "));
        }
        let _ = write!(page, "\nChange nothing: {}.\n", passed_over.join("; "));
    }
    page
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the machine does no I/O, the test of its page does"
)]
fn every_cell_is_what_the_machine_does() {
    let page = fs::read_to_string(PAGE).expect("docs/call-phases.md");
    let (head, table) = page.split_once(BEGIN).expect("the line where the tables begin");
    let written = written();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(PAGE, format!("{head}{BEGIN}{written}")).expect("docs/call-phases.md is writable");
    } else {
        assert_eq!(
            table, written,
            "docs/call-phases.md is out of date; see the head of this file"
        );
    }
}
