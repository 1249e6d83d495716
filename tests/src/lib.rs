//! What the tests share: starting the real programs, querying them, waiting for their effects.
//!
//! There are stand-ins only for language models (`stand_in::models`, `fault_server` for those that break HTTP, and
//! `stand_in::messages` behind Claude Code), for a brain that misbehaves on purpose (`stand_in::brain`, and
//! `fault_server::brain` for one that breaks HTTP), and for the kubelet (`stand_in::kubelet`), which runs real data planes
//! behind real Pod objects; everything else is the program that a user runs.

#![forbid(unsafe_code)]

pub mod at_rest;
pub mod audit;
pub mod bombs;
pub mod browser;
pub mod calls;
pub mod claude_code;
pub mod clients;
pub mod cluster;
pub mod codex;
pub mod collector;
pub mod connect;
pub mod conntrack;
pub mod control_plane;
pub mod costs;
pub mod documented;
pub mod events;
pub mod fault_rows;
pub mod fault_server;
pub mod flat;
pub mod host;
pub mod language_model;
pub mod litellm;
pub mod load;
pub mod make_run;
pub mod manifests;
pub mod mcp;
pub mod memory;
pub mod network_policy;
pub mod observed;
pub mod open_loop;
pub mod operator;
pub mod pages;
pub mod policies;
pub mod policy;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod program;
pub mod proxy;
pub mod random;
pub mod raw_http;
pub mod recorded;
pub mod requests;
pub mod small_disk;
pub mod sources;
pub mod stand_in;
pub mod supervised;
pub mod tls_model;
pub mod volume;
pub mod waiting;
pub mod wall_clock;
pub mod wrong_bit;
pub mod wrong_requests;

use std::{path::PathBuf, str::FromStr, sync::Once};

pub use policy::Policy;

/// The root of the checkout.
#[must_use]
pub fn checkout() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().map(PathBuf::from).unwrap_or_default()
}

/// The JSON at a URL.
///
/// # Panics
/// If there is no answer, or it is not JSON.
pub async fn get_json(url: impl AsRef<str>) -> serde_json::Value {
    let answer = http().get(url.as_ref()).send().await.expect("an answer");
    answer.json().await.expect("JSON")
}

/// A variable that `make test` sets.
///
/// # Panics
/// If it is not set; the message says how to get it.
#[must_use]
pub fn required(variable: &str) -> PathBuf {
    match std::env::var(variable) {
        Ok(value) if !value.is_empty() => value.into(),
        _ => panic!("{variable} is not set: run `make test`, which prepares what this test needs"),
    }
}

/// The number in a variable, or what counts if it is not set.
///
/// # Panics
/// If it is no such number.
#[must_use]
pub fn number<T: FromStr>(variable: &str, default: T) -> T {
    match std::env::var(variable) {
        Ok(text) if !text.is_empty() => text.parse().unwrap_or_else(|_| panic!("{variable}: {text}: must be a number")),
        _ => default,
    }
}

/// An HTTP client that waits long enough for a busy machine.
///
/// # Panics
/// If the client cannot be built.
#[must_use]
pub fn http() -> reqwest::Client {
    http_builder().timeout(waiting::LIMIT).build().expect("an HTTP client")
}

/// A client for plain HTTP only: reading the system's certificates for each would be most of its cost.
fn http_builder() -> reqwest::ClientBuilder {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Fails only if another test has installed it before.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder().tls_certs_only([])
}
