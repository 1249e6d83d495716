//! Changes to what the operator set are undone; what others set is left alone.

use std::collections::BTreeSet;

use kube::{
    Api,
    api::{DynamicObject, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use tests::{
    policies::{CHILD_KINDS, Policies, config_map, spec},
    policy::merged,
    waiting,
};

/// Sets every field of the children that a policy can set.
const FULL: &str = include_str!("full_spec.yaml");
const OTHERS: &str = "somebody-else";

/// One step towards a leaf: a field, or the element of a list that has these keys.
#[derive(Clone, Debug)]
enum Step {
    Field(String),
    Element(Value),
}

/// Every leaf that the operator owns in an object, from its `managedFields`.
fn owned_leaves(object: &Value) -> Vec<Vec<Step>> {
    let managers = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let ours = managers.iter().find(|m| m["manager"] == "routing-operator" && m["operation"] == "Apply");
    let mut leaves = vec![];
    collect(&ours.expect("the operator applied it")["fieldsV1"], &mut vec![], &mut leaves);
    leaves
}

fn collect(fields: &Value, path: &mut Vec<Step>, leaves: &mut Vec<Vec<Step>>) {
    let children: Vec<(&String, &Value)> =
        fields.as_object().into_iter().flatten().filter(|(key, _)| *key != ".").collect();
    if children.is_empty() {
        leaves.push(path.clone());
    }
    for (key, inner) in children {
        let (kind, name) = key.split_once(':').expect("kind and name");
        path.push(match kind {
            "f" => Step::Field(name.into()),
            "k" => Step::Element(serde_json::from_str(name).expect("keys")),
            other => panic!("{other}:{name} is not known here"),
        });
        collect(inner, path, leaves);
        path.pop();
    }
}

/// Where a leaf is in an object as it is now, and its value.
fn find<'a>(object: &'a Value, leaf: &[Step]) -> Option<(String, &'a Value)> {
    let mut found = (String::new(), object);
    for step in leaf {
        found = match step {
            Step::Field(name) => {
                let escaped = name.replace('~', "~0").replace('/', "~1");
                (format!("{}/{escaped}", found.0), found.1.get(name)?)
            }
            Step::Element(keys) => {
                let holds =
                    |element: &Value| keys.as_object().into_iter().flatten().all(|(k, v)| element.get(k) == Some(v));
                let index = found.1.as_array()?.iter().position(holds)?;
                (format!("{}/{index}", found.0), &found.1[index])
            }
        };
    }
    Some(found)
}

/// Another value of the same type, which may be invalid there.
fn other(value: &Value) -> Value {
    match value {
        Value::Bool(held) => json!(!held),
        Value::Number(number) => json!(number.as_i64().unwrap_or_default() + 1),
        Value::String(text) if text == "RollingUpdate" => json!("Recreate"),
        Value::String(text) if text == "UDP" => json!("SCTP"),
        Value::String(text) => json!(format!("{text}x")),
        Value::Array(list) => Value::Array(list.iter().skip(1).cloned().collect()),
        _ => Value::Null,
    }
}

/// Tries a JSON patch as another field manager; false if the API server itself refuses it.
async fn tamper(api: &Api<DynamicObject>, name: &str, operations: Value) -> bool {
    let patch = Patch::Json::<()>(serde_json::from_value(operations).expect("a JSON patch"));
    let parameters = PatchParams { field_manager: Some(OTHERS.into()), ..PatchParams::default() };
    match api.patch(name, &parameters, &patch).await {
        Ok(_) => true,
        Err(kube::Error::Api(status)) if matches!(status.code, 400 | 403 | 409 | 422) => false,
        Err(error) => panic!("{operations}: {error}", operations = json!(name)),
    }
}

struct Tally {
    leaves: usize,
    repaired: usize,
    refused: usize,
}

/// Changes and removes every leaf of an object, one at a time, and waits until it is as it was.
async fn drift(policies: &Policies, kind: &str, name: &str, tally: &mut Tally) {
    let api = policies.objects(kind);
    let before = policies.object(kind, name).await.expect("the object");
    for leaf in owned_leaves(&before) {
        tally.leaves += 1;
        let value = find(&before, &leaf).unwrap_or_else(|| panic!("{kind} {name} has no {leaf:?}")).1.clone();
        for operation in ["replace", "remove"] {
            let now = policies.object(kind, name).await.expect("the object");
            let (pointer, _) = find(&now, &leaf).expect("repaired before");
            let operations = json!([{"op": operation, "path": pointer, "value": other(&value)}]);
            if !tamper(&api, name, operations.clone()).await {
                tally.refused += 1;
                continue;
            }
            waiting::until_true(&format!("{kind} {name} to be repaired after {operations}"), || async {
                let now = policies.object(kind, name).await.unwrap_or_default();
                find(&now, &leaf).is_some_and(|(_, found)| *found == value)
            })
            .await;
            tally.repaired += 1;
        }
    }
}

async fn drift_of_policy(namespace: &str, spec: &Value) {
    let policies = Policies::operated(namespace).await;
    let texts = json!({"ca.crt": include_str!("home-ca.pem"), "notes.md": "write notes"});
    policies.apply_document(config_map("texts", texts));
    policies.apply("edge", spec);
    policies.wait_for_condition("edge", "Accepted", "True", "Accepted").await;
    waiting::until("the last child", || policies.object("NetworkPolicy", "edge")).await;
    let mut tally = Tally { leaves: 0, repaired: 0, refused: 0 };
    let mut objects = 0;
    for kind in CHILD_KINDS {
        let ours = ListParams::default().labels("app.kubernetes.io/instance=edge");
        for object in policies.objects(kind).list(&ours).await.expect("a list").items {
            objects += 1;
            drift(&policies, kind, &object.metadata.name.expect("a name"), &mut tally).await;
        }
    }
    let Tally { leaves, repaired, refused } = tally;
    println!(
        "{namespace}: {leaves} leaves of {objects} children, each changed and removed: {repaired} repaired, \
         {refused} refused by the API server"
    );
    assert!(leaves > 100 && repaired > refused, "{leaves} {repaired} {refused}");
}

#[tokio::test]
async fn every_leaf_of_a_plain_policys_children_is_repaired() {
    drift_of_policy("drift-plain", &spec(json!({}))).await;
}

#[tokio::test]
async fn every_leaf_of_a_full_policys_children_is_repaired() {
    let full = serde_saphyr::from_str(FULL).expect("YAML");
    // Another test uses the port of the file.
    drift_of_policy("drift-full", &merged(full, json!({"service": {"nodePort": 30317}}))).await;
}

#[tokio::test]
async fn every_deleted_child_comes_back() {
    let policies = Policies::operated("drift-deleted").await;
    policies.apply("edge", &spec(json!({"dataPlane": {"replicas": 2}})));
    let children = [
        ("ServiceAccount", "edge"),
        ("ConfigMap", "edge"),
        ("Deployment", "edge"),
        ("Service", "edge"),
        ("Service", "edge-nodeport"),
        ("PodDisruptionBudget", "edge"),
        ("NetworkPolicy", "edge"),
    ];
    for (kind, name) in children {
        let before = waiting::until(&format!("{kind} {name}"), || policies.object(kind, name)).await;
        policies.kubectl(&["delete", kind, name]);
        let after = waiting::until(&format!("{kind} {name} to come back"), || policies.object(kind, name)).await;
        assert_ne!(before["metadata"]["uid"], after["metadata"]["uid"]);
    }
}

#[tokio::test]
async fn what_others_set_is_kept() {
    let (policies, kubelet) = Policies::operated_with_pods("drift-foreign").await;
    policies.apply("edge", &spec(json!({})));
    policies.wait_until_ready("edge").await;
    let pods = kubelet.addresses();
    policies.kubectl(&["rollout", "restart", "deployment/edge"]);
    policies.kubectl(&["label", "service", "edge", "team=blue"]);
    policies.kubectl(&["annotate", "configmap", "edge", "note=kept"]);
    let restricted = json!({
        "allowPrivilegeEscalation": false,
        "runAsNonRoot": true,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    let sidecar = json!({"name": "sidecar", "image": "mesh", "securityContext": restricted});
    let template = json!({"metadata": {"labels": {"mesh": "on"}}, "spec": {"containers": [sidecar]}});
    let patch = json!({"spec": {"template": template}}).to_string();
    policies.kubectl(&["patch", "deployment", "edge", "--patch", &patch]);
    // A change of the policy makes the operator apply everything again.
    let old = policies.get("edge").await.status.and_then(|status| status.config_hash);
    policies.apply("edge", &spec(json!({"limits": {"inFlight": 9}, "dataPlane": {"podLabels": {"mine": "yes-mine"}}})));
    policies.wait_for("edge", "the change", |status| status.config_hash != old && status.config_hash.is_some()).await;
    policies.wait_until_ready("edge").await;
    let deployment = policies.object("Deployment", "edge").await.expect("the Deployment");
    let template = &deployment["spec"]["template"];
    assert!(template["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"].is_string(), "{template}");
    assert_eq!(template["metadata"]["labels"]["mesh"], json!("on"));
    assert_eq!(template["metadata"]["labels"]["mine"], json!("yes-mine"));
    let containers = template["spec"]["containers"].as_array().expect("containers").iter();
    let containers: BTreeSet<&str> = containers.filter_map(|container| container["name"].as_str()).collect();
    assert_eq!(containers, ["routing", "sidecar"].into());
    assert_eq!(policies.object("Service", "edge").await.expect("it")["metadata"]["labels"]["team"], json!("blue"));
    assert_eq!(
        policies.object("ConfigMap", "edge").await.expect("it")["metadata"]["annotations"]["note"],
        json!("kept")
    );
    assert!(kubelet.addresses().keys().all(|pod| !pods.contains_key(pod)), "the restart took place");
}

/// What becomes of the record of who set which field of an object.
const LOST: [&str; 5] = ["stripped", "disowned", "renamed", "doubled", "copied"];

fn is_ours(entry: &Value) -> bool {
    entry["manager"] == "routing-operator"
}

/// `managedFields` afterwards: without any entry, as some tools for backups leave them; without the operator's; with the
/// operator's under another name, as after a restore; with another one under its name; with somebody's for all of its fields.
fn lost(how: &str, entries: &[Value]) -> Vec<Value> {
    let ours = || entries.iter().filter(|entry| is_ours(entry));
    let changed = |change: Value| ours().map(move |entry| merged(entry.clone(), change.clone())).collect::<Vec<_>>();
    let others = || entries.iter().filter(|entry| !is_ours(entry)).cloned().collect::<Vec<_>>();
    match how {
        "stripped" => vec![json!({})],
        "disowned" => others(),
        "renamed" => [changed(json!({"manager": "restored"})), others()].concat(),
        "doubled" => [entries, &changed(json!({"operation": "Update"}))].concat(),
        "copied" => [entries, &changed(json!({"manager": "copier"}))].concat(),
        other => panic!("{other} is not known here"),
    }
}

async fn lose(policies: &Policies, how: &str, kind: &str, name: &str) {
    let object = policies.object(kind, name).await.expect("the object");
    let entries = object["metadata"]["managedFields"].as_array().cloned().expect("entries");
    let patch = json!({"metadata": {"managedFields": lost(how, &entries)}}).to_string();
    policies.kubectl(&["patch", kind, name, "--type=merge", "--patch", &patch]);
}

/// Longest wait for the operator to notice that its record is lost; other tests may delay it.
const RECORDED_MAX: std::time::Duration = std::time::Duration::from_secs(300);

/// Whether the operator is recorded once, and nobody for what was there before, nor for a copy of what it set.
async fn is_recorded(policies: &Policies, kind: &str, name: &str) -> bool {
    let object = policies.object(kind, name).await.expect("the object");
    let entries = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let of_child = || entries.iter().filter(|entry| entry["subresource"].is_null());
    let uid = "f:routing.hyperguild.io/policy-uid";
    let owns_the_mark = |entry: &&Value| !entry["fieldsV1"]["f:metadata"]["f:annotations"][uid].is_null();
    let ours: Vec<&Value> = of_child().filter(|entry| is_ours(entry)).collect();
    matches!(ours[..], [only] if only["operation"] == "Apply")
        && of_child().filter(owns_the_mark).count() == 1
        && !entries.iter().any(|entry| entry["manager"] == "before-first-apply")
}

/// What a policy sets and takes back.
fn given() -> Value {
    spec(json!({
        "dataPlane": {"replicas": 2, "nodeSelector": {"disk": "fast"}, "podLabels": {"team": "blue"},
            "priorityClassName": "system-node-critical"},
        "service": {"type": "ClusterIP", "annotations": {"example.com/pool": "a"}},
    }))
}

async fn what_was_taken_back_is_gone(policies: &Policies, name: &str) -> bool {
    let deployment = policies.object("Deployment", name).await.expect("the Deployment");
    let service = policies.object("Service", name).await.expect("the Service");
    let template = &deployment["spec"]["template"];
    template["spec"]["nodeSelector"].is_null()
        && template["spec"]["priorityClassName"].is_null()
        && template["metadata"]["labels"]["team"].is_null()
        && service["metadata"]["annotations"]["example.com/pool"].is_null()
}

#[tokio::test]
async fn what_a_policy_takes_back_goes_whatever_became_of_the_record_of_who_set_it() {
    let policies = Policies::operated("drift-unrecorded").await;
    let kinds = ["ServiceAccount", "ConfigMap", "Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy"];
    for how in LOST {
        policies.apply(how, &given());
    }
    for how in LOST {
        waiting::until("the last child", || policies.object("NetworkPolicy", how)).await;
        // Somebody else's entry, which is kept with its field where it is not lost, too.
        policies.kubectl(&["annotate", "service", how, "note=kept", "--field-manager=somebody-else"]);
        for kind in kinds {
            lose(&policies, how, kind, how).await;
        }
    }
    for how in LOST {
        for kind in kinds {
            let what = format!("{kind}, {how}, to be recorded again");
            waiting::until_true_within(RECORDED_MAX, &what, || is_recorded(&policies, kind, how)).await;
        }
        let cluster_ip = policies.object("Service", how).await.expect("it")["spec"]["clusterIP"].clone();
        policies.apply(how, &spec(json!({"dataPlane": {"replicas": 2}, "service": {"type": "ClusterIP"}})));
        let what = format!("what was taken back to go, {how}");
        waiting::until_true(&what, || what_was_taken_back_is_gone(&policies, how)).await;
        let service = policies.object("Service", how).await.expect("the Service");
        assert_eq!(service["spec"]["clusterIP"], cluster_ip);
        // Nobody knows any more whose a field is where nobody is recorded.
        if how != "stripped" {
            assert_eq!(service["metadata"]["annotations"]["note"], json!("kept"), "{how}");
        }
    }
}
