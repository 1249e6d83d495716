//! Who may call.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::SecretKeyRef;

/// Who may call, from which browsers' origins and under which host names.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// Bearer tokens; any of them opens the endpoint. Empty: no authentication. A token whose Secret is missing or
    /// empty opens nothing: when none is left, calls are refused with 503.
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[serde(default)]
    pub tokens: Vec<AccessToken>,

    /// Browser origins beside loopback ones that may call, for example `https://chat.home.example`.
    #[schemars(length(max = 32), inner(length(min = 1, max = 256), regex(pattern = r"^https?://[^/?#@\s]+$")))]
    #[serde(default)]
    pub allowed_origins: Vec<String>,

    /// Host names under which the endpoint may be called, without or with port. Empty: any.
    #[schemars(length(max = 32), inner(length(min = 1, max = 256), regex(pattern = r"^[^/?#@\s\\]+$")))]
    #[serde(default)]
    pub allowed_hosts: Vec<String>,
}

/// A named bearer token; the name appears in decision records.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AccessToken {
    /// Who holds the token.
    #[schemars(length(max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"))]
    pub name: String,
    /// Where the token is.
    pub secret_ref: SecretKeyRef,
}
