//! ExchangeImpersonation over HTTP: a service account, the mailboxes on its list, and everybody else's.

use ews::ServerVersion;

use crate::house::{Answer, House, PASSWORD, basic, play};

const LISTS: &str = "[login]\ndomains = [\"example.com\"]\nsids = { \"S-1-5-21-1-2-3-1105\" = \"alice\" }\n\
    [[login.impersonation]]\naccount = \"dialler\"\nmailboxes = [\"alice\", \"carol\", \"ghost\"]\n";

/// Asks as `user`, in the place of whom `sid` names, for a message of Alice's.
async fn play_for(house: &House, user: &str, sid: &str) -> Answer {
    play_of(house, user, sid, "alice").await
}

async fn play_of(house: &House, user: &str, sid: &str, owner: &str) -> Answer {
    let document = play(house.item(owner)).encode(ServerVersion::EXCHANGE_2013);
    house.ask(&basic(user, PASSWORD), &in_place_of(&document, sid)).await
}

/// A request in the place of whom `sid` names.
pub(crate) fn in_place_of(document: &str, sid: &str) -> String {
    let header = format!(
        "<t:ExchangeImpersonation><t:ConnectingSID>{sid}</t:ConnectingSID></t:ExchangeImpersonation></soap:Header>"
    );
    let with_header = document.replace("</soap:Header>", &header);
    assert_ne!(with_header, document);
    with_header
}

fn assert_fault(answer: &Answer, code: &str) {
    assert_eq!(answer.status, 500, "{}", answer.body);
    assert!(
        answer.body.contains(&format!("a:{code}</faultcode>")),
        "{}",
        answer.body
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_reaches_the_mailboxes_on_its_list_in_every_form() {
    let house = House::plain(LISTS).await;
    for sid in [
        "<t:PrincipalName>alice@example.com</t:PrincipalName>",
        "<t:SID>S-1-5-21-1-2-3-1105</t:SID>",
        "<t:PrimarySmtpAddress>Alice@Example.com</t:PrimarySmtpAddress>",
        "<t:SmtpAddress>alice</t:SmtpAddress>",
    ] {
        let answer = play_for(&house, "dialler", sid).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(!answer.body.contains("ErrorItemNotFound"), "{sid}: {}", answer.body);
        // In Alice's place it is Alice, and no longer itself.
        let own = play_of(&house, "dialler", sid, "dialler").await;
        assert!(own.body.contains("ErrorItemNotFound"), "{}", own.body);
    }
    // Carol is of a directory: she has a mailbox here, and no user.
    let carol = play_of(&house, "dialler", "<t:SmtpAddress>carol</t:SmtpAddress>", "carol").await;
    assert!(
        carol.status == 200 && !carol.body.contains("ErrorItemNotFound"),
        "{}",
        carol.body
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_mailbox_is_denied_alike() {
    let house = House::plain(LISTS).await;
    let mut answers = Vec::new();
    for sid in [
        "<t:PrimarySmtpAddress>bob@example.com</t:PrimarySmtpAddress>",
        "<t:PrimarySmtpAddress>nobody@example.com</t:PrimarySmtpAddress>",
        "<t:SID>S-1-5-21-1-2-3-9999</t:SID>",
        "<t:PrincipalName>alice@evil.example</t:PrincipalName>",
    ] {
        let answer = play_for(&house, "dialler", sid).await;
        assert_fault(&answer, "ErrorImpersonateUserDenied");
        answers.push(answer.body);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
    let stranger = play_for(&house, "bob", "<t:PrincipalName>alice</t:PrincipalName>").await;
    assert_fault(&stranger, "ErrorImpersonateUserDenied");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listed_mailbox_that_is_not_here_and_a_header_that_names_nobody_are_told() {
    let house = House::plain(LISTS).await;
    let ghost = play_for(&house, "dialler", "<t:SmtpAddress>ghost@example.com</t:SmtpAddress>").await;
    assert_fault(&ghost, "ErrorNonExistentMailbox");
    let empty = play_for(&house, "dialler", "<t:SmtpAddress> </t:SmtpAddress>").await;
    assert_fault(&empty, "ErrorInvalidExchangeImpersonationHeaderData");
}

#[tokio::test(flavor = "multi_thread")]
async fn by_default_nobody_acts_for_anybody_else() {
    let house = House::plain("").await;
    let denied = play_for(&house, "dialler", "<t:PrincipalName>alice</t:PrincipalName>").await;
    assert_fault(&denied, "ErrorImpersonateUserDenied");
    let oneself = play_for(&house, "alice", "<t:PrincipalName>Alice</t:PrincipalName>").await;
    assert!(
        oneself.status == 200 && !oneself.body.contains("ErrorItemNotFound"),
        "{}",
        oneself.body
    );
}
