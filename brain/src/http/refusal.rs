//! Why a request has no answer.

use axum::{
    Json,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use endpoint::{INVALID_REQUEST, rpc_error};
use serde_json::json;

use crate::store::StoreError;

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// A web page asks.
    #[error("forbidden: web pages may not read or change what the brain has stored")]
    Page,
    /// A parameter is missing or wrong.
    #[error("{0}")]
    Parameter(String),
    /// The store failed.
    #[error("{}", .0.told())]
    Store(#[from] StoreError),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let message = self.to_string();
        match self {
            Self::Page => rpc_error(StatusCode::FORBIDDEN, INVALID_REQUEST, &message),
            Self::Parameter(_) => (StatusCode::BAD_REQUEST, Json(json!({"error": message}))).into_response(),
            Self::Store(error) => {
                tracing::error!(error = error.cause(), "the store failed");
                (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"error": message}))).into_response()
            }
        }
    }
}

/// Entries may be private, so no web page may read them. Checking `Origin` is not enough: a page whose host name was
/// rebound to this address counts as same-origin.
pub(super) fn unless_a_page_asks(headers: &HeaderMap) -> Result<(), Refusal> {
    let by_a_page = headers.get("sec-fetch-site").is_some_and(|site| site != "none");
    if by_a_page { Err(Refusal::Page) } else { Ok(()) }
}
