//! The brain's pods: `routing brain`, with its token and its database's URL from Secrets that the operator never reads.

use crds::{
    RoutingPolicy,
    managed::{CLAIM_TEMPLATE, object_name},
    pod::{BRAIN_PORT, variable},
    policy::{DataPlane, ManagedBrain, SecretKeyRef},
};
use k8s_openapi::{
    api::core::v1::{
        Container, ContainerPort, EnvVar, EnvVarSource, HTTPGetAction, LocalObjectReference, PodSecurityContext,
        PodSpec, Probe, SecretKeySelector, VolumeMount,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};
use kube::ResourceExt;

use crate::controller::build::pod::{USER, container_security, pod_security, present, requirements, telemetry_of};

/// Name of the port, in the container and in the Service.
pub const PORT_NAME: &str = "http";
const CONTAINER: &str = "brain";
/// Whether the process lives, and whether it can use its database: one that is away is no reason to restart.
const LIVE_PATH: &str = "/livez";
const HEALTH_PATH: &str = "/healthz";
/// Where the claim is mounted. SQLite's own files are there, too, beside the file of the URL.
const DATA_FOLDER: &str = "/data";
const SQLITE_URL: &str = "sqlite:/data/brain.db";
/// What a pod requests, and the most memory that it may use, if the policy does not say.
const REQUESTS: [(&str, &str); 2] = [("cpu", "20m"), ("memory", "32Mi")];
const LIMITS: [(&str, &str); 1] = [("memory", "256Mi")];
/// Reports are accepted for 10 s after SIGTERM, and those in flight have 10 s more.
const GRACE_SECONDS: i64 = 30;
/// A newer version may have to convert a large database before it listens: this many seconds.
const START_SECONDS: i32 = 600;

/// The spec of the brain's pods. They run the data plane's image on the data plane's nodes.
#[must_use]
pub fn pod_spec(policy: &RoutingPolicy, managed: &ManagedBrain, image: &str) -> PodSpec {
    let DataPlane {
        image: own_image,
        image_pull_policy,
        image_pull_secrets,
        node_selector,
        tolerations,
        priority_class_name,
        telemetry,
        ..
    } = &policy.spec.data_plane;
    let secrets = image_pull_secrets.iter().map(|secret| LocalObjectReference { name: secret.name.clone() }).collect();
    PodSpec {
        automount_service_account_token: Some(false),
        containers: vec![Container {
            image: Some(own_image.as_deref().unwrap_or(image).into()),
            image_pull_policy: image_pull_policy.map(|policy| format!("{policy:?}")),
            resources: Some(requirements(managed.resources.as_ref(), &REQUESTS, &LIMITS)),
            env: Some([environment(managed), telemetry_of(policy, telemetry.as_ref())].concat()),
            volume_mounts: present(mounts(managed)),
            ..container()
        }],
        // A Service called `brain` in the namespace would otherwise set BRAIN_PORT=tcp://…
        enable_service_links: Some(false),
        image_pull_secrets: present(secrets),
        node_selector: (!node_selector.is_empty()).then(|| node_selector.clone()),
        priority_class_name: priority_class_name.clone(),
        security_context: Some(security(managed)),
        service_account_name: Some(object_name(&policy.name_any())),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        tolerations: present(tolerations.clone()),
        ..PodSpec::default()
    }
}

fn container() -> Container {
    Container {
        name: CONTAINER.into(),
        args: Some(vec!["brain".into()]),
        ports: Some(vec![ContainerPort {
            name: Some(PORT_NAME.into()),
            container_port: i32::from(BRAIN_PORT),
            protocol: Some("TCP".into()),
            ..ContainerPort::default()
        }]),
        startup_probe: Some(Probe {
            period_seconds: Some(1),
            failure_threshold: Some(START_SECONDS),
            ..probe(LIVE_PATH)
        }),
        readiness_probe: Some(Probe { period_seconds: Some(5), ..probe(HEALTH_PATH) }),
        liveness_probe: Some(Probe { period_seconds: Some(10), failure_threshold: Some(6), ..probe(LIVE_PATH) }),
        security_context: Some(container_security()),
        ..Container::default()
    }
}

fn probe(path: &str) -> Probe {
    let port = IntOrString::String(PORT_NAME.into());
    Probe {
        http_get: Some(HTTPGetAction { path: Some(path.into()), port, ..HTTPGetAction::default() }),
        timeout_seconds: Some(5),
        ..Probe::default()
    }
}

fn environment(managed: &ManagedBrain) -> Vec<EnvVar> {
    let set = |name: &str, value: &str| EnvVar { name: name.into(), value: Some(value.into()), value_from: None };
    vec![
        set("BRAIN_PORT", &BRAIN_PORT.to_string()),
        match &managed.database_url_secret_ref {
            Some(reference) => from_secret("BRAIN_DATABASE_URL", reference),
            None => set("BRAIN_DATABASE_URL", SQLITE_URL),
        },
        // A Secret that was left empty does not open the brain: without a token it does not start.
        set("BRAIN_REQUIRE_TOKEN", "true"),
        from_secret("BRAIN_TOKEN", &managed.token_secret_ref),
        set(variable::LOG_FORMAT, "json"),
    ]
}

/// Not optional: until the Secret has the key, the kubelet does not start the pod, and the status says why.
fn from_secret(name: &str, SecretKeyRef { name: secret, key }: &SecretKeyRef) -> EnvVar {
    let selector = SecretKeySelector { name: secret.clone(), key: key.clone(), optional: None };
    let source = EnvVarSource { secret_key_ref: Some(selector), ..EnvVarSource::default() };
    EnvVar { name: name.into(), value: None, value_from: Some(source) }
}

fn mounts(managed: &ManagedBrain) -> Vec<VolumeMount> {
    let data = VolumeMount { name: CLAIM_TEMPLATE.into(), mount_path: DATA_FOLDER.into(), ..VolumeMount::default() };
    if managed.database_url_secret_ref.is_some() { vec![] } else { vec![data] }
}

/// Whoever runs in the pod may write to its volume.
fn security(managed: &ManagedBrain) -> PodSecurityContext {
    if managed.database_url_secret_ref.is_some() {
        return pod_security();
    }
    PodSecurityContext { fs_group: Some(USER), fs_group_change_policy: Some("OnRootMismatch".into()), ..pod_security() }
}
