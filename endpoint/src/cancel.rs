//! Calls that clients cancel with a message of its own, as all do that began with `initialize`. Nothing of a session is
//! kept but its calls in flight, so a cancellation that reaches another replica stops nothing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, StatusCode},
    response::Response,
};
use futures::{Stream, StreamExt};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{CANCELLED, error_body, lenient::is_json, message::Message, method::INITIALIZE, rpc_error_of};

/// Names the session; made up for each `initialize`.
pub(crate) const SESSION: &str = "mcp-session-id";
/// Longest session name that is taken, in bytes.
const SESSION_MAX: usize = 128;
const CANCEL: &str = "notifications/cancelled";
const MESSAGE: &str = "the call was cancelled by its client";

type Key = (String, String);

/// The calls in flight, by session and request.
#[derive(Clone, Default)]
pub(crate) struct Calls(Arc<Mutex<HashMap<Key, Arc<CancellationToken>>>>);

/// One call in flight; dropping it forgets the call.
pub(crate) struct Cancellable {
    token: Arc<CancellationToken>,
    id: Value,
    key: Key,
    calls: Calls,
}

impl Calls {
    /// Notes a request, which may then be cancelled; none if it names no session.
    pub(crate) fn note(&self, headers: &HeaderMap, message: &Message) -> Option<Cancellable> {
        let key = (session(headers)?, message.id.to_string());
        let token = Arc::new(CancellationToken::new());
        // Of two requests with one id, which MCP forbids, the later one can be cancelled.
        self.lock().insert(key.clone(), Arc::clone(&token));
        Some(Cancellable { token, id: message.id.clone(), key, calls: self.clone() })
    }

    /// Ends the call that a message cancels, if it is one and the call is in flight here.
    pub(crate) fn obey(&self, headers: &HeaderMap, message: &Message) {
        if message.method.as_deref() != Some(CANCEL) {
            return;
        }
        let Some((session, cancelled)) = session(headers).zip(message.head.cancels.as_ref()) else { return };
        let call = self.lock().get(&(session, cancelled.to_string())).cloned();
        call.inspect(|call| call.cancel());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<CancellationToken>>> {
        // Every change is complete, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Cancellable {
    fn drop(&mut self) {
        let mut calls = self.calls.lock();
        if calls.get(&self.key).is_some_and(|token| Arc::ptr_eq(token, &self.token)) {
            calls.remove(&self.key);
        }
    }
}

impl Cancellable {
    /// The answer of a call, which ends with an error once the call is cancelled.
    pub(crate) async fn run(self, answer: impl Future<Output = Response>) -> Response {
        let response = tokio::select! {
            response = answer => response,
            () = self.token.cancelled() => return rpc_error_of(&self.id, StatusCode::OK, CANCELLED, MESSAGE),
        };
        if is_json(&response) { response } else { self.watch(response) }
    }

    /// The same for the rest of an event stream.
    fn watch(self, response: Response) -> Response {
        let (parts, body) = response.into_parts();
        let events = body.into_data_stream();
        Response::from_parts(parts, Body::from_stream(self.until_cancelled(events)))
    }

    fn until_cancelled<E>(
        self,
        events: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> impl Stream<Item = Result<Bytes, E>> {
        futures::stream::unfold(Some((self, events)), |state| async move {
            let (call, mut events) = state?;
            tokio::select! {
                event = events.next() => Some((event?, Some((call, events)))),
                () = call.token.cancelled() => {
                    let error = error_body(&call.id, CANCELLED, MESSAGE);
                    Some((Ok(format!("data: {error}\n\n").into()), None))
                }
            }
        })
    }
}

/// The session that a request names; an unusable name counts as none.
fn session(headers: &HeaderMap) -> Option<String> {
    let session = headers.get(SESSION)?.to_str().ok()?;
    (1..=SESSION_MAX).contains(&session.len()).then(|| session.to_string())
}

/// Names a session in the answer to `initialize`.
pub(crate) fn name_session(message: &Message, response: &mut Response) {
    if message.method.as_deref() == Some(INITIALIZE) && response.status() == StatusCode::OK {
        let name = HeaderValue::from_str(&Uuid::new_v4().to_string());
        let name = name.expect("a UUID is visible ASCII, which a header may hold");
        response.headers_mut().insert(SESSION, name);
    }
}
