//! From the first apply to the deletion: whatever changed in a policy, its children equal those of a fresh install.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use kube::{
    CustomResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use tests::{
    Policy,
    control_plane::ControlPlane,
    policies::{CHILD_KINDS, Policies, config_map, spec},
    waiting,
};

const FULL: &str = include_str!("full_spec.yaml");
const CERTIFICATE: &str = include_str!("home-ca.pem");

fn full() -> Value {
    serde_saphyr::from_str(FULL).expect("YAML")
}

/// The smallest spec. ClusterIP gives the nodePort back for the fresh install, which is in the same cluster.
fn minimal() -> Value {
    spec(json!({"service": {"type": "ClusterIP"}}))
}

/// Selects what the operator made.
fn ours() -> ListParams {
    ListParams::default().labels("app.kubernetes.io/managed-by=routing-operator")
}

/// The children without what the API server allocates and the cluster sets: UIDs, times, addresses, status.
async fn children(policies: &Policies) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for kind in CHILD_KINDS {
        for object in policies.objects(kind).list(&ours()).await.expect("a list").items {
            let mut object = serde_json::to_value(object).expect("JSON");
            strip(&mut object);
            // The address of a managed brain has the namespace, and what a pod says of itself to a collector.
            let text = object.to_string().replace(&format!(".{}.svc", policies.namespace), ".svc");
            let text = text.replace(&format!("k8s.namespace.name={}", policies.namespace), "k8s.namespace.name=");
            let object: Value = serde_json::from_str(&text).expect("JSON");
            all.insert(format!("{kind} {}", object["metadata"]["name"]), object);
        }
    }
    all
}

fn strip(object: &mut Value) {
    object.as_object_mut().expect("an object").remove("status");
    let metadata = object["metadata"].as_object_mut().expect("metadata");
    for field in ["uid", "resourceVersion", "creationTimestamp", "managedFields", "generation", "namespace"] {
        metadata.remove(field);
    }
    metadata["ownerReferences"][0]["uid"] = json!("");
    metadata["annotations"]["routing.hyperguild.io/policy-uid"] = json!("");
    if let Some(annotations) = metadata["annotations"].as_object_mut() {
        annotations.remove("deployment.kubernetes.io/revision");
    }
    if let Some(spec) = object["spec"].as_object_mut() {
        spec.remove("clusterIP");
        spec.remove("clusterIPs");
        for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
            port.as_object_mut().expect("a port").remove("nodePort");
        }
    }
}

/// Whether there are no children. Of each kind this is asked only once those before it are gone.
async fn are_gone(policies: &Policies) -> bool {
    for kind in CHILD_KINDS {
        if !policies.objects(kind).list(&ours()).await.expect("a list").items.is_empty() {
            return false;
        }
    }
    true
}

/// Applies a spec and waits until the operator has reconciled it. Without kubectl: to start it hundreds of times takes
/// longer than all that is tested, and the other lanes would wait for it.
async fn settle(policies: &Policies, spec: &Value) {
    let policy: Value = serde_json::from_str(&Policy::of("edge", spec).to_string()).expect("JSON");
    let as_owner = PatchParams::apply("owner").force();
    policies.api().patch("edge", &as_owner, &Patch::Apply(policy)).await.expect("applied");
    let dealt_with =
        policies.wait_for("edge", "the operator to have reconciled it", |status| !status.conditions.is_empty());
    dealt_with.await;
}

/// The paths of all fields of the spec, as the CRD has them; Kubernetes' own types count as one field each.
fn fields() -> BTreeSet<String> {
    let crd = serde_json::to_value(crds::RoutingPolicy::crd()).expect("JSON");
    let spec = crd.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec").expect("the spec");
    let mut found = BTreeSet::new();
    leaves(spec, "", &mut found);
    found
}

const OF_KUBERNETES: [&str; 3] =
    ["/dataPlane/affinity", "/dataPlane/tolerations", "/dataPlane/topologySpreadConstraints"];

