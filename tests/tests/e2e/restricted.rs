//! The pods meet Kubernetes' restricted standard, and no process in them has more rights.

use std::fs;

use serde_json::json;

use crate::{
    routing_policy::{self, NAME},
    setup::{IMAGES, cluster, is_own_cluster},
};

const USER: &str = "65532";

#[tokio::test]
async fn both_namespaces_enforce_the_restricted_standard_and_pods_run_in_them() {
    let policies = routing_policy::ready().await;
    for namespace in [NAME, "routing-system", "supervisor"] {
        let label = "jsonpath={.metadata.labels.pod-security\\.kubernetes\\.io/enforce}";
        let enforced = cluster().kubectl(&["get", "namespace", namespace, "--output", label]).expect_worked();
        assert_eq!(enforced, "restricted", "{namespace}");
    }
    let pods = crate::pods::of(&policies, NAME).await;
    let spec = serde_json::to_value(pods[0].spec.clone().expect("a spec")).expect("JSON");
    assert_eq!(spec["automountServiceAccountToken"], json!(false));
    let security = &spec["containers"][0]["securityContext"];
    assert_eq!(security["readOnlyRootFilesystem"], json!(true));
    assert_eq!(security["capabilities"], json!({"drop": ["ALL"]}));
    // The standard is enforced, not only labelled.
    let root = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "root"},
        "spec": {"containers": [{"name": "c", "image": IMAGES[0], "securityContext": {"runAsUser": 0}}]}});
    let arguments = ["create", "--namespace", NAME, "--dry-run=server", "--filename", "-"];
    let refused = cluster().kubectl_with(&arguments, &root.to_string());
    assert!(!refused.worked && refused.err.contains("violates PodSecurity"), "{}", refused.err);
}

/// A field of `/proc/PID/status`.
fn field<'a>(status: &'a str, name: &str) -> Vec<&'a str> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_default().split_whitespace().collect()
}

#[tokio::test]
async fn processes_have_neither_root_nor_a_capability_and_their_root_is_read_only() {
    routing_policy::ready().await;
    if !is_own_cluster() {
        println!("skipped: only the processes of the cluster of `make cluster` are seen by this machine");
        return;
    }
    let mut seen = vec![];
    for process in fs::read_dir("/proc").expect("/proc").filter_map(Result::ok).map(|entry| entry.path()) {
        let (Ok(status), Ok(program)) =
            (fs::read_to_string(process.join("status")), fs::read_link(process.join("exe")))
        else {
            continue;
        };
        let name = program.display().to_string();
        if !["/usr/local/bin/routing", "/usr/local/bin/routing-operator"].contains(&name.as_str()) {
            continue;
        }
        assert_eq!(field(&status, "Uid"), [USER; 4], "{name}");
        assert_eq!(field(&status, "Gid"), [USER; 4], "{name}");
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(field(&status, set), ["0000000000000000"], "{name} {set}");
        }
        assert_eq!((field(&status, "NoNewPrivs"), field(&status, "Seccomp")), (vec!["1"], vec!["2"]), "{name}");
        let mounts = fs::read_to_string(process.join("mounts")).expect("its mounts");
        let root = mounts.lines().find(|line| line.split_whitespace().nth(1) == Some("/")).expect("a root");
        let options = root.split_whitespace().nth(3).unwrap_or_default();
        assert!(options.split(',').any(|option| option == "ro"), "{name}: {root}");
        seen.push(name);
    }
    seen.dedup();
    assert!(seen.len() >= 2, "no process of ours was found: {seen:?}");
}
