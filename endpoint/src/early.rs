//! The head of an event stream before its answer: clients and proxies give up on a connection that says nothing.

use std::{pin::Pin, time::Duration};

use axum::{
    body::{Body, BodyDataStream, Bytes, to_bytes},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use crate::lenient::{is_json, unanswered};

/// An answer within this time is sent as it is, as JSON and with its own status.
const AT_ONCE: Duration = Duration::from_millis(250);
/// Time between two comments.
const COMMENT_EVERY: Duration = Duration::from_secs(15);
/// A line that readers of event streams skip.
const COMMENT: &[u8] = b": working\n\n";

/// A task of its own: a client that reads nothing of the stream would otherwise stop the call, with what that holds, and its
/// time-outs. It ends with the stream.
type Pending = AbortOnDropHandle<Response>;

/// Answers with what is there at once, and otherwise with an event stream whose last event is the answer.
pub(crate) async fn answer(answer: impl Future<Output = Response> + Send + 'static) -> Response {
    let mut answer: Pin<Box<dyn Future<Output = Response> + Send>> = Box::pin(answer);
    match timeout(AT_ONCE, &mut answer).await {
        Ok(response) => response,
        Err(_) => stream(AbortOnDropHandle::new(tokio::spawn(answer))),
    }
}

enum Step {
    /// No byte was sent yet.
    Head(Pending),
    Waiting(Pending),
    /// The answer is a stream itself.
    Passing(BodyDataStream),
    Done,
}

fn stream(answer: Pending) -> Response {
    let body = futures::stream::unfold(Step::Head(answer), |step| async {
        match step {
            Step::Head(answer) => Some((Ok(Bytes::from_static(COMMENT)), Step::Waiting(answer))),
            Step::Waiting(answer) => Some(wait(answer).await),
            Step::Passing(mut body) => body.next().await.map(|bytes| (bytes, Step::Passing(body))),
            Step::Done => None,
        }
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (StatusCode::OK, headers, Body::from_stream(body)).into_response()
}

async fn wait(mut answer: Pending) -> (Result<Bytes, axum::Error>, Step) {
    let response = tokio::select! {
        // The task cannot be aborted while this waits for it, so it panicked.
        response = &mut answer => response.unwrap_or_else(|_| unanswered(StatusCode::INTERNAL_SERVER_ERROR)),
        () = sleep(COMMENT_EVERY) => return (Ok(Bytes::from_static(COMMENT)), Step::Waiting(answer)),
    };
    if !is_json(&response) {
        return (Ok(Bytes::new()), Step::Passing(response.into_body().into_data_stream()));
    }
    // The answer was made by this process, and its parts are bounded.
    let event = to_bytes(response.into_body(), usize::MAX).await.map(|json| [b"data: ", &json[..], b"\n\n"].concat());
    (event.map(Bytes::from), Step::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json() -> Response {
        ([(header::CONTENT_TYPE, "application/json")], "{}").into_response()
    }

    async fn next(body: &mut BodyDataStream) -> Option<String> {
        let bytes = body.next().await?.expect("bytes");
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_answer_has_its_head_at_once_and_a_comment_every_15_s() {
        let response = answer(async {
            sleep(Duration::from_secs(32)).await;
            json()
        })
        .await;
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        let began = tokio::time::Instant::now();
        let mut body = response.into_body().into_data_stream();
        for seconds in [0, 15, 30] {
            assert_eq!(next(&mut body).await.as_deref(), Some(": working\n\n"));
            assert_eq!(began.elapsed().as_secs(), seconds);
        }
        assert_eq!(next(&mut body).await.as_deref(), Some("data: {}\n\n"));
        assert_eq!(next(&mut body).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_quick_answer_stays_json_and_a_stream_is_passed_on() {
        assert!(is_json(&answer(async { json() }).await));
        let slow = answer(async {
            sleep(Duration::from_secs(1)).await;
            ([(header::CONTENT_TYPE, "text/event-stream")], "data: progress\n\n").into_response()
        });
        let body = to_bytes(slow.await.into_body(), 1000).await.expect("a body");
        assert_eq!(body, ": working\n\ndata: progress\n\n");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_goes_on_although_its_client_reads_nothing_and_ends_with_its_stream() {
        let (ended, mut end) = tokio::sync::mpsc::unbounded_channel();
        let call = |seconds| {
            let ended = ended.clone();
            async move {
                sleep(Duration::from_secs(seconds)).await;
                // The test may be over.
                let _ = ended.send(seconds);
                json()
            }
        };
        let unread = answer(call(2)).await;
        assert_eq!(end.recv().await, Some(2), "nobody polls its body");
        drop(unread);
        drop(answer(call(3)).await);
        sleep(Duration::from_secs(60)).await;
        assert!(end.try_recv().is_err(), "its client is gone");
    }
}