fn leaves(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    let properties = schema["properties"].as_object();
    match (properties, schema.get("items")) {
        _ if OF_KUBERNETES.contains(&path) => drop(found.insert(path.into())),
        (Some(fields), _) => fields.iter().for_each(|(name, field)| leaves(field, &format!("{path}/{name}"), found)),
        (None, Some(items)) if items.get("properties").is_some() => leaves(items, &format!("{path}/0"), found),
        _ => drop(found.insert(path.into())),
    }
}

/// The changes, each of one field of the full policy: its path, and another value or null, which removes it.
fn changes() -> Vec<(String, Value)> {
    let mut changes: Vec<(String, Value)> = serde_saphyr::from_str(include_str!("field_changes.yaml")).expect("YAML");
    for (_, value) in &mut changes {
        for place in ["/text", "/caBundle/text", "/upstream/caBundle/text"] {
            if let Some(text) = value.pointer_mut(place) {
                *text = json!(CERTIFICATE);
            }
        }
    }
    changes
}

/// The full spec with one change. Another Service type also removes the nodePort.
fn changed(path: &str, value: &Value) -> Value {
    let mut spec = full();
    let (parent, name) = path.rsplit_once('/').expect("a path");
    let parent = spec.pointer_mut(parent).expect("a field of the full spec");
    match (parent, value) {
        (Value::Object(fields), Value::Null) => drop(fields.remove(name)),
        (Value::Object(fields), value) => drop(fields.insert(name.into(), value.clone())),
        (other, _) => panic!("{path}: {other} is not an object"),
    }
    if path == "/service/type" {
        spec["service"].as_object_mut().expect("fields").remove("nodePort");
    }
    spec
}

/// The fields that a change touches, as the CRD calls them.
fn touched(path: &str, value: &Value) -> Vec<String> {
    let general = path
        .split('/')
        .map(|part| if part.parse::<usize>().is_ok() { "0" } else { part })
        .collect::<Vec<_>>()
        .join("/");
    let mut all = vec![general.clone()];
    match value {
        _ if OF_KUBERNETES.contains(&general.as_str()) => {}
        Value::Object(fields) => {
            all.extend(fields.iter().flat_map(|(name, value)| touched(&format!("{path}/{name}"), value)));
        }
        Value::Array(items) => {
            all.extend(items.iter().enumerate().flat_map(|(i, item)| touched(&format!("{path}/{i}"), item)));
        }
        _ => {}
    }
    all
}

/// The changes are divided among this many pairs of namespaces: most of a change's time is waited.
const LANES: u16 = 3;

/// A spec with the ports of a lane.
fn on_lane(lane: u16, mut spec: Value) -> Value {
    for port in ["/service/nodePort", "/brain/managed/nodePort"] {
        if let Some(port) = spec.pointer_mut(port).filter(|port| port.is_u64()) {
            *port = json!(port.as_u64().expect("a number") + u64::from(20 * lane));
        }
    }
    spec
}

/// A namespace with the ConfigMaps that the changes refer to.
async fn with_texts(namespace: String) -> Policies {
    let policies = Policies::operated(&namespace).await;
    let notes = [("texts", "ca.crt", "write notes"), ("texts2", "other.crt", "write other notes")];
    for (name, certificate, notes) in notes {
        policies.apply_document(config_map(name, json!({certificate: CERTIFICATE, "notes.md": notes})));
    }
    // A change of one reference may need the other ConfigMap's keys.
    let both =
        json!({"data": {"ca.crt": CERTIFICATE, "other.crt": CERTIFICATE, "notes.md": "write notes"}}).to_string();
    for name in ["texts", "texts2"] {
        policies.kubectl(&["patch", "configmap", name, "--type=merge", "--patch", &both]);
    }
    policies
}

