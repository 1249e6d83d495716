//! What a policy's status says about its pods. Real data planes run behind the Pod objects.

use std::{net::Ipv4Addr, time::Duration};

use crds::policy::{RouteStatus, RoutingPolicyStatus, SkillStatus};
use serde_json::{Value, json};
use tests::{
    get_json,
    mcp::Mcp,
    operator::Operator,
    policies::{Policies, condition, spec},
    program::Program,
    stand_in::{brain::Brain, kubelet::NO_SUCH_IMAGE},
    waiting,
};

#[tokio::test]
async fn a_change_is_ready_when_every_replica_runs_it_without_a_restart() {
    let (policies, kubelet) = Policies::operated_with_pods("pods-change").await;
    policies.apply("edge", &spec(json!({"dataPlane": {"replicas": 3}})));
    let first = policies.wait_until_ready("edge").await;
    assert_eq!(first.replicas.map(|r| (r.desired, r.current, r.ready, r.programmed)), Some((3, 3, 3, 3)));
    let pods_before = kubelet.addresses();

    policies
        .apply("edge", &spec(json!({"dataPlane": {"replicas": 3}, "thresholds": {"floor": "0.95", "ceil": "0.80"}})));
    let changed = policies.wait_for("edge", "the change on all replicas", |status| {
        status.config_hash != first.config_hash
            && condition(status, "Ready").is_some_and(|ready| ready.status == "True")
    });
    let changed = changed.await;
    assert_eq!(changed.replicas.map(|r| r.programmed), Some(3));
    assert_eq!(kubelet.addresses(), pods_before, "the pods are the same ones");
    for address in kubelet.addresses().values() {
        let status = get_json(format!("http://{address}:3211/status")).await;
        assert_eq!(status["configHash"].as_str(), changed.config_hash.as_deref());
    }
    // The config that all of them run is kept for a pod that refuses a newer one.
    policies.wait_for_last_good("edge").await;
}

#[tokio::test]
async fn the_status_shows_where_the_calls_of_a_skill_go() {
    let (policies, kubelet) = Policies::operated_with_pods("pods-skills").await;
    let brain = Program::brain().start().await;
    for (skill, passes, fails) in [("code_review", 20, 1), ("debug", 2, 3), ("trainer", 4, 1)] {
        for i in 0..passes + fails {
            let outcome = if i < passes { "pass" } else { "fail" };
            let arguments = json!({"session_id": "s", "skill": skill, "phase": "outcome", "final_status": outcome,
                "message": "", "duration_ms": 0, "project_root": ""});
            assert!(!brain.mcp().result("session_log", arguments).await.is_error());
        }
    }
    policies.apply("edge", &spec(json!({"brain": {"url": brain.base_url()}})));
    let status = policies.wait_for("edge", "the skills", |status| status.skills.len() == 4).await;
    let skills = serde_json::to_value(&status.skills).expect("JSON");
    let expected = json!([
        {"name": "code_review", "passRate": "0.95", "interval": {"low": "0.77", "high": "0.99"}, "samples": 21,
            "claudeSamples": 0, "route": "Local", "reason": "at_or_above_floor",
            "message": "0.95 of 21 is at or above 0.90"},
        {"name": "debug", "passRate": "0.40", "interval": {"low": "0.12", "high": "0.77"}, "samples": 5,
            "claudeSamples": 0, "route": "Claude", "reason": "below_ceil", "message": "0.40 of 5 is below 0.70",
            "locked": true},
        {"name": "retrospective", "samples": 0, "claudeSamples": 0, "route": "Local", "reason": "no_pass_rate",
            "message": "no outcomes are known"},
        {"name": "trainer", "passRate": "0.80", "interval": {"low": "0.38", "high": "0.96"}, "samples": 5,
            "claudeSamples": 0, "route": "Split", "reason": "split",
            "message": "0.80 of 5 is below 0.90, but not below 0.70"},
    ]);
    assert_eq!(skills, expected);
    let described = policies.kubectl(&["describe", "rp", "edge"]);
    // In one form, whatever the columns are aligned to.
    let described: Vec<String> =
        described.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in ["Pass Rate: 0.40", "Route: Claude", "Message: 0.40 of 5 is below 0.70", "Type: EvidenceLocked"] {
        assert!(described.iter().any(|described| described == line), "{line}\n{described:#?}");
    }
    drop(kubelet);
}

