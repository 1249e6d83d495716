use crds::Document;
use serde_json::json;

use super::*;
use crate::controller::policy::Policy;

fn policy(more: &str) -> RoutingPolicy {
    let spec = format!("upstream: {{url: \"http://a\"}}\nmodels: {{local: {{name: l}}, claude: {{name: c}}}}\n{more}");
    RoutingPolicy::new("edge", serde_saphyr::from_str(&spec).expect(more))
}

const WITH_PROMPT: &str = "skills: [{name: debug, stages: [{system: {configMapKeyRef: {name: p, key: k}}, user: u}]}]";

fn texts(text: Result<&str, &str>) -> Texts {
    let reference = serde_json::from_value(json!({"name": "p", "key": "k"})).expect("a reference");
    [(reference, text.map(Into::into).map_err(Into::into))].into()
}

#[test]
fn texts_are_filled_in_and_change_the_hash() {
    let hash = |text: &str| validate(&policy(WITH_PROMPT), &[], &texts(Ok(text)), &[]).expect("valid").rendered.hash;
    assert_ne!(hash("brief"), hash("thorough"));
    let valid = validate(&policy(WITH_PROMPT), &[], &texts(Ok("brief")), &[]).expect("valid");
    assert_eq!(valid.table.skills["debug"].stages[0].system.as_ref(), "brief");
    assert!(valid.rendered.text.contains("brief") && !valid.rendered.text.contains("configMapKeyRef"));
}

#[test]
fn a_reference_without_a_text_is_reported_once_and_as_a_reference() {
    let invalid =
        validate(&policy(WITH_PROMPT), &[], &texts(Err("there is no such ConfigMap")), &[]).expect_err("invalid");
    let message = "spec.skills[0].stages[0].system.configMapKeyRef: p/k: there is no such ConfigMap";
    assert_eq!((invalid.reason, invalid.message.as_str()), (Reason::Invalid, message));
    assert_eq!(invalid.references.as_deref(), Some(message));
}

#[test]
fn other_errors_are_not_reported_as_references_and_long_messages_are_cut() {
    let invalid = validate(&policy("limits: {inFlight: 0}"), &[], &Texts::new(), &[]).expect_err("invalid");
    assert_eq!(invalid.message, "spec.limits.inFlight: 0: must be from 1 to 10000");
    assert_eq!(invalid.references, None);
    let names: Vec<String> = (0..60).map(|i| format!("{{name: \"BAD NAME {i}\"}}")).collect();
    let invalid =
        validate(&policy(&format!("skills: [{}]", names.join(", "))), &[], &Texts::new(), &[]).expect_err("invalid");
    assert_eq!(invalid.message.chars().count(), MESSAGE_MAX + 1);
}

#[test]
fn fields_of_a_newer_version_are_reported_and_reach_the_pods() {
    let raw = json!({"apiVersion": "routing.hyperguild.io/v1alpha1", "kind": "RoutingPolicy", "metadata": {"name": "edge"},
        "spec": {"upstream": {"url": "http://a"}, "models": {"local": {"name": "l"}, "claude": {"name": "c"}},
            "evidence": {"newer": "1"}, "alsoNewer": [1]}});
    let newer = Policy::parse(&raw.to_string());
    let policy = newer.read.as_ref().expect("read");
    let valid = validate(policy, &newer.unknown, &Texts::new(), &[]).expect("valid");
    let fields = ["spec.evidence.newer", "spec.alsoNewer"];
    assert_eq!(valid.unknown_fields, fields);
    // A pod of the operator's version runs the same config and reports the same fields.
    let read = Document::parse(&valid.rendered.text).expect("a document");
    assert_eq!((read.hash, read.unknown_fields), (valid.rendered.hash.clone(), fields.map(String::from).to_vec()));
    let known = validate(policy, &[], &Texts::new(), &[]).expect("valid");
    assert_ne!(known.rendered.hash, valid.rendered.hash, "a change of such a field reaches the pods");
}

#[test]
fn what_the_operators_settings_do_not_allow_is_reported_with_the_other_errors() {
    let not_allowed = [FieldError::new("spec.dataPlane.image", "x", "is not allowed")];
    let refused = |more| validate(&policy(more), &[], &Texts::new(), &not_allowed).expect_err("refused").message;
    assert_eq!(refused(""), "spec.dataPlane.image: x: is not allowed");
    let both = refused("limits: {inFlight: 0}");
    assert_eq!(both, "spec.dataPlane.image: x: is not allowed; spec.limits.inFlight: 0: must be from 1 to 10000");
}
