use proptest::prelude::*;

use super::*;

fn message(length: &str, body: &str) -> String {
    format!("OPTIONS sip:a@h SIP/2.0\r\nCall-ID: c\r\n{length}\r\n\r\n{body}")
}

/// All that comes of a stream that is read in pieces of `piece` bytes.
fn frames(stream: &[u8], piece: usize) -> (Vec<Frame>, Option<BrokenStream>, bool) {
    let mut framing = Framing::default();
    let mut frames = Vec::new();
    for piece in stream.chunks(piece) {
        framing.feed(piece);
        loop {
            match framing.poll() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(why) => {
                    assert_eq!(framing.poll(), Err(why), "it stays broken");
                    return (frames, Some(why), framing.is_between());
                }
            }
        }
    }
    (frames, None, framing.is_between())
}

fn broken(stream: &[u8]) -> Option<BrokenStream> {
    frames(stream, 4096).1
}

/// RFC 3261 §18.3, §7.3.1.
#[test]
fn a_message_ends_where_its_length_says() {
    let lengths = [
        "Content-Length: 2",
        "l:2",
        "CONTENT-LENGTH \t: 002",
        "L:\r\n 2\r\n ",
        "l: 2\r\nl: 2",
        "rubbish\r\nl: 2",
    ];
    for length in lengths {
        let whole = message(length, "hi");
        let twice = format!("{whole}{whole}OPTIONS");
        let one = Frame::Message(whole.clone().into_bytes());
        for piece in [1, 2, 3, 7, 4096] {
            let (seen, why, between) = frames(twice.as_bytes(), piece);
            assert_eq!((why, between), (None, false), "{length:?}");
            assert_eq!(seen, [one.clone(), one.clone()], "{length:?} in pieces of {piece}");
        }
        assert!(frames(whole.as_bytes(), 1).2);
    }
}

/// RFC 5626 §4.4.1, RFC 3261 §7.5.
#[test]
fn line_ends_between_messages_are_pings_in_pairs_and_nothing_alone() {
    let whole = message("l: 6", "\r\n\r\nhi");
    let (ping, one) = (Frame::Ping, Frame::Message(whole.clone().into_bytes()));
    let stream = format!("\r\n\r\n\r\n{whole}\r\n\r\n\r\n\r\n{whole}\r\n");
    for piece in [1, 2, 3, 5, 4096] {
        let (seen, why, between) = frames(stream.as_bytes(), piece);
        assert_eq!((why, between), (None, true));
        assert_eq!(
            seen,
            [ping.clone(), one.clone(), ping.clone(), ping.clone(), one.clone()],
            "in pieces of {piece}"
        );
    }
}

/// RFC 3261 §18.3: without a length, the body would be read as the next message.
#[test]
fn a_message_without_a_length_ends_the_stream() {
    for length in ["Subject: none", "Subject: x\r\n l: 2", "ll: 2", "rubbish"] {
        assert_eq!(
            broken(message(length, "").as_bytes()),
            Some(BrokenStream::NoLength),
            "{length:?}"
        );
    }
}

#[test]
fn a_length_that_cannot_be_is_told_before_the_body_comes() {
    for length in ["16384", "2147483648", "4294967296", "99999999999999999999999"] {
        let text = message(&format!("Content-Length: {length}"), "");
        assert_eq!(broken(text.as_bytes()), Some(BrokenStream::LongMessage), "{length}");
    }
    for length in ["-1", "+2", "2 2", "0x10", "", "\u{664}", "2\r\nl: 3", "2, 2"] {
        let text = message(&format!("Content-Length: {length}"), "");
        assert_eq!(broken(text.as_bytes()), Some(BrokenStream::OddLength), "{length}");
    }
}

#[test]
fn a_head_has_its_bound_and_so_have_its_lines() {
    let StreamBounds { head, message: most } = StreamBounds::default();
    assert_eq!(broken(&vec![b'x'; head + 1]), Some(BrokenStream::LongHead));
    assert_eq!(broken(&vec![b'x'; head]), None);
    let long = message(&format!("l: 0\r\nSubject: {}", "x".repeat(head)), "");
    assert_eq!(broken(long.as_bytes()), Some(BrokenStream::LongHead));

    let lines = |number: usize| message(&format!("l: 0{}", "\r\ns:".repeat(number - 2)), "");
    assert_eq!(broken(lines(MOST_LINES).as_bytes()), None);
    assert_eq!(broken(lines(MOST_LINES + 1).as_bytes()), Some(BrokenStream::ManyLines));

    let room = most - message("l: 00000", "").len();
    let whole = message(&format!("l: {room:05}"), &"x".repeat(room));
    assert_eq!(whole.len(), most);
    assert_eq!(frames(whole.as_bytes(), 4096).0.len(), 1);
    let too_long = message(&format!("l: {:05}", room + 1), "");
    assert_eq!(broken(too_long.as_bytes()), Some(BrokenStream::LongMessage));
}

#[test]
fn the_bounds_are_those_that_were_given() {
    let poll = |bounds, text: &str| {
        let mut framing = Framing::new(bounds);
        framing.feed(text.as_bytes());
        framing.poll().map(|frame| frame.is_some())
    };
    let text = message("l: 3", "abc");
    let (head, whole) = (text.len() - 3, text.len());
    let bounds = |head, message| StreamBounds { head, message };
    assert_eq!(poll(bounds(head, whole), &text), Ok(true));
    assert_eq!(poll(bounds(head - 1, whole), &text), Err(BrokenStream::LongHead));
    assert_eq!(poll(bounds(head, whole - 1), &text), Err(BrokenStream::LongMessage));
    assert_eq!(poll(bounds(whole, head - 1), &text), Err(BrokenStream::LongHead));
}

#[test]
fn what_was_searched_is_not_searched_again() {
    let mut framing = Framing::default();
    framing.feed(&[b'x'; 5000]);
    assert_eq!(framing.poll(), Ok(None));
    assert_eq!(framing.searched, 5000);
    framing.feed(b"\r\n\r");
    assert_eq!(framing.poll(), Ok(None));
    framing.feed(b"\n");
    assert_eq!(framing.poll(), Err(BrokenStream::NoLength));
}

proptest! {
    /// Nothing depends on how the bytes were cut, whatever they are.
    #[test]
    fn pieces_change_nothing(
        parts in prop::collection::vec(
            prop_oneof![
                Just(b"\r\n".to_vec()), Just(b"\r\n\r\n".to_vec()), Just(b"l: 3\r\n".to_vec()), Just(b"l: 3\r\n\r\nabc".to_vec()),
                Just(message("l: 4", "\r\n\r\n").into_bytes()), prop::collection::vec(any::<u8>(), 0..20),
            ],
            0..20,
        ),
        piece in 1_usize..40,
    ) {
        let stream = parts.concat();
        let (whole, in_pieces) = (frames(&stream, stream.len().max(1)), frames(&stream, piece));
        prop_assert_eq!(&whole.0, &in_pieces.0);
        prop_assert_eq!(whole.1, in_pieces.1);
    }
}
