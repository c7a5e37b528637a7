//! What is held of any bytes that stand in the journal as a record; the fuzz target `journal_record` holds the same.

use call::{Call, Output, Record};
use sip::Moment;

use crate::surroundings::surroundings;

/// Reads a record, and if it is one, takes its call up and sees it to its end.
///
/// # Panics
/// When what is promised of records does not hold.
pub(crate) fn hold(text: &[u8]) {
    let Ok(record) = serde_json::from_slice::<Record>(text) else {
        return;
    };
    let written = serde_json::to_vec(&record).unwrap_or_default();
    assert_eq!(serde_json::from_slice::<Record>(&written).ok().as_ref(), Some(&record));

    let mut now = Moment::default();
    let mut call = Call::take_up(record, 1, surroundings(), now);
    for _ in 0..1000 {
        while let Some(output) = call.poll_output() {
            match output {
                Output::Save(save) => call.handle_saved(save, now),
                Output::Send(outgoing) => {
                    assert!(
                        !outgoing.bytes.starts_with(b"INVITE "),
                        "a phone rings again: {outgoing:?}"
                    );
                }
                _ => {}
            }
        }
        let Some((due, _)) = call.poll_timeout() else { break };
        assert!(due >= now, "a timer lies in the past");
        now = due;
        call.handle_timeout(due);
    }
    assert_eq!(call.poll_timeout(), None, "it does not come to rest: {call:?}");
    assert!(call.end().is_some(), "it does not end: {call:?}");
}
