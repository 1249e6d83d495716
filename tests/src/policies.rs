//! Policies of one namespace, as their users see them.

use std::time::{Duration, Instant};

use crds::{RoutingPolicy, policy::RoutingPolicyStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Api, Client, api::DynamicObject, core::ApiResource};
use serde_json::Value;

use crate::{cluster::Cluster, waiting};

/// Longest wait for a policy to become what it is to be: pods are started and told of their config meanwhile, and after an
/// outage of the API server a kubelet's watches go on only after a while.
const LIMIT: Duration = Duration::from_secs(300);
const STEP: Duration = Duration::from_millis(50);

/// A namespace with policies.
pub struct Policies {
    cluster: &'static Cluster,
    /// The administrator's client.
    pub client: Client,
    /// Its name.
    pub namespace: String,
}

impl Policies {
    /// A namespace of its own.
    pub async fn in_new_namespace(cluster: &'static Cluster, namespace: &str) -> Self {
        Self { cluster, client: cluster.client().await, namespace: cluster.namespace(namespace) }
    }

    /// A namespace that is there already.
    pub async fn in_namespace(cluster: &'static Cluster, namespace: &str) -> Self {
        Self { cluster, client: cluster.client().await, namespace: namespace.into() }
    }

    /// Applies a policy with this spec, as kubectl does; `spec` is in flow style.
    pub fn apply(&self, name: &str, spec: &str) {
        self.cluster.apply(&self.namespace, &document(name, spec));
    }

    /// Runs kubectl in the namespace.
    ///
    /// # Panics
    /// It failed.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let arguments: Vec<&str> = ["--namespace", &self.namespace].iter().chain(arguments).copied().collect();
        self.cluster.kubectl(&arguments).expect_worked()
    }

    /// Applies a document in the namespace.
    pub fn apply_document(&self, document: &str) {
        self.cluster.apply(&self.namespace, document);
    }

    /// Creates a document that is too large for the note that `kubectl apply` keeps on it.
    ///
    /// # Panics
    /// It is refused.
    pub fn kubectl_create(&self, document: &str) {
        let arguments = ["create", "--namespace", &self.namespace, "--filename", "-"];
        self.cluster.kubectl_with(&arguments, document).expect_worked();
    }

    /// The policies.
    #[must_use]
    pub fn api(&self) -> Api<RoutingPolicy> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Objects of another kind, for example `apps/v1` `Deployment`.
    ///
    /// # Panics
    /// There is no such kind here.
    #[must_use]
    pub fn objects(&self, kind: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource(kind))
    }

    /// An object of another kind as JSON, if it is there.
    ///
    /// # Panics
    /// The API server does not answer.
    pub async fn object(&self, kind: &str, name: &str) -> Option<Value> {
        let object = self.objects(kind).get_opt(name).await.expect("an answer")?;
        Some(serde_json::to_value(object).expect("JSON"))
    }

    /// A policy.
    ///
    /// # Panics
    /// It is not there.
    pub async fn get(&self, name: &str) -> RoutingPolicy {
        self.api().get(name).await.expect("the policy")
    }

    /// Waits until the status of a policy, as it is now, is as expected.
    ///
    /// # Panics
    /// It does not become so.
    pub async fn wait_for(
        &self,
        name: &str,
        what: &str,
        holds: impl Fn(&RoutingPolicyStatus) -> bool,
    ) -> RoutingPolicyStatus {
        let began = Instant::now();
        loop {
            let policy = self.get(name).await;
            let status = policy.status.unwrap_or_default();
            if status.observed_generation == policy.metadata.generation && holds(&status) {
                return status;
            }
            assert!(
                began.elapsed() < LIMIT,
                "waited {LIMIT:?} for {name} in {}: {what}\n{}\n{}",
                self.namespace,
                serde_json::to_string_pretty(&status).expect("JSON"),
                self.kubectl(&["get", "pods,deployments,events", "--output", "wide"]),
            );
            tokio::time::sleep(STEP).await;
        }
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

    /// Waits until the config that all pods of a policy run is kept as the last good one: after that the operator writes no
    /// child any more.
    pub async fn wait_for_last_good(&self, name: &str) {
        waiting::until("last-good.yaml to be the config that all pods run", || async {
            let config_map = self.object("ConfigMap", name).await?;
            let data = &config_map["data"];
            (data["last-good.yaml"] == data["policy.yaml"] && data["policy.yaml"].is_string()).then_some(())
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

/// A policy with this spec.
#[must_use]
pub fn document(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: routing.hyperguild.io/v1alpha1\nkind: RoutingPolicy\nmetadata: {{name: {name}}}\nspec: {spec}\n"
    )
}

/// A spec with an upstream and two models that nobody serves; `more` are further fields in flow style, each with a comma
/// in front.
#[must_use]
pub fn spec(more: &str) -> String {
    format!("{{upstream: {{url: \"http://127.0.0.1:9\"}}, models: {{local: {{name: l}}, claude: {{name: c}}}}{more}}}")
}

/// The kinds of children.
pub const CHILD_KINDS: [&str; 6] =
    ["ServiceAccount", "ConfigMap", "Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy"];

/// How the API server knows a kind.
///
/// # Panics
/// It is none of ours.
#[must_use]
pub fn resource(kind: &str) -> ApiResource {
    let (group, version) = match kind {
        "Deployment" | "ReplicaSet" => ("apps", "v1"),
        "PodDisruptionBudget" => ("policy", "v1"),
        "NetworkPolicy" => ("networking.k8s.io", "v1"),
        "ServiceAccount" | "ConfigMap" | "Service" | "Pod" | "Secret" | "ResourceQuota" => ("", "v1"),
        other => panic!("{other} is none of the kinds known here"),
    };
    ApiResource::from_gvk(&kube::core::GroupVersionKind::gvk(group, version, kind))
}
