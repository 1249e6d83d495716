//! The pods: one container that reads its config and secrets from one volume, and holds no credentials for the cluster.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crds::{
    RoutingPolicy, RoutingTable,
    pod::{ADMIN_PORT, CONFIG_FOLDER, LIVE_PATH, MCP_PORT, POLICY_FILE, READY_PATH, SECRETS, SECRETS_FOLDER, variable},
    policy::{DataPlane, Resources, SecretKeyRef, Workspace, data_plane::Telemetry},
};
use k8s_openapi::{
    api::core::v1::{
        Capabilities, ConfigMapProjection, Container, ContainerPort, EnvVar, EnvVarSource, HTTPGetAction, KeyToPath,
        LocalObjectReference, ObjectFieldSelector, PersistentVolumeClaimVolumeSource, PodSecurityContext, PodSpec,
        Probe, ProjectedVolumeSource, ResourceRequirements, SeccompProfile, SecretProjection, SecurityContext,
        ServiceAccount, TopologySpreadConstraint, Volume, VolumeMount, VolumeProjection,
    },
    apimachinery::pkg::{api::resource::Quantity, util::intstr::IntOrString},
};
use kube::ResourceExt;

use crate::controller::{labels, validate::Valid};

/// Name of the port for callers, in the container and in the Services.
pub const MCP_PORT_NAME: &str = "mcp";
const CONTAINER: &str = "routing";
const ADMIN_PORT_NAME: &str = "admin";
/// One volume for the config and all secrets, mounted as a whole: a file mounted by `subPath` would never be updated.
const CONFIG_VOLUME: &str = "config";
const WORKSPACES_FOLDER: &str = "/workspaces";
/// Every process in the pod may read the files, and none may write them.
const FILE_MODE: i32 = 0o444;
/// UID and GID of the image's user.
pub(super) const USER: i64 = 65_532;
/// The most memory of a pod whose policy does not say. Bodies of requests in flight take at most 64 MiB of it before they
/// are parsed, and 200 calls a second with small ones need some 100 MiB in all.
const MEMORY_LIMIT: &str = "512Mi";
/// What a pod requests whose policy does not say.
const REQUESTS: [(&str, &str); 2] = [("cpu", "50m"), ("memory", "64Mi")];
/// In addition to the longest call: 10 s in which new calls are still accepted, and time to deliver queued decisions.
const GRACE: Duration = Duration::from_secs(20);

