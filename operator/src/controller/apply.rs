//! Step 4, writes: server-side apply of what is built, and deletion of what no longer is.

use std::{
    collections::{BTreeMap, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    time::Instant,
};

use crds::{RoutingPolicy, policy::Reason};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::{
    ResourceExt,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions},
    core::Status,
};
use serde_json::{Value, json};

use super::{
    Error, FIELD_MANAGER,
    build::Children,
    child::{Child, ChildKey, ChildKind, Namespace},
    memory::{Memory, Sent},
    ownership::{self, Owner},
    refusal::{Meaning, Problem, Refused, meaning},
};

/// Looks that may fail in a row before the status says so.
const FAILURES_UNSAID: u32 = 2;

/// The children after this look.
#[derive(Default)]
pub struct Applied {
    /// Those of the policy that are there.
    pub objects: BTreeMap<ChildKey, DynamicObject>,
    /// Those that are not as they are to be.
    pub problems: Vec<Problem>,
    /// What failed again and again and may yet pass: the look is to be tried again.
    pub failed: Option<Error>,
    /// Everything goes anyway.
    pub namespace_is_ending: bool,
}

impl Applied {
    /// Nothing was to be applied: what runs keeps running.
    #[must_use]
    pub fn nothing(policy: &RoutingPolicy, existing: BTreeMap<ChildKey, DynamicObject>) -> Self {
        let ours = existing.into_iter().filter(|(_, object)| is_ours(policy, object));
        Self { objects: ours.collect(), ..Self::default() }
    }
}

/// Makes the children what they are to be. When one of them is somebody else's, none is touched.
///
/// # Errors
/// A request failed that may work the next time.
pub async fn apply(
    namespace: &Namespace,
    policy: &RoutingPolicy,
    children: Children,
    existing: BTreeMap<ChildKey, DynamicObject>,
    memory: &mut Memory,
) -> Result<Applied, Error> {
    let children = children.into_list();
    let problems = foreign(policy, &children, &existing);
    if !problems.is_empty() {
        return Ok(Applied { problems, ..Applied::nothing(policy, existing) });
    }
    let built: Vec<ChildKey> = children.iter().map(|child| child.key.clone()).collect();
    // What was refused once and is no longer built is nothing to wait for.
    memory.refused.retain(|key, _| built.contains(key));
    let mut applied = Applied::default();
    for child in children {
        let found = existing.get(&child.key);
        apply_one(namespace, child, found, &mut applied, memory).await?;
        if applied.namespace_is_ending {
            return Ok(applied);
        }
    }
    let is_orphan = |key: &ChildKey, object: &DynamicObject| {
        !built.contains(key) && is_ours(policy, object) && object.metadata.deletion_timestamp.is_none()
    };
    for (key, object) in existing.iter().filter(|(key, object)| is_orphan(key, object)) {
        delete(namespace, key, object).await?;
        memory.applied.remove(key);
    }
    Ok(applied)
}

fn is_ours(policy: &RoutingPolicy, object: &DynamicObject) -> bool {
    let uid = policy.metadata.uid.as_deref().unwrap_or_default();
    object.owner_references().iter().any(|reference| reference.uid == uid)
}

fn foreign(policy: &RoutingPolicy, children: &[Child], existing: &BTreeMap<ChildKey, DynamicObject>) -> Vec<Problem> {
    let (name, uid) = (policy.name_any(), policy.metadata.uid.as_deref().unwrap_or_default());
    let problem = |child: &Child| {
        let key = child.key.clone();
        match ownership::owner(&existing.get(&key)?.metadata, &name, uid) {
            Owner::ThisPolicy => None,
            Owner::PreviousPolicy => {
                let message =
                    format!("{key} of the deleted policy of this name is still there; the cluster removes it");
                Some(Problem { key, reason: Reason::PreviousPolicy, message })
            }
            Owner::Other(who) => {
                let adopt = ownership::ADOPT;
                let message = format!(
                    "{key} belongs to {who} and is left alone, like everything else until this is resolved; remove it, \
                     or hand it over with the annotation {adopt}: {name}"
                );
                Some(Problem { key, reason: Reason::NotOwned, message })
            }
        }
    };
    children.iter().filter_map(problem).collect()
}

