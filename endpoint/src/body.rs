//! Reads request bodies: bounded in size, in time, and in what all of them hold together.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use crds::shown::printable;
use futures::StreamExt;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::{BODY_MAX_BYTES, INVALID_REQUEST, UNAVAILABLE, rpc_error};

/// How long a body may take in all.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a body may pause.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// What a JSON value takes when it is parsed, in bytes; it counts in addition to its text.
const VALUE_BYTES: usize = 32;
/// Longest name of an encoding that a refusal repeats, in characters.
const SHOWN: usize = 64;

/// The memory that the bodies of all requests in flight may take together.
#[derive(Clone)]
pub struct BodyBudget {
    free: Arc<Semaphore>,
    bytes: usize,
}

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("payload too large: a request body may have {BODY_MAX_BYTES} bytes")]
    TooLarge,
    #[error("payload too large: the body holds more values than the server can take")]
    TooManyValues,
    #[error("unsupported content encoding {0}: send the body as it is, without Content-Encoding")]
    Encoded(String),
    #[error(
        "request time-out: a body may take {} s in all and pause for {} s",
        BODY_TIMEOUT.as_secs(),
        PAUSE_MAX.as_secs()
    )]
    Slow,
    #[error("bad request: the body ends early or its chunks are malformed")]
    Broken,
    #[error("busy: the bodies of the requests in flight take all the memory that they may; call again in a moment")]
    Busy,
}

impl BodyError {
    pub(crate) fn response(&self) -> Response {
        let (status, code) = match self {
            Self::TooLarge | Self::TooManyValues => (StatusCode::PAYLOAD_TOO_LARGE, INVALID_REQUEST),
            Self::Encoded(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, INVALID_REQUEST),
            Self::Slow => (StatusCode::REQUEST_TIMEOUT, INVALID_REQUEST),
            Self::Broken => (StatusCode::BAD_REQUEST, INVALID_REQUEST),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE),
        };
        rpc_error(status, code, &self.to_string())
    }
}

/// The memory of one body; freed when it is dropped.
pub struct Share(OwnedSemaphorePermit);

impl BodyBudget {
    /// A budget of this many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(bytes)), bytes }
    }

    /// Reads a body.
    pub(crate) async fn read(&self, headers: &HeaderMap, body: Body) -> Result<(Bytes, Share), BodyError> {
        check_headers(headers)?;
        timeout(BODY_TIMEOUT, self.collect(body)).await.map_err(|_| BodyError::Slow)?
    }

    async fn collect(&self, body: Body) -> Result<(Bytes, Share), BodyError> {
        let (mut share, mut collected) = (self.take(0)?, vec![]);
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = timeout(PAUSE_MAX, chunks.next()).await.map_err(|_| BodyError::Slow)? {
            let chunk = chunk.map_err(|_| BodyError::Broken)?;
            if chunk.len() > BODY_MAX_BYTES - collected.len() {
                return Err(BodyError::TooLarge);
            }
            // As bytes arrive: what is only announced takes no memory.
            share.0.merge(self.take(chunk.len())?.0);
            collected.extend_from_slice(&chunk);
        }
        Ok((collected.into(), share))
    }

    /// Counts what a body's values take when they are parsed.
    pub(crate) fn add_values(&self, share: &mut Share, values: usize) -> Result<(), BodyError> {
        let bytes = values.saturating_mul(VALUE_BYTES);
        if bytes.saturating_add(share.0.num_permits()) > self.bytes {
            return Err(BodyError::TooManyValues);
        }
        share.0.merge(self.take(bytes)?.0);
        Ok(())
    }

    fn take(&self, bytes: usize) -> Result<Share, BodyError> {
        let bytes = u32::try_from(bytes).map_err(|_| BodyError::Busy)?;
        Arc::clone(&self.free).try_acquire_many_owned(bytes).map(Share).map_err(|_| BodyError::Busy)
    }
}

/// What the headers announce is refused before a byte of the body is read.
fn check_headers(headers: &HeaderMap) -> Result<(), BodyError> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > BODY_MAX_BYTES as u64) {
        return Err(BodyError::TooLarge);
    }
    for encoding in headers.get_all(header::CONTENT_ENCODING) {
        let encoding = String::from_utf8_lossy(encoding.as_bytes());
        if !encoding.trim().eq_ignore_ascii_case("identity") {
            return Err(BodyError::Encoded(printable(encoding.trim(), SHOWN)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[tokio::test]
    async fn bodies_share_a_budget_that_is_free_again_when_they_are_dropped() {
        let budget = BodyBudget::new(100);
        let read = |bytes: usize| {
            let budget = budget.clone();
            async move { budget.read(&HeaderMap::new(), Body::from(vec![b'x'; bytes])).await.map(|(_, share)| share) }
        };
        let mut first = read(60).await.expect("room");
        assert!(matches!(read(41).await, Err(BodyError::Busy)));
        assert!(read(40).await.is_ok(), "a refused body holds nothing");
        budget.add_values(&mut first, 1).expect("32 bytes more");
        assert!(matches!(read(40).await, Err(BodyError::Busy)));
        assert!(matches!(budget.add_values(&mut first, 3), Err(BodyError::TooManyValues)));
        drop(first);
        assert!(read(100).await.is_ok());
    }

    #[tokio::test]
    async fn what_is_announced_is_refused_before_it_is_read() {
        let unread = || Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
        for (name, value, status) in [
            (header::CONTENT_LENGTH, "4194305", 413),
            (header::CONTENT_LENGTH, "1000000000000000000", 413),
            (header::CONTENT_ENCODING, "gzip", 415),
        ] {
            let headers = HeaderMap::from_iter([(name, HeaderValue::from_static(value))]);
            let refused = BodyBudget::new(10).read(&headers, unread()).await.err().expect("refused");
            assert_eq!(refused.response().status(), status, "{value}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_pauses_or_never_ends_is_refused() {
        let silent = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
        let began = tokio::time::Instant::now();
        let refused = BodyBudget::new(100).read(&HeaderMap::new(), silent).await.err().expect("refused");
        assert_eq!((refused.response().status().as_u16(), began.elapsed()), (408, PAUSE_MAX));
        let drip = futures::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(9)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b"x")), ()))
        });
        let began = tokio::time::Instant::now();
        let refused =
            BodyBudget::new(100).read(&HeaderMap::new(), Body::from_stream(drip)).await.err().expect("refused");
        assert_eq!((refused.response().status().as_u16(), began.elapsed()), (408, BODY_TIMEOUT));
    }
}
