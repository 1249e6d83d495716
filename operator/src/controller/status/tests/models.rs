//! What the condition about the models says.

use super::*;

fn model(name: &str, reachable: Value, problem: &str) -> Value {
    json!({"name": name, "model": "m", "endpoint": "h:1", "reachable": reachable, "problem": problem})
}

fn local(reachable: bool) -> Value {
    model("local", json!(reachable), if reachable { "" } else { "cannot be reached: no" })
}

fn reports(name: &str, hash: &str, models: Vec<Value>) -> PodView {
    pod(name, Ok(json!({"configHash": hash, "models": models})))
}

/// Pods, and what their policy's condition says: its status with its reason, and its message.
type Reached = (Vec<PodView>, &'static str, &'static str);

fn assert_reached(rows: Vec<Reached>) {
    for (pods, expected, message) in rows {
        let status = status_of(&policy(""), &rolled_out(1), &pods);
        let told = status.condition(condition::UPSTREAM_REACHABLE).expect("always present");
        assert_eq!((format!("{}/{}", told.status, told.reason), told.message.as_str()), (expected.into(), message));
        let runs = !pods.is_empty() && pods.iter().all(|pod| pod.runs(Some("new")));
        assert_eq!(status.is_true(condition::READY), runs, "it depends on the config only: {status:?}");
    }
}

#[test]
fn whether_the_models_can_be_reached_is_told_and_changes_nothing_else() {
    let unknown = |name: &str| model(name, json!(null), "");
    let lacks = model("local", json!(true), "does not list m");
    let refused = json!({"name": "claude", "model": "m", "endpoint": "h:1", "reachable": true, "modelsStatus": 404});
    let caller = json!(crds::pod::ModelReport::of_the_caller());
    let not_reported = "no pod has reported yet whether it reaches the endpoints of the models";
    assert_reached(vec![
        (vec![], "Unknown/UpstreamNotProbed", not_reported),
        (vec![running("p1")], "Unknown/UpstreamNotProbed", not_reported),
        (vec![reports("p1", "new", vec![local(true), unknown("claude")])], "Unknown/UpstreamNotProbed", not_reported),
        (
            vec![reports("p1", "new", vec![local(true), caller])],
            "True/UpstreamReachable",
            "models.local m at h:1 answers",
        ),
        (
            vec![reports("p1", "old", vec![local(false)]), reports("p2", "new", vec![local(true), refused])],
            "True/UpstreamReachable",
            "models.claude m at h:1 answers (404 to GET /v1/models); models.local m at h:1 answers",
        ),
        (
            vec![reports("p1", "new", vec![local(true)]), reports("p2", "new", vec![local(false)])],
            "False/UpstreamUnreachable",
            "models.local m at h:1 cannot be reached: no (pod p2)",
        ),
        (
            vec![reports("p1", "new", vec![local(true)]), reports("p2", "new", vec![lacks])],
            "True/UpstreamReachable",
            "models.local m at h:1 does not list m (pod p2)",
        ),
        (
            vec![reports("p1", "new", vec![unknown("local")]), reports("p2", "new", vec![local(true)])],
            "True/UpstreamReachable",
            "models.local m at h:1 answers",
        ),
    ]);
}

#[test]
fn a_circuit_of_the_local_model_that_is_not_closed_is_told() {
    let circuit = |mut report: Value, state: &str| {
        report["circuit"] = json!({"state": state, "failures": 7, "nextTrialMs": 5});
        report
    };
    assert_reached(vec![
        (
            vec![reports("p1", "new", vec![circuit(local(true), "closed")])],
            "True/UpstreamReachable",
            "models.local m at h:1 answers",
        ),
        (
            vec![reports("p1", "new", vec![local(false)]), reports("p2", "new", vec![circuit(local(true), "open")])],
            "False/LocalCircuitOpen",
            "models.local m at h:1 has failed several times in a row, so it is left alone; it is tried again from time \
             to time (pod p2)",
        ),
        (
            vec![reports("p1", "new", vec![circuit(local(false), "half_open")])],
            "False/LocalCircuitOpen",
            "models.local m at h:1 has failed several times in a row, so it is left alone; it is tried again from time \
             to time: cannot be reached: no (pod p1)",
        ),
    ]);
}
