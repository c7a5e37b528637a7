//! Messages of the grammar, broken at random: whatever comes of them, nothing panics, and what is told is true.

use proptest::{collection::vec, prelude::*};
use sip::{Frame, Framing, Message, Reply, Start, Tag};

use crate::{
    changes::{changed, changes},
    model::{model, spelling},
};

/// Asks everything of whatever can be read.
fn look_at(bytes: &[u8]) -> Result<(), TestCaseError> {
    let mut framing = Framing::default();
    framing.feed(bytes);
    while let Ok(Some(frame)) = framing.poll() {
        if let Frame::Message(message) = frame {
            prop_assert!(
                Message::parse(&message).is_ok_and(|read| read.body().len() < message.len())
                    || Message::parse(&message).is_err()
            );
        }
    }
    let Ok(message) = Message::parse(bytes) else {
        return Ok(());
    };
    let blank = |text: &str| text.contains(|character: char| character.is_whitespace() || character.is_control());
    for word in [
        Some(message.branch()),
        Some(message.call_id()),
        message.from_tag(),
        message.to_tag(),
    ] {
        prop_assert!(!word.is_some_and(blank));
    }
    let _ = (
        message.vias(),
        message.granted_expiry("sip:a@h"),
        message.min_expires(),
        format!("{message:?}"),
    );
    let (request, response) = (message.request(), message.response());
    prop_assert_eq!(&request.cseq, &response.cseq);
    if message.fault().is_none() {
        prop_assert!(!message.call_id().is_empty());
        prop_assert!(!blank(message.request_uri()) || matches!(message.start(), Start::Response(_)));
    }
    // What was read and is printed is read as the same.
    let mut once = Vec::new();
    message.print(&mut once);
    if message.fault().is_none()
        && let Ok(again) = Message::parse(&once)
    {
        prop_assert_eq!(again.start(), message.start());
        prop_assert_eq!(
            (again.branch(), again.call_id(), again.cseq()),
            (message.branch(), message.call_id(), message.cseq())
        );
        prop_assert_eq!(
            (again.from_tag(), again.to_tag()),
            (message.from_tag(), message.to_tag())
        );
    }
    let answer = message.answer_outside_dialog().unwrap_or_else(|| Reply::status(100));
    let mut reply = Vec::new();
    message.print_reply(
        &mut reply,
        "[2001:db8::1]:5060".parse().unwrap(),
        &Tag::new("ours"),
        &answer,
        "x",
    );
    let head = reply.strip_suffix(b"\r\n\r\n").unwrap();
    prop_assert!(!head.windows(4).any(|four| four == b"\r\n\r\n"));
    Ok(())
}

proptest! {
    #[test]
    fn broken_messages_do_no_harm(
        messages in [(model(), spelling()), (model(), spelling())],
        changes in changes(),
    ) {
        let [message, another] = messages.map(|(model, spelling)| model.spelled(&spelling));
        look_at(&changed(message, &another, &changes))?;
    }

    #[test]
    fn any_bytes_do_no_harm(bytes in vec(any::<u8>(), 0..300)) {
        look_at(&bytes)?;
    }
}
