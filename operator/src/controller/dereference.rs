//! Step 1, reads: the texts that a policy refers to, the labels of its Secrets if they count, its children as they exist,
//! and its pods.

use std::collections::{BTreeMap, BTreeSet};

use crds::{RoutingPolicy, policy::ConfigMapKeyRef, references};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::{
    ResourceExt,
    api::{DynamicObject, ListParams},
};

use super::{
    child::{ChildKey, Namespace, every_child},
    error::{Error, RequestError},
    labels,
};
use crate::restrictions::SecretLabel;

/// Requests that one reconciliation has in flight at a time.
const REQUESTS_AT_ONCE: usize = 8;
/// Most pods of one policy that are read: twice the replicas allowed, for a rolling update.
pub const PODS_MAX: u32 = 200;

/// The manifests with the right to read Secrets, which the operator otherwise does not have.
const RIGHTS: &str = "deploy/operator-secret-label";

/// Excludes ended pods: evicted ones accumulate.
const NOT_ENDED: &str = "status.phase!=Failed,status.phase!=Succeeded";

/// The text of each reference, or why there is none.
pub type Texts = BTreeMap<ConfigMapKeyRef, Result<String, String>>;

/// The labels of each Secret that a policy names, by the Secret's name, or why they cannot be had and what to do.
pub type Secrets = BTreeMap<String, Result<BTreeMap<String, String>, String>>;

/// What the cluster holds for a policy.
pub struct Dereferenced {
    /// The texts that the policy refers to.
    pub texts: Texts,
    /// The labels of its Secrets; empty unless they are asked for.
    pub secrets: Secrets,
    /// Objects with the names of the policy's children, whatever owns them.
    pub children: BTreeMap<ChildKey, DynamicObject>,
    /// The pods that the policy's selector matches.
    pub pods: Vec<Pod>,
    /// The pods that the selector of its brain matches; empty unless the operator runs it.
    pub brain_pods: Vec<Pod>,
}

/// Reads texts, children and pods concurrently; the labels of Secrets only if they must have this one.
///
/// # Errors
/// The API server did not answer, or refused a request.
pub async fn dereference(
    policy: &RoutingPolicy,
    namespace: &Namespace,
    label: Option<&SecretLabel>,
) -> Result<Dereferenced, Error> {
    let reads = async {
        futures::try_join!(
            texts(policy, namespace),
            secrets(policy, namespace, label),
            children(policy, namespace),
            pods(namespace, labels::selector_text(&policy.name_any())),
            brain_pods(policy, namespace)
        )
    };
    let (texts, secrets, children, pods, brain_pods) = reads.await.map_err(Error::Dereference)?;
    Ok(Dereferenced { texts, secrets, children, pods, brain_pods })
}

async fn secrets(
    policy: &RoutingPolicy,
    namespace: &Namespace,
    label: Option<&SecretLabel>,
) -> Result<Secrets, RequestError> {
    let Some(label) = label else { return Ok(Secrets::new()) };
    let names = references::secret_names(&policy.spec).into_iter().map(|(_, name)| name.to_string());
    stream::iter(names.collect::<BTreeSet<String>>())
        .map(|name| async move {
            let labels = match namespace.secret_labels(&name).await {
                Ok(labels) => {
                    labels.ok_or_else(|| format!("there is no such Secret; create it with the label {label}"))
                }
                Err(kube::Error::Api(status)) if status.code == 403 => Err(format!(
                    "the operator requires the label {label} of Secrets and has no right to read it; apply {RIGHTS}"
                )),
                Err(error) => return Err(RequestError::new(format!("reading the labels of Secret {name}"))(error)),
            };
            Ok((name, labels))
        })
        .buffer_unordered(REQUESTS_AT_ONCE)
        .try_collect()
        .await
}

