//! The grammar of RFC 3261 §25.1 drives a generator: whatever it makes is read for what it says, and prints back equal.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod changes;
mod model;
mod mutation;
mod values;

use model::{Model, Start, model, plain, spelling};
use proptest::prelude::*;
use sip::{Frame, Framing, Message, uri};

/// A value without the blanks that stand outside of quotes.
fn dense(value: &str) -> String {
    let (mut quoted, mut escaped) = (false, false);
    let keep = |character: &char| {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return quoted || !character.is_ascii_whitespace(),
        }
        true
    };
    value.chars().filter(keep).collect()
}

/// Holds a reading of the message against what was written.
fn says(bytes: &[u8], model: &Model) -> Result<(), TestCaseError> {
    let message = Message::parse(bytes).map_err(|why| TestCaseError::fail(why.to_string()))?;
    match &model.start {
        Start::Request(uri, is_served) => {
            prop_assert_eq!(message.fault().map(|fault| fault.status), (!is_served).then_some(416));
            prop_assert_eq!(message.request_uri(), uri);
            prop_assert_eq!(message.status(), None);
        }
        Start::Response(status, reason) => {
            prop_assert_eq!(message.status(), Some(*status));
            prop_assert_eq!(&message.response().reason, reason);
        }
    }
    prop_assert_eq!(message.method().as_str(), &model.method);
    prop_assert_eq!(
        (message.cseq().number, message.cseq().method.as_str()),
        (model.cseq, model.method.as_str())
    );
    prop_assert_eq!(message.branch(), &model.branch);
    prop_assert_eq!(dense(message.sent_by()), dense(&model.sent_by));
    prop_assert_eq!(message.vias(), model.vias.len());
    prop_assert_eq!(message.call_id(), &model.call_id);
    prop_assert_eq!(message.from_tag(), Some(model.from_tag.as_str()));
    prop_assert_eq!(message.to_tag(), model.to_tag.as_deref());
    prop_assert_eq!(message.body(), &model.body[..]);

    let request = message.request();
    prop_assert_eq!(uri::addr_spec(&request.from), &model.from.uri);
    prop_assert_eq!(dense(&request.from), dense(&plain(&model.from.text)));
    prop_assert_eq!(uri::addr_spec(&request.to), &model.to.uri);
    prop_assert_eq!(
        request.contact.as_ref(),
        model.contacts.first().map(|contact| &contact.uri)
    );
    let hops: Vec<_> = request.record_route.iter().map(|hop| dense(hop)).collect();
    let written: Vec<_> = model.record_route.iter().map(|hop| dense(&plain(&hop.text))).collect();
    prop_assert_eq!(hops, written);
    let vias: Vec<_> = message
        .headers("via")
        .flat_map(|value| uri::split_list(&value).into_iter().map(dense).collect::<Vec<_>>())
        .collect();
    let written: Vec<_> = model.vias.iter().map(|via| dense(&plain(via))).collect();
    prop_assert_eq!(vias, written);
    for (name, value) in &model.others {
        let same = |found: &str| found.eq_ignore_ascii_case(name);
        let written: Vec<_> = model
            .others
            .iter()
            .filter(|(found, _)| same(found))
            .map(|(_, value)| dense(&plain(value)))
            .collect();
        let read: Vec<_> = message.headers(name).map(|value| dense(&value)).collect();
        let (mut written, mut read) = (written, read);
        written.sort();
        read.sort();
        prop_assert_eq!(read, written, "{}: {}", name, value);
    }
    Ok(())
}

fn printed(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Message::parse(bytes).unwrap().print(&mut out);
    out
}

proptest! {
    /// RFC 3261 §25.1.
    #[test]
    fn every_valid_message_is_read_and_prints_back_equal(model in model()) {
        let bytes = model.canonical();
        says(&bytes, &model)?;
        let printed = printed(&bytes);
        prop_assert_eq!(String::from_utf8_lossy(&printed), String::from_utf8_lossy(&bytes));
    }

    /// RFC 3261 §7.3.1, §7.3.3.
    #[test]
    fn every_spelling_of_a_message_is_read_alike(model in model(), spelling in spelling()) {
        let bytes = model.spelled(&spelling);
        says(&bytes, &model)?;
        // What is printed of it is one spelling more, and the last.
        let once = printed(&bytes);
        says(&once, &model)?;
        prop_assert_eq!(&printed(&once), &once);
    }

    /// RFC 3261 §18.3: a stream of messages is cut where they end, however they are spelled.
    #[test]
    fn a_stream_of_messages_is_cut_between_them(
        messages in prop::collection::vec((model(), spelling()), 1..3),
        piece in 1_usize..200,
    ) {
        let messages: Vec<_> = messages.iter().map(|(model, spelling)| model.spelled(spelling)).collect();
        let mut framing = Framing::default();
        let mut cut = Vec::new();
        for piece in messages.concat().chunks(piece) {
            framing.feed(piece);
            while let Some(frame) = framing.poll().unwrap() {
                if let Frame::Message(message) = frame {
                    cut.push(message);
                }
            }
        }
        prop_assert_eq!(cut, messages);
        prop_assert!(framing.is_between());
    }
}
