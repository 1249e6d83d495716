//! What needs a control plane of its own: rights and their use, an outage of the API server, a definition that is gone.

use std::{collections::BTreeSet, time::Duration};

use crate::managed;
use crds::policy::RoutingPolicyStatus;
use serde_json::{Value, json};
use tests::{
    Policy,
    cluster::deploy,
    control_plane::ControlPlane,
    operator::{self, Operator},
    policies::{Policies, condition, config_map, spec},
    stand_in::kubelet::Kubelet,
    waiting,
};

/// A control plane of a test's own.
pub async fn plane() -> &'static ControlPlane {
    ControlPlane::own().await
}

/// A right: API group, resource with its subresource, verb.
type Right = (String, String, String);

fn rights(plane: &ControlPlane, kinds: &str) -> BTreeSet<Right> {
    let selector = "--selector=app.kubernetes.io/name=routing-operator";
    let roles = plane.kubectl(&["get", kinds, "--all-namespaces", selector, "--output=json"]).expect_worked();
    let roles: Value = serde_json::from_str(&roles).expect("JSON");
    let mut all = BTreeSet::new();
    for rule in
        roles["items"].as_array().expect("roles").iter().flat_map(|role| role["rules"].as_array().expect("rules"))
    {
        let texts = |field: &str| -> Vec<String> {
            rule[field].as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_string)).collect()
        };
        for (group, resource, verb) in texts("apiGroups").into_iter().flat_map(|group| {
            let (resources, verbs) = (texts("resources"), texts("verbs"));
            resources.into_iter().flat_map(move |r| {
                let group = group.clone();
                verbs.clone().into_iter().map(move |v| (group.clone(), r.clone(), v))
            })
        }) {
            all.insert((group, resource, verb));
        }
    }
    all
}

/// The rights that the operator used, by the API server's audit record. An apply that created an object needed
/// `create`, too.
fn used(audit: &[Value]) -> BTreeSet<Right> {
    let (user, mut all) = (operator::user(), BTreeSet::new());
    for entry in audit.iter().filter(|entry| entry["user"]["username"] == json!(user)) {
        let object = &entry["objectRef"];
        // Everyone may use discovery.
        let Some(resource) = object["resource"].as_str() else { continue };
        let resource = match object["subresource"].as_str() {
            Some(subresource) => format!("{resource}/{subresource}"),
            None => resource.to_string(),
        };
        let group = object["apiGroup"].as_str().unwrap_or_default().to_string();
        let verb = entry["verb"].as_str().expect("a verb").to_string();
        if verb == "patch" && entry["responseStatus"]["code"] == json!(201) {
            all.insert((group.clone(), resource.clone(), "create".into()));
        }
        all.insert((group, resource, verb));
    }
    all
}

fn forbidden(audit: &[Value]) -> Vec<&Value> {
    audit.iter().filter(|entry| entry["responseStatus"]["code"] == json!(403)).collect()
}

/// Everything that an operator does: children created, changed, deleted; pods notified; prompts read; events, also
/// repeated.
async fn tour(plane: &'static ControlPlane, policies: &Policies) {
    let kubelet = Kubelet::start(plane, &policies.namespace).await;
    policies.apply_document(config_map("prompts", json!({"p.md": "be brief"})));
    let system = json!({"configMapKeyRef": {"name": "prompts", "key": "p.md"}});
    let stages = json!([{"system": system, "user": "{{ args.problem }}"}]);
    let mut hash = None;
    // Back and forth, so that the same event comes twice.
    for in_flight in [1, 2, 1, 2] {
        policies.apply(
            "edge",
            &spec(json!({
                "skills": [{"name": "debug", "stages": stages}],
                "limits": {"inFlight": in_flight},
                "dataPlane": {"replicas": 2},
            })),
        );
        let ready = policies.wait_for("edge", "the change", |status| {
            status.config_hash != hash && condition(status, "Ready").is_some_and(|c| c.status == "True")
        });
        hash = ready.await.config_hash;
    }
    policies.apply("edge", &spec(json!({"service": {"type": "ClusterIP"}})));
    policies
        .wait_for("edge", "the change", |status| {
            status.config_hash != hash && condition(status, "Ready").is_some_and(|c| c.status == "True")
        })
        .await;
    for (kind, name) in [("Service", "edge-nodeport"), ("PodDisruptionBudget", "edge")] {
        assert!(policies.object(kind, name).await.is_none(), "{kind} {name} is no longer built");
    }
    managed::tour(policies).await;
    drop(kubelet);
}

