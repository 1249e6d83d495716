//! The pods of the manifests and those that the operator builds keep Kubernetes' restricted standard.

use crds::RoutingPolicy;
use operator::controller::{
    build::{
        brain::{
            managed,
            workload::{Workload, workload},
        },
        deployment::deployment,
    },
    dereference::Texts,
    validate::validate,
};
use serde_json::{Value, json};
use tests::{checkout, manifests::built};

/// Each kustomization with pods, and how many it has.
const FOLDERS: [(&str, usize); 4] = [("operator", 1), ("operator-one-namespace", 1), ("brain", 1), ("standalone", 1)];
/// Volumes that the standard allows, as far as they are used.
const VOLUMES: [&str; 6] = ["configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret", "downwardAPI"];
/// What a pod may share with its node.
const OF_THE_NODE: [&str; 3] = ["hostNetwork", "hostPID", "hostIPC"];

fn assert_is_restricted(name: &str, pod: &Value, has_rights: bool) {
    for field in OF_THE_NODE {
        assert!(pod.get(field).is_none_or(|value| *value == json!(false)), "{name}: {field}");
    }
    let token = &pod["automountServiceAccountToken"];
    assert!(has_rights || *token == json!(false), "{name}: a token of the cluster");
    for volume in pod["volumes"].as_array().into_iter().flatten() {
        let kinds: Vec<&String> = volume.as_object().expect("a volume").keys().filter(|key| *key != "name").collect();
        assert!(kinds.iter().all(|kind| VOLUMES.contains(&kind.as_str())), "{name}: {kinds:?}");
    }
    let of_pod = &pod["securityContext"];
    let all = ["containers", "initContainers"].into_iter().flat_map(|list| pod[list].as_array().into_iter().flatten());
    let containers: Vec<&Value> = all.collect();
    assert!(!containers.is_empty(), "{name}");
    for container in containers {
        let own = &container["securityContext"];
        let set = |field: &str| own.get(field).or(of_pod.get(field)).cloned().unwrap_or_default();
        assert_eq!(set("runAsNonRoot"), json!(true), "{name}");
        assert_eq!(set("seccompProfile"), json!({"type": "RuntimeDefault"}), "{name}");
        assert_eq!(own["allowPrivilegeEscalation"], json!(false), "{name}");
        assert_eq!(own["capabilities"], json!({"drop": ["ALL"]}), "{name}");
        assert_eq!(own["readOnlyRootFilesystem"], json!(true), "{name}");
        assert!(own.get("privileged").is_none_or(|value| *value == json!(false)), "{name}");
        assert!(container["resources"]["limits"].get("memory").is_some(), "{name}: a bound of its memory");
    }
}

#[test]
fn every_pod_of_the_manifests_is_restricted() {
    for (folder, pods) in FOLDERS {
        let objects = built(folder);
        let templates = objects.iter().filter(|(_, object)| object["spec"]["template"]["spec"].is_object());
        let mut found = 0;
        for (name, object) in templates {
            found += 1;
            assert_is_restricted(
                &format!("{folder}: {name}"),
                &object["spec"]["template"]["spec"],
                folder.starts_with("operator"),
            );
        }
        assert_eq!(found, pods, "{folder}");
    }
}

fn policy(more: &str) -> RoutingPolicy {
    let text = std::fs::read_to_string(checkout().join("deploy/samples/minimal.yaml")).expect("the sample");
    let mut policy: RoutingPolicy = serde_saphyr::from_str(&text).expect("a policy");
    if !more.is_empty() {
        let brain = format!("{{managed: {{tokenSecretRef: {{name: s, key: K}}, {more}}}}}");
        policy.spec.brain = Some(serde_saphyr::from_str(&brain).expect("a brain"));
    }
    policy
}

#[test]
fn every_pod_that_the_operator_builds_is_restricted() {
    let data_plane = policy("");
    let valid = validate(&data_plane, &[], &Texts::new(), &[]).expect("it is valid");
    let built = json!(deployment(&data_plane, &valid, "routing:1"));
    assert_is_restricted("data plane", &built["spec"]["template"]["spec"], false);
    for database in ["nodePort: 30330", "databaseURLSecretRef: {name: d, key: U}"] {
        let policy = policy(database);
        let managed = managed(&policy).expect("it is managed");
        let built = match workload(&policy, managed, "routing:1") {
            Workload::StatefulSet(set) => json!(set),
            Workload::Deployment(deployment) => json!(deployment),
        };
        assert_is_restricted(database, &built["spec"]["template"]["spec"], false);
    }
}
