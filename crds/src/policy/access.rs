//! Who may call the endpoint.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::SecretKeyRef;
use crate::dns_label;

/// Most tokens of a policy.
pub const TOKENS_MAX: usize = 16;
/// Most origins of a policy, and most hosts.
pub const NAMES_MAX: usize = 32;
/// Longest name of a token's holder, in characters.
pub const CALLER_MAX: usize = dns_label::MAX;
/// Longest origin, and longest host with port, in characters.
pub const HOST_MAX: usize = 256;

/// Who may call: bearer tokens, browser origins and host names.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// Bearer tokens that are accepted. If the list is empty, callers need no token. A token whose Secret is missing or
    /// empty is never accepted; if no usable token is left, calls are refused with 503.
    #[schemars(length(max = TOKENS_MAX))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[serde(default)]
    pub tokens: Vec<AccessToken>,

    /// Origins of web pages that may call, for example `https://chat.home.example`; no wildcards. Loopback ones always may.
    #[schemars(length(max = NAMES_MAX), inner(length(min = 1, max = HOST_MAX), regex(pattern = r"^https?://[^/?#@\s]+$")))]
    #[x_kube(validation = Rule::new("self.all(origin, !origin.contains('*'))")
        .message("has no wildcards; name each origin, for example https://chat.example"))]
    #[serde(default)]
    pub allowed_origins: Vec<String>,

    /// Accepted values of the Host header, with or without a port; no wildcards. If the list is empty, any is accepted.
    #[schemars(length(max = NAMES_MAX), inner(length(min = 1, max = HOST_MAX), regex(pattern = r"^[^/?#@\s\\]+$")))]
    #[x_kube(validation = Rule::new("self.all(host, !host.contains('*'))")
        .message("has no wildcards; leave allowedHosts out for any host"))]
    #[serde(default)]
    pub allowed_hosts: Vec<String>,
}

/// A bearer token and the name of its holder.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AccessToken {
    /// Name of the token's holder, for example `ann`. It appears in decision records.
    #[schemars(length(max = CALLER_MAX), regex(pattern = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"))]
    pub name: String,
    /// The Secret and its key that hold the token.
    pub secret_ref: SecretKeyRef,
}
