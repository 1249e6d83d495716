use std::collections::BTreeMap;

use crds::policy::{Reason, condition};
use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::*;
use crate::controller::{
    apply::refusal::Problem,
    child::{ChildKey, ChildKind},
    dereference::Texts,
    pods::PodReport,
    validate::validate,
};

mod managed;
mod models;

const NOW: &str = "2026-01-02T03:04:05Z";

fn policy(more: &str) -> RoutingPolicy {
    let spec = format!("upstream: {{url: \"http://a\"}}\nmodels: {{local: {{name: l}}, claude: {{name: c}}}}\n{more}");
    let mut policy = RoutingPolicy::new("edge", serde_saphyr::from_str(&spec).expect(more));
    policy.metadata.namespace = Some("house".into());
    policy.metadata.generation = Some(7);
    policy
}

fn pod(name: &str, answer: Result<Value, &str>) -> PodView {
    let report = match answer {
        Ok(status) => PodReport::Says(serde_json::from_value(status).expect("a status")),
        Err(why) => PodReport::Unreachable(why.into()),
    };
    PodView { name: name.into(), ready: true, report, ..PodView::default() }
}

fn running(name: &str) -> PodView {
    pod(name, Ok(json!({"configHash": "new"})))
}

/// The children: a Deployment with this many pods, all of them available.
fn rolled_out(replicas: i32) -> Applied {
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"generation": 1}, "spec": {"replicas": replicas, "selector": {}, "template": {}}, "status": {"observedGeneration": 1, "updatedReplicas": replicas, "replicas": replicas, "availableReplicas": replicas}});
    let deployment: DynamicObject = serde_json::from_value(deployment).expect("an object");
    Applied {
        objects: BTreeMap::from([(ChildKey::new(ChildKind::Deployment, "edge"), deployment)]),
        ..Applied::default()
    }
}

fn status_of(policy: &RoutingPolicy, applied: &Applied, pods: &[PodView]) -> RoutingPolicyStatus {
    let valid = validate(policy, &[], &Texts::new(), &[]).map(|valid| valid.accepted());
    let observed = Observed {
        policy,
        valid: valid.as_ref(),
        applied,
        target: Some("new"),
        pods,
        brain_pods: &[],
        skills_are_due: true,
        now: NOW.parse().expect("a time"),
    };
    let status = super::status(&observed);
    let slim =
        Applied { problems: applied.problems.clone(), objects: applied.objects.clone(), ..Applied::default() }.slim();
    assert_eq!(super::status(&Observed { applied: &slim, ..observed }), status, "what is kept is enough");
    status
}

/// Conditions as `Type=Status/Reason`, and Ready's message.
fn said(status: &RoutingPolicyStatus) -> (String, String) {
    let others = [condition::INSECURE, condition::UPSTREAM_REACHABLE];
    let conditions = status.conditions.iter().filter(|c| !others.contains(&c.type_.as_str()));
    let all: Vec<String> = conditions.map(|c| format!("{}={}/{}", c.type_, c.status, c.reason)).collect();
    let ready = status.condition(condition::READY).map(|c| c.message.clone());
    (all.join(" "), ready.unwrap_or_default())
}

