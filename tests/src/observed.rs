//! What a client says on the wire: a server in front of the data plane that passes everything on.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, Uri, header},
    response::Response,
};

use crate::{http, stand_in::Server};

const VERSION: &str = "mcp-protocol-version";

#[derive(Clone)]
struct Behind {
    base: Arc<str>,
    versions: Arc<Mutex<Vec<String>>>,
}

/// The running server.
pub struct Observed {
    server: Server,
    versions: Arc<Mutex<Vec<String>>>,
}

impl Observed {
    /// In front of the server with this base URL.
    pub async fn in_front_of(base: &str) -> Self {
        let versions = Arc::<Mutex<Vec<String>>>::default();
        let behind = Behind { base: base.into(), versions: Arc::clone(&versions) };
        Self { server: Server::start(Router::new().fallback(pass).with_state(behind)).await, versions }
    }

    /// The URL that a client is given.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/mcp", self.server.url())
    }

    /// The revision of the protocol that the last request named.
    ///
    /// # Panics
    /// If a handler panicked.
    #[must_use]
    pub fn version(&self) -> String {
        self.versions.lock().expect("no handler panics").last().cloned().unwrap_or_default()
    }
}

async fn pass(State(to): State<Behind>, method: Method, uri: Uri, mut headers: HeaderMap, body: Bytes) -> Response {
    if let Some(version) = headers.get(VERSION) {
        let version = version.to_str().expect("text").to_string();
        to.versions.lock().expect("no handler panics").push(version);
    }
    headers.remove(header::HOST);
    let answer = http().request(method, format!("{}{uri}", to.base)).headers(headers).body(body).send().await;
    let answer = answer.expect("the data plane answers");
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    // The body is sent as this server sends bodies.
    for of_the_connection in [header::TRANSFER_ENCODING, header::CONTENT_LENGTH, header::CONNECTION] {
        response.headers_mut().remove(of_the_connection);
    }
    response.map(|_| Body::from_stream(answer.bytes_stream()))
}