/// Makes, compares and undoes the changes of a lane, one after the other; returns the fields that they touch.
async fn compare_on_lane(lane: u16, changes: &[(String, Value)]) -> BTreeSet<String> {
    let old = with_texts(format!("lifecycle-old-{lane}")).await;
    let fresh = with_texts(format!("lifecycle-fresh-{lane}")).await;
    settle(&old, &minimal()).await;
    let first = children(&old).await;
    let mut covered = BTreeSet::new();
    for (path, value) in changes.iter().skip(lane.into()).step_by(LANES.into()) {
        let spec = on_lane(lane, changed(path, value));
        settle(&old, &spec).await;
        let accepted = old.wait_for_condition("edge", "Accepted", "True", "Accepted").await;
        let changed_children = children(&old).await;
        settle(&old, &minimal()).await;
        settle(&fresh, &spec).await;
        let fresh_children = children(&fresh).await;
        fresh.api().delete("edge", &DeleteParams::background()).await.expect("deleted");
        waiting::until_true("the fresh children to go", || are_gone(&fresh)).await;
        for (name, object) in &fresh_children {
            assert_eq!(changed_children.get(name), Some(object), "{path} = {value}: {name}\n{}", accepted.message);
        }
        assert_eq!(changed_children.len(), fresh_children.len(), "{path} = {value}");
        assert_eq!(children(&old).await, first, "{path} unset again");
        covered.extend(touched(path, value));
    }
    covered
}

#[tokio::test]
async fn whatever_changed_the_children_equal_a_fresh_install() {
    let changes = changes();
    let lanes = (0..LANES).map(|lane| compare_on_lane(lane, &changes));
    let covered: BTreeSet<String> = join_all(lanes).await.into_iter().flatten().collect();
    let fields = fields();
    let missing: Vec<&String> = fields.iter().filter(|field| !covered.contains(*field)).collect();
    assert_eq!(missing, Vec::<&String>::new(), "fields of the CRD that no change covers");
    println!(
        "{} fields of the spec covered by {} changes, each made, compared and undone",
        fields.len(),
        changes.len()
    );
}

#[tokio::test]
async fn a_deleted_policy_takes_its_children_with_it_and_one_recreated_at_once_is_complete() {
    let (policies, kubelet) = Policies::operated_with_pods("lifecycle-anew").await;
    policies.apply("edge", &spec(json!({"dataPlane": {"replicas": 2}})));
    policies.wait_until_ready("edge").await;
    policies.wait_for_last_good("edge").await;
    let first = policies.get("edge").await.metadata.uid;
    let before = children(&policies).await;
    for _ in 0..3 {
        policies.kubectl(&["delete", "rp", "edge", "--wait=false"]);
        policies.apply("edge", &spec(json!({"dataPlane": {"replicas": 2}})));
    }
    let status = policies.wait_until_ready("edge").await;
    assert_eq!(status.replicas.map(|r| r.programmed), Some(2));
    let uid = policies.get("edge").await.metadata.uid;
    assert_ne!(uid, first);
    for kind in CHILD_KINDS {
        for object in policies.objects(kind).list(&ours()).await.expect("a list") {
            let owners = object.metadata.owner_references.unwrap_or_default();
            let uids: Vec<&str> = owners.iter().map(|owner| owner.uid.as_str()).collect();
            assert_eq!(uids, uid.iter().map(String::as_str).collect::<Vec<_>>(), "{kind}");
        }
    }
    waiting::until_true("the same children as before", || async { children(&policies).await == before }).await;
    policies.kubectl(&["delete", "rp", "edge"]);
    waiting::until_true("no child", || are_gone(&policies)).await;
    waiting::until_true("no pod", || async { kubelet.addresses().is_empty() }).await;
}

#[tokio::test]
async fn a_namespace_with_a_policy_can_be_deleted() {
    let policies = Policies::operated("lifecycle-namespace").await;
    let plane = ControlPlane::shared().await;
    policies.apply("edge", &spec(json!({})));
    waiting::until("the last child", || policies.object("NetworkPolicy", "edge")).await;
    plane.kubectl(&["delete", "namespace", "lifecycle-namespace", "--timeout=100s"]).expect_worked();
}
