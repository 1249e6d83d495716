//! An MCP endpoint over HTTP that bare `curl` can call: rmcp's streamable HTTP service, stateless for every protocol
//! version, with JSON-RPC bodies for the errors of HTTP itself.

#![forbid(unsafe_code)]

pub mod bearer;
mod body;
mod cancel;
mod caught;
mod direct;
mod early;
mod era;
pub mod host;
mod kind;
mod lenient;
mod message;
pub mod method;
pub mod metrics;
pub mod origin;
mod params;
pub mod serve;
mod tool_call;
pub mod trace;

use axum::{
    Router,
    http::{HeaderName, HeaderValue, StatusCode, Uri, header},
    middleware,
    response::{IntoResponse, Response},
};
use rmcp::{
    ErrorData, ServerHandler,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
    },
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use self::lenient::Lenient;
pub use self::{
    body::{BodyBudget, Share},
    caught::{Caught, caught},
    params::unknown_request,
    tool_call::{Progress, ToolCall, Tools},
};

/// Path of the endpoint.
pub const PATH: &str = "/mcp";
/// Largest request body, in bytes.
pub const BODY_MAX_BYTES: usize = 4 * 1024 * 1024;
/// JSON-RPC code: the body is not JSON-RPC.
pub const PARSE_ERROR: i32 = -32_700;
/// JSON-RPC code: the endpoint does not accept the request.
pub const INVALID_REQUEST: i32 = -32_600;
/// JSON-RPC code: a parameter is missing or wrong.
pub const INVALID_PARAMS: i32 = -32_602;
/// JSON-RPC code: the server failed.
pub const INTERNAL_ERROR: i32 = -32_603;
/// JSON-RPC code (in the range for servers): the caller sent no valid token.
pub const UNAUTHORIZED: i32 = -32_001;
/// JSON-RPC code (in the range for servers): the server cannot take the request now.
pub const UNAVAILABLE: i32 = -32_002;
/// JSON-RPC code (in the range for servers): the client cancelled the request.
pub const CANCELLED: i32 = -32_003;
/// Names the session of a client that began with `initialize`.
pub const SESSION: HeaderName = HeaderName::from_static(cancel::SESSION);
/// Challenge to a request without a token.
const NO_TOKEN: &str = r#"Bearer realm="routing""#;
/// Challenge to a request with a token that is not valid.
const WRONG_TOKEN: &str = r#"Bearer realm="routing", error="invalid_token""#;
/// Longest path that a refusal repeats, in characters.
const PATH_SHOWN: usize = 100;
/// [`PATH`] as some people write it.
const PATH_WITH_SLASH: &str = "/mcp/";

/// The path of a server's base URL, from the path of an address that may end in [`PATH`] and slashes: people give the
/// address that their MCP clients have. One [`PATH`] counts: something in front of the server may map further ones.
#[must_use]
pub fn base_path(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    path.strip_suffix(PATH).unwrap_or(path).trim_end_matches('/')
}

/// The endpoint as a router with the single path `/mcp`. Cancelling `hard_stop` ends the calls in flight, too. The
/// bodies of all requests in flight share the budget.
pub fn endpoint<H: ServerHandler + Tools>(handler: H, hard_stop: CancellationToken, budget: BodyBudget) -> Router {
    let lenient = Lenient::new(handler.clone(), hard_stop.clone(), budget);
    let config = StreamableHttpServerConfig::default()
        // Sessions in a process's memory break behind a Service with several replicas.
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(BODY_MAX_BYTES)
        .with_cancellation_token(hard_stop)
        // Hosts and origins are checked by the caller's own layer, whose lists can change while it runs.
        .disable_allowed_hosts();
    let service: StreamableHttpService<H, NeverSessionManager> =
        StreamableHttpService::new(move || Ok(handler.clone()), std::sync::Arc::default(), config);
    // A route layer: unknown paths stay plain 404s, which clients that probe for OAuth rely on.
    Router::new()
        .route_service(PATH, service.clone())
        .route_service(PATH_WITH_SLASH, service)
        .route_layer(middleware::from_fn_with_state(lenient, lenient::lenient::<H>))
}

/// A JSON-RPC error as an HTTP response. Its id is null, because the request's id was not read.
#[must_use]
pub fn rpc_error(status: StatusCode, code: i32, message: &str) -> Response {
    rpc_error_of(&Value::Null, status, code, message)
}

/// A JSON-RPC error for the request with this id.
fn rpc_error_of(id: &Value, status: StatusCode, code: i32, message: &str) -> Response {
    json_response(status, &error_body(id, code, message))
}

fn error_body(id: &Value, code: i32, message: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
}

/// The same of an error that has data.
fn error_of(id: &Value, status: StatusCode, error: &ErrorData) -> Response {
    json_response(status, &json!({"jsonrpc": "2.0", "id": id, "error": error}))
}

fn json_response(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// 401 with the challenge that RFC 6750 requires: a token that was presented is not valid; without one, the challenge
/// names no error.
#[must_use]
pub fn unauthorized(presented: bool) -> Response {
    let (message, challenge) = if presented {
        ("unauthorized: this token is not valid, send Authorization: Bearer with a valid token", WRONG_TOKEN)
    } else {
        ("unauthorized: send Authorization: Bearer with a valid token", NO_TOKEN)
    };
    let mut response = rpc_error(StatusCode::UNAUTHORIZED, UNAUTHORIZED, message);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    response
}

/// 404 for a path that is not served. Clients show the text: one line that says what to do.
pub async fn not_found(uri: Uri) -> Response {
    let path = uri.path();
    let text = if path == "/register" || path.starts_with("/.well-known/") {
        "routing has no sign-in: send the header Authorization: Bearer TOKEN\n".to_string()
    } else {
        let path = crds::shown::printable(path, PATH_SHOWN);
        format!("routing serves nothing at {path}: POST MCP requests to {PATH}\n")
    };
    (StatusCode::NOT_FOUND, text).into_response()
}

/// The answer to a call of a tool that is not served.
#[must_use]
pub fn unknown_tool(name: &str, served: &str) -> ErrorData {
    let name = crds::shown::printable(name, 64);
    ErrorData::invalid_params(format!("unknown tool: {name}; available: {served}"), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_path_of_the_endpoint_and_slashes_are_left_out_of_a_base() {
        for (path, base) in [
            ("", ""),
            ("/", ""),
            ("/mcp", ""),
            ("/mcp//", ""),
            ("//mcp", ""),
            ("/base/", "/base"),
            ("/base/mcp", "/base"),
            ("/mcp/mcp", "/mcp"),
            ("/mymcp", "/mymcp"),
            ("/mcp/base", "/mcp/base"),
        ] {
            assert_eq!(base_path(path), base, "{path}");
        }
    }
}
