//! The samples around a managed brain's database: they fit the brain that the operator really runs.

use std::fs;

use serde_json::{Value, json};
use tests::{checkout, control_plane::ControlPlane, policies::Policies, program, waiting};

const NAMESPACE: &str = "brain-samples";

/// The documents of a sample, in the namespace of this test.
fn sample(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(checkout().join("deploy/samples").join(name)).expect("the sample");
    let text = text.replace("namespace: routing", &format!("namespace: {NAMESPACE}"));
    serde_saphyr::from_multiple(&text).expect("YAML")
}

fn of_kind<'a>(documents: &'a [Value], kind: &str) -> &'a Value {
    documents.iter().find(|one| one["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
}

/// The kind that CloudNativePG adds to a cluster, without its rules: nothing runs behind it here.
fn definition() -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "clusters.postgresql.cnpg.io"},
        "spec": {"group": "postgresql.cnpg.io", "scope": "Namespaced",
            "names": {"kind": "Cluster", "plural": "clusters", "singular": "cluster"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema":
                {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}})
}

#[tokio::test]
async fn a_backup_and_a_copy_have_the_claim_the_node_and_the_rights_of_the_brain() {
    let policies = Policies::operated(NAMESPACE).await;
    let plane = ControlPlane::shared().await;
    let mut policy = of_kind(&sample("whole-loop.yaml"), "RoutingPolicy").clone();
    // The sample itself is applied by another test, which needs its ports of the nodes.
    policy["spec"]["service"] = json!({"type": "ClusterIP"});
    policy["spec"]["brain"]["managed"]["nodePort"] = Value::Null;
    policies.apply_document(policy);
    let brain = waiting::until("the brain", || policies.object("StatefulSet", "whole-loop-brain")).await;
    let (pod, container) = (&brain["spec"]["template"]["spec"], &brain["spec"]["template"]["spec"]["containers"][0]);
    let database = container["env"].as_array().expect("a list").iter().find(|one| one["name"] == "BRAIN_DATABASE_URL");
    for (name, kind) in [("brain/backup.yaml", "CronJob"), ("brain/copy.yaml", "Job")] {
        let documents = sample(name);
        for document in &documents {
            plane.kubectl_with(&["create", "--validate=strict", "-f", "-"], &document.to_string()).expect_worked();
        }
        let job = of_kind(&documents, kind);
        let job = if kind == "CronJob" { &job["spec"]["jobTemplate"] } else { job };
        let own = &job["spec"]["template"]["spec"];
        assert_eq!(own["securityContext"], pod["securityContext"], "{name}");
        for field in ["automountServiceAccountToken", "enableServiceLinks"] {
            assert_eq!((&own[field], &pod[field]), (&json!(false), &json!(false)), "{name}: {field}");
        }
        let containers = ["initContainers", "containers"].map(|list| own[list].as_array().cloned().unwrap_or_default());
        let containers = containers.concat();
        assert!(containers.iter().all(|one| one["securityContext"] == container["securityContext"]), "{name}");
        let first = &containers[0];
        // The claim of the brain's only pod, where the brain has it.
        let claims = own["volumes"].as_array().expect("volumes");
        assert_eq!(claims[0]["persistentVolumeClaim"]["claimName"], "data-whole-loop-brain-0", "{name}");
        assert_eq!(first["volumeMounts"][0], container["volumeMounts"][0], "{name}");
        assert_eq!(first["env"][0]["value"], database.expect("its URL")["value"], "{name}");
    }
    // Where the claim is.
    let backup = sample("brain/backup.yaml");
    let affinity = &of_kind(&backup, "CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"]["affinity"]["podAffinity"]
        ["requiredDuringSchedulingIgnoredDuringExecution"][0];
    assert_eq!(affinity["labelSelector"]["matchLabels"], brain["spec"]["selector"]["matchLabels"]);
    assert_eq!(affinity["topologyKey"], "kubernetes.io/hostname");
    // Its own pod is not taken for the brain, by its Service or its NetworkPolicy.
    let labels = &of_kind(&backup, "CronJob")["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"];
    assert_ne!(labels["app.kubernetes.io/name"], brain["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"]);
}

#[tokio::test]
async fn the_brain_on_postgres_reads_the_secret_that_cloudnativepg_makes() {
    let policies = Policies::operated("brain-on-postgres").await;
    let plane = ControlPlane::shared().await;
    plane.kubectl_with(&["apply", "-f", "-"], &definition().to_string()).expect_worked();
    plane.serves("clusters.postgresql.cnpg.io").await;
    let path = checkout().join("deploy/samples/brain/postgres.yaml");
    let checked = program::run(&["check", &path.display().to_string()], &[], &checkout());
    assert!(checked.status.success(), "{checked:?}");
    let text = fs::read_to_string(path).expect("the sample");
    let text = text.replace("namespace: routing", "namespace: brain-on-postgres");
    plane.kubectl_with(&["apply", "-f", "-"], &text).expect_worked();
    let brain = waiting::until("the brain", || policies.object("Deployment", "on-postgres-brain")).await;
    assert_eq!(brain["spec"]["replicas"], 2);
    let env = brain["spec"]["template"]["spec"]["containers"][0]["env"].as_array().expect("a list").clone();
    let url = env.iter().find(|one| one["name"] == "BRAIN_DATABASE_URL").expect("its URL");
    let cluster = of_kind(&sample("brain/postgres.yaml"), "Cluster").clone();
    let made = format!("{}-app", cluster["metadata"]["name"].as_str().expect("a name"));
    assert_eq!(url["valueFrom"]["secretKeyRef"], json!({"name": made, "key": "uri"}));
    let copy = sample("brain/copy.yaml");
    let to = &of_kind(&copy, "Job")["spec"]["template"]["spec"]["containers"][0]["env"][1];
    assert_eq!((&to["name"], &to["valueFrom"]["secretKeyRef"]["name"]), (&json!("BRAIN_COPY_TO"), &json!(made)));
    // The fields that its first versions have had, too.
    let fields: Vec<&String> = cluster["spec"].as_object().expect("a spec").keys().collect();
    assert_eq!(fields, ["instances", "bootstrap", "storage", "resources"]);
}
