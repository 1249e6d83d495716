//! Servers without a socket.

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tower_service::Service;

/// Largest answer that is read, in bytes.
const ANSWER_MAX: usize = 64 * 1024 * 1024;

/// The routes of a server, with what it runs on.
pub struct Served {
    routes: Router,
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

impl Served {
    /// A server whose files are in a folder of its own.
    pub fn new(start: impl AsyncFnOnce(&TempDir) -> Router) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let folder = tempfile::tempdir().expect("a folder");
        let routes = runtime.block_on(start(&folder));
        Self { routes, runtime, _folder: folder }
    }

    /// What it answers.
    pub fn answer(&mut self, request: Request<Body>) -> Answer {
        self.runtime.block_on(async {
            let Ok(response) = self.routes.call(request).await;
            let status = response.status();
            let body = to_bytes(response.into_body(), ANSWER_MAX).await.expect("a body");
            Answer { status, body: body.into() }
        })
    }
}
