//! The HTTP clients of this process.

mod authorities;
mod names;

use std::{sync::Arc, time::Duration};

use reqwest::{Client, Response, redirect};
use rustls::pki_types::CertificateDer;
use tokio::sync::{Semaphore, SemaphorePermit};

use self::names::Names;

/// Longest time to open a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Shorter than the 5 s after which LiteLLM's server closes an idle connection: no request is sent on a closing one.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A certificate in `extra` cannot be used.
    #[error("a certificate cannot be used")]
    Certificate(#[from] rustls::Error),
    /// The HTTP library refuses what it is given.
    #[error(transparent)]
    Http(#[from] reqwest::Error),
}

/// A client that trusts the system's certificate authorities and those in `extra`. Follows no redirect and uses no proxy of
/// the environment: only the policy decides where prompts go.
///
/// # Errors
/// A certificate in `extra` cannot be used.
pub fn build(extra: Vec<CertificateDer<'static>>) -> Result<Client, ClientError> {
    let client = Client::builder()
        .tls_backend_preconfigured(authorities::trusting(extra)?)
        .connect_timeout(CONNECT_TIMEOUT)
        .dns_resolver(Arc::new(Names::default()))
        .pool_idle_timeout(IDLE_TIMEOUT)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .user_agent(format!("routing/{}", crds::VERSION));
    Ok(client.build()?)
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
    read_up_to(&mut response, max_bytes, &mut body).await?;
    all_of(&body, max_bytes)?;
    Ok(body)
}

/// Places for large bodies, so that many of them at once do not take all memory.
pub struct Room {
    /// Up to this many bytes a body needs no place.
    pub small_bytes: usize,
    /// The places.
    pub places: Semaphore,
}

/// Like [`read_bounded`]; a large body waits for a place before it is read on, and has it until that is dropped.
///
/// # Errors
/// It is longer, or the connection broke.
pub async fn read_in_room(
    mut response: Response,
    max_bytes: usize,
    room: &'static Room,
) -> Result<(Vec<u8>, Option<SemaphorePermit<'static>>), BodyError> {
    let mut body = vec![];
    if read_up_to(&mut response, room.small_bytes, &mut body).await? {
        return Ok((body, None));
    }
    // Fails only if the semaphore is closed, which nobody does.
    let place = room.places.acquire().await.ok();
    read_up_to(&mut response, max_bytes, &mut body).await?;
    all_of(&body, max_bytes)?;
    Ok((body, place))
}

/// Reads on until a body ends, which is true, or has more than `bytes`.
async fn read_up_to(response: &mut Response, bytes: usize, body: &mut Vec<u8>) -> Result<bool, BodyError> {
    while body.len() <= bytes {
        match response.chunk().await.map_err(BodyError::Transport)? {
            Some(chunk) => body.extend_from_slice(&chunk),
            None => return Ok(true),
        }
    }
    Ok(false)
}

fn all_of(body: &[u8], max_bytes: usize) -> Result<(), BodyError> {
    if body.len() > max_bytes { Err(BodyError::TooLarge) } else { Ok(()) }
}
