//! What is reported of a brain that the operator runs.

use super::*;

/// A brain's workload with this many ready pods.
fn with_brain(kind: ChildKind, ready: u32) -> Applied {
    let mut applied = rolled_out(1);
    let object = |body: Value| serde_json::from_value::<DynamicObject>(body).expect("an object");
    let workload = object(json!({"metadata": {}, "status": {"readyReplicas": ready}}));
    applied.objects.insert(ChildKey::new(kind, "edge-brain"), workload);
    let service = object(json!({"metadata": {}, "spec": {"ports": [{"port": 3300, "nodePort": 30330}]}}));
    applied.objects.insert(ChildKey::new(ChildKind::Service, "edge-brain"), service);
    applied
}

#[test]
fn a_managed_brain_is_reported_and_nothing_depends_on_it() {
    let managed = |more: &str| policy(&format!("brain: {{managed: {{tokenSecretRef: {{name: s, key: K}}{more}}}}}"));
    let postgres = ", replicas: 2, databaseURLSecretRef: {name: d, key: U}";
    let waiting = PodView {
        name: "edge-brain-0".into(),
        waiting: Some("CreateContainerConfigError: secret \"s\" not found".into()),
        ..PodView::default()
    };
    let none = rolled_out(1);
    let (one, set) = (with_brain(ChildKind::Deployment, 1), |ready| with_brain(ChildKind::StatefulSet, ready));
    for (more, applied, pods, expected, message) in [
        ("", &none, vec![], "False/Progressing", "the brain has not been created yet"),
        ("", &set(0), vec![], "False/Progressing", "0 of 1 pods of the brain are ready"),
        (
            "",
            &set(0),
            vec![waiting],
            "False/PodNotRunning",
            "0 of 1 pods of the brain are ready; pod edge-brain-0: CreateContainerConfigError: secret \"s\" not found",
        ),
        ("", &set(1), vec![], "True/BrainReady", "1 of 1 pods of the brain are ready"),
        (
            ", replicas: 0",
            &set(0),
            vec![],
            "False/ScaledToZero",
            "the brain is scaled to zero: it takes no outcomes and gives no pass rates",
        ),
        (postgres, &one, vec![], "False/Progressing", "1 of 2 pods of the brain are ready"),
    ] {
        let policy = managed(more);
        let valid = validate(&policy, &[], &Texts::new(), &[]).map(|valid| valid.accepted());
        let observed = Observed {
            policy: &policy,
            valid: valid.as_ref(),
            applied,
            target: Some("new"),
            pods: &[running("p1")],
            brain_pods: &pods,
            skills_are_due: true,
            now: NOW.parse().expect("a time"),
        };
        let status = status(&observed);
        let found = status.condition(condition::BRAIN_READY).expect("with a managed brain");
        assert_eq!((format!("{}/{}", found.status, found.reason), found.message.as_str()), (expected.into(), message));
        assert!(status.is_true(condition::READY), "{more}");
        assert!(status.condition(condition::RECONCILING).is_none(), "{more}");
    }
    let shown = status_of(&managed(", nodePort: 30330"), &set(1), &[]).brain.expect("a brain");
    assert_eq!(
        serde_json::to_value(shown).expect("JSON"),
        json!({"url": "http://edge-brain.house.svc:3300", "nodePort": 30330, "replicas": 1, "ready": 1,
            "claim": "data-edge-brain-0"})
    );
    let shown = status_of(&managed(postgres), &one, &[]).brain.expect("a brain");
    assert_eq!((shown.replicas, shown.ready, shown.claim), (2, 1, None));
    let elsewhere = status_of(&policy("brain: {url: \"http://b\"}"), &set(1), &[]);
    assert_eq!((elsewhere.brain.is_none(), elsewhere.condition(condition::BRAIN_READY)), (true, None));
}
