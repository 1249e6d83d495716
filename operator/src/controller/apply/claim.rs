//! The claim of the brain's SQLite file. Its StatefulSet creates it and nothing deletes it unasked, so it can be there
//! before the brain, and be other than the policy says: it can grow, and everything else about it is final.

use std::collections::BTreeMap;

use crds::{
    RoutingPolicy, managed,
    policy::{ManagedBrain, Quantity, Reason},
};
use kube::{ResourceExt, api::DynamicObject};
use serde_json::{Value, json};

use super::refusal::Problem;
use crate::controller::{
    build,
    child::{Child, ChildKey, ChildKind},
    labels, ownership,
};

const CLASS: &str = "/spec/storageClassName";
const SIZE: &str = "/spec/resources/requests/storage";
const TEMPLATES: &str = "/spec/volumeClaimTemplates";

/// What to do with the claim.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// There is none, or it is as the policy says.
    Keep,
    /// It is smaller than the policy says: what to send.
    Grow(Child),
    /// The policy wants what no claim can become.
    Refuse(Problem),
}

/// What to do with the claim of a policy's brain.
pub(super) fn step(policy: &RoutingPolicy, existing: &BTreeMap<ChildKey, DynamicObject>) -> Step {
    let Some((managed, key, claim)) = of_brain(policy, existing) else { return Step::Keep };
    let (class, size) = (text(claim, CLASS).unwrap_or_default(), text(claim, SIZE).unwrap_or_default());
    let refuse = |field: &str, wanted: &str, why: String| {
        let message = format!("spec.brain.managed.{field}: {wanted}: {why}");
        Step::Refuse(Problem { key: key.clone(), reason: Reason::StorageRefused, message })
    };
    if let Some(wanted) = managed.storage_class_name.as_deref().filter(|wanted| *wanted != class) {
        let why = format!(
            "{key} has the class {class:?}, and the class of a claim cannot change; set that, or move the outcomes to a \
             new claim (docs/operator.md, \"A brain beside the policy\")"
        );
        return refuse("storageClassName", wanted, why);
    }
    let amount = |text: &str| Quantity(text.into()).amount();
    let wanted = managed.storage.as_ref().map_or(managed::STORAGE, |storage| &storage.0);
    match (amount(wanted), amount(size)) {
        (Some(more), Some(less)) if more > less => Step::Grow(grown(policy, key, wanted)),
        (Some(less), Some(more)) if less < more && managed.storage.is_some() => {
            refuse("storage", wanted, format!("{key} has {size}, and a claim cannot shrink; set storage: {size}"))
        }
        _ => Step::Keep,
    }
}

/// The claim, if somebody else made it: a brain would write its file to a disk that is not meant for it.
pub(super) fn foreign<'a>(
    policy: &'a RoutingPolicy,
    existing: &'a BTreeMap<ChildKey, DynamicObject>,
) -> Option<&'a ChildKey> {
    let (_, key, claim) = of_brain(policy, existing)?;
    let name = policy.name_any();
    let is_ours = labels::brain_selector(&name).iter().all(|(label, value)| claim.labels().get(label) == Some(value));
    let is_adopted = claim.annotations().get(ownership::ADOPT) == Some(&name);
    (!is_ours && !is_adopted).then_some(key)
}

/// Puts the claim template that a StatefulSet has into the one that is sent: it cannot change, and counts only when the
/// claim is created.
pub(super) fn keep_template(child: &mut Child, existing: Option<&DynamicObject>) {
    if child.key.kind != ChildKind::StatefulSet {
        return;
    }
    let Some(theirs) = existing.and_then(|object| object.data.pointer(TEMPLATES)).cloned() else { return };
    let Some(ours) = child.body.pointer_mut(TEMPLATES) else { return };
    let differs = |path: &str| ours.pointer(&format!("/0{path}")) != theirs.pointer(&format!("/0{path}"));
    if differs(CLASS) || differs(SIZE) {
        *ours = theirs;
    }
}

fn of_brain<'a>(
    policy: &'a RoutingPolicy,
    existing: &'a BTreeMap<ChildKey, DynamicObject>,
) -> Option<(&'a ManagedBrain, &'a ChildKey, &'a DynamicObject)> {
    let managed = build::brain::managed(policy).filter(|managed| managed.database_url_secret_ref.is_none())?;
    let (key, claim) = existing.iter().find(|(key, _)| key.kind == ChildKind::PersistentVolumeClaim)?;
    claim.metadata.deletion_timestamp.is_none().then_some((managed, key, claim))
}

fn text<'a>(claim: &'a DynamicObject, path: &str) -> Option<&'a str> {
    claim.data.pointer(path).and_then(Value::as_str)
}

