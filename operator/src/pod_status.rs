//! Fetches what a pod reports about itself on its admin port.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use crds::{
    pod::{ADMIN_PORT, MissingSecret, ModelReport, PodStatus, STATUS_PATH},
    shown::printable,
};
use reqwest::Client;

/// A pod that takes longer counts as unreachable.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Largest answer, in bytes; a status with 64 skills is far smaller.
const ANSWER_MAX: usize = 256 * 1024;
/// Most missing Secrets that are kept of an answer; a policy refers to fewer.
const SECRETS_MAX: usize = 32;
/// Most models that are kept of an answer; a policy has fewer.
const MODELS_MAX: usize = 8;
/// Longest text that is kept of an answer, in characters.
const REASON_MAX: usize = 400;
/// Longest problem of a model that is kept: it may name ten models.
const PROBLEM_MAX: usize = 1_500;

/// The HTTP client for pods: at most 3 s per request, no proxy, no redirects, no TLS.
///
/// # Errors
/// The client cannot be built.
pub fn client() -> reqwest::Result<Client> {
    Client::builder()
        .timeout(TIMEOUT)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tls_certs_only([])
        // Pods are queried seldom: an idle connection would only delay their shutdown.
        .pool_max_idle_per_host(0)
        .build()
}

/// Fetches `/status` from a pod's admin port.
///
/// # Errors
/// The pod does not answer in time, or not with a status. The text gives the reason, without the pod's address.
pub async fn get(client: &Client, ip: IpAddr) -> Result<PodStatus, String> {
    let url = format!("http://{}{STATUS_PATH}", SocketAddr::new(ip, ADMIN_PORT));
    let mut answer = client.get(url).send().await.map_err(|e| described(&e))?;
    if !answer.status().is_success() {
        return Err(format!("HTTP status {}", answer.status().as_u16()));
    }
    let mut body = vec![];
    while let Some(chunk) = answer.chunk().await.map_err(|e| described(&e))? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_MAX {
            return Err(format!("the answer has more than {ANSWER_MAX} bytes"));
        }
    }
    let status = serde_json::from_slice(&body)
        .map_err(|e| printable(&format!("the answer is not a status: {e}"), REASON_MAX))?;
    Ok(shown(status))
}

/// Shortens the texts that a policy's status repeats, and escapes them, so that they cannot forge a line.
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
    status.models.truncate(MODELS_MAX);
    for ModelReport { name, model, endpoint, problem, .. } in &mut status.models {
        for text in [name, model, endpoint] {
            *text = printable(text, REASON_MAX);
        }
        *problem = printable(problem, PROBLEM_MAX);
    }
    status
}

/// The innermost cause, without the URL: callers name the pod.
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