#[tokio::test]
async fn the_operator_has_the_rights_that_it_uses_and_no_others() {
    let plane = plane().await;
    plane.kubectl(&["apply", "-k", &deploy("operator")]).expect_worked();
    let operator = Operator::start(plane, "operator", &[]).await;
    operator.wait_until("watching").await;
    let policies = Policies::in_new_namespace(plane, "tour").await;
    tour(plane, &policies).await;
    let audit = plane.audit();
    assert_eq!(forbidden(&audit), Vec::<&Value>::new());
    let (granted, used) = (rights(plane, "clusterroles,roles"), used(&audit));
    let unused: Vec<&Right> = granted.difference(&used).collect();
    assert_eq!(unused, Vec::<&Right>::new(), "granted and never used");
    let missing: Vec<&Right> = used.difference(&granted).collect();
    assert_eq!(missing, Vec::<&Right>::new(), "used and not granted");
    assert!(
        granted.iter().all(|(group, resource, verb)| ![group, resource, verb].iter().any(|text| text.contains('*')))
    );
    assert!(granted.iter().all(|(_, resource, _)| !resource.contains("secret")));
    println!("{} rights granted, each of them used", granted.len());
}

#[tokio::test]
async fn an_operator_of_one_namespace_needs_rights_only_there() {
    let plane = plane().await;
    plane.kubectl(&["apply", "-k", &deploy("operator-one-namespace")]).expect_worked();
    let cluster_wide = plane.kubectl(&["get", "clusterroles,clusterrolebindings", "--output=name"]).expect_worked();
    assert!(!cluster_wide.contains("routing-operator"), "{cluster_wide}");
    let operator = Operator::start(plane, "operator", &["--namespace", "routing"]).await;
    operator.wait_until("watching").await;
    let elsewhere = Policies::in_new_namespace(plane, "elsewhere").await;
    elsewhere.apply("other", &spec(json!({})));
    tour(plane, &Policies::in_namespace(plane, "routing").await).await;
    let audit = plane.audit();
    assert_eq!(forbidden(&audit), Vec::<&Value>::new());
    assert_eq!(used(&audit), rights(plane, "roles"));
    // The default of the CRD for a policy that was not reconciled: by kstatus it is in progress.
    let untouched = RoutingPolicyStatus { observed_generation: Some(-1), ..RoutingPolicyStatus::default() };
    let status = elsewhere.get("other").await.status;
    assert_eq!(status, Some(untouched), "other namespaces are left alone");
}

/// A metric of the operator; 0: it has none with this name.
pub async fn metric(operator: &Operator, name: &str) -> u64 {
    let page = operator.page("/metrics").await.unwrap_or_default();
    let line = page.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|value| value.trim().parse::<f64>().ok()).unwrap_or_default() as u64
}

