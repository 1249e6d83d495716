//! Why a request has no answer, in the one form that all of `/api/v1` has.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::store::StoreError;

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub(in crate::http) enum ApiError {
    /// No token, or a wrong one.
    #[error("send Authorization: Bearer with the brain's token")]
    Unauthorized,
    /// A page of another site asks.
    #[error("forbidden: only the brain's own page may ask from a browser")]
    OtherSite,
    /// A parameter or the body is missing or wrong.
    #[error("{0}")]
    Invalid(String),
    /// What is asked for is not there.
    #[error("{0}")]
    NotFound(String),
    /// The path has no such method.
    #[error("this path does not take this method; docs/api.md lists what it takes")]
    Method,
    /// The verdict cannot be recorded.
    #[error("{0}")]
    Refused(String),
    /// As many listen as may.
    #[error("too many clients follow the events; close one, or try again")]
    Busy,
    /// The store failed.
    #[error("{}", .0.told())]
    Store(#[source] StoreError),
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused { reason } => Self::Refused(reason),
            other => Self::Store(other),
        }
    }
}

impl ApiError {
    fn code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::OtherSite => (StatusCode::FORBIDDEN, "forbidden"),
            Self::Invalid(_) => (StatusCode::BAD_REQUEST, "invalid"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "method"),
            Self::Refused(_) => (StatusCode::CONFLICT, "refused"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            Self::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if let Self::Store(error) = &self {
            tracing::error!(error = error.cause(), "the store failed");
        }
        let (status, code) = self.code();
        let body = json!({"error": {"code": code, "message": self.to_string()}});
        let mut response = (status, Json(body)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static(r#"Bearer realm="routing""#);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