#[tokio::test]
async fn a_skill_whose_route_changes_is_told_by_events_and_one_that_is_locked_by_a_condition() {
    let (policies, kubelet) = Policies::operated_with_pods("pods-routes").await;
    let (good, bad, claude) = ((39, 2), (28, 13), (20, 2));
    let brain = Brain::start(Brain::of_models(good, claude)).await;
    let skills = json!([{"name": "debug"}, {"name": "trainer", "route": "Local"}]);
    let exploring = |exploration: Value| {
        let evidence = json!({"ttl": "1s", "exploration": exploration});
        spec(json!({"brain": {"url": brain.url()}, "evidence": evidence, "skills": skills}))
    };
    let routed = |route: RouteStatus| {
        let is_debug = move |skill: &SkillStatus| skill.name == "debug" && skill.route == route;
        move |status: &RoutingPolicyStatus| status.skills.iter().any(is_debug)
    };
    let locked = |status: &RoutingPolicyStatus| condition(status, "EvidenceLocked").cloned();
    policies.apply("edge", &exploring(json!({"mode": "Off"})));
    let first = policies.wait_for("edge", "calls stay local", routed(RouteStatus::Local)).await;
    assert_eq!((locked(&first), policies.events("RouteChanged")), (None, vec![]), "a first route is no change");

    brain.answer(Brain::of_models(bad, claude));
    let worse = policies.wait_for("edge", "calls go to Claude", routed(RouteStatus::Claude)).await;
    let debug = serde_json::to_value(worse.skills.iter().find(|skill| skill.name == "debug")).expect("JSON");
    let expected = json!({"name": "debug", "passRate": "0.68", "interval": {"low": "0.53", "high": "0.80"},
        "samples": 41, "coverage": "0.50", "claudePassRate": "0.91", "claudeSamples": 22, "route": "Claude",
        "reason": "below_ceil", "message": "0.68 of 41 is below 0.70", "locked": true});
    assert_eq!(debug, expected);
    let message = locked(&worse).expect("shown with the route").message;
    assert!(message.contains("comes in any more: debug; to change that, set spec.evidence.exploration"), "{message}");
    assert!(worse.is_true("Ready"), "nothing else depends on it");

    policies.apply("edge", &exploring(json!({"mode": "Shadow", "share": "0.1"})));
    policies.wait_for("edge", "the lock to go", |status| status.is_true("Ready") && locked(status).is_none()).await;
    brain.answer(Brain::of_models(good, claude));
    policies.wait_for("edge", "calls come back", routed(RouteStatus::Local)).await;
    let changes =
        ["debug: Local → Claude: 0.68 of 41 is below 0.70", "debug: Claude → Local: 0.95 of 41 is at or above 0.90"];
    // Events are published after the status.
    waiting::until_true("the events", || async { policies.events("RouteChanged").len() >= changes.len() }).await;
    assert_eq!(policies.events("RouteChanged"), changes);
    assert_eq!(policies.events("NoLocalOutcomes"), [message]);
    drop(kubelet);
}

#[tokio::test]
async fn a_changed_reference_to_a_missing_secret_keeps_the_running_config() {
    let (policies, kubelet) = Policies::operated_with_pods("pods-reference").await;
    let token = |key: &str| {
        let tokens = json!([{"name": "alice", "secretRef": {"name": "keys", "key": key}}]);
        spec(json!({"access": {"tokens": tokens}}))
    };
    policies.kubectl(&["create", "secret", "generic", "keys", "--from-literal=FIRST=canary-first"]);
    policies.apply("edge", &token("FIRST"));
    policies.wait_until_ready("edge").await;
    let (old, address) = kubelet.addresses().into_iter().next().expect("a pod");
    let opens = |address: Ipv4Addr, token: &'static str| async move {
        let mcp = Mcp::new(&format!("http://{address}:3210/mcp")).token(token);
        mcp.send("tools/list", json!({})).await.status().as_u16()
    };
    policies.apply("edge", &token("SECOND"));
    let missing = policies.wait_for_condition("edge", "ResolvedRefs", "False", "SecretMissing").await;
    assert!(missing.message.starts_with("Secret keys, key SECOND: "), "{}", missing.message);
    assert!(!missing.message.contains(&old), "the new pod lacks it: {}", missing.message);
    let awaited = get_json(format!("http://{address}:3211/status")).await["awaitedSecrets"].clone();
    assert_eq!((&awaited[0]["name"], &awaited[0]["key"]), (&json!("keys"), &json!("SECOND")));
    assert_eq!(opens(address, "canary-first").await, 200, "the old pod keeps the config that it has");
    let conditions = policies.object("Pod", &old).await.expect("the old pod")["status"]["conditions"].clone();
    let ready = |condition: &Value| condition["type"] == json!("Ready") && condition["status"] == json!("True");
    assert!(conditions.as_array().is_some_and(|all| all.iter().any(ready)), "{conditions}");

    let data = json!({"stringData": {"SECOND": "canary-second"}}).to_string();
    policies.kubectl(&["patch", "secret", "keys", "--patch", &data]);
    policies.wait_until_ready("edge").await;
    let (new, address) = kubelet.addresses().into_iter().next().expect("a pod");
    assert_ne!(new, old);
    assert_eq!(opens(address, "canary-second").await, 200);
    assert_eq!(opens(address, "canary-first").await, 401);
}

