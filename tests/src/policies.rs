//! Policies of one namespace, as their users see them.

use std::{cell::RefCell, collections::BTreeMap, time::Duration};

use crds::{RoutingPolicy, policy::RoutingPolicyStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, ListParams},
    core::ApiResource,
};
use serde_json::{Value, json};

use crate::{
    cluster::Cluster,
    control_plane::ControlPlane,
    operator::Operator,
    policy::{self, Policy, merged},
    stand_in::kubelet::Kubelet,
    waiting,
};

/// Longest wait for a policy to become as specified: meanwhile pods start and are notified of their config, and after
/// an outage of the API server a kubelet's watches resume only after a while.
const LIMIT: Duration = Duration::from_secs(300);

/// A namespace with policies.
pub struct Policies {
    cluster: &'static Cluster,
    /// The administrator's client.
    pub client: Client,
    /// Its name.
    pub namespace: String,
}

impl Policies {
    /// The policies of a new namespace.
    pub async fn in_new_namespace(cluster: &'static Cluster, namespace: &str) -> Self {
        Self { cluster, client: cluster.client().await, namespace: cluster.namespace(namespace) }
    }

    /// The policies of an existing namespace.
    pub async fn in_namespace(cluster: &'static Cluster, namespace: &str) -> Self {
        Self { cluster, client: cluster.client().await, namespace: namespace.into() }
    }

    /// The policies of a new namespace on the shared control plane, where the operator runs. Nothing runs their pods.
    pub async fn operated(namespace: &str) -> Self {
        Operator::shared().await;
        Self::in_new_namespace(ControlPlane::shared().await, namespace).await
    }

    /// The same with a stand-in for the kubelet, which runs their pods.
    pub async fn operated_with_pods(namespace: &str) -> (Self, Kubelet) {
        let policies = Self::operated(namespace).await;
        let kubelet = Kubelet::start(ControlPlane::shared().await, namespace).await;
        (policies, kubelet)
    }

    /// Applies a policy with this spec, as kubectl does.
    pub fn apply(&self, name: &str, spec: &Value) {
        self.apply_document(Policy::of(name, spec));
    }

