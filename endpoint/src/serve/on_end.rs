//! A body that is passed on as it is, and tells when nobody needs it any more.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};

/// Hands what is left of a body to `then` when it is dropped, whether it was read to its end or not.
pub(super) fn on_end(body: Body, then: impl FnOnce(Body) + Send + Unpin + 'static) -> Body {
    Body::new(OnEnd { body, then: Some(then) })
}

struct OnEnd<F: FnOnce(Body)> {
    body: Body,
    then: Option<F>,
}

impl<F: FnOnce(Body) + Unpin> HttpBody for OnEnd<F> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<F: FnOnce(Body)> Drop for OnEnd<F> {
    fn drop(&mut self) {
        if let Some(then) = self.then.take() {
            then(std::mem::take(&mut self.body));
        }
    }
}
