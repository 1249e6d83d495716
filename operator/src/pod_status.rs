//! Fetches what a pod reports about itself on its admin port.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use crds::{
    field_error::printable,
    pod::{ADMIN_PORT, MissingSecret, PodStatus, STATUS_PATH},
};
use reqwest::Client;

/// A pod that takes longer counts as unreachable.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Largest answer, in bytes: 64 skills need a small part of it.
const ANSWER_MAX: usize = 256 * 1024;
/// Most missing Secrets that are repeated: a policy refers to fewer.
const SECRETS_MAX: usize = 32;
/// Longest reason that is repeated, in characters.
const REASON_MAX: usize = 400;

/// The client for pods: short time-outs, no proxy, no redirects, no TLS.
///
/// # Errors
/// The client cannot be built.
pub fn client() -> reqwest::Result<Client> {
    Client::builder()
        .timeout(TIMEOUT)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tls_certs_only([])
        // A pod is queried every half minute: an open connection would only delay its end.
        .pool_max_idle_per_host(0)
        .build()
}

/// Fetches a pod's status.
///
/// # Errors
/// Why there is no usable answer.
pub async fn get(client: &Client, ip: IpAddr) -> Result<PodStatus, String> {
    let url = format!("http://{}{STATUS_PATH}", SocketAddr::new(ip, ADMIN_PORT));
    let mut answer = client.get(url).send().await.map_err(|e| described(&e))?;
    if !answer.status().is_success() {
        return Err(format!("answered {}", answer.status().as_u16()));
    }
    let mut body = vec![];
    while let Some(chunk) = answer.chunk().await.map_err(|e| described(&e))? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_MAX {
            return Err(format!("answered more than {ANSWER_MAX} bytes"));
        }
    }
    let status = serde_json::from_slice(&body)
        .map_err(|e| printable(&format!("did not answer with a status: {e}"), REASON_MAX))?;
    Ok(shown(status))
}

/// What is repeated of a pod's answer is bounded, and cannot forge a line.
fn shown(mut status: PodStatus) -> PodStatus {
    if let Some(refused) = &mut status.refused {
        refused.reason = printable(refused.reason.trim(), REASON_MAX);
    }
    status.missing_secrets.truncate(SECRETS_MAX);
    for MissingSecret { name, key, reason } in &mut status.missing_secrets {
        for text in [name, key, reason] {
            *text = printable(text, REASON_MAX);
        }
    }
    status
}

/// The innermost cause, without the address: it is the pod's own.
fn described(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", TIMEOUT.as_secs());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    printable(&cause.to_string(), REASON_MAX)
}
