//! Stand-ins: language models, and a brain that misbehaves on purpose.

pub mod brain;
pub mod models;

use axum::Router;
use tokio::{net::TcpListener, task::JoinHandle};

/// A stand-in that serves until dropped.
pub struct Server {
    port: u16,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves a router on a free port of this machine.
    ///
    /// # Panics
    /// No port can be listened on.
    pub async fn start(app: Router) -> Self {
        Self::start_at(crate::ports::free(), app).await
    }

    /// Serves a router on a port of this machine.
    ///
    /// # Panics
    /// The port can not be listened on.
    pub async fn start_at(port: u16, app: Router) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a port");
        let task = tokio::spawn(async move { axum::serve(listener, app).await.expect("serves") });
        Self { port, task }
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}
