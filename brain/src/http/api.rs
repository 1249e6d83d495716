//! `/api/v1`: what the page at `/` shows, for any program. Documented in docs/api.md.

mod decisions;
mod error;
mod events;
mod guard;
mod report;
mod reviews;
mod skills;
mod verdicts;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{MethodRouter, get, post},
};
use tokio_util::sync::CancellationToken;

pub(super) use self::error::ApiError;
use self::events::Events;
use super::Guard;
use crate::{judged::OnJudged, store::Store};

/// Where the routes are.
pub(super) const PATH: &str = "/api/v1";
/// Largest body of a request, in bytes: a verdict.
const BODY_MAX_BYTES: usize = 4096;
/// Longest value of a parameter, in characters.
const PARAMETER_MAX: usize = 256;

/// The routes, below `/api/v1`. Streams of events end when `stopping` is cancelled.
pub(super) fn routes(store: Store, on_judged: OnJudged, guard: Guard, stopping: CancellationToken) -> Router {
    let api = Router::new()
        .route("/skills", known(get(skills::skills)))
        .route("/problems", known(get(skills::problems)))
        .route("/decisions", known(get(decisions::decisions)))
        .route("/reviews", known(get(reviews::reviews)))
        .route("/report", known(get(report::report)))
        .route("/series", known(get(report::series)))
        .with_state(store.clone())
        .route("/verdicts", known(post(verdicts::judge)).with_state((store.clone(), on_judged)))
        .route("/events", known(get(events::events)).with_state(Events::new(store, stopping)))
        .fallback(|| async {
            ApiError::NotFound("there is nothing at this path; docs/api.md lists what there is".into())
        })
        .layer(DefaultBodyLimit::max(BODY_MAX_BYTES))
        .layer(middleware::from_fn_with_state(guard, guard::admit));
    Router::new().nest(PATH, api)
}

/// A path that says so when it is asked with another method.
fn known<S: Clone + Send + Sync + 'static>(route: MethodRouter<S>) -> MethodRouter<S> {
    route.fallback(|| async { ApiError::Method })
}
