//! Accepts requests as plain HTTP clients send them, and answers every HTTP error in JSON-RPC.

use axum::{
    body::to_bytes,
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::Response,
};

use crate::{INTERNAL_ERROR, INVALID_REQUEST, PARSE_ERROR, rpc_error};

/// Longest error text of rmcp that is read, in bytes.
const ERROR_TEXT_MAX_BYTES: usize = 4096;
/// Longest part of it that is passed on, in characters.
const ERROR_SHOWN: usize = 300;
const JSON: &str = "application/json";
const EVENT_STREAM: &str = "text/event-stream";

/// Request extension: the client did not offer to read an event stream, so no progress is sent.
#[derive(Clone, Copy, Debug)]
pub struct PlainJsonOnly;

pub(super) async fn lenient(mut request: Request, next: Next) -> Response {
    if request.method() == Method::POST
        && let Err(refused) = admit(&mut request)
    {
        return refused;
    }
    json_rpc(next.run(request).await).await
}

/// Fills in what bare clients leave out, and refuses what cannot be answered.
// The error is the response itself, built once for a refused request.
#[allow(clippy::result_large_err)]
fn admit(request: &mut Request) -> Result<(), Response> {
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

/// rmcp answers transport errors in plain text, and answers a body that is not JSON-RPC with unsupported media type.
async fn json_rpc(response: Response) -> Response {
    let status = response.status();
    let is_json =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|v| v.as_bytes().starts_with(JSON.as_bytes()));
    if is_json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let allow = response.headers().get(header::ALLOW).cloned();
    let text = to_bytes(response.into_body(), ERROR_TEXT_MAX_BYTES).await.unwrap_or_default();
    let text = crds::shown::printable(&String::from_utf8_lossy(&text), ERROR_SHOWN);
    let mut answer = match status {
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            rpc_error(StatusCode::BAD_REQUEST, PARSE_ERROR, "parse error: the body is not one JSON-RPC 2.0 message")
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            rpc_error(status, INVALID_REQUEST, "method not allowed: POST a JSON-RPC request")
        }
        _ if status.is_server_error() => {
            rpc_error(status, INTERNAL_ERROR, "internal error: the request was not answered")
        }
        _ if text.is_empty() => rpc_error(status, INVALID_REQUEST, status.canonical_reason().unwrap_or("refused")),
        _ => rpc_error(status, INVALID_REQUEST, &text),
    };
    if let Some(allow) = allow {
        answer.headers_mut().insert(header::ALLOW, allow);
    }
    answer
}
