//! An MCP endpoint over HTTP that bare `curl` can call: rmcp's streamable HTTP service, stateless for every protocol
//! version, with JSON-RPC bodies for the errors of HTTP itself.

#![forbid(unsafe_code)]

pub mod bearer;
mod body;
mod caught;
mod early;
pub mod host;
mod kind;
mod lenient;
mod message;
pub mod origin;
mod params;
pub mod serve;

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, StatusCode, header},
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

pub use self::{
    body::BodyBudget,
    caught::{Caught, caught},
    lenient::PlainJsonOnly,
    params::unknown_request,
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

/// The path of a server's base URL, from the path of an address that may end in [`PATH`] and slashes: people give the
/// address that their MCP clients have. One [`PATH`] counts: something in front of the server may map further ones.
#[must_use]
pub fn base_path(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    path.strip_suffix(PATH).unwrap_or(path).trim_end_matches('/')
}

/// The endpoint as a router with the single path `/mcp`. Cancelling `hard_stop` ends the calls in flight, too. The
/// bodies of all requests in flight share the budget.
pub fn endpoint<H: ServerHandler + Clone>(handler: H, hard_stop: CancellationToken, budget: BodyBudget) -> Router {
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
    Router::new().route_service(PATH, service).route_layer(middleware::from_fn_with_state(budget, lenient::lenient))
}

/// A JSON-RPC error as an HTTP response. Its id is null, because the request's id was not read.
#[must_use]
pub fn rpc_error(status: StatusCode, code: i32, message: &str) -> Response {
    rpc_error_of(&Value::Null, status, code, message)
}

/// A JSON-RPC error for the request with this id.
fn rpc_error_of(id: &Value, status: StatusCode, code: i32, message: &str) -> Response {
    let body = json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}});
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// 401 with the challenge that RFC 6750 requires.
#[must_use]
pub fn unauthorized() -> Response {
    let message = "unauthorized: send Authorization: Bearer with a valid token";
    let mut response = rpc_error(StatusCode::UNAUTHORIZED, UNAUTHORIZED, message);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// The answer to a call of a tool that is not served.
#[must_use]
pub fn unknown_tool(name: &str, served: &str) -> ErrorData {
    let name = crds::shown::printable(name, 64);
    ErrorData::invalid_params(format!("unknown tool: {name}; available: {served}"), None)
}

/// A response with a status and an empty body, for requests outside `/mcp`.
#[must_use]
pub fn plain(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
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
