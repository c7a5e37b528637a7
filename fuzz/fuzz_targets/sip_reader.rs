//! The bytes of a stream, or one datagram: where messages end does not depend on how the bytes were cut; what is read of a message
//! is read again of what is printed of it; and a reply to it is header lines of ours alone.
#![no_main]

use sip::{BrokenStream, Frame, Framing, Message, Tag};

/// What comes of the stream when it is read in pieces of so many bytes.
fn frames(stream: &[u8], piece: usize) -> (Vec<Frame>, Option<BrokenStream>) {
    let mut framing = Framing::default();
    let mut frames = Vec::new();
    for piece in stream.chunks(piece) {
        framing.feed(piece);
        loop {
            match framing.poll() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(why) => return (frames, Some(why)),
            }
        }
    }
    (frames, None)
}

fn look_at(bytes: &[u8]) {
    let Ok(message) = Message::parse(bytes) else { return };
    let (request, response) = (message.request(), message.response());
    let _ = (
        message.vias(),
        message.granted_expiry("sip:onhook@h"),
        message.min_expires(),
    );
    for uri in [&request.request_uri]
        .into_iter()
        .chain(&request.contact)
        .chain(&response.record_route)
    {
        let _ = (
            sip::Destination::parse(uri),
            sip::uri::with_transport(uri, "tcp"),
            sip::uri::has_parameter(uri, "lr"),
        );
    }
    let mut printed = Vec::new();
    message.print(&mut printed);
    if message.fault().is_none() {
        let again = Message::parse(&printed).expect("what is printed is a message");
        assert_eq!(again.start(), message.start());
        assert_eq!((again.branch(), again.vias()), (message.branch(), message.vias()));
        assert_eq!((again.call_id(), again.cseq()), (message.call_id(), message.cseq()));
        assert_eq!(
            (again.from_tag(), again.to_tag()),
            (message.from_tag(), message.to_tag())
        );
        assert_eq!(again.body(), message.body());
        assert_eq!(again.fault(), None);
    }
    let Some(answer) = message.answer_outside_dialog() else {
        return;
    };
    let mut reply = Vec::new();
    let source = "192.0.2.1:5060".parse().expect("an address");
    message.print_reply(&mut reply, source, &Tag::new("ours"), &answer, "onhook");
    let head = reply.strip_suffix(b"\r\n\r\n").expect("it has no body");
    for line in String::from_utf8_lossy(head).split("\r\n").skip(1) {
        assert!(!line.contains(['\r', '\n']), "{line:?}");
        let ours = [
            "Via",
            "From",
            "To",
            "Call-ID",
            "CSeq",
            "Allow",
            "Accept",
            "Accept-Encoding",
            "Allow-Events",
            "Unsupported",
            "Warning",
            "Server",
            "Content-Length",
            "Record-Route",
        ];
        assert!(
            line.split_once(": ").is_some_and(|(name, _)| ours.contains(&name)),
            "{line:?}"
        );
    }
    if message.fault().is_none() {
        let answered = Message::parse(&reply).expect("an answer to what is sound is sound");
        assert_eq!((answered.branch(), answered.cseq()), (message.branch(), message.cseq()));
        assert_eq!(answered.to_tag(), message.to_tag().or(Some("ours")));
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    look_at(bytes);
    let whole = frames(bytes, bytes.len().max(1));
    assert_eq!(whole, frames(bytes, 1));
    for frame in whole.0 {
        if let Frame::Message(message) = frame {
            look_at(&message);
        }
    }
});
