//! The page at `/`: three files that are part of the program.

use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
    response::{AppendHeaders, IntoResponse},
    routing::get,
};

const HTML: &str = include_str!("../page/index.html");
const CSS: &str = include_str!("../page/page.css");
const SCRIPT: &str = include_str!("../page/page.js");

/// Nothing from elsewhere, nothing inline, in no frame, and requests to this origin alone: what a stored text could try.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
    frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// The headers of every file.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    // After an update the three must fit each other.
    (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
];

/// The routes of the page. It holds no data, so it is open.
pub(super) fn routes() -> Router {
    Router::new()
        .route("/", get(|| file("text/html; charset=utf-8", HTML)))
        .route("/page.css", get(|| file("text/css; charset=utf-8", CSS)))
        .route("/page.js", get(|| file("text/javascript; charset=utf-8", SCRIPT)))
}

async fn file(kind: &'static str, text: &'static str) -> impl IntoResponse {
    (AppendHeaders(HEADERS), [(header::CONTENT_TYPE, kind)], text)
}