    /// Runs kubectl in the namespace.
    ///
    /// # Panics
    /// If it fails.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let arguments: Vec<&str> = ["--namespace", &self.namespace].iter().chain(arguments).copied().collect();
        self.cluster.kubectl(&arguments).expect_worked()
    }

    /// The messages of the namespace's events with this reason, oldest first.
    ///
    /// # Panics
    /// If they cannot be read.
    #[must_use]
    pub fn events(&self, reason: &str) -> Vec<String> {
        let selected = format!("--field-selector=reason={reason}");
        let listed = self.kubectl(&["get", "events", "--sort-by=metadata.creationTimestamp", &selected, "-o", "json"]);
        let listed: Value = serde_json::from_str(&listed).expect("JSON");
        let messages = listed["items"].as_array().into_iter().flatten().filter_map(|event| event["message"].as_str());
        messages.map(Into::into).collect()
    }

    /// Applies an object in the namespace.
    pub fn apply_document(&self, document: impl ToString) {
        self.cluster.apply(&self.namespace, &document.to_string());
    }

    /// Creates an object that is too large for the annotation that `kubectl apply` adds to it.
    ///
    /// # Panics
    /// If it is refused.
    pub fn kubectl_create(&self, document: &Value) {
        let arguments = ["create", "--namespace", &self.namespace, "--filename", "-"];
        self.cluster.kubectl_with(&arguments, &document.to_string()).expect_worked();
    }

    /// Applies a policy's status as this manager, and takes over what others set.
    ///
    /// # Panics
    /// It failed.
    pub fn apply_status(&self, document: &Value, manager: &str) {
        let manager = format!("--field-manager={manager}");
        let arguments =
            ["apply", "--server-side", "--subresource=status", "--force-conflicts", &manager, "--filename", "-"];
        let namespace = ["--namespace", &self.namespace];
        self.cluster.kubectl_with(&[&arguments[..], &namespace].concat(), &document.to_string()).expect_worked();
    }

    /// The client of the namespace's policies.
    #[must_use]
    pub fn api(&self) -> Api<RoutingPolicy> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Objects of another kind, for example `apps/v1` `Deployment`.
    ///
    /// # Panics
    /// If [`resource`] does not know the kind.
    #[must_use]
    pub fn objects(&self, kind: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource(kind))
    }

    /// An object of another kind as JSON, if it exists.
    ///
    /// # Panics
    /// If the API server does not answer.
    pub async fn object(&self, kind: &str, name: &str) -> Option<Value> {
        let object = self.objects(kind).get_opt(name).await.expect("an answer")?;
        Some(serde_json::to_value(object).expect("JSON"))
    }

    /// The `resourceVersion` of a policy, and of everything in its namespace that is of the kinds of children, or a pod.
    ///
    /// # Panics
    /// If the API server does not answer.
    pub async fn versions(&self, policy: &str) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for kind in CHILD_KINDS.iter().chain(["Pod"].iter()) {
            for object in self.objects(kind).list(&ListParams::default()).await.expect("a list") {
                all.insert(format!("{kind} {}", object.name_any()), object.resource_version().unwrap_or_default());
            }
        }
        let version = self.get(policy).await.resource_version().unwrap_or_default();
        all.insert(format!("RoutingPolicy {policy}"), version);
        all
    }

    /// A policy.
    ///
    /// # Panics
    /// If it does not exist.
    pub async fn get(&self, name: &str) -> RoutingPolicy {
        self.api().get(name).await.expect("the policy")
    }

    /// Waits until the status of a policy, for its current generation, is as expected.
    ///
    /// # Panics
    /// If it does not become so within the limit.
    pub async fn wait_for(
        &self,
        name: &str,
        what: &str,
        holds: impl Fn(&RoutingPolicyStatus) -> bool,
    ) -> RoutingPolicyStatus {
        let last = RefCell::new(RoutingPolicyStatus::default());
        let probe = || async {
            let policy = self.get(name).await;
            let status = policy.status.unwrap_or_default();
            let found = status.observed_generation == policy.metadata.generation && holds(&status);
            last.replace(status);
            found.then(|| last.take())
        };
        let say = || {
            let status = serde_json::to_string_pretty(&*last.borrow()).expect("JSON");
            let around = self.kubectl(&["get", "pods,deployments,events", "--output", "wide"]);
            format!("{name} in {}: {what}\n{status}\n{around}", self.namespace)
        };
        waiting::until_or_say(LIMIT, probe, say).await
    }

    /// Waits until a condition of a policy has this status and reason.
    pub async fn wait_for_condition(&self, name: &str, kind: &str, status: &str, reason: &str) -> Condition {
        let found = self
            .wait_for(name, &format!("{kind}={status} {reason}"), |s| {
                condition(s, kind).is_some_and(|c| c.status == status && c.reason == reason)
            })
            .await;
        condition(&found, kind).expect("just seen").clone()
    }

    /// Waits until the config that all pods of a policy run is stored as the last good one: after that the operator
    /// does not write its children any more.
    pub async fn wait_for_last_good(&self, name: &str) {
        waiting::until_true("last-good.yaml to be the config that all pods run", || async {
            let data = self.object("ConfigMap", name).await.unwrap_or_default()["data"].clone();
            data["last-good.yaml"] == data["policy.yaml"] && data["policy.yaml"].is_string()
        })
        .await;
    }

    /// Waits until a policy is ready.
    pub async fn wait_until_ready(&self, name: &str) -> RoutingPolicyStatus {
        self.wait_for(name, "Ready", |status| condition(status, "Ready").is_some_and(|ready| ready.status == "True"))
            .await
    }
}

/// A condition of a status.
#[must_use]
pub fn condition<'a>(status: &'a RoutingPolicyStatus, kind: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == kind)
}

/// A spec with two models and an upstream where nothing listens, changed as by [`merged`].
#[must_use]
pub fn spec(changes: Value) -> Value {
    merged(policy::base("http://127.0.0.1:9", "l", "c"), changes)
}

/// A ConfigMap with this data.
#[must_use]
pub fn config_map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

/// The kinds of a policy's children.
pub const CHILD_KINDS: [&str; 7] =
    ["ServiceAccount", "ConfigMap", "StatefulSet", "Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy"];

/// Group, version and plural name of a kind.
///
/// # Panics
/// If the kind is not known here.
#[must_use]
pub fn resource(kind: &str) -> ApiResource {
    let (group, version) = match kind {
        "Deployment" | "ReplicaSet" | "StatefulSet" => ("apps", "v1"),
        "PodDisruptionBudget" => ("policy", "v1"),
        "NetworkPolicy" => ("networking.k8s.io", "v1"),
        "ServiceAccount" | "ConfigMap" | "Service" | "Pod" | "Secret" | "ResourceQuota" | "PersistentVolumeClaim" => {
            ("", "v1")
        }
        "StorageClass" => ("storage.k8s.io", "v1"),
        other => panic!("{other}: this kind is not known here"),
    };
    ApiResource::from_gvk(&kube::core::GroupVersionKind::gvk(group, version, kind))
}
