//! What a pod of the data plane says about itself on its admin port.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use crds::field_error::printable;
use reqwest::Client;
use serde::Deserialize;

/// Admin port of the data plane's pods.
pub const ADMIN_PORT: u16 = 3211;
/// A pod that takes longer counts as unreachable.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Largest answer, in bytes: 64 skills need a small part of it.
const ANSWER_MAX: usize = 256 * 1024;
/// Most missing secrets that are repeated: a policy refers to fewer.
const SECRETS_MAX: usize = 32;
/// Longest reason that is repeated, in characters.
const REASON_MAX: usize = 400;

/// A pod's `/status`. Fields of other versions are ignored, absent ones are empty: pods of several versions answer
/// during an upgrade.
#[derive(Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    /// The config that it runs.
    pub config_hash: String,
    /// The config that it does not run, and why.
    pub refused: Option<Refused>,
    /// Secrets that the config refers to and that are not there.
    pub missing_secrets: Vec<MissingSecret>,
    /// The skills, as the pod sees them.
    pub skills: Vec<SkillReport>,
}

/// A config that a pod does not run.
#[derive(Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(default)]
pub struct Refused {
    /// Why.
    pub reason: String,
}

/// A Secret key that a pod misses.
#[derive(Deserialize, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[serde(default)]
pub struct MissingSecret {
    /// The Secret.
    pub name: String,
    /// Its key.
    pub key: String,
    /// What is wrong: it is not there, or empty.
    pub reason: String,
}

/// Where a skill's calls go.
#[derive(Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct SkillReport {
    /// The skill.
    pub name: String,
    /// Its pass rate.
    pub pass_rate: Option<f64>,
    /// Outcomes behind it.
    pub samples: Option<u64>,
    /// `local`, `claude` or `split`.
    pub route: String,
    /// How old the pass rate is.
    pub evidence_age_ms: Option<u64>,
}

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
        // A pod is asked every half minute: an open connection would only hold up its end.
        .pool_max_idle_per_host(0)
        .build()
}

/// Asks a pod.
///
/// # Errors
/// Why there is no answer that can be used.
pub async fn ask(client: &Client, ip: IpAddr) -> Result<PodStatus, String> {
    let url = format!("http://{}/status", SocketAddr::new(ip, ADMIN_PORT));
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
    let status =
        serde_json::from_slice(&body).map_err(|e| printable(&format!("answered no status: {e}"), REASON_MAX))?;
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