#[tokio::test]
async fn a_missing_secret_is_named_by_the_pod_that_lacks_it_and_found_once_it_exists() {
    let (policies, kubelet) = Policies::operated_with_pods("pods-secret").await;
    let tokens = json!([{"name": "alice", "secretRef": {"name": "routing-secrets", "key": "TOKEN"}}]);
    policies.apply("edge", &spec(json!({"access": {"tokens": tokens}})));
    let missing = policies.wait_for_condition("edge", "ResolvedRefs", "False", "SecretMissing").await;
    let expected =
        "Secret routing-secrets, key TOKEN: the Secret does not exist, or does not have this key; create it (pod";
    assert!(missing.message.starts_with(expected), "nothing about variables: {}", missing.message);
    let status = policies.get("edge").await.status.expect("a status");
    assert_eq!(condition(&status, "Programmed").map(|c| c.status.as_str()), Some("True"), "it runs the config");
    assert_eq!(condition(&status, "Ready").map(|c| c.reason.as_str()), Some("SecretMissing"));
    assert!(condition(&status, "Insecure").is_none(), "a token is required");

    policies.kubectl(&["create", "secret", "generic", "routing-secrets", "--from-literal=TOKEN=canary-token"]);
    // The stand-in reads files only when a pod's annotations change: the pod is notified again and again meanwhile.
    policies.wait_until_ready("edge").await;
    // The annotation spares its owner the wait for the next time.
    policies.kubectl(&["annotate", "rp", "edge", "routing.hyperguild.io/requestedAt=now"]);
    let notified = |pod: Value| pod["metadata"]["annotations"]["routing.hyperguild.io/requestedAt"] == json!("now");
    waiting::until_true("the pod to have the policy's annotation", || async {
        let pod = kubelet.addresses().into_keys().next().expect("a pod");
        notified(policies.object("Pod", &pod).await.expect("the pod"))
    })
    .await;
    let (_, address) = kubelet.addresses().into_iter().next().expect("a pod");

    // The same for a rotated one.
    policies.kubectl(&["delete", "secret", "routing-secrets"]);
    policies.kubectl(&["create", "secret", "generic", "routing-secrets", "--from-literal=TOKEN=canary-rotated"]);
    policies.kubectl(&["annotate", "rp", "edge", "routing.hyperguild.io/requestedAt=later", "--overwrite"]);
    let mcp = tests::mcp::Mcp::new(&format!("http://{address}:3210/mcp")).token("canary-rotated");
    waiting::until_true("the rotated token to open the endpoint", || async {
        mcp.send("tools/list", json!({})).await.status().is_success()
    })
    .await;
    let everything = policies.kubectl(&["get", "rp,events,configmaps,deployments,pods", "--output", "json"]);
    let log = Operator::shared().await.log();
    assert!(!everything.contains("canary-") && !log.contains("canary-"), "no secret is shown");
}

