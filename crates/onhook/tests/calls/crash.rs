//! Promise 3, and 2 with it: the server is killed, and what it left is ended by the next one from the record.

use ews::{ConnectionFailureCause, PhoneCallState};

use crate::peer::Peer;
use crate::program::Program;
use crate::scene::{House, Plan, sip_address};

/// The same plan on the same SIP port: what an operator's file says.
pub(crate) fn again(plan: &Plan, first: &Program) -> Plan {
    Plan {
        sip_listen: first.addresses.sip[0].clone(),
        ..plan.clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_up_is_byed_by_the_next_server_and_its_id_still_answers() {
    let mut peer = Peer::bind().await;
    let house = House::build();
    let plan = Plan::to(peer.uri());
    let first = Program::serve(&house, &plan).await;
    let id = first.anna(&house).play("4711").await;
    let invite = peer.expect("INVITE").await;
    peer.answer(&invite).await;
    let ack = peer.expect("ACK").await;
    let plan = again(&plan, &first);
    first.kill().await;

    let second = Program::serve(&house, &plan).await;
    let anna = second.anna(&house);
    // The phone may have missed the ACK of a server that was killed.
    peer.repeated(&ack).await;
    let bye = peer.expect("BYE").await;
    assert_eq!(bye.header("Call-ID"), invite.header("Call-ID"));
    assert_eq!(bye.header("From"), invite.header("From"));
    assert!(bye.header("To").ends_with(";tag=phone"));
    assert_eq!(anna.state(&id).await, PhoneCallState::Connected);
    peer.reply(&bye, 200).await;
    let information = anna.ended(&id).await;
    assert_eq!(information.failure_cause, ConnectionFailureCause::None);
    anna.disconnect(&id).await.unwrap();
    peer.nothing_new(sip_address(&second.addresses.sip[0])).await;

    // Nothing is left for a third.
    assert!(second.terminate().await.0.success());
    let third = Program::serve(&house, &plan).await;
    let anna = third.anna(&house);
    assert_eq!(anna.state(&id).await, PhoneCallState::Disconnected);
    anna.disconnect(&id).await.unwrap();
    peer.nothing_new(sip_address(&third.addresses.sip[0])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_rang_is_cancelled_by_the_next_server() {
    let mut peer = Peer::bind().await;
    let house = House::build();
    let plan = Plan::to(peer.uri());
    let first = Program::serve(&house, &plan).await;
    let anna = first.anna(&house);
    let id = anna.play("4711").await;
    let invite = peer.expect("INVITE").await;
    peer.reply(&invite, 180).await;
    anna.reaches(&id, PhoneCallState::Alerted).await;
    let plan = again(&plan, &first);
    first.kill().await;

    let second = Program::serve(&house, &plan).await;
    let anna = second.anna(&house);
    let cancel = peer.expect("CANCEL").await;
    assert_eq!(cancel.branch(), invite.branch());
    assert_eq!(cancel.header("CSeq"), "1 CANCEL");
    peer.reply(&cancel, 200).await;
    peer.reply(&invite, 487).await;
    let ack = peer.expect("ACK").await;
    assert_eq!(ack.branch(), invite.branch());
    assert!(ack.header("To").ends_with(";tag=phone"));
    anna.ended(&id).await;
    anna.disconnect(&id).await.unwrap();
    peer.nothing_new(sip_address(&second.addresses.sip[0])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_answers_while_the_server_is_down_is_acked_and_byed() {
    let mut peer = Peer::bind().await;
    let house = House::build();
    let plan = Plan::to(peer.uri());
    let first = Program::serve(&house, &plan).await;
    let id = first.anna(&house).play("4711").await;
    let invite = peer.expect("INVITE").await;
    let plan = again(&plan, &first);
    first.kill().await;

    let second = Program::serve(&house, &plan).await;
    let cancel = peer.expect("CANCEL").await;
    peer.answer(&invite).await;
    peer.reply(&cancel, 481).await;
    peer.expect("ACK").await;
    let bye = peer.expect("BYE").await;
    peer.reply(&bye, 200).await;
    second.anna(&house).ended(&id).await;
}

/// The phone of another fork has been ACKed, and the server dies before that phone has heard its BYE.
#[tokio::test(flavor = "multi_thread")]
async fn the_phone_of_another_fork_is_hung_up_by_the_next_server() {
    let mut peer = Peer::bind().await;
    let house = House::build();
    let plan = Plan::to(peer.uri());
    let first = Program::serve(&house, &plan).await;
    let anna = first.anna(&house);
    // One call is up when another fork answers; the other has ended by then.
    let up = anna.play("4711").await;
    let invite_of_up = peer.take_call().await;
    peer.answer_as("other", &invite_of_up).await;
    peer.expect("ACK").await;
    peer.expect("BYE").await;
    let over = anna.play("4712").await;
    let invite_of_over = peer.take_call().await;
    peer.hang_up(&invite_of_over).await;
    assert_eq!(peer.next().await.status(), Some(200));
    peer.answer_as("late", &invite_of_over).await;
    peer.expect("ACK").await;
    peer.expect("BYE").await;
    let plan = again(&plan, &first);
    first.kill().await;

    let second = Program::serve(&house, &plan).await;
    let mut ended = Vec::new();
    while ended.len() < 3 {
        let request = peer.next().await;
        // BYEs of the first server may still have been on their way; those of the second leave a gap.
        if request.header("CSeq").ends_with(" BYE") && request.header("CSeq").len() > "9 BYE".len() {
            peer.reply(&request, 200).await;
            ended.extend(request.header("To").rsplit("tag=").next().map(str::to_owned));
        }
    }
    ended.sort();
    assert_eq!(ended, ["late", "other", "phone"]);
    let anna = second.anna(&house);
    anna.ended(&up).await;
    // What ended the call is not forgotten for the fork's sake.
    assert_eq!(anna.ended(&over).await.failure_cause, ConnectionFailureCause::None);
    peer.nothing_new(sip_address(&second.addresses.sip[0])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_trunk_cannot_be_reached_is_left_to_a_later_server() {
    let mut peer = Peer::bind().await;
    let house = House::build();
    let plan = Plan::to(peer.uri());
    let first = Program::serve(&house, &plan).await;
    let id = first.anna(&house).play("4711").await;
    peer.take_call().await;
    first.kill().await;

    // It has no address for IPv6.
    let second = Program::serve(&house, &Plan::to("sip:[::1]:5060")).await;
    assert!(second.terminate().await.0.success());

    let third = Program::serve(&house, &plan).await;
    // Its port is another one, and so is its Via.
    assert_eq!(peer.expect("ACK").await.header("CSeq"), "1 ACK");
    let bye = peer.expect("BYE").await;
    peer.reply(&bye, 200).await;
    third.anna(&house).ended(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_error_means_that_a_crash_cannot_forget_the_wish() {
    let mut peer = Peer::bind().await;
    let house = House::build();
    let program = Program::serve(
        &house,
        &Plan {
            calls: "disconnect_wait = \"10ms\"",
            ..Plan::to(peer.uri())
        },
    )
    .await;
    let anna = program.anna(&house);
    let id = anna.play("4711").await;
    peer.take_call().await;
    anna.disconnect(&id).await.unwrap();
    program.kill().await;
    let wishes = "SELECT count(*) FROM call JOIN call_state USING (k) WHERE wish";
    assert_eq!(house.count(wishes), 1);
}
