//! Accepts requests as plain HTTP clients send them, and answers every HTTP error in JSON-RPC.

use std::sync::Arc;

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::Response,
};
use crds::shown::printable;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    INTERNAL_ERROR, INVALID_REQUEST,
    body::BodyBudget,
    cancel::{self, Calls},
    direct::Direct,
    early, era, json_response,
    message::{self, Message},
    method::{CALL, DISCOVER, INITIALIZE, LIST, not_found_text},
    rpc_error, rpc_error_of,
    serve::Activity,
    tool_call::Tools,
};

/// Longest error text of rmcp that is read, in bytes.
const ERROR_TEXT_MAX_BYTES: usize = 4096;
/// Longest part of it that is passed on, in characters.
const ERROR_SHOWN: usize = 300;
pub(crate) const JSON: &str = "application/json";
const EVENT_STREAM: &str = "text/event-stream";
/// The methods that are served: an error of theirs is never that the method is unknown.
const SERVED: [&str; 4] = [CALL, LIST, INITIALIZE, DISCOVER];

/// What requests share.
#[derive(Clone)]
pub(super) struct Lenient<T> {
    tools: T,
    hard_stop: CancellationToken,
    budget: BodyBudget,
    calls: Calls,
}

impl<T> Lenient<T> {
    pub(super) fn new(tools: T, hard_stop: CancellationToken, budget: BodyBudget) -> Self {
        Self { tools, hard_stop, budget, calls: Calls::default() }
    }
}

/// Request extension: the client did not offer to read an event stream, so no progress is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlainJsonOnly;

pub(super) async fn lenient<T: Tools>(
    State(Lenient { tools, hard_stop, budget, calls }): State<Lenient<T>>,
    request: Request,
    next: Next,
) -> Response {
    if request.method() != Method::POST {
        return json_rpc(next.run(request).await).await;
    }
    let (parts, bytes, message) = match admit(&budget, request).await {
        Ok(admitted) => admitted,
        Err(refused) => return refused,
    };
    if let Some(refused) = era::refused(&parts.headers, &message) {
        return refused;
    }
    calls.obey(&parts.headers, &message);
    let is_call = message.method.as_deref() == Some(CALL);
    let listens = parts.extensions.get::<PlainJsonOnly>().is_none();
    let cancellable = if is_call { calls.note(&parts.headers, &message) } else { None };
    let answer = async move {
        // Boxed: what is around it would have room for it more than once.
        let answer = Box::pin(async {
            match Direct::of(parts, bytes, &message) {
                Ok(call) => call.answer(&tools, &hard_stop).await,
                Err(request) => answer(next, request, message).await,
            }
        });
        match cancellable {
            Some(call) => call.run(answer).await,
            None => answer.await,
        }
    };
    if is_call && listens { early::answer(answer).await } else { answer.await }
}

async fn answer(next: Next, request: Request, message: Message) -> Response {
    let mut response = json_rpc(next.run(request).await).await;
    cancel::name_session(&message, &mut response);
    match &message.method {
        Some(method) if !SERVED.contains(&method.as_str()) => with_method_named(method, response).await,
        _ => response,
    }
}

/// The library's error about an unknown method is the method's name and no more.
async fn with_method_named(method: &str, response: Response) -> Response {
    if !is_json(&response) {
        return response;
    }
    let (parts, body) = response.into_parts();
    // This process made it, and the body that it may repeat was bounded.
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let named = serde_json::from_slice::<Value>(&bytes).ok().filter(|body| body["error"]["message"] == method);
    let Some(mut body) = named else { return Response::from_parts(parts, Body::from(bytes)) };
    body["error"]["message"] = not_found_text(method).into();
    json_response(parts.status, &body)
}

/// Lets a request through whose headers and body MCP can read. Its share of the budget is an extension, so it is held
/// until the request has been answered.
// The error is the response itself, built once for a refused request.
#[allow(clippy::result_large_err)]
async fn admit(budget: &BodyBudget, mut request: Request) -> Result<(Parts, Bytes, Message), Response> {
    admit_headers(&mut request)?;
    let (mut parts, body) = request.into_parts();
    let reading = parts.extensions.get::<Arc<Activity>>().map(Activity::reading);
    let (bytes, mut share) = budget.read(&parts.headers, body).await.map_err(|error| error.response())?;
    drop(reading);
    let message = message::check(&bytes)
        .map_err(|fault| rpc_error_of(&fault.id, StatusCode::BAD_REQUEST, fault.code, &fault.message))?;
    budget.add_values(&mut share, message.values).map_err(|error| error.response())?;
    parts.extensions.insert(Arc::new(share));
    Ok((parts, bytes, message))
}

/// Fills in what bare clients leave out, and refuses what cannot be answered.
// The error is the response itself, built once for a refused request.
#[allow(clippy::result_large_err)]
fn admit_headers(request: &mut Request) -> Result<(), Response> {
    let headers = request.headers();
    let stream = accepts(headers, EVENT_STREAM);
    let nothing_usable =
        headers.contains_key(header::ACCEPT) && !stream && !accepts(headers, JSON) && !accepts_anything(headers);
    if nothing_usable {
        let message = "not acceptable: send Accept: application/json, text/event-stream";
        return Err(rpc_error(StatusCode::NOT_ACCEPTABLE, INVALID_REQUEST, message));
    }
    let content_type = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    if content_type.is_some_and(|value| !value.to_ascii_lowercase().starts_with(JSON.as_bytes())) {
        let message = "unsupported media type: send Content-Type: application/json";
        return Err(rpc_error(StatusCode::UNSUPPORTED_MEDIA_TYPE, INVALID_REQUEST, message));
    }
    if !stream {
        request.extensions_mut().insert(PlainJsonOnly);
    }
    let headers = request.headers_mut();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    Ok(())
}

fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let offered = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    offered
        .flat_map(|value| value.split(','))
        .any(|entry| entry.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(media_type))
}

fn accepts_anything(headers: &HeaderMap) -> bool {
    accepts(headers, "*/*") || accepts(headers, "application/*")
}

pub(super) fn is_json(response: &Response) -> bool {
    response.headers().get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(JSON.as_bytes()))
}

/// The server ended a request before its answer.
pub(crate) fn unanswered(status: StatusCode) -> Response {
    rpc_error(status, INTERNAL_ERROR, "internal error: the request was not answered")
}

/// rmcp answers transport errors in plain text, and answers a body that is not JSON-RPC with unsupported media type.
async fn json_rpc(response: Response) -> Response {
    let status = response.status();
    if is_json(&response) || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let allow = response.headers().get(header::ALLOW).cloned();
    let text = to_bytes(response.into_body(), ERROR_TEXT_MAX_BYTES).await.unwrap_or_default();
    let text = printable(&String::from_utf8_lossy(&text), ERROR_SHOWN);
    let mut answer = match status {
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            rpc_error(StatusCode::BAD_REQUEST, INVALID_REQUEST, "not a JSON-RPC 2.0 message that MCP knows")
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            rpc_error(status, INVALID_REQUEST, "method not allowed: POST a JSON-RPC request")
        }
        _ if status.is_server_error() => unanswered(status),
        _ if text.is_empty() => rpc_error(status, INVALID_REQUEST, status.canonical_reason().unwrap_or("refused")),
        _ => rpc_error(status, INVALID_REQUEST, &text),
    };
    if let Some(allow) = allow {
        answer.headers_mut().insert(header::ALLOW, allow);
    }
    answer
}
