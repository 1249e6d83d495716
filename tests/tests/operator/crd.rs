//! The CRD on a real API server: what it refuses and how it says so, what kubectl shows.

use std::{collections::BTreeMap, fs, path::PathBuf};

use kube::Client;
use serde_json::{Value, json};
use tests::{
    checkout,
    control_plane::ControlPlane,
    policies::{Policies, spec},
};

/// The API server's note in a refusal when it did not evaluate the CEL rules.
const NOT_CHECKED: &str = "some validation rules were not checked";

fn fixtures() -> BTreeMap<String, (PathBuf, PathBuf)> {
    let folder = checkout().join("crds/fixtures");
    let files = fs::read_dir(&folder).expect("the fixtures").map(|entry| entry.expect("an entry").file_name());
    let names = files.filter_map(|file| file.to_str()?.strip_suffix(".invalid.yaml").map(str::to_string));
    names
        .map(|name| {
            (name.clone(), (folder.join(format!("{name}.valid.yaml")), folder.join(format!("{name}.invalid.yaml"))))
        })
        .collect()
}

/// Sends a policy as `kubectl create --dry-run=server` does, and returns the causes of a refusal.
async fn refusal(client: &Client, text: &str) -> Vec<String> {
    let document: Value = serde_saphyr::from_str(text).expect("YAML");
    let request = http::Request::post(
        "/apis/routing.hyperguild.io/v1alpha1/namespaces/default/routingpolicies?dryRun=All&fieldValidation=Strict",
    )
    .header("content-type", "application/json")
    .body(serde_json::to_vec(&document).expect("JSON"))
    .expect("a request");
    match client.request::<Value>(request).await {
        Ok(_) => vec![],
        Err(kube::Error::Api(status)) => {
            let causes = status.details.iter().flat_map(|details| &details.causes);
            let causes = causes.map(|cause| format!("{}: {}", cause.field, cause.message));
            let causes: Vec<String> = causes.filter(|cause| !cause.contains(NOT_CHECKED)).collect();
            if causes.is_empty() { vec![status.message.clone()] } else { causes }
        }
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn every_rule_refuses_its_invalid_fixture_for_one_reason_and_accepts_its_valid_one() {
    let client = ControlPlane::shared().await.client().await;
    let pairs = fixtures();
    let mut wrong = vec![];
    for (name, (valid, invalid)) in &pairs {
        let valid = fs::read_to_string(valid).unwrap_or_else(|e| panic!("{name}.valid.yaml: {e}"));
        let invalid = fs::read_to_string(invalid).expect("it was listed");
        let expected = invalid.lines().next().and_then(|line| line.strip_prefix("# refused: "));
        let expected =
            expected.unwrap_or_else(|| panic!("{name}.invalid.yaml: its first line does not say how it is refused"));
        let accepted = refusal(&client, &valid).await;
        if !accepted.is_empty() {
            wrong.push(format!("{name}.valid.yaml is refused: {accepted:?}"));
        }
        let causes = refusal(&client, &invalid).await;
        if causes.len() != 1 || !causes[0].contains(expected) {
            wrong.push(format!("{name}.invalid.yaml is refused for {causes:?}, expected: {expected}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    println!("{} pairs of fixtures", pairs.len());
    assert!(pairs.len() >= 200, "fixtures are missing");
}

#[tokio::test]
async fn every_sample_is_applied_and_accepted() {
    let plane = ControlPlane::shared().await;
    // The samples name their namespace.
    let (policies, kubelet) = Policies::operated_with_pods("routing").await;
    let folder = checkout().join("deploy/samples");
    let samples: Vec<PathBuf> =
        fs::read_dir(folder).expect("the samples").map(|entry| entry.expect("an entry").path()).collect();
    // That of a laptop is for no cluster.
    let is_for_cluster =
        |path: &&PathBuf| path.extension().is_some_and(|e| e == "yaml") && !path.ends_with("laptop.yaml");
    let samples: Vec<&PathBuf> = samples.iter().filter(is_for_cluster).collect();
    assert!(samples.len() >= 6, "{samples:?}");
    for sample in &samples {
        plane.kubectl(&["apply", "--filename", &sample.display().to_string()]).expect_worked();
    }
    let all = policies.api().list(&kube::api::ListParams::default()).await.expect("policies");
    assert_eq!(all.items.len(), samples.len());
    for policy in all.items {
        let name = policy.metadata.name.expect("a name");
        policies.wait_for_condition(&name, "Accepted", "True", "Accepted").await;
        policies.wait_for_condition(&name, "Programmed", "True", "Programmed").await;
    }
    // The command of the sample's first lines.
    policies.kubectl(&["create", "secret", "generic", "minimal-secrets", "--from-literal=LITELLM_API_KEY=sk-1"]);
    policies.wait_until_ready("minimal").await;
    drop(kubelet);
}

#[tokio::test]
async fn kubectl_explains_every_field() {
    let plane = ControlPlane::shared().await;
    insta::assert_snapshot!("explain_spec", plane.kubectl(&["explain", "rp.spec"]).expect_worked());
    insta::assert_snapshot!("explain_status", plane.kubectl(&["explain", "rp.status"]).expect_worked());
    insta::assert_snapshot!("explain_recursive", plane.kubectl(&["explain", "rp", "--recursive"]).expect_worked());
}

#[tokio::test]
async fn kubectl_get_shows_whether_the_last_change_is_in_force() {
    let (policies, kubelet) = Policies::operated_with_pods("crd-columns").await;
    policies.apply("edge", &spec(json!({"dataPlane": {"replicas": 2}, "service": {"nodePort": 30314}})));
    let stage = json!({"system": {"text": "s"}, "user": "{{ nope }}"});
    policies.apply("house", &spec(json!({"skills": [{"name": "debug", "stages": [stage]}]})));
    policies.wait_until_ready("edge").await;
    policies.wait_for_condition("house", "Ready", "False", "Invalid").await;
    let shown = policies.kubectl(&["get", "routing", "--output", "wide"]);
    let aged = |line: &str| {
        let age = line.split_whitespace().find(|word| {
            word.ends_with('s') && word.trim_end_matches('s').chars().all(|c| c.is_ascii_digit() || c == 'm')
        });
        let words: Vec<String> = line
            .split_whitespace()
            .map(|word| if Some(word) == age { "AGE".into() } else { word.to_string() })
            .collect();
        words.join(" ")
    };
    insta::assert_snapshot!("get_wide", shown.lines().map(aged).collect::<Vec<_>>().join("\n"));
    drop(kubelet);
}
