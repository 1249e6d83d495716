//! The character U+0000, which no name has and Postgres cannot store: a request with it is refused before anything is looked
//! up. In the arguments of tools, `crds::arguments` refuses it.

use axum::{
    Json,
    extract::Request,
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::json;

use super::api::{self, ApiError};
use crate::record::NUL;

/// What it is called in messages.
const WHAT: &str = "contains the character U+0000; remove it";
/// As a URL has it: `%` begins nothing else.
const ENCODED: &str = "%00";

/// Lets a request through whose address has no such character, in its path or in its query.
pub(super) async fn admit(request: Request, next: Next) -> Response {
    let uri = request.uri();
    let part = if uri.path().contains(ENCODED) {
        "the path"
    } else if uri.query().is_some_and(|query| query.contains(ENCODED)) {
        "the query"
    } else {
        return next.run(request).await;
    };
    let message = format!("{part} {WHAT}");
    if uri.path().starts_with(api::PATH) {
        return ApiError::Invalid(message).into_response();
    }
    (StatusCode::BAD_REQUEST, Json(json!({"error": message}))).into_response()
}

/// A text of a body.
#[derive(Debug)]
pub(super) struct Text(pub(super) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.contains(NUL) { Err(D::Error::custom(WHAT)) } else { Ok(Self(text)) }
    }
}