/// Only the size: all else is the StatefulSet's, or final.
fn grown(policy: &RoutingPolicy, key: &ChildKey, size: &str) -> Child {
    let body = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": key.name, "namespace": policy.namespace()},
        "spec": {"resources": {"requests": {"storage": size}}},
    });
    Child { key: key.clone(), body }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(managed: &str) -> RoutingPolicy {
        let spec = format!(
            "upstream: {{url: \"http://a\"}}\nmodels: {{local: {{name: l}}, claude: {{name: c}}}}\n\
             brain: {{managed: {{tokenSecretRef: {{name: s, key: K}}, {managed}}}}}"
        );
        RoutingPolicy::new("edge", serde_saphyr::from_str(&spec).expect(managed))
    }

    fn with_claim(metadata: Value, class: &str, size: &str) -> BTreeMap<ChildKey, DynamicObject> {
        let claim = json!({"metadata": metadata,
            "spec": {"storageClassName": class, "resources": {"requests": {"storage": size}}}});
        let key = ChildKey::new(ChildKind::PersistentVolumeClaim, "data-edge-brain-0");
        [(key, serde_json::from_value(claim).expect("a claim"))].into()
    }

    #[test]
    fn a_claim_grows_and_everything_else_about_it_is_refused_with_the_cure() {
        let existing = with_claim(json!({}), "slow", "2Gi");
        let step = |managed: &str| step(&policy(managed), &existing);
        for kept in ["", "storage: 2Gi", "storage: 2048Mi, storageClassName: slow", "storageClassName: slow"] {
            assert_eq!(step(kept), Step::Keep, "{kept}");
        }
        let Step::Grow(child) = step("storage: 3Gi") else { panic!("it grows") };
        assert_eq!(child.body["spec"], json!({"resources": {"requests": {"storage": "3Gi"}}}));
        for (managed, message) in [
            (
                "storage: 1Gi",
                "spec.brain.managed.storage: 1Gi: PersistentVolumeClaim data-edge-brain-0 has 2Gi, and a claim cannot \
                 shrink; set storage: 2Gi",
            ),
            (
                "storageClassName: fast, storage: 3Gi",
                "spec.brain.managed.storageClassName: fast: PersistentVolumeClaim data-edge-brain-0 has the class \"slow\", \
                 and the class of a claim cannot change; set that, or move",
            ),
        ] {
            let Step::Refuse(problem) = step(managed) else { panic!("{managed}: it is refused") };
            assert!(problem.message.starts_with(message), "{}", problem.message);
            assert_eq!(problem.reason, Reason::StorageRefused);
        }
        let without = BTreeMap::new();
        assert_eq!(super::step(&policy("storage: 9Gi"), &without), Step::Keep, "the StatefulSet creates it");
        let ending = with_claim(json!({"deletionTimestamp": "2026-01-01T00:00:00Z"}), "slow", "2Gi");
        assert_eq!(super::step(&policy("storage: 1Gi"), &ending), Step::Keep, "it is about to go");
    }

    #[test]
    fn a_claim_of_somebody_else_is_noticed() {
        let found = |metadata: Value| foreign(&policy(""), &with_claim(metadata, "slow", "1Gi")).is_some();
        let ours = |instance: &str| json!({"labels": {"app.kubernetes.io/name": "routing-brain", "app.kubernetes.io/instance": instance}});
        assert!(!found(ours("edge")), "of an earlier brain of this name");
        assert!(!found(json!({"annotations": {"routing.hyperguild.io/adopt": "edge"}})), "adopted");
        assert!(found(ours("core")) && found(json!({})));
        let postgres = policy("databaseURLSecretRef: {name: d, key: U}");
        assert!(foreign(&postgres, &with_claim(json!({}), "slow", "1Gi")).is_none(), "no claim is used");
    }

    #[test]
    fn a_stateful_set_keeps_its_template_once_the_policy_wants_another() {
        let template = |size: &str| json!([{"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": size}}}}]);
        let set = |templates: Value| json!({"spec": {"replicas": 1, "volumeClaimTemplates": templates}});
        let mut defaulted = template("1Gi");
        defaulted[0]["status"] = json!({"phase": "Pending"});
        let existing: DynamicObject =
            serde_json::from_value(json!({"metadata": {}, "spec": {"volumeClaimTemplates": defaulted}}))
                .expect("a set");
        for (wanted, sent) in [("1Gi", template("1Gi")), ("2Gi", defaulted.clone())] {
            let key = ChildKey::new(ChildKind::StatefulSet, "edge-brain");
            let mut child = Child { key, body: set(template(wanted)) };
            keep_template(&mut child, Some(&existing));
            assert_eq!(child.body, set(sent), "{wanted}");
        }
    }
}