#[test]
fn each_observation_gives_its_chain_of_conditions() {
    let two = "dataPlane: {replicas: 2}";
    let secret = "access: {tokens: [{name: a, secretRef: {name: s, key: K}}]}";
    let problem = |reason| Applied {
        problems: vec![Problem { key: ChildKey::new(ChildKind::Service, "edge"), reason, message: "why".into() }],
        ..rolled_out(1)
    };
    let failed = {
        let mut applied = rolled_out(1);
        let object = applied.objects.values_mut().next().expect("the Deployment");
        object.data["status"]["conditions"] =
            json!([{"type": "ReplicaFailure", "status": "True", "message": "forbidden: exceeded quota: few"}]);
        applied
    };
    let other = || pod("p1", Ok(json!({"configHash": "old"})));
    let refusing = || pod("p1", Ok(json!({"configHash": "old", "refused": {"reason": "policy.yaml: no"}})));
    let misses = || {
        pod(
            "p1",
            Ok(json!({"configHash": "new", "missingSecrets": [{"name": "s", "key": "K", "reason": "not found"}]})),
        )
    };
    let pulling = || PodView { name: "p2".into(), waiting: Some("ErrImagePull: no".into()), ..PodView::default() };
    let accepted = "Accepted=True/Accepted ResolvedRefs=True/ResolvedRefs ";
    let rows: Vec<(&str, Applied, Vec<PodView>, String, &str)> = vec![
        (two, rolled_out(2), vec![running("p1"), running("p2")], format!("{accepted}Programmed=True/Programmed Ready=True/Ready"), "2 of 2 pods are serving config new"),
        (two, rolled_out(2), vec![running("p1")], format!("{accepted}Programmed=False/Progressing Ready=False/Progressing Reconciling=True/Progressing"), "1 of 2 pods run config new"),
        (two, rolled_out(2), vec![other(), running("p2")], format!("{accepted}Programmed=False/ConfigPending Ready=False/ConfigPending Reconciling=True/ConfigPending"), "1 of 2 pods run config new"),
        (two, rolled_out(2), vec![refusing(), running("p2")], format!("{accepted}Programmed=False/ConfigRefused Ready=False/ConfigRefused Reconciling=True/ConfigRefused"), "pod p1 refuses the config: policy.yaml: no"),
        (two, rolled_out(2), vec![running("p1"), pod("p2", Err("no route"))], format!("{accepted}Programmed=Unknown/PodUnreachable Ready=Unknown/PodUnreachable Reconciling=True/PodUnreachable"), "pod p2 does not answer: no route"),
        (two, rolled_out(2), vec![running("p1"), pulling()], format!("{accepted}Programmed=False/PodNotRunning Ready=False/PodNotRunning Reconciling=True/PodNotRunning"), "pod p2: ErrImagePull: no"),
        ("", failed, vec![], format!("{accepted}Programmed=False/QuotaExceeded Ready=False/QuotaExceeded Stalled=True/QuotaExceeded"), "forbidden: exceeded quota: few"),
        ("", problem(Reason::NotOwned), vec![running("p1")], format!("{accepted}Programmed=False/NotOwned Ready=False/NotOwned Stalled=True/NotOwned"), "why"),
        ("", problem(Reason::PreviousPolicy), vec![], format!("{accepted}Programmed=False/PreviousPolicy Ready=False/PreviousPolicy Reconciling=True/PreviousPolicy"), "why"),
        ("dataPlane: {replicas: 0}", rolled_out(0), vec![], format!("{accepted}Programmed=True/ScaledToZero Ready=True/ScaledToZero"), "scaled to zero: nothing is served"),
        (secret, rolled_out(1), vec![misses()], "Accepted=True/Accepted ResolvedRefs=False/SecretMissing Programmed=True/Programmed Ready=False/SecretMissing Reconciling=True/SecretMissing".into(), "Secret s, key K: not found (pod p1)"),
        (secret, rolled_out(1), vec![], "Accepted=True/Accepted ResolvedRefs=Unknown/NoPodAsked Programmed=False/Progressing Ready=False/Progressing Reconciling=True/Progressing".into(), "0 of 1 pods run config new"),
        (secret, problem(Reason::NodePortTaken), vec![], "Accepted=True/Accepted ResolvedRefs=Unknown/NoPodAsked Programmed=False/NodePortTaken Ready=False/NodePortTaken Stalled=True/NodePortTaken".into(), "why"),
        ("limits: {inFlight: 0}", rolled_out(1), vec![running("p1")], "Accepted=False/Invalid ResolvedRefs=True/ResolvedRefs Programmed=False/NotAccepted Ready=False/Invalid Stalled=True/Invalid".into(), "spec.limits.inFlight: 0: must be from 1 to 10000"),
    ];
    for (more, applied, pods, expected, message) in rows {
        let status = status_of(&policy(more), &applied, &pods);
        assert_eq!(said(&status), (expected, message.to_string()), "{more}");
        assert!(status.conditions.iter().all(|c| c.observed_generation == Some(7)));
        assert!(status.conditions.iter().all(|c| c.reason.parse::<Reason>().is_ok()), "every reason is known");
    }
}

