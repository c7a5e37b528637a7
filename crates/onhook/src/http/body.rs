//! The body of a request: read whole, within its limits, or read away.

use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout, timeout_at};

use super::Settings;
use super::answer::Refusal;

/// Bytes a second that a client has to send on average, once it has had [`HEAD_START`].
const LEAST_RATE: u32 = 1024;
const HEAD_START: Duration = Duration::from_secs(3);

/// Reads a body whole. The first read is what lets a client that expects `100 Continue` go on. Where it is longer than
/// `body_limit`, `longest` says from its beginning how long it may be.
pub(super) async fn read(
    body: Body,
    settings: &Settings,
    longest: impl FnOnce(&[u8]) -> Result<usize, Refusal>,
) -> Result<Bytes, Refusal> {
    let mut whole = BytesMut::new();
    let (mut limit, mut longest) = (settings.body_limit, Some(longest));
    each_part(body, settings, |part| {
        whole.extend_from_slice(&part);
        if whole.len() > limit
            && let Some(longest) = longest.take()
        {
            limit = longest(&whole[..limit])?;
        }
        if whole.len() > limit {
            return Err(Refusal::TooLarge);
        }
        Ok(())
    })
    .await?;
    Ok(whole.freeze())
}

/// Reads a body that nobody wants, and says whether it came to its end within its limits.
pub(super) async fn discard(body: Body, settings: &Settings) -> bool {
    let mut left = settings.body_limit;
    let read = each_part(body, settings, |part| {
        left = left.checked_sub(part.len()).ok_or(Refusal::TooLarge)?;
        Ok(())
    });
    read.await.is_ok()
}

pub(super) fn announced_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn each_part(
    mut body: Body,
    settings: &Settings,
    mut take: impl FnMut(Bytes) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let reading = async {
        let started = Instant::now();
        let mut received = 0;
        // What has come so far buys the time until the next part has to be there.
        while let Some(part) = timeout_at(started + HEAD_START + time_for(received), body.frame())
            .await
            .map_err(|_| Refusal::TooSlow)?
        {
            if let Ok(part) = part.map_err(|_| Refusal::Unreadable)?.into_data() {
                received += part.len();
                take(part)?;
            }
        }
        Ok(())
    };
    timeout(settings.body_timeout, reading)
        .await
        .unwrap_or(Err(Refusal::TooSlow))
}

/// How long a client at the least rate takes for so many bytes.
fn time_for(bytes: usize) -> Duration {
    Duration::from_secs_f64(bytes as f64 / f64::from(LEAST_RATE))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll, ready};

    use hyper::body::Frame;
    use tokio::time::{Interval, interval};

    use super::*;

    /// A body of parts, one at every tick of a clock that only moves when everybody waits.
    struct Dripping {
        clock: Interval,
        part: Bytes,
        left: usize,
    }

    impl Dripping {
        fn body(parts: usize, size: usize, pause: Duration) -> Body {
            Body::new(Self {
                clock: interval(pause),
                part: vec![b'x'; size].into(),
                left: parts,
            })
        }
    }

    impl hyper::body::Body for Dripping {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let Some(left) = self.left.checked_sub(1) else {
                return Poll::Ready(None);
            };
            ready!(self.clock.poll_tick(cx));
            self.left = left;
            Poll::Ready(Some(Ok(Frame::data(self.part.clone()))))
        }
    }

    fn settings() -> Settings {
        let config: crate::config::Config =
            crate::config::Config::parse("", std::path::Path::new("onhook.toml")).unwrap();
        Settings::from(&config.http)
    }

    async fn read_for(body: Body) -> (Result<usize, Refusal>, Duration) {
        let started = Instant::now();
        let read = read(body, &settings(), |_| Err(Refusal::TooLarge))
            .await
            .map(|body| body.len());
        (read, started.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_byte_a_second_is_not_waited_for() {
        let (read, took) = read_for(Dripping::body(1000, 1, Duration::from_secs(1))).await;
        assert_eq!(read, Err(Refusal::TooSlow));
        assert!(took < HEAD_START + Duration::from_secs(1), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_line_is_fast_enough() {
        let (read, took) = read_for(Dripping::body(48, 256, Duration::from_millis(250))).await;
        assert_eq!(read, Ok(48 * 256));
        assert!(took > Duration::from_secs(11), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn no_body_takes_longer_than_its_timeout() {
        let (read, took) = read_for(Dripping::body(1000, 300, Duration::from_millis(250))).await;
        assert_eq!(read, Err(Refusal::TooSlow));
        assert!(
            took.abs_diff(settings().body_timeout) < Duration::from_millis(10),
            "{took:?}"
        );
    }
}
