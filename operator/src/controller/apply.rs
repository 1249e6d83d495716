//! Step 4, writes: server-side apply of the children that are built, and deletion of those that no longer are.
//!
//! `decide` chooses, without I/O, what to do with a child; only then does `send` send it.

mod claim;
pub mod contest;
mod decide;
mod reclaim;
pub mod refusal;
mod send;

use std::{collections::BTreeMap, time::Instant};

use crds::{RoutingPolicy, pod, policy::Reason};
use kube::{
    ResourceExt,
    api::{DynamicObject, ObjectMeta},
};
use serde_json::Value;

pub use self::decide::ChildStates;
use self::{
    contest::Contest,
    decide::{ChildState, Step, decide, fingerprint},
    refusal::{Problem, Refused, WriteError},
};
use super::{
    build::Children,
    child::{Child, ChildKey, ChildKind, Namespace},
    error::{Error, RequestError},
    ownership::{self, Owner},
    validate::Valid,
};

/// The large fields of a workload's spec, which no status tells of.
const TEMPLATES: [&str; 2] = ["template", "volumeClaimTemplates"];
/// Failed reconciliations in a row before the status reports a failed request.
const FAILURES_UNREPORTED: u32 = 2;

/// The children after this step.
#[derive(Default, Debug)]
pub struct Applied {
    /// The policy's children that exist.
    pub objects: BTreeMap<ChildKey, DynamicObject>,
    /// Why some are not as built.
    pub problems: Vec<Problem>,
    /// When the first refused child may be sent again.
    pub retry_at: Option<Instant>,
    /// A request that failed repeatedly and may still succeed: the reconciliation must be retried.
    pub failed: Option<Error>,
    /// Fields of children that somebody else keeps changing.
    pub contests: Vec<Contest>,
    /// The namespace is terminating: everything in it is about to be deleted.
    pub namespace_is_ending: bool,
}

impl Applied {
    /// The result if nothing may be applied: what runs keeps running.
    #[must_use]
    pub fn nothing(policy: &RoutingPolicy, existing: &BTreeMap<ChildKey, DynamicObject>) -> Self {
        let ours = existing.iter().filter(|(_, object)| is_ours(policy, object));
        Self { objects: ours.map(|(key, object)| (key.clone(), object.clone())).collect(), ..Self::default() }
    }

    /// The hash of the config that the pods should run: the newest that reached the ConfigMap.
    #[must_use]
    pub fn target_hash(&self, policy: &RoutingPolicy, valid: Option<&Valid>) -> Option<String> {
        let config_map = self.objects.get(&ChildKey::new(ChildKind::ConfigMap, policy.name_any()));
        let written = config_map.and_then(|object| object.data.get("data")?.get(pod::POLICY_FILE)?.as_str());
        match valid {
            Some(valid) if written == Some(valid.rendered.text.as_str()) => Some(valid.rendered.hash.clone()),
            _ => policy.status.as_ref().and_then(|status| status.config_hash.clone()),
        }
    }

    /// Whether the policy has a Deployment: without one, pods with its labels belong to something else.
    #[must_use]
    pub fn has_deployment(&self, policy: &RoutingPolicy) -> bool {
        self.objects.contains_key(&ChildKey::new(ChildKind::Deployment, policy.name_any()))
    }

    /// Without what no status is computed from: it is kept for as long as nothing changes.
    #[must_use]
    pub fn slim(self) -> Self {
        let shown =
            |key: &ChildKey| matches!(key.kind, ChildKind::Deployment | ChildKind::StatefulSet | ChildKind::Service);
        let objects = self.objects.into_iter().filter(|(key, _)| shown(key));
        Self { objects: objects.map(|(key, object)| (key, slim(object))).collect(), ..self }
    }

    /// Whether all children are as built, so that nothing of them is to be done again.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.problems.is_empty()
            && self.contests.is_empty()
            && self.failed.is_none()
            && self.retry_at.is_none()
            && !self.namespace_is_ending
    }

    /// Notes a child that stays as it was, and why.
    fn hold(&mut self, existing: Option<&DynamicObject>, problem: Problem) {
        self.objects.extend(existing.map(|object| (problem.key.clone(), object.clone())));
        self.problems.push(problem);
    }

    /// Notes a child that was refused, now or earlier.
    fn hold_refused(&mut self, existing: Option<&DynamicObject>, refused: &Refused) {
        self.hold(existing, refused.problem.clone());
        self.retry(refused.again_at);
    }

    /// A child may be sent again then.
    fn retry(&mut self, at: Instant) {
        self.retry_at = self.retry_at.into_iter().chain([at]).min();
    }
}

