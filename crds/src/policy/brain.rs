//! The brain: one that runs somewhere, or one that the operator runs beside the policy.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Quantity, Resources, SecretKeyRef,
    upstream::{HTTP_URL_RULE, NO_USER_RULE, NOT_LINK_LOCAL, NOT_LINK_LOCAL_RULE, REFERENCE_MAX, URL_MAX},
};

/// Most pods of a managed brain.
pub const REPLICAS_MAX: u16 = 10;
/// Where the brain is.
pub(crate) const ONE_BRAIN: &str =
    "must have exactly one of url (a brain that runs already) and managed (the operator runs one)";
/// The token has one place.
pub(crate) const TOKEN_BESIDE_URL: &str =
    "belongs to url; with managed the token is managed.tokenSecretRef: move it there";
/// A SQLite file has one writer.
pub(crate) const SEVERAL_NEED_POSTGRES: &str = "above 1 needs databaseURLSecretRef, because only one brain can use a SQLite \
    file; set that, or leave replicas out";
/// What has no meaning with Postgres.
const STORAGE_RULE: &str = "!has(self.databaseURLSecretRef) || \
    !(has(self.storage) || has(self.storageClassName) || self.reclaim == 'Delete')";
/// Why it has none.
pub(crate) const STORAGE_IS_FOR_SQLITE: &str = "must not have storage, storageClassName or reclaim: Delete beside it, because \
    they are about the claim of a SQLite file; remove these, or it";

/// The service that stores the outcomes of skill calls and provides pass rates. Exactly one of `url` and `managed`.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[cfg_attr(test, x_kube(cel))]
#[x_kube(validation = Rule::new("has(self.url) != has(self.managed)").message(ONE_BRAIN))]
#[x_kube(validation = Rule::new("!has(self.managed) || !has(self.tokenSecretRef)").message(TOKEN_BESIDE_URL)
    .field_path(".tokenSecretRef"))]
#[serde(rename_all = "camelCase")]
pub struct Brain {
    /// Base URL of a brain that runs already, http or https. `/pass-rate` and `/mcp` are appended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = URL_MAX))]
    #[x_kube(validation = Rule::new(HTTP_URL_RULE).message("must be an http:// or https:// URL with a host and without query or fragment"))]
    #[x_kube(validation = Rule::new(NO_USER_RULE)
        .message("must not have a user or a password; put it into a Secret, and name that in tokenSecretRef"))]
    #[x_kube(validation = Rule::new(NOT_LINK_LOCAL_RULE).message(NOT_LINK_LOCAL))]
    pub url: Option<String>,

    /// With `url`: the Secret and its key that hold the bearer token for the brain. If absent, no token is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_secret_ref: Option<SecretKeyRef>,

    /// Instead of `url`: the operator runs a brain beside the policy, as NAME-brain, and the data plane uses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<ManagedBrain>,
}

impl Brain {
    /// A brain that runs already.
    #[must_use]
    pub fn at(url: impl Into<String>, token_secret_ref: Option<SecretKeyRef>) -> Self {
        Self { url: Some(url.into()), token_secret_ref, managed: None }
    }
}

/// A brain that the operator runs with the image of the data plane and on its nodes. Without `databaseURLSecretRef` it is
/// a StatefulSet of one pod with a SQLite file on a claim of its own, `data-NAME-brain-0`; with it, a Deployment that
/// uses a Postgres database.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[cfg_attr(test, x_kube(cel))]
#[x_kube(validation = Rule::new("self.replicas <= 1 || has(self.databaseURLSecretRef)").message(SEVERAL_NEED_POSTGRES)
    .field_path(".replicas"))]
#[x_kube(validation = Rule::new(STORAGE_RULE).message(STORAGE_IS_FOR_SQLITE).field_path(".databaseURLSecretRef"))]
#[serde(rename_all = "camelCase")]
pub struct ManagedBrain {
    /// The Secret and its key that hold the bearer token: the brain demands it, the data plane sends it. Required,
    /// because whoever can report outcomes steers the routes.
    pub token_secret_ref: SecretKeyRef,

    /// The Secret and its key that hold the URL of a Postgres database, `postgres://…`. If absent, outcomes are kept in a
    /// SQLite file on a claim.
    #[serde(default, rename = "databaseURLSecretRef", skip_serializing_if = "Option::is_none")]
    pub database_url_secret_ref: Option<SecretKeyRef>,

    /// Number of pods; more than 1 needs `databaseURLSecretRef`. 0 stops the brain and keeps its claim, for example to
    /// restore a backup. Default: 1.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = REPLICAS_MAX), extend("format" = "int32"))]
    pub replicas: u16,

    /// Size of the claim for the SQLite file. It can grow if the claim's StorageClass allows that, and never shrink.
    /// If absent, 1Gi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Quantity>,

    /// StorageClass of the claim. It cannot change while the claim exists. If absent, the cluster's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = REFERENCE_MAX), regex(pattern = "^([a-z0-9]([-.a-z0-9]*[a-z0-9])?)?$"))]
    pub storage_class_name: Option<String>,

    /// What becomes of the claim when the policy is deleted or its brain is no longer managed. Retain: it stays, and a
    /// managed brain of a policy with the same name uses it again. Delete: it is deleted, with every outcome. Default:
    /// Retain.
    #[serde(default)]
    pub reclaim: Reclaim,

    /// A port on every node that leads to the brain, for reports from outside the cluster. The cluster decides which
    /// ports are allowed, usually 30000 to 32767. If absent, the brain is reached inside the policy's namespace only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535), extend("format" = "int32"))]
    pub node_port: Option<u16>,

    /// The CPU, memory and other resources that a pod requests and may use. If absent, a pod requests 20m CPU and 32Mi
    /// memory, and may use 256Mi memory. If present, only what it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

fn one() -> u16 {
    1
}

/// What becomes of the claim when its brain goes.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reclaim {
    /// It stays, and is used again.
    #[default]
    Retain,
    /// It is deleted, with every outcome.
    Delete,
}
