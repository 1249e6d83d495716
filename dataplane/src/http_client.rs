//! The HTTP clients of this process.

use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder, Response, redirect};

/// Longest time to open a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Shorter than the 5 s after which LiteLLM's server closes an idle connection: no request is sent on a closing one.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// A client that trusts the system's certificate authorities and those in `extra`.
///
/// A system without any is only a warning: plain HTTP needs none, and HTTPS may have its own in `extra`.
///
/// # Errors
/// A certificate in `extra` cannot be used.
pub fn build(extra: Vec<Certificate>) -> Result<Client, reqwest::Error> {
    builder().tls_certs_merge(extra.clone()).build().or_else(|error| {
        let without_the_systems = builder().tls_certs_only(extra).build();
        if without_the_systems.is_ok() {
            tracing::warn!(%error, "the system has no certificates; https endpoints need a caBundle");
        }
        without_the_systems
    })
}

/// Follows no redirect and uses no proxy of the environment: only the policy decides where prompts go.
fn builder() -> ClientBuilder {
    Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .user_agent(format!("routing/{}", crds::VERSION))
}

/// Why a body was not read to its end.
#[derive(Debug)]
pub enum BodyError {
    /// The connection broke, or time was up.
    Transport(reqwest::Error),
    /// More bytes than allowed.
    TooLarge,
}

/// Reads a body of at most `max_bytes`.
///
/// # Errors
/// It is longer, or the connection broke.
pub async fn read_bounded(mut response: Response, max_bytes: usize) -> Result<Vec<u8>, BodyError> {
    let mut body = vec![];
    while let Some(chunk) = response.chunk().await.map_err(BodyError::Transport)? {
        if body.len() + chunk.len() > max_bytes {
            return Err(BodyError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
