//! The body of an answer, which says when it waits for its peer: one that reads nothing would otherwise keep its connection
//! for ever, as if that were at work.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::activity::{Activity, InFlight, Unread};

/// A body whose request is in flight until its last byte is on the way.
pub(super) fn of(body: Body, activity: Arc<Activity>, in_flight: InFlight) -> Body {
    Body::new(Answer { body, unread: None, activity, _in_flight: in_flight })
}

struct Answer {
    body: Body,
    /// There is no room yet for more than what was taken last: the next part is asked for when there is.
    unread: Option<Unread>,
    activity: Arc<Activity>,
    _in_flight: InFlight,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.unread = None;
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(_))) = &polled {
            let unread = self.activity.unread();
            self.unread = Some(unread);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