#[test]
fn a_condition_is_dated_when_its_status_changes_and_not_before() {
    let mut policy = policy("");
    let first = status_of(&policy, &rolled_out(1), &[running("p1")]);
    policy.status = Some(first.clone());
    let valid = validate(&policy, &[], &Texts::new(), &[]).map(|valid| valid.accepted());
    let applied = rolled_out(1);
    let pods = [running("p1")];
    let later = "2026-05-05T05:05:05.123Z".parse().expect("a time");
    let observed = Observed {
        policy: &policy,
        valid: valid.as_ref(),
        applied: &applied,
        target: Some("new"),
        pods: &pods,
        brain_pods: &[],
        skills_are_due: true,
        now: later,
    };
    assert_eq!(status(&observed), first, "nothing changed: nothing to write");
    let gone = Observed { pods: &[], ..observed };
    let ready = status(&gone).condition(condition::READY).cloned().expect("always present");
    assert_eq!(ready.last_transition_time.0.to_string(), "2026-05-05T05:05:05Z");
}

#[test]
fn a_policy_without_tokens_is_insecure() {
    let insecure = |more: &str| status_of(&policy(more), &rolled_out(1), &[running("p1")]).is_true(condition::INSECURE);
    assert!(insecure(""));
    assert!(!insecure("access: {tokens: [{name: a, secretRef: {name: s, key: K}}]}"));
}

#[test]
fn skills_are_the_most_recent_of_pods_that_run_the_config_and_stay_until_they_are_due() {
    let report = |hash: &str, rate: f64, age: u64| json!({"configHash": hash, "skills": [{"name": "debug", "passRate": rate, "samples": 5, "route": "split", "evidenceAgeMs": age}]});
    let pods = [
        pod("p1", Ok(report("new", 0.811, 900))),
        pod("p2", Ok(report("new", 0.824, 100))),
        pod("p3", Ok(report("old", 0.1, 1))),
    ];
    let mut policy = policy("");
    let first = status_of(&policy, &rolled_out(1), &pods);
    let interval = json!({"low": "0.40", "high": "0.97"});
    let expected = json!([{"name": "debug", "passRate": "0.82", "interval": interval, "samples": 5, "route": "Split"}]);
    assert_eq!(json!(first.skills), expected, "an older pod's report: what it lacks is absent");
    policy.status = Some(first.clone());
    let valid = validate(&policy, &[], &Texts::new(), &[]).map(|valid| valid.accepted());
    let applied = rolled_out(1);
    let newer = [pod("p1", Ok(report("new", 0.9, 1)))];
    let observed = Observed {
        policy: &policy,
        valid: valid.as_ref(),
        applied: &applied,
        target: Some("new"),
        pods: &newer,
        brain_pods: &[],
        skills_are_due: false,
        now: NOW.parse().expect("a time"),
    };
    assert_eq!(status(&observed).skills, first.skills);
    let renamed = json!({"configHash": "new", "skills": [{"name": "trainer", "route": "local"}, {"name": "code_review", "route": "orbital"}, {"name": "made_up", "route": "local"}]});
    let others = [pod("p1", Ok(renamed))];
    assert_eq!(
        json!(status(&Observed { pods: &others, ..observed }).skills),
        json!([{"name": "trainer", "route": "Local"}]),
        "other skills are shown at once, unknown routes not at all"
    );
}

/// A pod that reports this skill, besides its name and its age.
fn reporting(mut skill: Value) -> [PodView; 1] {
    (skill["name"], skill["evidenceAgeMs"]) = (json!("debug"), json!(1));
    [pod("p1", Ok(json!({"configHash": "new", "skills": [skill]})))]
}

/// The status after the previous one, while rates are not to be written again.
fn next(previous: &RoutingPolicyStatus, pods: &[PodView]) -> RoutingPolicyStatus {
    let policy = RoutingPolicy { status: Some(previous.clone()), ..policy("") };
    let valid = validate(&policy, &[], &Texts::new(), &[]).map(|valid| valid.accepted());
    let now = NOW.parse().expect("a time");
    let (valid, applied) = (valid.as_ref(), &rolled_out(1));
    let target = Some("new");
    status(&Observed { policy: &policy, valid, applied, target, pods, brain_pods: &[], skills_are_due: false, now })
}

