//! A request to a brain: whatever is sent, the brain does not fail, and what it says is of one form.

use std::{
    num::NonZeroU32,
    sync::{LazyLock, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Body,
    http::{Method, Request},
};
use brain::{
    http::{Ends, app},
    settings::{DatabaseUrl, from_environment},
    store::Store,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::served::{Answer, Served};

async fn routes(folder: &TempDir) -> Router {
    let database = DatabaseUrl::sqlite(folder.path().join("brain.db"));
    let mut settings = from_environment(&[("", ""); 0].into_iter().collect()).expect("the defaults are valid");
    settings.unattributed_per_minute = NonZeroU32::MAX;
    app(Store::open(&database).await.expect("a database"), &settings, Ends::default())
}

/// What the one brain of this process answers.
pub fn ask(request: Request<Body>) -> Answer {
    static BRAIN: LazyLock<Mutex<Served>> = LazyLock::new(|| Mutex::new(Served::new(routes)));
    BRAIN.lock().unwrap_or_else(PoisonError::into_inner).answer(request)
}

/// A line with method and path, a line with the content type, and the body.
pub fn check(input: &[u8]) {
    let mut parts = input.splitn(3, |byte| *byte == b'\n');
    let mut part = || parts.next().unwrap_or_default();
    let (target, kind, body) = (part(), part(), part());
    let Some((method, path)) = std::str::from_utf8(target).ok().and_then(|target| target.split_once(' ')) else {
        return;
    };
    // A stream of events does not end.
    if path.contains("events") {
        return;
    }
    let Ok(method) = method.parse::<Method>() else { return };
    let request = Request::builder().method(method).uri(path).header("host", "127.0.0.1").header("content-type", kind);
    let Ok(request) = request.body(Body::from(body.to_vec())) else { return };
    let answer = ask(request);
    assert!(!answer.status.is_server_error(), "{}: {}", answer.status, String::from_utf8_lossy(&answer.body));
    if answer.status.is_client_error() && answer.body.first() == Some(&b'{') {
        serde_json::from_slice::<Value>(&answer.body).expect("a refusal is JSON");
    }
}
