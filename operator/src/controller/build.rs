//! Step 3, pure: the objects that a valid policy becomes. Only fields that the operator should own are set.

pub mod brain;
pub mod config_map;
pub mod deployment;
pub mod disruption_budget;
pub mod network_policy;
pub mod pod;
pub mod service;

use std::{collections::BTreeMap, iter};

use crds::{
    Document, RoutingPolicy, RoutingTable,
    builtin::BuiltinPrompts,
    compile, pod as pod_contract,
    policy::{RoutingPolicyStatus, condition},
};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Service, ServiceAccount},
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
};
use kube::{ResourceExt, api::DynamicObject};
use serde::Serialize;

use super::{
    child::{Child, ChildKey, ChildKind},
    validate::Valid,
};

/// What the children depend on besides the policy.
#[derive(Clone, Debug)]
pub struct Installation {
    /// Image of data planes whose policy does not name one.
    pub image: String,
    /// Namespace of the operator's own pods.
    pub namespace: String,
}

/// The children of a policy, with the fields that the operator sets and no others.
#[derive(Debug)]
pub struct Children {
    brain: Option<brain::Brain>,
    service_account: ServiceAccount,
    config_map: ConfigMap,
    deployment: Deployment,
    service: Service,
    exposed: Option<Service>,
    disruption_budget: Option<PodDisruptionBudget>,
    network_policy: NetworkPolicy,
}

/// Builds the children. `last_good` is the result of [`last_good`].
#[must_use]
pub fn build(
    policy: &RoutingPolicy,
    valid: &Valid,
    last_good: Option<String>,
    installation: &Installation,
) -> Children {
    let before = last_good.as_deref().filter(|text| *text != valid.rendered.text).and_then(compiled);
    let tables: Vec<&RoutingTable> = iter::once(&valid.table).chain(&before).collect();
    Children {
        brain: brain::brain(policy, &installation.image),
        service_account: pod::service_account(policy),
        config_map: config_map::config_map(policy, &valid.rendered, last_good),
        deployment: deployment::deployment(policy, valid, &installation.image),
        service: service::cluster_ip(policy),
        exposed: service::exposed(policy),
        disruption_budget: disruption_budget::disruption_budget(policy),
        network_policy: network_policy::network_policy(policy, &tables, &installation.namespace),
    }
}

/// What a config compiles to; none if it is from another version.
fn compiled(config: &str) -> Option<RoutingTable> {
    let spec = Document::parse(config).ok()?.policy.spec;
    compile(&spec, &BuiltinPrompts::default()).ok()
}

/// The config that pods fall back to when they must refuse the newest: the last one that all of them ran. That is the
/// current one in the ConfigMap if the status reports that all pods run it, otherwise the one that was kept before.
#[must_use]
pub fn last_good(existing: &BTreeMap<ChildKey, DynamicObject>, status: Option<&RoutingPolicyStatus>) -> Option<String> {
    let config_map = existing.iter().find(|(key, _)| key.kind == ChildKind::ConfigMap)?.1;
    let text = |key: &str| config_map.data.get("data")?.get(key)?.as_str();
    let (current, kept) = (text(pod_contract::POLICY_FILE), text(pod_contract::LAST_GOOD_FILE));
    let is_current = |status: &RoutingPolicyStatus| {
        ran_everywhere(status) && status.config_hash == current.and_then(|text| Some(Document::parse(text).ok()?.hash))
    };
    let is_news = current != kept && status.is_some_and(is_current);
    if is_news { current } else { kept }.map(Into::into)
}

/// Whether a ConfigMap among the children keeps the config that it has as the last good one.
#[must_use]
pub fn is_last_good(children: &BTreeMap<ChildKey, DynamicObject>) -> bool {
    let config_map = children.iter().find(|(key, _)| key.kind == ChildKind::ConfigMap);
    let data = config_map.and_then(|(_, object)| object.data.get("data"));
    data.is_some_and(|data| data[pod_contract::POLICY_FILE] == data[pod_contract::LAST_GOOD_FILE])
}

/// Whether a status reports that all pods run its config, and that there are some.
#[must_use]
pub fn ran_everywhere(status: &RoutingPolicyStatus) -> bool {
    status.is_true(condition::PROGRAMMED) && status.replicas.is_some_and(|replicas| replicas.programmed > 0)
}

impl Children {
    /// The children in the order of applying. Destructured without `..`: leaving out a new one does not compile.
    #[must_use]
    pub fn into_list(self) -> Vec<Child> {
        let Self {
            brain,
            service_account,
            config_map,
            deployment,
            service,
            exposed,
            disruption_budget,
            network_policy,
        } = self;
        // Its address exists before a config that names it.
        let mut list = brain.map(brain::Brain::into_list).unwrap_or_default();
        list.extend([
            child(ChildKind::ServiceAccount, &service_account),
            child(ChildKind::ConfigMap, &config_map),
            child(ChildKind::Deployment, &deployment),
            child(ChildKind::Service, &service),
        ]);
        list.extend(exposed.map(|service| child(ChildKind::Service, &service)));
        list.extend(disruption_budget.map(|budget| child(ChildKind::PodDisruptionBudget, &budget)));
        list.push(child(ChildKind::NetworkPolicy, &network_policy));
        list
    }
}

fn child(kind: ChildKind, object: &(impl Serialize + kube::Resource)) -> Child {
    let body = serde_json::to_value(object).unwrap_or_default();
    Child { key: ChildKey::new(kind, object.name_any()), body }
}

#[cfg(test)]
mod tests;
