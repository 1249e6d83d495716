//! Runs most calls of tools without the MCP library's service, which is made for sessions: for each request it starts
//! three tasks and three queues, together some 60 KB as long as the call lasts. A call in which that can be seen is left
//! to it: one that reports progress, one of a version with metadata in each request, and one that is wrong.

use axum::{
    body::{Body, Bytes},
    http::{Request, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use rmcp::{
    ErrorData,
    model::{CallToolRequestParams, CallToolResult, JsonRpcMessage, RequestId, ServerJsonRpcMessage, ServerResult},
};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::{
    era,
    lenient::{JSON, PlainJsonOnly, unanswered},
    message::Message,
    method::CALL,
    tool_call::{ToolCall, Tools, share_of},
};

/// A call that needs no more than this.
pub(crate) struct Direct {
    id: RequestId,
    request: CallToolRequestParams,
    parts: Parts,
}

#[derive(Deserialize)]
struct Members {
    params: CallToolRequestParams,
}

impl Direct {
    /// The call in a request; otherwise the request as it was.
    // The error is the request itself, which goes on to the library.
    #[allow(clippy::result_large_err)]
    pub(crate) fn of(parts: Parts, bytes: Bytes, message: &Message) -> Result<Self, Request<Body>> {
        match read(&parts, &bytes, message) {
            Some((id, request)) => Ok(Self { id, request, parts }),
            None => Err(Request::from_parts(parts, Body::from(bytes))),
        }
    }

    /// Runs it, at most until `hard_stop`.
    pub(crate) async fn answer(self, tools: &impl Tools, hard_stop: &CancellationToken) -> Response {
        let Self { id, mut request, parts } = self;
        let gone = CancellationToken::new();
        let meta = request.meta.take().unwrap_or_default();
        let share = share_of(Some(&parts));
        let call = ToolCall { request, meta, parts: Some(parts), gone, progress: None, share };
        tokio::select! {
            ended = tools.call(call) => answer(id, ended),
            () = hard_stop.cancelled() => unanswered(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

fn read(parts: &Parts, bytes: &[u8], message: &Message) -> Option<(RequestId, CallToolRequestParams)> {
    let is_call = message.method.as_deref() == Some(CALL);
    let listens = parts.extensions.get::<PlainJsonOnly>().is_none();
    let plain = is_call && !(listens && message.head.progress) && era::is_of_sessions(&parts.headers, message);
    if !plain {
        return None;
    }
    let id = serde_json::from_value(message.id.clone()).ok()?;
    serde_json::from_slice(bytes).ok().map(|Members { params }| (id, params))
}

/// The answer as the library gives it to clients of the versions with sessions.
fn answer(id: RequestId, ended: Result<CallToolResult, ErrorData>) -> Response {
    let message: ServerJsonRpcMessage = match ended {
        Ok(mut result) => {
            result.result_type = None;
            JsonRpcMessage::response(ServerResult::CallToolResult(result), id)
        }
        Err(error) => JsonRpcMessage::error(error, Some(id)),
    };
    match serde_json::to_vec(&message) {
        Ok(body) => (StatusCode::OK, [(header::CONTENT_TYPE, JSON)], body).into_response(),
        Err(_) => unanswered(StatusCode::INTERNAL_SERVER_ERROR),
    }
}