/// The pods' ServiceAccount. It has no rights, and its token is not mounted.
#[must_use]
pub fn service_account(policy: &RoutingPolicy) -> ServiceAccount {
    ServiceAccount {
        metadata: labels::metadata(policy, &policy.name_any()),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}

/// The spec of the pods; `image` is used unless the policy names one.
#[must_use]
pub fn pod_spec(policy: &RoutingPolicy, valid: &Valid, image: &str) -> PodSpec {
    let name = policy.name_any();
    let DataPlane {
        replicas: _,
        image: own_image,
        image_pull_policy,
        image_pull_secrets,
        node_selector,
        tolerations,
        affinity,
        topology_spread_constraints,
        priority_class_name,
        resources,
        pod_labels: _,
        pod_annotations: _,
        workspaces,
        telemetry,
    } = &policy.spec.data_plane;
    let secrets = image_pull_secrets.iter().map(|secret| LocalObjectReference { name: secret.name.clone() }).collect();
    PodSpec {
        affinity: affinity.clone(),
        automount_service_account_token: Some(false),
        containers: vec![Container {
            image: Some(own_image.as_deref().unwrap_or(image).into()),
            image_pull_policy: image_pull_policy.map(|policy| format!("{policy:?}")),
            resources: Some(requirements(resources.as_ref(), &REQUESTS, &[("memory", MEMORY_LIMIT)])),
            volume_mounts: Some(mounts(workspaces)),
            env: Some([environment(workspaces), telemetry_of(policy, telemetry.as_ref())].concat()),
            ..container()
        }],
        // With a Service called `routing` in the namespace, the kubelet would otherwise set ROUTING_PORT=tcp://…
        enable_service_links: Some(false),
        image_pull_secrets: present(secrets),
        node_selector: (!node_selector.is_empty()).then(|| node_selector.clone()),
        priority_class_name: priority_class_name.clone(),
        security_context: Some(pod_security()),
        service_account_name: Some(name.clone()),
        termination_grace_period_seconds: Some(seconds(valid.table.longest_call() + GRACE)),
        tolerations: present(tolerations.clone()),
        topology_spread_constraints: present(spread(&name, topology_spread_constraints)),
        volumes: Some(volumes(&name, &valid.table, workspaces)),
        ..PodSpec::default()
    }
}

fn container() -> Container {
    let port = |name: &str, number: u16| ContainerPort {
        name: Some(name.into()),
        container_port: i32::from(number),
        protocol: Some("TCP".into()),
        ..ContainerPort::default()
    };
    Container {
        name: CONTAINER.into(),
        ports: Some(vec![port(MCP_PORT_NAME, MCP_PORT), port(ADMIN_PORT_NAME, ADMIN_PORT)]),
        readiness_probe: Some(Probe { period_seconds: Some(5), ..probe(READY_PATH) }),
        liveness_probe: Some(Probe { period_seconds: Some(10), failure_threshold: Some(6), ..probe(LIVE_PATH) }),
        security_context: Some(container_security()),
        ..Container::default()
    }
}

fn probe(path: &str) -> Probe {
    let port = IntOrString::String(ADMIN_PORT_NAME.into());
    Probe {
        http_get: Some(HTTPGetAction { path: Some(path.into()), port, ..HTTPGetAction::default() }),
        timeout_seconds: Some(5),
        ..Probe::default()
    }
}

/// The collector, and which pod of which policy it is that reports. `POD_NAME` comes first: the other refers to it.
pub(super) fn telemetry_of(policy: &RoutingPolicy, telemetry: Option<&Telemetry>) -> Vec<EnvVar> {
    let Some(Telemetry { url }) = telemetry else { return vec![] };
    let set = |name: &str, value: String| EnvVar { name: name.into(), value: Some(value), ..EnvVar::default() };
    let field = ObjectFieldSelector { field_path: "metadata.name".into(), ..ObjectFieldSelector::default() };
    let pod = EnvVar {
        name: "POD_NAME".into(),
        value_from: Some(EnvVarSource { field_ref: Some(field), ..EnvVarSource::default() }),
        ..EnvVar::default()
    };
    let namespace = policy.namespace().unwrap_or_default();
    let attributes = format!(
        "k8s.namespace.name={namespace},k8s.pod.name=$(POD_NAME),service.instance.id=$(POD_NAME),routing.policy={}",
        policy.name_any()
    );
    vec![pod, set("OTEL_EXPORTER_OTLP_ENDPOINT", url.clone()), set("OTEL_RESOURCE_ATTRIBUTES", attributes)]
}

fn environment(workspaces: &[Workspace]) -> Vec<EnvVar> {
    let set = |name: &str, value: String| EnvVar { name: name.into(), value: Some(value), ..EnvVar::default() };
    let mut all = vec![
        set(variable::POLICY_FILE, format!("{CONFIG_FOLDER}/{POLICY_FILE}")),
        set(variable::SECRETS_FOLDER, SECRETS_FOLDER.into()),
        set(variable::PORT, MCP_PORT.to_string()),
        set(variable::ADMIN_PORT, ADMIN_PORT.to_string()),
        set(variable::LOG_FORMAT, "json".into()),
    ];
    if !workspaces.is_empty() {
        let roots: Vec<String> = workspaces.iter().map(workspace_folder).collect();
        all.push(set(variable::WORKSPACE_ROOTS, roots.join(":")));
    }
    all
}

fn workspace_folder(workspace: &Workspace) -> String {
    format!("{WORKSPACES_FOLDER}/{}", workspace.name)
}

fn workspace_volume(workspace: &Workspace) -> String {
    format!("workspace-{}", workspace.name)
}

fn mounts(workspaces: &[Workspace]) -> Vec<VolumeMount> {
    let mount = |name: String, path: String| VolumeMount {
        name,
        mount_path: path,
        read_only: Some(true),
        ..VolumeMount::default()
    };
    let config = mount(CONFIG_VOLUME.into(), CONFIG_FOLDER.into());
    let files = workspaces.iter().map(|workspace| mount(workspace_volume(workspace), workspace_folder(workspace)));
    [config].into_iter().chain(files).collect()
}

fn volumes(policy: &str, table: &RoutingTable, workspaces: &[Workspace]) -> Vec<Volume> {
    let claim = |workspace: &Workspace| Volume {
        name: workspace_volume(workspace),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: workspace.persistent_volume_claim.claim_name.clone(),
            read_only: Some(true),
        }),
        ..Volume::default()
    };
    [config_volume(policy, table)].into_iter().chain(workspaces.iter().map(claim)).collect()
}