/// Applies the children, and deletes those no longer built. If one of them is not the policy's own, none is changed.
///
/// `failures` is how many reconciliations of this policy failed in a row: at first, a failed request ends the step;
/// later, the other children are still applied, and the status reports the failure.
///
/// # Errors
/// A request failed that may succeed the next time.
pub async fn apply(
    namespace: &Namespace,
    policy: &RoutingPolicy,
    children: Children,
    existing: &BTreeMap<ChildKey, DynamicObject>,
    states: &mut ChildStates,
    failures: u32,
) -> Result<Applied, Error> {
    let mut children = children.into_list();
    let problems = foreign(policy, &children, existing);
    if !problems.is_empty() {
        return Ok(Applied { problems, ..Applied::nothing(policy, existing) });
    }
    let mut applied = Applied::default();
    match claim::step(policy, existing) {
        claim::Step::Keep => {}
        claim::Step::Grow(child) => children.insert(0, child),
        claim::Step::Refuse(problem) => applied.problems.push(problem),
    }
    let built: Vec<ChildKey> = children.iter().map(|child| child.key.clone()).collect();
    states.keep_only(&built);
    for mut child in children {
        let (found, state) = (existing.get(&child.key), states.of(&child.key));
        claim::keep_template(&mut child, found);
        if let Err(error) = apply_child(namespace, child, found, state, &mut applied).await {
            if failures < FAILURES_UNREPORTED {
                return Err(error);
            }
            applied.failed = applied.failed.take().or(Some(error));
        }
        if applied.namespace_is_ending {
            return Ok(applied);
        }
    }
    applied.contests = states.contests(Instant::now());
    delete_orphans(namespace, policy, &built, existing).await?;
    Ok(applied)
}

async fn apply_child(
    namespace: &Namespace,
    child: Child,
    existing: Option<&DynamicObject>,
    state: &mut ChildState,
    applied: &mut Applied,
) -> Result<(), Error> {
    let Child { key, body } = child;
    let sent = fingerprint(&body);
    let body = match decide(body, sent, existing, state, Instant::now()) {
        Step::Keep => {
            state.refused = None;
            applied.objects.extend(existing.map(|object| (key, object.clone())));
            return Ok(());
        }
        Step::Calm(until) => {
            applied.objects.extend(existing.map(|object| (key, object.clone())));
            applied.retry(until);
            return Ok(());
        }
        Step::Wait(refused) => {
            applied.hold_refused(existing, refused);
            return Ok(());
        }
        Step::Send(body) => body,
    };
    let error = match send::send(namespace, &key, &body, existing).await {
        Ok(object) => {
            state.corrected(&body, sent, existing, Instant::now());
            state.applied(sent, &object);
            applied.objects.insert(key, object);
            return Ok(());
        }
        Err(error) => error,
    };
    match refusal::classify(&key, error) {
        WriteError::NamespaceIsEnding => applied.namespace_is_ending = true,
        WriteError::Refused(problem) => {
            let reason = problem.reason.as_str();
            tracing::warn!(namespace = %namespace.name, child = %key, reason, "the API server refused a child");
            applied.hold_refused(existing, state.refused(sent, problem, Instant::now()));
        }
        WriteError::Transient(error) => {
            let error = Error::Apply(RequestError::new(format!("applying {key}"))(error));
            applied.hold(existing, Problem { key, reason: Reason::ApiError, message: error.to_string() });
            return Err(error);
        }
    }
    Ok(())
}

async fn delete_orphans(
    namespace: &Namespace,
    policy: &RoutingPolicy,
    built: &[ChildKey],
    existing: &BTreeMap<ChildKey, DynamicObject>,
) -> Result<(), Error> {
    let is_orphan = |key: &ChildKey, object: &DynamicObject| {
        !built.contains(key) && is_ours(policy, object) && object.metadata.deletion_timestamp.is_none()
    };
    for (key, object) in existing.iter().filter(|(key, object)| is_orphan(key, object)) {
        send::delete(namespace, key, object).await.map_err(Error::Apply)?;
    }
    Ok(())
}

