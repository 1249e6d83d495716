//! Stand-ins: language models, the Messages API behind Claude Code, a brain that misbehaves on purpose, a kubelet.

pub mod brain;
pub mod kubelet;
pub mod messages;
pub mod model_pod;
pub mod models;
pub mod responses;

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
    /// If no port can be listened on.
    pub async fn start(app: Router) -> Self {
        let listener = crate::ports::listener();
        listener.set_nonblocking(true).expect("a socket");
        let port = listener.local_addr().expect("an address").port();
        let listener = TcpListener::from_std(listener).expect("a listener");
        let task = tokio::spawn(async move { axum::serve(listener, app).await.expect("serves") });
        Self { port, task }
    }

    /// Its base URL, without a path.
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
