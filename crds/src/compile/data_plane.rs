//! How the pods run and are reached: the rules that can be checked without a cluster.

use super::{BaseUrlError, errors::Errors, parse_base_url};
use crate::{
    dns_label::is_dns_label,
    policy::{
        DataPlane, Service, ServiceType,
        data_plane::{REPLICAS_MAX, SELECTOR_LABELS, WORKSPACE_NAME_MAX, annotations::is_reserved},
    },
    shown,
};

pub(super) fn check_service(path: &str, service: &Service, errors: &mut Errors) {
    let Service { kind, port, node_port, annotations: _ } = service;
    errors.check(format!("{path}.port"), port, *port > 0, "must be from 1 to 65535");
    if let Some(node_port) = node_port {
        errors.check(format!("{path}.nodePort"), node_port, *node_port > 0, "must be from 1 to 65535");
        let fits = *kind == ServiceType::NodePort;
        errors.check(
            format!("{path}.nodePort"),
            node_port,
            fits,
            "needs type: NodePort; remove it, or change the type",
        );
    }
}

/// Fields that are not checked here are of Kubernetes' own types, and its API server checks them.
pub(super) fn check(path: &str, data_plane: &DataPlane, errors: &mut Errors) {
    let DataPlane { replicas, pod_labels, pod_annotations, workspaces, telemetry, .. } = data_plane;
    errors.check(
        format!("{path}.replicas"),
        replicas,
        *replicas <= REPLICAS_MAX,
        format!("must be from 0 to {REPLICAS_MAX}"),
    );
    for label in SELECTOR_LABELS.iter().filter(|label| pod_labels.contains_key(**label)) {
        errors.check(format!("{path}.podLabels"), label, false, "selects the policy's pods; remove it");
    }
    for annotation in pod_annotations.keys().filter(|name| is_reserved(name)) {
        let message = "changes a pod's confinement, networks or devices; remove it";
        errors.check(format!("{path}.podAnnotations"), annotation, false, message);
    }
    if let Some(telemetry) = telemetry {
        let url = parse_base_url(&telemetry.url).map(drop).map_err(|problem| match problem {
            BaseUrlError::User => format!("{problem}; let a collector in the cluster have them"),
            other => other.to_string(),
        });
        errors.take(format!("{path}.telemetry.url"), shown::url(&telemetry.url), url);
    }
    for (i, workspace) in workspaces.iter().enumerate() {
        let (path, name) = (format!("{path}.workspaces[{i}].name"), &workspace.name);
        let message = format!(
            "must be 1 to {WORKSPACE_NAME_MAX} of a-z, 0-9 and '-', starting and ending with a letter or digit"
        );
        errors.check(&path, name, is_dns_label(name, WORKSPACE_NAME_MAX), message);
        let duplicate = workspaces[..i].iter().any(|earlier| earlier.name == *name);
        errors.check(&path, name, !duplicate, "a workspace with this name is already defined above; rename one");
    }
}
