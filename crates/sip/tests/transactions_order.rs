//! What comes out comes out in the order in which it was caused.

mod transactions;

use transactions::{Rig, never_acked, over, request, sent, timed_out, udp};

#[test]
fn what_leaves_keeps_the_order_of_the_inputs() {
    let mut rig = Rig::default();
    let (bye, invite, options) = (request("BYE", "a"), request("INVITE", "b"), request("OPTIONS", "c"));
    rig.send(udp(), &bye);
    rig.send(udp(), &invite);
    let id = rig.accept(udp(), &options);
    rig.response(&invite.response(486, "x"));
    rig.reply(id, 200, &options.response(200, "us"));
    rig.response(&invite.response(486, "x"));
    rig.gives([
        sent(udp(), bye.text()),
        sent(udp(), invite.text()),
        sent(udp(), invite.ack("x")),
        sent(udp(), options.response(200, "us")),
        sent(udp(), invite.ack("x")),
    ]);
}

#[test]
fn after_a_long_pause_everything_comes_in_the_order_of_its_time() {
    let mut rig = Rig::default();
    let (invite, bye) = (request("INVITE", "a"), request("BYE", "b"));
    rig.sends(udp(), &invite);
    rig.passes(250);
    rig.sends(udp(), &bye);
    rig.response(&bye.response(100, "x"));
    rig.now = transactions::at(10_000);
    rig.transactions.handle_timeout(rig.now);
    // Timer A at 0.5, 1.5, 3.5 and 7.5 s; timer E at 0.75, 4.75 and 8.75 s.
    let order = [&invite, &bye, &invite, &invite, &bye, &invite, &bye];
    rig.gives(order.map(|request| sent(udp(), request.text())));
}

/// Clients before servers, and the older before the younger.
#[test]
fn what_is_due_at_one_moment_has_an_order() {
    let mut rig = Rig::default();
    let [asked, invited] = ["a", "b"].map(|branch| request("INVITE", branch));
    let refused = rig.accept(udp(), &asked);
    let answered = rig.accept(udp(), &request("INVITE", "c"));
    rig.reply(answered, 200, &request("INVITE", "c").response(200, "us"));
    rig.reply(refused, 486, &asked.response(486, "us"));
    rig.send(udp(), &invited);
    rig.send(udp(), &request("BYE", "d"));
    while rig.transactions.poll_transmit().is_some() {}
    rig.fires(
        "A",
        500,
        [
            sent(udp(), invited.text()),
            sent(udp(), request("BYE", "d").text()),
            sent(udp(), asked.response(486, "us")),
            sent(udp(), request("INVITE", "c").response(200, "us")),
        ],
    );
    rig.passes_to(31_999);
    let ends = [
        timed_out(&invited),
        timed_out(&request("BYE", "d")),
        over(refused),
        never_acked(answered),
    ];
    rig.fires("B", 32_000, ends);
    rig.is_empty();
}

/// Where T1 and T2 are both a second, a repetition would be due at 64 s, when timer F is.
#[test]
fn nothing_is_repeated_at_the_moment_of_its_end() {
    let second = std::time::Duration::from_secs(1);
    let mut rig = Rig::new(sip::Timers {
        t1: second,
        t2: second,
        t4: second,
    });
    let bye = request("BYE", "a");
    rig.sends(udp(), &bye);
    rig.passes_to(63_000);
    rig.fires("F", 64_000, [timed_out(&bye)]);
    rig.is_empty();
}
