//! A call of a tool, however it came: through the MCP library, or without it.

use std::sync::Arc;

use axum::http::request::Parts;
use rmcp::{
    ErrorData, Peer, RoleServer,
    model::{CallToolRequestParams, CallToolResult, ProgressNotificationParam, ProgressToken, RequestMetaObject},
    service::{RequestContext, ServiceError},
};
use tokio_util::sync::CancellationToken;

use crate::{Share, lenient::PlainJsonOnly};

/// A server of tools.
pub trait Tools: Clone + Send + Sync + 'static {
    /// Runs a call. It is dropped when its caller is gone, at the latest.
    fn call(&self, call: ToolCall) -> impl Future<Output = Result<CallToolResult, ErrorData>> + Send;
}

/// A call of a tool.
pub struct ToolCall {
    /// The tool and its arguments.
    pub request: CallToolRequestParams,
    /// The `_meta` of the call.
    pub meta: RequestMetaObject,
    /// The HTTP request; none: it came another way, as in a test of the tools alone. Dropped once it is read: its headers and
    /// its path are parts of the buffer that it was read into.
    pub parts: Option<Parts>,
    /// Cancelled when nobody waits for the answer any more.
    pub gone: CancellationToken,
    /// Where to report progress; none: the caller did not ask for it, or does not read event streams.
    pub progress: Option<Progress>,
    /// What the request's body takes of the memory for bodies, until the call has ended.
    pub share: Option<Arc<Share>>,
}

impl ToolCall {
    /// A call that came through the MCP library.
    #[must_use]
    pub fn within(request: CallToolRequestParams, mut context: RequestContext<RoleServer>) -> Self {
        let parts = context.extensions.remove::<Parts>();
        let listens = parts.as_ref().is_none_or(|parts| parts.extensions.get::<PlainJsonOnly>().is_none());
        let share = share_of(parts.as_ref());
        let token = context.meta.get_progress_token().filter(|_| listens);
        let progress = token.map(|token| Progress { peer: context.peer, token });
        Self { request, meta: context.meta, parts, gone: context.ct, progress, share }
    }
}

/// The share of the budget for bodies that a request has.
pub(crate) fn share_of(parts: Option<&Parts>) -> Option<Arc<Share>> {
    parts.and_then(|parts| parts.extensions.get::<Arc<Share>>()).cloned()
}

/// Reports progress to a caller.
pub struct Progress {
    peer: Peer<RoleServer>,
    token: ProgressToken,
}

impl Progress {
    /// Reports how long the call has run, in seconds, and what it does.
    ///
    /// # Errors
    /// The caller is gone.
    pub async fn report(&self, seconds: f64, message: String) -> Result<(), ServiceError> {
        let progress = ProgressNotificationParam::new(self.token.clone(), seconds).with_message(message);
        self.peer.notify_progress(progress).await
    }
}
