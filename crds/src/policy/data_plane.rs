//! How the pods of the data plane run.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Affinity, Toleration, TopologySpreadConstraint};
use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Quantity;

/// Most replicas.
pub const REPLICAS_MAX: u16 = 100;
/// Most entries of a map or list that Kubernetes itself does not bound.
const ENTRIES_MAX: u64 = 64;
/// Longest text that Kubernetes itself does not bound, in characters.
const TEXT_MAX: u64 = 4096;
/// Labels that tie pods to their policy; the Services and the Deployment select by them.
pub const SELECTOR_LABELS: [&str; 3] = ["app", "app.kubernetes.io/instance", "app.kubernetes.io/name"];

/// How the pods run. Fields of Kubernetes' own kinds mean what they mean in a pod.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct DataPlane {
    /// Number of pods; `kubectl scale rp` and a HorizontalPodAutoscaler set it.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 100), extend("format" = "int32"))]
    pub replicas: u16,

    /// Image of the data plane. Absent: the operator's own choice, which follows its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^\S+$"))]
    pub image: Option<String>,

    /// When the kubelet pulls the image. Absent: Always for the tag latest, else IfNotPresent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<ImagePullPolicy>,

    /// Secrets with the credentials of the image's registry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub image_pull_secrets: Vec<SecretName>,

    /// Labels that a node must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "key_values")]
    pub node_selector: BTreeMap<String, String>,

    /// Taints that the pods tolerate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "bounded::<Vec<Toleration>>")]
    pub tolerations: Vec<Toleration>,

    /// On which nodes, and beside which pods, the pods run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounded::<Affinity>")]
    pub affinity: Option<Affinity>,

    /// How the pods are spread over nodes and zones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "bounded::<Vec<TopologySpreadConstraint>>")]
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,

    /// The pods' PriorityClass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,

    /// What a pod asks for and may use. Absent: 50m CPU and 64Mi memory are asked for, without limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,

    /// More labels of the pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "key_values")]
    #[x_kube(validation = Rule::new("self.all(k, !(k in ['app', 'app.kubernetes.io/instance', 'app.kubernetes.io/name']))")
        .message("must not have app, app.kubernetes.io/instance or app.kubernetes.io/name: they tie pods to their policy"))]
    pub pod_labels: BTreeMap<String, String>,

    /// More annotations of the pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "key_values")]
    pub pod_annotations: BTreeMap<String, String>,

    /// Volumes below which skills may read the files that a caller names, mounted read-only at `/workspaces/<name>`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub workspaces: Vec<Workspace>,
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
        }
    }
}

fn one() -> u16 {
    1
}

/// When an image is pulled.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImagePullPolicy {
    /// At every start of a pod.
    Always,
    /// When the node does not have it.
    IfNotPresent,
    /// Never: the node must have it.
    Never,
}

/// A Secret in the policy's namespace.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
pub struct SecretName {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// What a pod asks for and may use.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(default)]
pub struct Resources {
    /// The most that a pod may use, by resource, for example `memory: 512Mi`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub limits: BTreeMap<String, Quantity>,
    /// What is set aside for a pod, by resource, for example `cpu: 100m`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub requests: BTreeMap<String, Quantity>,
}

/// A volume with files that skills may read.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Workspace {
    /// The folder's name below `/workspaces`.
    #[schemars(length(max = 50), regex(pattern = r"^[a-z0-9]([-a-z0-9]{0,48}[a-z0-9])?$"))]
    pub name: String,
    /// The claim that holds the files.
    pub persistent_volume_claim: WorkspaceClaim,
}

/// A PersistentVolumeClaim in the policy's namespace.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceClaim {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub claim_name: String,
}

/// Labels or annotations.
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