#[tokio::test]
async fn a_pod_that_does_not_answer_is_named_and_the_others_are_counted() {
    let (policies, kubelet) = Policies::operated_with_pods("pods-cut-off").await;
    policies.apply("edge", &spec(json!({"dataPlane": {"replicas": 2}})));
    policies.wait_until_ready("edge").await;
    let pod = kubelet.addresses().into_keys().next().expect("a pod");
    kubelet.cut_off(&pod);
    policies.apply("edge", &spec(json!({"dataPlane": {"replicas": 2}, "limits": {"inFlight": 7}})));
    let unreachable = policies.wait_for_condition("edge", "Programmed", "Unknown", "PodUnreachable").await;
    assert!(unreachable.message.contains(&pod), "{}", unreachable.message);
    let status = policies.wait_for("edge", "the other pod", |s| s.replicas.is_some_and(|r| r.programmed == 1)).await;
    assert_eq!(
        condition(&status, "Ready").map(|c| (c.status.as_str(), c.reason.as_str())),
        Some(("Unknown", "PodUnreachable"))
    );
    assert_eq!(condition(&status, "Reconciling").map(|c| c.status.as_str()), Some("True"));
    assert!(condition(&status, "Stalled").is_none());
}

#[tokio::test]
async fn a_pod_that_refuses_the_config_is_named_with_its_reason_and_runs_the_last_good_one() {
    let (policies, kubelet) = Policies::operated_with_pods("pods-refuse").await;
    policies.apply("edge", &spec(json!({})));
    let before = policies.wait_until_ready("edge").await;
    // As the config of a newer operator may be for an older pod.
    kubelet.spoil_policy(Some("not a policy"));
    policies.apply("edge", &spec(json!({"limits": {"inFlight": 9}})));
    let refused = policies.wait_for_condition("edge", "Programmed", "False", "ConfigRefused").await;
    let pod = kubelet.addresses().into_keys().next().expect("a pod");
    assert!(refused.message.contains(&pod) && refused.message.contains("policy.yaml"), "{}", refused.message);
    let address = kubelet.addresses()[&pod];
    let running = get_json(format!("http://{address}:3211/status")).await;
    assert_eq!(running["configHash"].as_str(), before.config_hash.as_deref(), "it continues as before");

    // A pod that starts runs the last good config, and says so.
    policies.kubectl(&["delete", "pod", &pod]);
    let old = pod.clone();
    let fresh =
        waiting::until("a new pod", || async { kubelet.addresses().into_iter().find(|(name, _)| *name != old) }).await;
    let running: Value = waiting::until("the new pod's status", || async {
        let answer = tests::http().get(format!("http://{}:3211/status", fresh.1)).send().await.ok()?;
        answer.json().await.ok()
    })
    .await;
    assert_eq!(running["origin"], json!("last_good"));
    assert_eq!(running["configHash"].as_str(), before.config_hash.as_deref());
    policies.wait_for_condition("edge", "Programmed", "False", "ConfigRefused").await;

    kubelet.spoil_policy(None);
    // It is notified again and again until it runs the config.
    policies.wait_until_ready("edge").await;
}

#[tokio::test]
async fn the_status_says_why_pods_cannot_run() {
    let (policies, _kubelet) = Policies::operated_with_pods("pods-waiting").await;
    policies.apply("image", &spec(json!({"dataPlane": {"image": format!("{NO_SUCH_IMAGE}:1")}})));
    policies.apply("node", &spec(json!({"dataPlane": {"nodeSelector": {"disk": "none"}}})));
    let image = policies.wait_for_condition("image", "Programmed", "False", "PodNotRunning").await;
    assert!(image.message.ends_with(": ErrImagePull: the registry has no such image"), "{}", image.message);
    let node = policies.wait_for_condition("node", "Programmed", "False", "PodNotRunning").await;
    assert!(node.message.contains("Unschedulable: 0/1 nodes are available"), "{}", node.message);
    let ready = policies.wait_for_condition("node", "Ready", "False", "PodNotRunning").await;
    assert_eq!(ready.message, node.message);
}

#[tokio::test]
async fn a_broken_image_keeps_the_running_pods() {
    let (policies, kubelet) = Policies::operated_with_pods("pods-rollout").await;
    policies.apply("edge", &spec(json!({"dataPlane": {"replicas": 2}})));
    policies.wait_until_ready("edge").await;
    let pods = kubelet.addresses();
    let broken = json!({"replicas": 2, "image": format!("{NO_SUCH_IMAGE}:2")});
    policies.apply("edge", &spec(json!({"dataPlane": broken})));
    policies.wait_for_condition("edge", "Ready", "False", "PodNotRunning").await;
    for (pod, address) in &pods {
        let answer = tests::http().get(format!("http://{address}:3211/readyz")).send().await;
        assert!(answer.is_ok_and(|answer| answer.status().is_success()), "{pod} still serves");
    }
    policies.apply("edge", &spec(json!({"dataPlane": {"replicas": 2}})));
    policies.wait_until_ready("edge").await;
    assert_eq!(kubelet.addresses(), pods);
}