fn is_ours(policy: &RoutingPolicy, object: &DynamicObject) -> bool {
    let uid = policy.metadata.uid.as_deref().unwrap_or_default();
    object.owner_references().iter().any(|reference| reference.uid == uid)
}

fn slim(mut object: DynamicObject) -> DynamicObject {
    object.metadata =
        ObjectMeta { name: object.metadata.name, generation: object.metadata.generation, ..ObjectMeta::default() };
    if let Some(spec) = object.data.get_mut("spec").and_then(Value::as_object_mut) {
        spec.retain(|field, _| !TEMPLATES.contains(&field.as_str()));
    }
    object
}

/// One problem for each owner that keeps children from being written.
fn foreign(policy: &RoutingPolicy, children: &[Child], existing: &BTreeMap<ChildKey, DynamicObject>) -> Vec<Problem> {
    let (name, uid) = (policy.name_any(), policy.metadata.uid.as_deref().unwrap_or_default());
    let mut by_owner: BTreeMap<Owner, Vec<&ChildKey>> = BTreeMap::new();
    for Child { key, .. } in children {
        if let Some(object) = existing.get(key) {
            by_owner.entry(ownership::owner(&object.metadata, &name, uid)).or_default().push(key);
        }
    }
    if let Some(claim) = claim::foreign(policy, existing) {
        by_owner.entry(Owner::Nobody).or_default().push(claim);
    }
    by_owner.into_iter().filter_map(|(owner, keys)| foreign_problem(&name, &owner, &keys)).collect()
}

fn foreign_problem(policy: &str, owner: &Owner, keys: &[&ChildKey]) -> Option<Problem> {
    let names = keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let several = keys.len() > 1;
    let (exist, have, are, them) =
        if several { ("exist", "have", "are", "they are") } else { ("exists", "has", "is", "it is") };
    let (adopt, each) = (ownership::ADOPT, if several { "each" } else { "it" });
    let (reason, message) = match owner {
        Owner::ThisPolicy => return None,
        Owner::PreviousPolicy => (
            Reason::PreviousPolicy,
            format!("{names} of a deleted policy with the same name {are} still being garbage-collected"),
        ),
        Owner::Other(controller) => (
            Reason::NotOwned,
            format!(
                "{names} already {exist} and {are} controlled by {controller}; the operator changes nothing until {them} \
                 removed"
            ),
        ),
        Owner::Nobody => (
            Reason::NotOwned,
            format!(
                "{names} already {exist} and {have} no owner; the operator changes nothing until {them} removed or adopted \
                 (annotate {each} with {adopt}: {policy})"
            ),
        ),
    };
    Some(Problem { key: (*keys.first()?).clone(), reason, message })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_others_own_is_reported_once_with_a_list_of_names() {
        let keys =
            [ChildKind::ConfigMap, ChildKind::Deployment, ChildKind::Service].map(|kind| ChildKey::new(kind, "edge"));
        let children = keys.clone().map(|key| Child { key, body: json!({}) });
        let controlled = json!({"metadata": {"ownerReferences": [
            {"apiVersion": "v1", "kind": "Helm", "name": "edge", "uid": "u3", "controller": true}]}});
        let objects = [json!({"metadata": {}}), json!({"metadata": {}}), controlled];
        let object = |object| serde_json::from_value(object).expect("an object");
        let existing = keys.into_iter().zip(objects.map(object)).collect();
        let spec =
            json!({"upstream": {"url": "http://a"}, "models": {"local": {"name": "l"}, "claude": {"name": "c"}}});
        let policy = RoutingPolicy::new("edge", serde_json::from_value(spec).expect("a spec"));
        let messages: Vec<String> =
            foreign(&policy, &children, &existing).into_iter().map(|problem| problem.message).collect();
        assert_eq!(
            messages,
            [
                "Service edge already exists and is controlled by Helm edge; the operator changes nothing until it is removed",
                "ConfigMap edge, Deployment edge already exist and have no owner; the operator changes nothing until they \
                 are removed or adopted (annotate each with routing.hyperguild.io/adopt: edge)",
            ]
        );
    }
}