/// Of each ConfigMap only the texts that are referred to are kept, and no more of them than a policy may have: what others
/// put into ConfigMaps fills no memory.
async fn texts(policy: &RoutingPolicy, namespace: &Namespace) -> Result<Texts, RequestError> {
    let references = &references::config_map_keys(&policy.spec);
    let mut reads = stream::iter(references::config_map_names(&policy.spec))
        .map(|name| async move {
            let read = namespace.config_maps().get_opt(&name).await;
            let config_map = read.map_err(RequestError::new(format!("reading ConfigMap {name}")))?;
            let these = references.iter().filter(|reference| reference.name == name);
            let texts = these.map(|reference| (reference.clone(), text(reference, config_map.as_ref())));
            Ok::<_, RequestError>(texts.collect::<Vec<_>>())
        })
        .buffered(REQUESTS_AT_ONCE);
    let (mut texts, mut left) = (Texts::new(), references::TEXTS_MAX_BYTES);
    while let Some(read) = reads.try_next().await? {
        for (reference, text) in read {
            texts.insert(reference, text.and_then(|text| references::bounded(text, &mut left)));
        }
    }
    Ok(texts)
}

fn text(reference: &ConfigMapKeyRef, config_map: Option<&ConfigMap>) -> Result<String, String> {
    let ConfigMapKeyRef { name, key } = reference;
    let config_map = config_map.ok_or_else(|| format!("there is no ConfigMap {name}; create it, with key {key}"))?;
    let text = config_map.data.as_ref().and_then(|data| data.get(key));
    text.cloned().ok_or_else(|| {
        let keys: Vec<&str> = config_map.data.iter().flatten().map(|(key, _)| key.as_str()).take(10).collect();
        format!(
            "the ConfigMap has no such key; it has: {}",
            if keys.is_empty() { "none".into() } else { keys.join(", ") }
        )
    })
}

async fn children(
    policy: &RoutingPolicy,
    namespace: &Namespace,
) -> Result<BTreeMap<ChildKey, DynamicObject>, RequestError> {
    let found: Vec<Option<(ChildKey, DynamicObject)>> = stream::iter(every_child(&policy.name_any()))
        .map(|key| async move {
            let read = namespace.children(key.kind).get_opt(&key.name).await;
            let object = read.map_err(RequestError::new(format!("reading {key}")))?;
            Ok::<_, RequestError>(object.map(|object| (key, object)))
        })
        .buffer_unordered(REQUESTS_AT_ONCE)
        .try_collect()
        .await?;
    Ok(found.into_iter().flatten().collect())
}

async fn pods(namespace: &Namespace, selector: String) -> Result<Vec<Pod>, RequestError> {
    let these = ListParams::default().labels(&selector).fields(NOT_ENDED).limit(PODS_MAX);
    let list = namespace.pods().list(&these).await.map_err(RequestError::new("listing pods"))?;
    Ok(list.items)
}

async fn brain_pods(policy: &RoutingPolicy, namespace: &Namespace) -> Result<Vec<Pod>, RequestError> {
    if policy.spec.brain.as_ref().is_none_or(|brain| brain.managed.is_none()) {
        return Ok(vec![]);
    }
    pods(namespace, labels::brain_selector_text(&policy.name_any())).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_text_is_reported_with_the_keys_that_exist() {
        let reference = ConfigMapKeyRef { name: "prompts".into(), key: "p.md".into() };
        let with = |keys: &[&str]| ConfigMap {
            data: Some(keys.iter().map(|key| ((*key).to_string(), "text".to_string())).collect()),
            ..ConfigMap::default()
        };
        assert_eq!(text(&reference, Some(&with(&["p.md"]))), Ok("text".into()));
        assert_eq!(text(&reference, None), Err("there is no ConfigMap prompts; create it, with key p.md".into()));
        assert_eq!(
            text(&reference, Some(&with(&["a", "b"]))).expect_err("no such key"),
            "the ConfigMap has no such key; it has: a, b"
        );
        assert!(text(&reference, Some(&with(&[]))).is_err_and(|why| why.ends_with("it has: none")));
    }
}
