//! How the pods of the data plane run.

pub mod annotations;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Affinity, Toleration, TopologySpreadConstraint};
use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Quantity,
    upstream::{HTTP_URL_RULE, NO_USER_RULE, NOT_LINK_LOCAL, NOT_LINK_LOCAL_RULE, REFERENCE_MAX, URL_MAX},
};

/// Largest number of pods of one policy.
pub const REPLICAS_MAX: u16 = 100;
/// Longest name of a workspace, in characters: it is part of a volume's name, `workspace-NAME`.
pub const WORKSPACE_NAME_MAX: usize = 50;
/// Most entries of a map or list for which Kubernetes has no limit.
const ENTRIES_MAX: u64 = 64;
/// Longest text for which Kubernetes has no limit, in characters.
const TEXT_MAX: u64 = 4096;
/// Labels by which the Services and the Deployment select the pods of their policy.
pub const SELECTOR_LABELS: [&str; 3] = ["app", "app.kubernetes.io/instance", "app.kubernetes.io/name"];
/// How the pods of the data plane run. Fields that a Kubernetes pod has, too, have the same meaning as there.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct DataPlane {
    /// Number of pods. `kubectl scale rp` and a HorizontalPodAutoscaler change it; if one of them does, leave it out of
    /// Git. Default: 1.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = REPLICAS_MAX), extend("format" = "int32"))]
    pub replicas: u16,

    /// Image of the data plane. If absent, the one that the operator was started with (`--image` or `ROUTING_IMAGE`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^\S+$"))]
    pub image: Option<String>,

    /// When the kubelet pulls the image. If absent: Always for the tag `latest`, otherwise IfNotPresent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<ImagePullPolicy>,

    /// Secrets with credentials for the image's registry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub image_pull_secrets: Vec<SecretName>,

    /// Labels that a node must have to run the pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "key_values")]
    pub node_selector: BTreeMap<String, String>,

    /// Node taints that the pods tolerate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "bounded::<Vec<Toleration>>")]
    pub tolerations: Vec<Toleration>,

    /// Which nodes the pods run on, and which other pods they run near or apart from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounded::<Affinity>")]
    pub affinity: Option<Affinity>,

    /// How the pods are spread across nodes and zones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "bounded::<Vec<TopologySpreadConstraint>>")]
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,

    /// Name of the PriorityClass of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = REFERENCE_MAX))]
    pub priority_class_name: Option<String>,

    /// The CPU, memory and other resources that a pod requests and may use. If absent, a pod requests 50m CPU and 64Mi
    /// memory, and may use 512Mi memory. If present, only what it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,

    /// Labels added to the pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "key_values")]
    #[x_kube(validation = Rule::new("self.all(k, !(k in ['app', 'app.kubernetes.io/instance', 'app.kubernetes.io/name']))")
        .message("must not have app, app.kubernetes.io/instance or app.kubernetes.io/name: they select the policy's pods"))]
    pub pod_labels: BTreeMap<String, String>,

    /// Annotations added to the pods. Not those that change a pod's confinement, networks or devices.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "key_values")]
    #[x_kube(validation = Rule::new(annotations::none_is_reserved())
        .message("must not have annotations that change a pod's confinement, networks or devices, such as k8s.v1.cni.cncf.io/networks"))]
    pub pod_annotations: BTreeMap<String, String>,

    /// Volumes with files that callers can have skills read. Each is mounted read-only at `/workspaces/<name>`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub workspaces: Vec<Workspace>,

    /// Where the pods send what they measure. If absent, nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telemetry: Option<Telemetry>,
}

impl Default for DataPlane {
    fn default() -> Self {
        Self {
            replicas: one(),
            image: None,
            image_pull_policy: None,
            image_pull_secrets: vec![],
            node_selector: BTreeMap::new(),
            tolerations: vec![],
            affinity: None,
            topology_spread_constraints: vec![],
            priority_class_name: None,
            resources: None,
            pod_labels: BTreeMap::new(),
            pod_annotations: BTreeMap::new(),
            workspaces: vec![],
            telemetry: None,
        }
    }
}

fn one() -> u16 {
    1
}

/// When the kubelet pulls the image. If absent: Always for the tag `latest`, otherwise IfNotPresent.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImagePullPolicy {
    /// Every time a pod starts.
    Always,
    /// If the node does not have the image yet.
    IfNotPresent,
    /// Never. The node must already have the image.
    Never,
}

/// A Secret in the policy's namespace.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
pub struct SecretName {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = REFERENCE_MAX))]
    pub name: String,
}

/// The resources that a pod requests and may use.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(default)]
pub struct Resources {
    /// The most of each resource that a pod may use, for example `memory: 512Mi`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub limits: BTreeMap<String, Quantity>,
    /// The amount of each resource that is reserved for a pod, for example `cpu: 100m`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub requests: BTreeMap<String, Quantity>,
}

/// An OpenTelemetry collector.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Telemetry {
    /// Base URL of the collector, http or https, for OTLP as protobuf over HTTP. `/v1/traces` and `/v1/metrics` are
    /// appended.
    #[schemars(length(max = URL_MAX))]
    #[x_kube(validation = Rule::new(HTTP_URL_RULE).message("must be an http:// or https:// URL with a host and without query or fragment"))]
    #[x_kube(validation = Rule::new(NO_USER_RULE)
        .message("must not have a user or a password; let a collector in the cluster have them"))]
    #[x_kube(validation = Rule::new(NOT_LINK_LOCAL_RULE).message(NOT_LINK_LOCAL))]
    pub url: String,
}

/// A volume with files that skills may read.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Workspace {
    /// Name of the folder below `/workspaces` where the volume is mounted.
    #[schemars(length(max = WORKSPACE_NAME_MAX), regex(pattern = r"^[a-z0-9]([-a-z0-9]{0,48}[a-z0-9])?$"))]
    pub name: String,
    /// The PersistentVolumeClaim that holds the files.
    pub persistent_volume_claim: WorkspaceClaim,
}

/// A PersistentVolumeClaim in the policy's namespace.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceClaim {
    /// Name of the PersistentVolumeClaim.
    #[schemars(length(min = 1, max = REFERENCE_MAX))]
    pub claim_name: String,
}

/// Schema of labels or annotations, bounded in number and length.
pub(super) fn key_values(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": ENTRIES_MAX,
        "additionalProperties": {"type": "string", "maxLength": TEXT_MAX}
    })
}

/// The schema of a Kubernetes type, with bounds where it has none.
fn bounded<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = serde_json::to_value(generator.subschema_for::<T>()).unwrap_or_default();
    add_bounds(&mut schema);
    Schema::try_from(schema).unwrap_or_default()
}

fn add_bounds(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    let bound = match object.get("type").and_then(Value::as_str) {
        Some("array") => Some(("maxItems", ENTRIES_MAX)),
        Some("string") => Some(("maxLength", TEXT_MAX)),
        Some("object") if object.contains_key("additionalProperties") => Some(("maxProperties", ENTRIES_MAX)),
        _ => None,
    };
    if let Some((keyword, most)) = bound {
        object.entry(keyword).or_insert(json!(most));
    }
    for (name, inner) in object.iter_mut() {
        match name.as_str() {
            "properties" => inner.as_object_mut().into_iter().flatten().for_each(|(_, field)| add_bounds(field)),
            "items" | "additionalProperties" => add_bounds(inner),
            _ => {}
        }
    }
}
