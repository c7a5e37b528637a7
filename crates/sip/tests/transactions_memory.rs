//! What a transaction costs while it lives, as the allocator sees it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod transactions;

use sip::{Message, Moment, Timers, Transactions};
use transactions::{Request, at, request, udp};

const MANY: usize = 2_000;
/// An INVITE of ours with its offer.
const INVITE: usize = 1_100;

fn nth(method: &'static str, number: usize) -> Request {
    // As long as a branch of ours.
    request(method, &format!("{number:024}"))
}

fn send(transactions: &mut Transactions, now: Moment, request: &Request) {
    let mut bytes = request.text().into_bytes();
    bytes.resize(INVITE, b' ');
    transactions.send(now, udp(), request.tx(), bytes);
    assert!(transactions.poll_transmit().is_some());
}

fn respond(transactions: &mut Transactions, now: Moment, response: &str) {
    transactions.handle_response(now, &Message::parse(response.as_bytes()).unwrap());
    while transactions.poll_transmit().is_some() {}
}

/// Bytes that `MANY` of them hold after `live`.
fn all(mut live: impl FnMut(&mut Transactions, usize)) -> usize {
    let mut transactions = Transactions::new(Timers::default());
    let used = allocation_counter::measure(|| (0..MANY).for_each(|number| live(&mut transactions, number)));
    usize::try_from(used.bytes_current).unwrap()
}

/// The same, each.
fn each(live: impl FnMut(&mut Transactions, usize)) -> usize {
    all(live) / MANY
}

#[test]
fn a_waiting_invite_is_its_bytes_and_little_more() {
    let waiting = each(|transactions, number| send(transactions, at(0), &nth("INVITE", number)));
    let ringing = each(|transactions, number| {
        let invite = nth("INVITE", number);
        send(transactions, at(0), &invite);
        respond(transactions, at(0), &invite.response(180, "x"));
    });
    println!("waiting {waiting}, ringing {ringing}");
    assert!((INVITE..INVITE + 700).contains(&waiting), "{waiting}");
    assert!(ringing < waiting, "{ringing}");
}

#[test]
fn one_that_only_absorbs_holds_no_message() {
    let accepted = each(|transactions, number| {
        let invite = nth("INVITE", number);
        send(transactions, at(0), &invite);
        respond(transactions, at(0), &invite.response(200, "x"));
    });
    let completed = each(|transactions, number| {
        let bye = nth("BYE", number);
        send(transactions, at(0), &bye);
        respond(transactions, at(0), &bye.response(200, "x"));
    });
    println!("accepted {accepted}, completed {completed}");
    assert!(accepted < 400, "{accepted}");
    assert!(completed < 400, "{completed}");
}

#[test]
fn one_that_is_over_holds_nothing() {
    let left = all(|transactions, number| {
        let invite = nth("INVITE", number);
        let now = at(number as u64 * 40_000);
        send(transactions, now, &invite);
        respond(
            transactions,
            now,
            &invite.response(if number % 2 == 0 { 200 } else { 486 }, "x"),
        );
        transactions.handle_timeout(at(number as u64 * 40_000 + 39_999));
    });
    // The room that the queues and trees had for one.
    assert!(left < 8 * 1024, "{left}");
}