fn config_volume(policy: &str, table: &RoutingTable) -> Volume {
    let config = VolumeProjection {
        config_map: Some(ConfigMapProjection { name: policy.into(), ..ConfigMapProjection::default() }),
        ..VolumeProjection::default()
    };
    let secrets = keys_by_secret(table).into_iter().map(|(name, keys)| secret_projection(name, keys));
    Volume {
        name: CONFIG_VOLUME.into(),
        projected: Some(ProjectedVolumeSource {
            default_mode: Some(FILE_MODE),
            sources: Some([config].into_iter().chain(secrets).collect()),
        }),
        ..Volume::default()
    }
}

fn keys_by_secret(table: &RoutingTable) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut secrets: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for SecretKeyRef { name, key } in table.secrets() {
        secrets.entry(name).or_default().insert(key);
    }
    secrets
}

/// Optional, so that pods start without the Secret: they report that it is missing, and the operator reads no Secrets.
fn secret_projection(name: &str, keys: BTreeSet<&str>) -> VolumeProjection {
    let item =
        |key: &str| KeyToPath { key: key.into(), path: format!("{SECRETS}/{name}/{key}"), ..KeyToPath::default() };
    VolumeProjection {
        secret: Some(SecretProjection {
            name: name.into(),
            items: Some(keys.into_iter().map(item).collect()),
            optional: Some(true),
        }),
        ..VolumeProjection::default()
    }
}

/// The resources that the policy gives, otherwise these.
pub(super) fn requirements(
    resources: Option<&Resources>,
    requests: &[(&str, &str)],
    limits: &[(&str, &str)],
) -> ResourceRequirements {
    type Amounts = BTreeMap<String, Quantity>;
    let given = |given: &BTreeMap<String, crds::policy::Quantity>| -> Option<Amounts> {
        let all: Amounts = given.iter().map(|(name, amount)| (name.clone(), Quantity(amount.0.clone()))).collect();
        (!all.is_empty()).then_some(all)
    };
    let default = |all: &[(&str, &str)]| -> Option<Amounts> {
        Some(all.iter().map(|(name, amount)| ((*name).to_string(), Quantity((*amount).into()))).collect())
    };
    let (limits, requests) = match resources {
        Some(resources) => (given(&resources.limits), given(&resources.requests)),
        None => (default(limits), default(requests)),
    };
    ResourceRequirements { limits, requests, ..ResourceRequirements::default() }
}

/// A constraint without a selector gets the one of this policy's pods.
fn spread(policy: &str, constraints: &[TopologySpreadConstraint]) -> Vec<TopologySpreadConstraint> {
    let completed = |constraint: &TopologySpreadConstraint| TopologySpreadConstraint {
        label_selector: constraint.label_selector.clone().or_else(|| Some(labels::label_selector(policy))),
        ..constraint.clone()
    };
    constraints.iter().map(completed).collect()
}

pub(super) fn pod_security() -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(USER),
        run_as_group: Some(USER),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".into(), ..SeccompProfile::default() }),
        ..PodSecurityContext::default()
    }
}

pub(super) fn container_security() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".into()]), ..Capabilities::default() }),
        ..SecurityContext::default()
    }
}

pub(super) fn present<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

/// Whole seconds, rounded up.
fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis().div_ceil(1000)).unwrap_or(i64::MAX)
}
