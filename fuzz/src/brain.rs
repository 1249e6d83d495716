//! A request to a brain: whatever is sent, the brain does not fail, and what it says is of one form.

use std::{
    num::NonZeroU32,
    sync::{LazyLock, Mutex, PoisonError},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request, StatusCode},
};
use brain::{
    http::{Ends, app},
    settings::{DatabaseUrl, from_environment},
    store::Store,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tower_service::Service;

/// Largest answer that is read, in bytes.
const ANSWER_MAX: usize = 64 * 1024 * 1024;

/// A brain without a socket.
pub struct Brain {
    app: Router,
    runtime: Runtime,
    // Kept until the process ends.
    _folder: TempDir,
}

/// What it answered.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: Vec<u8>,
}

impl Brain {
    fn new() -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let folder = tempfile::tempdir().expect("a folder");
        let database = DatabaseUrl::sqlite(folder.path().join("brain.db"));
        let mut settings = from_environment(&[("", ""); 0].into_iter().collect()).expect("the defaults are valid");
        settings.unattributed_per_minute = NonZeroU32::MAX;
        let store = runtime.block_on(Store::open(&database)).expect("a database");
        let app = runtime.block_on(async { app(store, &settings, Ends::default()) });
        Self { app, runtime, _folder: folder }
    }

    fn answer(&mut self, request: Request<Body>) -> Answer {
        self.runtime.block_on(async {
            let Ok(response) = self.app.call(request).await;
            let status = response.status();
            let body = to_bytes(response.into_body(), ANSWER_MAX).await.expect("a body");
            Answer { status, body: body.into() }
        })
    }
}

/// What the one brain of this process answers.
pub fn ask(request: Request<Body>) -> Answer {
    static BRAIN: LazyLock<Mutex<Brain>> = LazyLock::new(|| Mutex::new(Brain::new()));
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
