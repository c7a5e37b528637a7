//! Where requests begin and end, as the door sees it, against httparse, which hyper reads heads with. What the door takes as a
//! whole head, httparse takes as the same head or refuses, and it says in one way only where its body ends.
#![no_main]

use httparse::{EMPTY_HEADER, Request, Status};
use onhook::http::fuzzed::Requests;

/// What follows a head.
#[derive(Debug, PartialEq)]
enum Body {
    Length(usize),
    Chunked,
}

/// Reads a head with httparse; `None` when it refuses it, as hyper then does.
fn read(head: &[u8]) -> Option<Body> {
    let mut headers = [EMPTY_HEADER; 4096];
    let mut request = Request::new(&mut headers);
    let status = request.parse(head).ok()?;
    let shown = String::from_utf8_lossy(head);
    assert_eq!(
        status,
        Status::Complete(head.len()),
        "it ends somewhere else: {shown:?}"
    );
    let all = |name: &str| {
        let of_name = request
            .headers
            .iter()
            .filter(|header| header.name.eq_ignore_ascii_case(name));
        of_name.map(|header| header.value).collect::<Vec<_>>()
    };
    let hosts = all("Host").len();
    assert!(
        hosts == 1 || (hosts == 0 && request.version == Some(0)),
        "Host: {shown:?}"
    );
    Some(
        match (all("Content-Length").as_slice(), all("Transfer-Encoding").as_slice()) {
            ([], []) => Body::Length(0),
            ([length], []) => {
                let digits = str::from_utf8(length).expect("a length is digits");
                let length = digits.parse::<u64>().expect("a length is a number");
                assert_eq!(length.to_string(), digits, "a length is written in one way: {shown:?}");
                Body::Length(usize::try_from(length).unwrap_or(usize::MAX))
            }
            ([], [encoding]) => {
                assert!(encoding.eq_ignore_ascii_case(b"chunked"), "{shown:?}");
                Body::Chunked
            }
            _ => panic!("its body ends in two places: {shown:?}"),
        },
    )
}

/// Where a chunked body ends, `None` when it does not: read with httparse, trailers included.
fn end_of_chunks(mut rest: &[u8]) -> Option<usize> {
    let all = rest.len();
    loop {
        let Ok(Status::Complete((at, size))) = httparse::parse_chunk_size(rest) else {
            return None;
        };
        rest = &rest[at..];
        if size == 0 {
            break;
        }
        rest = rest.get(usize::try_from(size).ok()?..)?.strip_prefix(b"\r\n")?;
    }
    let Ok(Status::Complete((trailers, _))) = httparse::parse_headers(rest, &mut [EMPTY_HEADER; 64]) else {
        return None;
    };
    Some(all - rest.len() + trailers)
}

libfuzzer_sys::fuzz_target!(|connection: &[u8]| {
    let mut requests = Requests::default();
    // Where the head began that is looked at; and where its body ends, if there is one.
    let (mut begin, mut end) = (0, None);
    let mut heads = 0;
    for (at, byte) in connection.iter().enumerate() {
        let Ok(()) = requests.see(&[*byte]) else { break };
        let seen = at + 1;
        if requests.is_lost() {
            break;
        }
        if requests.heads() > heads {
            heads += 1;
            assert_eq!((requests.heads(), end), (heads, None), "a head inside of something");
            end = match read(&connection[begin..seen]) {
                None => break,
                Some(Body::Length(length)) => Some(seen.saturating_add(length)),
                Some(Body::Chunked) => {
                    let length = end_of_chunks(&connection[seen..]);
                    Some(length.map_or(usize::MAX, |length| seen + length))
                }
            };
        }
        if let Some(end_of_body) = end {
            assert_eq!(
                requests.is_between(),
                seen >= end_of_body,
                "the body ends somewhere else"
            );
            if seen == end_of_body {
                (begin, end) = (seen, None);
            }
        }
    }
    // Nothing depends on how the bytes were cut.
    let mut at_once = Requests::default();
    let mut one_by_one = Requests::default();
    let refused_at = connection.iter().position(|byte| one_by_one.see(&[*byte]).is_err());
    assert_eq!(at_once.see(connection).err(), refused_at);
    assert_eq!(
        (at_once.heads(), at_once.is_lost()),
        (one_by_one.heads(), one_by_one.is_lost())
    );
});
