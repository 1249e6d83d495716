//! Reads on for a while what is left of a request that is answered before its body was read. Otherwise the connection is
//! closed with unread bytes in it, the peer's kernel throws the answer away, and a client that is still sending sees a
//! reset connection in place of the 401 or 413.

use std::time::Duration;

use axum::{
    body::Body,
    extract::Request,
    http::{Version, header},
};
use futures::StreamExt;
use hyper::body::Body as _;
use tokio::time::timeout;

use super::on_end::on_end;

/// Most bytes that are read on, and thrown away as they come: what is announced as larger is cut.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// How long it may take.
const LONGEST: Duration = Duration::from_secs(5);

/// A request whose body is read on if it is dropped before its end. HTTP/2 has no need of it, because there only the
/// stream ends; a client that waits for `100 Continue` has not begun to send.
pub(super) fn lingering(request: Request) -> Request {
    if request.version() == Version::HTTP_2 || request.headers().contains_key(header::EXPECT) {
        return request;
    }
    request.map(|body| on_end(body, read_on_unless_it_ended))
}

fn read_on_unless_it_ended(body: Body) {
    if !body.is_end_stream()
        && let Ok(runtime) = tokio::runtime::Handle::try_current()
    {
        runtime.spawn(read_on(body));
    }
}

async fn read_on(body: Body) {
    let mut chunks = body.into_data_stream();
    let reading = async {
        let mut left = MOST_BYTES;
        while let Some(Ok(chunk)) = chunks.next().await {
            if chunk.len() > left {
                return;
            }
            left -= chunk.len();
        }
    };
    // Too late or too much: then the connection is cut.
    let _ = timeout(LONGEST, reading).await;
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use axum::body::Bytes;

    use super::*;

    /// A body of chunks of 1 MiB, and how many of them were read.
    fn body(chunks: usize) -> (Body, Arc<AtomicUsize>) {
        let read = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&read);
        let chunk = move |_| {
            seen.fetch_add(1, Ordering::Relaxed);
            Ok::<_, std::io::Error>(Bytes::from(vec![0; 1024 * 1024]))
        };
        (Body::from_stream(futures::stream::iter(0..chunks).map(chunk)), read)
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_of_an_answered_request_is_read_within_bounds() {
        for (chunks, version, expected) in
            [(3, Version::HTTP_11, 3), (100, Version::HTTP_11, 17), (3, Version::HTTP_2, 0)]
        {
            let (body, read) = body(chunks);
            let mut request = Request::new(body);
            *request.version_mut() = version;
            drop(lingering(request));
            tokio::time::sleep(LONGEST * 2).await;
            assert_eq!(read.load(Ordering::Relaxed), expected, "{chunks} {version:?}");
        }
        let silent = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
        drop(lingering(Request::new(silent)));
    }
}