#[test]
fn a_skill_is_shown_with_what_its_route_rests_on() {
    let full = json!({"route": "claude", "reason": "below_ceil", "passRate": 0.683, "samples": 41, "coverage": 0.3417,
        "claudePassRate": 0.909, "claudeSamples": 22, "floor": 0.9, "ceil": 0.7, "locked": true, "newer": [1]});
    let expected = json!({"name": "debug", "passRate": "0.68", "interval": {"low": "0.53", "high": "0.80"},
        "samples": 41, "coverage": "0.34", "claudePassRate": "0.91", "claudeSamples": 22, "route": "Claude",
        "reason": "below_ceil", "message": "0.68 of 41 is below 0.70", "locked": true});
    let hostile = json!({"route": "local", "reason": "no\nname", "passRate": 2, "samples": u64::MAX, "coverage": -1,
        "claudePassRate": 1.5, "claudeSamples": u64::MAX});
    let (most, older) = (i64::MAX, json!({"route": "split", "passRate": 0.8}));
    for (report, expected) in [
        (full, expected),
        (older, json!({"name": "debug", "passRate": "0.80", "route": "Split"})),
        (
            json!({"route": "local", "reason": "no_pass_rate", "samples": 0}),
            json!({"name": "debug", "samples": 0, "route": "Local", "reason": "no_pass_rate",
                "message": "no outcomes are known"}),
        ),
        (hostile, json!({"name": "debug", "samples": most, "claudeSamples": most, "route": "Local"})),
    ] {
        let status = status_of(&policy(""), &rolled_out(1), &reporting(report.clone()));
        assert_eq!(json!(status.skills), json!([expected]), "{report}");
    }
}

#[test]
fn a_changed_route_is_shown_at_once_and_a_changed_rate_when_it_is_due() {
    let report = |route: &str, rate: f64| reporting(json!({"route": route, "passRate": rate}));
    let first = status_of(&policy(""), &rolled_out(1), &report("local", 0.95));
    assert_eq!(next(&first, &report("local", 0.96)), first);
    let changed = next(&first, &report("claude", 0.5));
    assert_eq!(json!(changed.skills), json!([{"name": "debug", "passRate": "0.50", "route": "Claude"}]));
    assert_eq!(next(&changed, &[]).skills, changed.skills, "no pod reports: as the pods said last");
}

#[test]
fn a_skill_that_is_not_served_leaves_the_status_also_while_no_pod_reports() {
    let first = status_of(&policy(""), &rolled_out(1), &reporting(json!({"route": "local"})));
    let mut faked = first.clone();
    faked.skills[0].name = "ghost".into();
    faked.skills.extend(first.skills.clone());
    assert_eq!(next(&faked, &[]).skills, first.skills);
}

#[test]
fn skills_that_stay_with_claude_until_someone_acts_are_named_with_the_cure() {
    let report = |locked: Value| reporting(json!({"route": "claude", "passRate": 0.1, "locked": locked}));
    let told = |status: &RoutingPolicyStatus| {
        let condition = status.condition(condition::EVIDENCE_LOCKED)?;
        Some((condition.status.clone(), condition.reason.clone(), condition.message.clone()))
    };
    let message = "below ceil, and no outcome of the local model comes in any more: debug; to change that, set \
        spec.evidence.exploration to mode Live or Shadow, or begin their evidence anew with \
        `routing evidence reset SKILL`";
    let locked = Some(("True".to_string(), "NoLocalOutcomes".to_string(), message.to_string()));
    let free = status_of(&policy(""), &rolled_out(1), &report(json!(false)));
    for unlocked in [json!(false), json!(null), json!("yes")] {
        assert_eq!(told(&status_of(&policy(""), &rolled_out(1), &report(unlocked))), None, "absent while not true");
    }
    let now_locked = next(&free, &report(json!(true)));
    assert_eq!(told(&now_locked), locked, "at once");
    assert!(now_locked.is_true(condition::READY), "nothing else depends on it");
    assert_eq!(told(&next(&now_locked, &[])), locked, "while pods are replaced, it stands");
    assert_eq!(told(&next(&now_locked, &report(json!(false)))), None);
}