async fn apply_one(
    namespace: &Namespace,
    child: Child,
    existing: Option<&DynamicObject>,
    applied: &mut Applied,
    memory: &mut Memory,
) -> Result<(), Error> {
    let Child { key, mut body } = child;
    let sent = fingerprint(&body);
    if let Some(object) = existing {
        let version = object.resource_version().unwrap_or_default();
        if memory.applied.get(&key).is_some_and(|last| last.body == sent && last.version == version) {
            memory.refused.remove(&key);
            applied.objects.insert(key, object.clone());
            return Ok(());
        }
        // Refused when it was deleted and made anew meanwhile: then it may be somebody else's.
        body["metadata"]["uid"] = Value::from(object.uid());
    }
    let refused = memory.refused.get(&key).filter(|refused| refused.body == sent);
    if let Some(refused) = refused.filter(|refused| Instant::now() < refused.again_at) {
        applied.problems.push(refused.problem.clone());
        applied.objects.extend(existing.map(|object| (key, object.clone())));
        return Ok(());
    }
    match send(namespace, &key, &body, existing).await {
        Ok(object) => {
            let version = object.resource_version().unwrap_or_default();
            memory.refused.remove(&key);
            memory.applied.insert(key.clone(), Sent { body: sent, version });
            applied.objects.insert(key, object);
        }
        Err(error) => match meaning(&key, error) {
            Meaning::Refused(problem) => {
                tracing::warn!(namespace = %namespace.name, child = %key, reason = problem.reason.as_str(), "refused by the API server");
                let refused = Refused::after(memory.refused.get(&key), sent, problem.clone());
                memory.refused.insert(key.clone(), refused);
                applied.problems.push(problem);
                applied.objects.extend(existing.map(|object| (key, object.clone())));
            }
            Meaning::NamespaceIsEnding => applied.namespace_is_ending = true,
            Meaning::Transient(error) => {
                let failed = Error::api(format!("applying {key}"))(error);
                // It may pass. When it does not, it must not hide the rest, nor stay unsaid.
                if memory.failures < FAILURES_UNSAID {
                    return Err(failed);
                }
                applied.problems.push(Problem {
                    reason: Reason::ApiError,
                    message: failed.to_string(),
                    key: key.clone(),
                });
                applied.failed = applied.failed.take().or(Some(failed));
                applied.objects.extend(existing.map(|object| (key, object.clone())));
            }
        },
    }
    Ok(())
}

/// Applies a child. A port that was renumbered by hand stands beside ours once ours is back, under the same name, which is
/// invalid: then ours replace the list of ports.
async fn send(
    namespace: &Namespace,
    key: &ChildKey,
    body: &Value,
    existing: Option<&DynamicObject>,
) -> kube::Result<DynamicObject> {
    let api = namespace.children(key.kind);
    let apply = PatchParams::apply(FIELD_MANAGER).force();
    let status = match api.patch(&key.name, &apply, &Patch::Apply(body)).await {
        Err(kube::Error::Api(status)) if is_invalid(&status) => status,
        answer => return answer,
    };
    let ports = existing.and_then(|object| serde_json::from_value(ports(key.kind, object, body)?).ok());
    let Some(ports) = ports else {
        return Err(kube::Error::Api(status));
    };
    let update = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    let replaced = api.patch(&key.name, &update, &Patch::Json::<()>(ports)).await;
    let replaced = replaced.map_err(|_| kube::Error::Api(status))?;
    // An update owns what it sets beside the apply, for ever: a field given up later would stay.
    let version = replaced.resource_version();
    let managers = json!({"metadata": {"resourceVersion": version, "managedFields": without_updates(&replaced)}});
    api.patch(&key.name, &update, &Patch::Merge(managers)).await?;
    api.patch(&key.name, &apply, &Patch::Apply(body)).await
}

/// The patch that makes the ports of an object ours alone; none for kinds without ports.
fn ports(kind: ChildKind, object: &DynamicObject, body: &Value) -> Option<Value> {
    let (at, ours) = match kind {
        ChildKind::Service => ("/spec/ports".to_string(), body.pointer("/spec/ports")?),
        ChildKind::Deployment => {
            let containers = object.data.pointer("/spec/template/spec/containers")?.as_array()?;
            let ours = body.pointer("/spec/template/spec/containers/0")?;
            let index = containers.iter().position(|container| container["name"] == ours["name"])?;
            (format!("/spec/template/spec/containers/{index}/ports"), ours.get("ports")?)
        }
        _ => return None,
    };
    Some(json!([{"op": "replace", "path": at, "value": ours}]))
}

/// Two ports with one nodePort are answered with 500.
fn is_invalid(status: &Status) -> bool {
    status.code == 422 || (status.code == 500 && status.message.starts_with("duplicate nodePort"))
}

fn without_updates(object: &DynamicObject) -> Vec<ManagedFieldsEntry> {
    let ours = |entry: &&ManagedFieldsEntry| {
        entry.manager.as_deref() == Some(FIELD_MANAGER) && entry.operation.as_deref() == Some("Update")
    };
    object.managed_fields().iter().filter(|entry| !ours(entry)).cloned().collect()
}

fn fingerprint(body: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    body.to_string().hash(&mut hasher);
    hasher.finish()
}

async fn delete(namespace: &Namespace, key: &ChildKey, object: &DynamicObject) -> Result<(), Error> {
    let this_one = Preconditions { uid: object.uid(), resource_version: None };
    let parameters = DeleteParams { preconditions: Some(this_one), ..DeleteParams::background() };
    match namespace.children(key.kind).delete(&key.name, &parameters).await {
        Ok(_) => Ok(()),
        // Gone, or another one by now.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        Err(error) => Err(Error::api(format!("deleting {key}"))(error)),
    }
}
