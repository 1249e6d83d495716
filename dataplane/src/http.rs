//! The public port: `/mcp` and `/healthz`, nothing else.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderValue, Method, header},
    middleware::{self, Next},
    response::Response,
    routing::get,
};
use endpoint::{BodyBudget, origin};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::{
    data_plane::DataPlane,
    mcp::{Skills, access},
};

/// What the bodies of all requests in flight may take together, in bytes.
const BODIES_MAX_BYTES: usize = 64 * 1024 * 1024;
/// What `/` says.
const ABOUT: &str = "routing: POST MCP requests to /mcp; /healthz says whether this runs. Add it to a client as an MCP server \
over HTTP.\n";

/// The routes of the public port.
pub fn app(data_plane: &Arc<DataPlane>) -> Router {
    // Later than the hard stop, at which calls still get a tool error as their answer.
    let stopped = data_plane.shutdown.stopped.clone();
    let mcp = endpoint::endpoint(Skills::new(Arc::clone(data_plane)), stopped, BodyBudget::new(BODIES_MAX_BYTES))
        .route_layer(middleware::from_fn_with_state(Arc::clone(data_plane), access::admit))
        // Outside the token check: a browser's preflight carries no token.
        .route_layer(cors(Arc::clone(data_plane)));
    Router::new()
        .merge(mcp)
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/", get(|| async { ABOUT }).fallback(endpoint::not_found))
        .fallback(endpoint::not_found)
        .layer(middleware::from_fn_with_state(Arc::clone(data_plane), close_when_draining))
}

/// Pages of allowed origins may read the answers.
fn cors(data_plane: Arc<DataPlane>) -> CorsLayer {
    let allowed = AllowOrigin::predicate(move |_, request| {
        origin::check(&request.headers, &data_plane.config.active().table.access.origins).is_ok()
    });
    CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([endpoint::SESSION])
}

/// While the endpoint is taken out of rotation, clients are told to reconnect, which leads them to another pod.
async fn close_when_draining(State(data_plane): State<Arc<DataPlane>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if data_plane.shutdown.draining.is_cancelled() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