#[test]
fn the_endpoint_is_a_node_that_runs_a_pod_and_changes_only_when_it_must() {
    let service =
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {}, "spec": {"ports": [{"nodePort": 30310}]}});
    let mut applied = rolled_out(1);
    applied.objects.insert(
        ChildKey::new(ChildKind::Service, "edge-nodeport"),
        serde_json::from_value(service).expect("an object"),
    );
    let on = |ip: &str| PodView { host_ip: ip.parse().ok(), ..running(ip) };
    let mut policy = policy("");
    let url = |policy: &RoutingPolicy, pods: &[PodView]| status_of(policy, &applied, pods).endpoint.and_then(|e| e.url);
    assert_eq!(url(&policy, &[]), None, "no node runs a pod");
    assert_eq!(url(&policy, &[on("10.0.0.9")]).as_deref(), Some("http://10.0.0.9:30310/mcp"));
    policy.status = Some(status_of(&policy, &applied, &[on("10.0.0.9")]));
    assert_eq!(url(&policy, &[on("10.0.0.1"), on("10.0.0.9")]).as_deref(), Some("http://10.0.0.9:30310/mcp"));
    assert_eq!(url(&policy, &[on("10.0.0.1")]).as_deref(), Some("http://10.0.0.1:30310/mcp"));
    assert_eq!(url(&policy, &[on("fd00::1")]).as_deref(), Some("http://[fd00::1]:30310/mcp"));
}

#[test]
fn fields_that_the_operator_does_not_know_are_reported_and_nothing_stalls() {
    let policy = policy("");
    let mut valid = validate(&policy, &[], &Texts::new(), &[]).expect("valid").accepted();
    valid.unknown_fields = vec!["spec.evidence.newer".into()];
    let observed = Observed {
        policy: &policy,
        valid: Ok(&valid),
        applied: &rolled_out(1),
        target: Some("new"),
        pods: &[running("p1")],
        brain_pods: &[],
        skills_are_due: true,
        now: NOW.parse().expect("a time"),
    };
    let status = status(&observed);
    let accepted = status.condition(condition::ACCEPTED).expect("Accepted");
    assert_eq!((accepted.status.as_str(), accepted.reason.as_str()), ("True", "Accepted"));
    assert!(accepted.message.ends_with("does not know these fields: spec.evidence.newer"), "{accepted:?}");
    assert!(said(&status).0.contains("Ready=True/Ready"), "{status:?}");
}

#[test]
fn a_skill_that_some_clients_cannot_use_is_told_and_nothing_stalls() {
    let policy = policy("skills: [{name: debug, inputSchema: {type: object, allOf: [true]}}]");
    let status = status_of(&policy, &rolled_out(1), &[running("p1")]);
    let accepted = status.condition(condition::ACCEPTED).expect("Accepted");
    assert_eq!((accepted.status.as_str(), accepted.reason.as_str()), ("True", "Accepted"));
    let start = "the policy is valid; skill debug: inputSchema has allOf at its top level, ";
    assert!(accepted.message.starts_with(start), "{accepted:?}");
    assert!(said(&status).0.contains("Ready=True/Ready"), "{status:?}");
}

#[test]
fn savings_are_those_of_a_pod_that_runs_the_config_and_nonsense_is_left_out() {
    let policy = policy("");
    let says = |savings: Value| pod("p", Ok(json!({"configHash": "new", "savings": savings})));
    let of = |pods: &[PodView]| status_of(&policy, &rolled_out(1), pods).savings;
    let good = json!({"since": "7d", "calls": 12, "shareLocal": 0.75, "costUsd": 0.5, "savedUsd": -1.234});
    let shown = of(&[says(good.clone())]).expect("savings");
    assert_eq!(
        (shown.calls, shown.share_local.as_deref(), shown.cost_usd.as_deref(), shown.saved_usd.as_deref()),
        (12, Some("0.75"), Some("0.50"), Some("-1.23"))
    );
    assert_eq!(of(&[pod("p", Ok(json!({"configHash": "old", "savings": good})))]), None);
    let odd = of(&[says(json!({"since": "7d", "calls": 1, "shareLocal": 2, "costUsd": 1e300, "savedUsd": "x"}))]);
    assert_eq!(odd.map(|odd| (odd.share_local, odd.cost_usd, odd.saved_usd)), Some((None, None, None)));
    assert_eq!(of(&[says(json!({"since": "a".repeat(99), "calls": 1}))]), None);
}