#[tokio::test]
async fn after_an_outage_of_the_api_server_everything_becomes_as_specified() {
    let plane = plane().await;
    plane.kubectl(&["apply", "-k", &deploy("operator")]).expect_worked();
    let operator = Operator::start(plane, "operator", &[]).await;
    operator.wait_until("watching").await;
    let policies = Policies::in_new_namespace(plane, "away").await;
    let kubelet = Kubelet::start(plane, "away").await;
    policies.apply("edge", &spec(json!({})));
    let mut hash = policies.wait_until_ready("edge").await.config_hash;
    let address = *kubelet.addresses().values().next().expect("a pod");
    for (in_flight, away) in [(2, 1), (3, 60)] {
        plane.stop_api_server();
        // The length of the outage is what is tested.
        let back = std::time::Instant::now() + std::time::Duration::from_secs(away);
        while std::time::Instant::now() < back {
            let answer = tests::http().get(format!("http://{address}:3210/healthz")).send().await;
            assert!(answer.is_ok_and(|answer| answer.status().is_success()), "the data plane serves without it");
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
        assert_eq!(operator.page("/livez").await.as_deref(), Some("alive\n"), "it is not restarted for that");
        plane.start_api_server().await;
        policies.apply("edge", &spec(json!({"limits": {"inFlight": in_flight}})));
        policies.kubectl(&["delete", "service", "edge"]);
        let changed = policies.wait_for("edge", "the change", |status| {
            status.config_hash != hash && condition(status, "Ready").is_some_and(|c| c.status == "True")
        });
        hash = changed.await.config_hash;
        waiting::until("the deleted Service to come back", || policies.object("Service", "edge")).await;
        assert_eq!(*kubelet.addresses().values().next().expect("a pod"), address, "the pod is the same one");
    }
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_is_marked_invalid_and_delays_no_other() {
    let plane = plane().await;
    plane.kubectl(&["apply", "-k", &deploy("operator")]).expect_worked();
    // As a CRD of another version may have accepted it.
    let anything = json!([{
        "op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec",
        "value": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
    }, {
        // The rules over all of a policy name fields of the spec.
        "op": "remove", "path": "/spec/versions/0/schema/openAPIV3Schema/x-kubernetes-validations",
    }]);
    let crd =
        ["patch", "crd", "routingpolicies.routing.hyperguild.io", "--type=json", "--patch", &anything.to_string()];
    plane.kubectl(&crd).expect_worked();
    let policies = Policies::in_new_namespace(plane, "undecodable").await;
    let _kubelet = Kubelet::start(plane, "undecodable").await;
    let unreadable = Policy::of("bad", &json!({"upstream": 5, "models": {}})).to_string();
    waiting::until_true("the changed schema to be in force", || async {
        plane.kubectl_with(&["apply", "--namespace", "undecodable", "--filename", "-"], &unreadable).worked
    })
    .await;
    let operator = Operator::start(plane, "operator", &[]).await;
    operator.wait_until("watching").await;
    policies.apply("good", &spec(json!({})));
    policies.wait_until_ready("good").await;
    let conditions = waiting::until("the unreadable policy's status", || async {
        let shown: Value =
            serde_json::from_str(&policies.kubectl(&["get", "rp", "bad", "--output=json"])).expect("JSON");
        shown["status"]["conditions"].as_array().cloned()
    })
    .await;
    let said: Vec<String> =
        conditions.iter().map(|c| format!("{}={}/{}", c["type"], c["status"], c["reason"])).collect();
    assert_eq!(said.join(" ").replace('"', ""), "Accepted=False/Invalid Ready=False/Invalid Stalled=True/Invalid");
    // Corrected, it is like any other.
    policies.apply("bad", &spec(json!({})));
    policies.wait_until_ready("bad").await;
}

#[tokio::test]
async fn after_the_definition_was_deleted_the_operator_is_not_ready_and_goes_on_once_it_is_back() {
    const CRD: &str = "routingpolicies.routing.hyperguild.io";
    let plane = plane().await;
    plane.kubectl(&["apply", "-k", &deploy("operator")]).expect_worked();
    let operator = Operator::start(plane, "operator", &[]).await;
    operator.wait_until("watching").await;
    let policies = Policies::in_new_namespace(plane, "undefined").await;
    policies.apply("edge", &spec(json!({})));
    waiting::until("the last child", || policies.object("NetworkPolicy", "edge")).await;

    for _ in 0..2 {
        plane.kubectl(&["delete", "crd", CRD]).expect_worked();
        operator.wait_until(CRD).await;
        assert_eq!(operator.status("/readyz").await, Some(503));
        plane.kubectl(&["apply", "-k", &deploy("../crds")]).expect_worked();
        plane.serves(CRD).await;
        operator.wait_until("watching").await;
        assert_eq!(operator.status("/readyz").await, Some(200));
        waiting::until_true("the policy to be taken", || async {
            let policy = Policy::of("edge", &spec(json!({}))).to_string();
            plane.kubectl_with(&["apply", "--namespace", "undefined", "--filename", "-"], &policy).worked
        })
        .await;
        policies.wait_for_condition("edge", "Accepted", "True", "Accepted").await;
        // The garbage collector removes the earlier policy's children only once it has discovered the kind again.
        let uid = policies.get("edge").await.metadata.uid;
        waiting::until_true_within(Duration::from_secs(180), "the last child, of this policy", || async {
            let child = policies.object("NetworkPolicy", "edge").await.unwrap_or_default();
            child["metadata"]["ownerReferences"][0]["uid"].as_str() == uid.as_deref()
        })
        .await;
    }
    let log = operator.log();
    let about = log.lines().filter(|line| line.contains("not watching") && line.contains(CRD)).count();
    assert_eq!(about, 2, "once for each time that it was missing: {log}");
    assert!(log.lines().filter(|line| line.contains("404")).count() < 5, "{log}");
    assert_eq!(log.matches("elected").count(), 1, "without a restart: {log}");
}