#[tokio::test]
async fn scaling_goes_through_the_policy_and_changes_no_config() {
    let (policies, kubelet) = Policies::operated_with_pods("pods-scale").await;
    policies.apply("edge", &spec(json!({})));
    let one = policies.wait_until_ready("edge").await;
    policies.kubectl(&["scale", "rp/edge", "--replicas=3"]);
    let three = policies.wait_for("edge", "three replicas", |status| {
        status.replicas.is_some_and(|r| r.programmed == 3)
            && condition(status, "Ready").is_some_and(|c| c.status == "True")
    });
    let three = three.await;
    assert_eq!(three.config_hash, one.config_hash);
    let scale: Value =
        serde_json::from_str(&policies.kubectl(&["get", "rp", "edge", "--subresource=scale", "--output=json"]))
            .expect("JSON");
    assert_eq!((&scale["spec"]["replicas"], &scale["status"]["replicas"]), (&json!(3), &json!(3)));
    assert_eq!(scale["status"]["selector"], json!("app.kubernetes.io/name=routing,app.kubernetes.io/instance=edge"));
    assert!(policies.object("PodDisruptionBudget", "edge").await.is_some());
    // The operator owns the Deployment's replicas: scaling it by hand is undone.
    policies.kubectl(&["scale", "deployment/edge", "--replicas=1"]);
    waiting::until_true("the Deployment to be scaled back", || async {
        let deployment = policies.object("Deployment", "edge").await.expect("the Deployment");
        deployment["spec"]["replicas"] == json!(3)
    })
    .await;
    policies.kubectl(&["scale", "rp/edge", "--replicas=0"]);
    policies.wait_for_condition("edge", "Ready", "True", "ScaledToZero").await;
    assert!(policies.object("PodDisruptionBudget", "edge").await.is_none(), "with no pods it would only be in the way");
    // Terminating pods are not counted any more, and end a moment later.
    waiting::until_true("the last pod to end", || async { kubelet.addresses().is_empty() }).await;
}

#[tokio::test]
async fn a_suspended_policy_and_its_children_are_left_alone() {
    let (policies, kubelet) = Policies::operated_with_pods("pods-suspended").await;
    policies.apply("edge", &spec(json!({})));
    let before = policies.wait_until_ready("edge").await;
    policies.apply("edge", &spec(json!({"suspend": true, "limits": {"inFlight": 3}})));
    policies.kubectl(&["delete", "service", "edge"]);
    // Until another policy is ready, the operator would have reconciled this one, too.
    policies.apply("other", &spec(json!({})));
    policies.wait_until_ready("other").await;
    assert!(policies.object("Service", "edge").await.is_none());
    assert_eq!(policies.get("edge").await.status.as_ref(), Some(&before));
    policies.apply("edge", &spec(json!({"limits": {"inFlight": 3}})));
    let after = policies.wait_for("edge", "the change", |status| {
        status.config_hash != before.config_hash && condition(status, "Ready").is_some_and(|c| c.status == "True")
    });
    after.await;
    assert!(policies.object("Service", "edge").await.is_some());
    drop(kubelet);
}

#[tokio::test]
async fn pods_are_notified_of_a_change_within_seconds() {
    let (policies, kubelet) = Policies::operated_with_pods("pods-notified").await;
    policies.apply("edge", &spec(json!({})));
    let mut hash = policies.wait_until_ready("edge").await.config_hash;
    // The stand-in reads files only when a pod's annotations change, so each of these shows that it was notified.
    let mut times = vec![];
    for in_flight in 1..=10 {
        let began = std::time::Instant::now();
        policies.apply("edge", &spec(json!({"limits": {"inFlight": in_flight}})));
        let changed = policies.wait_for("edge", "the change", |status| {
            status.config_hash != hash && condition(status, "Ready").is_some_and(|c| c.status == "True")
        });
        hash = changed.await.config_hash;
        times.push(began.elapsed());
    }
    times.sort();
    println!("from kubectl apply to Ready, 10 changes: median {:?}, longest {:?}", times[5], times[9]);
    assert!(times[9] < Duration::from_secs(60), "none waited for the kubelet's periodic refresh");
    drop(kubelet);
}
