use super::*;

fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).expect("an object")
}

/// A Service as the API server has it in one of two installations.
fn service(namespace: &str, uid: &str, node_port: u16, generation: i64) -> DynamicObject {
    let fields = json!({"f:metadata": {"f:ownerReferences": {format!("k:{{\"uid\":\"{uid}\"}}"): {}}}});
    object(json!({
        "metadata": {
            "name": "edge", "namespace": namespace, "uid": format!("of-{uid}"),
            "resourceVersion": node_port.to_string(), "generation": generation, "labels": {"a": "b"},
            "annotations": {"routing.hyperguild.io/policy-uid": uid, REVISION: generation.to_string()},
            "ownerReferences": [{"apiVersion": "v1", "kind": "RoutingPolicy", "name": "edge", "uid": uid}],
            "managedFields": [
                {"manager": "other", "operation": "Update", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:x": {}}},
                {"manager": FIELD_MANAGER, "operation": "Apply", "time": "2026-01-01T00:00:00Z", "fieldsV1": fields},
            ],
        },
        "spec": {"clusterIP": format!("10.0.0.{generation}"), "ports": [{"port": 1, "nodePort": node_port}],
            "host": format!("edge.{namespace}.svc")},
        "status": {"of": generation},
    }))
}

#[test]
fn two_installations_of_the_same_are_equal_and_other_fields_or_owners_are_not() {
    let seen = |namespace: &str, uid: &str, generation| {
        without_names(&comparable(&service(namespace, uid, 30_000, generation), None), namespace, Some(uid))
    };
    let first = seen("here", "u-1", 1);
    assert_eq!(first, seen("there", "u-2", 2));
    let without_entries = |mut service: DynamicObject| {
        service.metadata.managed_fields = None;
        without_names(&comparable(&service, None), "here", Some("u-1"))
    };
    assert_ne!(first, without_entries(service("here", "u-1", 30_000, 1)));
    // Of a policy that is gone.
    assert_ne!(first, without_names(&comparable(&service("here", "u-0", 30_000, 1), None), "here", Some("u-1")));
}

#[test]
fn a_port_that_the_policy_names_is_not_any_port() {
    let port = |node_port, own| {
        let seen = comparable(&service("here", "u-1", node_port, 1), Some(own));
        seen["object"]["spec"]["ports"][0]["nodePort"].clone()
    };
    assert_eq!([port(30_310, 30_310), port(30_311, 30_311)], [json!("own"), json!("own")]);
    assert_eq!(port(30_900, 30_310), json!("assigned"));
}

#[test]
fn of_a_status_times_and_numbers_of_generations_do_not_count() {
    let with_port = |generation: i64, observed: i64, ready: &str, ports: &[Value]| {
        let ready = json!({"type": "Ready", "status": ready, "observedGeneration": observed,
            "lastTransitionTime": format!("2026-01-0{generation}T00:00:00Z")});
        let status_of = json!({"metadata": {"generation": generation}, "status": {"observedGeneration": observed,
            "endpoint": {"nodePort": 30_000 + generation, "service": "s"}, "conditions": [ready]}});
        status(&object(status_of), ports)
    };
    let policy = |generation: i64, observed: i64, ready: &str| {
        with_port(generation, observed, ready, &[json!(30_000 + generation)])
    };
    assert_eq!(policy(1, 1, "True"), policy(3, 3, "True"));
    assert_ne!(policy(1, 1, "True"), policy(3, 3, "False"));
    assert_ne!(policy(3, 3, "True"), policy(3, 2, "True"));
    assert_ne!(policy(3, 3, "True"), with_port(3, 3, "True", &[json!(30_001)]), "of a Service that is gone");
}

#[test]
fn a_difference_is_a_line_with_its_path() {
    let snapshot = |value: Value| Snapshot::from([("Service edge".to_string(), value)]);
    let (one, other) = (snapshot(json!({"a": [1, {"b": 2}], "c": {}})), snapshot(json!({"a": [1, {"b": 3}], "d": 4})));
    assert_eq!(differences(&one, &one), Vec::<String>::new());
    assert_eq!(
        differences(&one, &other),
        [
            "Service edge/a/1/b: expected 2",
            "Service edge/a/1/b: found 3",
            "Service edge/c: expected {}",
            "Service edge/d: found 4",
        ]
    );
    assert_eq!(differences(&Snapshot::new(), &snapshot(json!("x"))), ["Service edge: found \"x\""]);
}
