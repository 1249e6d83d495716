//! What a policy refers to: the texts that it takes from ConfigMaps, which are filled in, and Secrets.

use std::collections::BTreeSet;

use crate::{
    FieldError, RoutingPolicySpec,
    document::MAX_BYTES,
    policy::{Brain, ConfigMapKeyRef, TextSource, Upstream, upstream::TEXT_MAX},
};

/// Largest sum of the texts that a policy takes from ConfigMaps, in bytes: as much as it could hold itself. A text that
/// is referred to several times counts each time.
pub const TEXTS_MAX_BYTES: usize = MAX_BYTES;

/// Why a reference has no text where nothing stands for ConfigMaps.
pub const NO_CLUSTER: &str = "there is no cluster to read ConfigMaps from; put the ConfigMap into the policy's file, with \
     the policy's namespace, or use --configmaps DIR (DIR/<name>/<key>)";

/// Replaces every ConfigMap reference by its text. The operator reads the texts from the cluster, a program on a laptop
/// from a folder.
///
/// # Errors
/// One error per reference for which `lookup` has no text, or too long a one, with the path of the reference. A text is
/// bounded before it is copied into the policy: one ConfigMap may be referred to several hundred times.
pub fn resolve(
    spec: &mut RoutingPolicySpec,
    mut lookup: impl FnMut(&ConfigMapKeyRef) -> Result<String, String>,
) -> Result<(), Vec<FieldError>> {
    let mut errors = vec![];
    let mut left = TEXTS_MAX_BYTES;
    for (path, source) in text_sources(spec) {
        let Some(reference) = &source.config_map_key_ref else { continue };
        if source.text.is_some() {
            // Both are set, and compilation reports that.
            continue;
        }
        match lookup(reference).and_then(|text| bounded(text, &mut left)) {
            Ok(text) => *source = TextSource { text: Some(text), config_map_key_ref: None },
            Err(reason) => errors.push(FieldError::new(
                format!("{path}.configMapKeyRef"),
                format!("{}/{}", reference.name, reference.key),
                reason,
            )),
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// The text, unless it is too long, alone or with those before it; `left` is what they leave, in bytes.
///
/// # Errors
/// How long it may be.
pub fn bounded(text: String, left: &mut usize) -> Result<String, String> {
    let bytes = text.len();
    if bytes > TEXT_MAX {
        return Err(format!("is {bytes} bytes; a text has at most {TEXT_MAX}: shorten it"));
    }
    *left = left.checked_sub(bytes).ok_or_else(|| {
        format!("the texts of a policy's ConfigMaps have at most {TEXTS_MAX_BYTES} bytes together; shorten them")
    })?;
    Ok(text)
}

/// Every ConfigMap key that a policy refers to, without duplicates.
#[must_use]
pub fn config_map_keys(spec: &RoutingPolicySpec) -> BTreeSet<ConfigMapKeyRef> {
    let mut spec = spec.clone();
    text_sources(&mut spec).into_iter().filter_map(|(_, source)| source.config_map_key_ref.clone()).collect()
}

/// The names of the ConfigMaps that a policy refers to.
#[must_use]
pub fn config_map_names(spec: &RoutingPolicySpec) -> BTreeSet<String> {
    config_map_keys(spec).into_iter().map(|reference| reference.name).collect()
}

/// The name of every Secret that a policy refers to, with the path of the field that has it.
#[must_use]
pub fn secret_names(spec: &RoutingPolicySpec) -> Vec<(String, &str)> {
    let own = spec.models.own_upstreams().map(|(name, upstream)| (format!("spec.models.{name}.upstream"), upstream));
    let upstreams = std::iter::once(("spec.upstream".to_string(), Some(&spec.upstream))).chain(own);
    let keys = upstreams.filter_map(|(path, upstream)| Some((path, api_key(upstream?)?)));
    let mut names: Vec<_> = keys.map(|(path, name)| (format!("{path}.apiKeySecretRef.name"), name)).collect();
    names.extend(spec.brain.iter().flat_map(of_brain));
    let tokens = spec.access.tokens.iter().enumerate();
    names.extend(tokens.map(|(i, token)| (format!("spec.access.tokens[{i}].secretRef.name"), &*token.secret_ref.name)));
    let pull = spec.data_plane.image_pull_secrets.iter().enumerate();
    names.extend(pull.map(|(i, secret)| (format!("spec.dataPlane.imagePullSecrets[{i}].name"), &*secret.name)));
    names
}

fn of_brain(brain: &Brain) -> impl Iterator<Item = (String, &str)> {
    let managed = brain.managed.as_ref();
    let references = [
        ("tokenSecretRef", brain.token_secret_ref.as_ref()),
        ("managed.tokenSecretRef", managed.map(|managed| &managed.token_secret_ref)),
        ("managed.databaseURLSecretRef", managed.and_then(|managed| managed.database_url_secret_ref.as_ref())),
    ];
    references
        .into_iter()
        .filter_map(|(field, reference)| Some((format!("spec.brain.{field}.name"), &*reference?.name)))
}

fn api_key(upstream: &Upstream) -> Option<&str> {
    upstream.api_key_secret_ref.as_ref().map(|reference| reference.name.as_str())
}

fn text_sources(spec: &mut RoutingPolicySpec) -> Vec<(String, &mut TextSource)> {
    let upstreams = [
        ("spec.upstream", Some(&mut spec.upstream)),
        ("spec.models.local.upstream", spec.models.local.upstream.as_mut()),
        ("spec.models.claude.upstream", spec.models.claude.upstream.as_mut()),
        ("spec.models.grader.upstream", spec.models.grader.as_mut().and_then(|grader| grader.upstream.as_mut())),
    ];
    let mut sources: Vec<_> = upstreams
        .into_iter()
        .filter_map(|(path, upstream)| Some((format!("{path}.caBundle"), upstream?.ca_bundle.as_mut()?)))
        .collect();
    for (i, skill) in spec.skills.iter_mut().flatten().enumerate() {
        for (j, stage) in skill.stages.iter_mut().flatten().enumerate() {
            sources.push((format!("spec.skills[{i}].stages[{j}].system"), &mut stage.system));
        }
    }
    sources
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
upstream: {url: "http://a", caBundle: {configMapKeyRef: {name: ca, key: ca.crt}}}
models: {local: {name: l}, claude: {name: c}}
skills:
  - {name: debug, stages: [{system: {text: given}, user: u}, {system: {configMapKeyRef: {name: prompts, key: p.md}}, user: u}]}
"#;

    #[test]
    fn every_reference_is_replaced_by_its_text() {
        let mut spec: RoutingPolicySpec = serde_saphyr::from_str(POLICY).expect("parses");
        resolve(&mut spec, |reference| Ok(format!("text of {}/{}", reference.name, reference.key))).expect("all found");
        let yaml = serde_saphyr::to_string(&spec).expect("serializes");
        assert!(
            yaml.contains("text of ca/ca.crt") && yaml.contains("text of prompts/p.md") && yaml.contains("given"),
            "{yaml}"
        );
        assert!(!yaml.contains("configMapKeyRef"), "{yaml}");
    }

    #[test]
    fn every_reference_is_listed_once() {
        let spec: RoutingPolicySpec = serde_saphyr::from_str(POLICY).expect("parses");
        let keys: Vec<String> = config_map_keys(&spec).iter().map(|r| format!("{}/{}", r.name, r.key)).collect();
        assert_eq!(keys, ["ca/ca.crt", "prompts/p.md"]);
    }

    #[test]
    fn every_secret_of_a_policy_is_listed_with_its_path() {
        let names = |spec: &RoutingPolicySpec| {
            secret_names(spec).into_iter().map(|(path, name)| format!("{path}: {name}")).collect::<Vec<_>>()
        };
        let spec: RoutingPolicySpec = serde_saphyr::from_str(POLICY).expect("parses");
        assert_eq!(names(&spec), Vec::<String>::new());
        // Every field of the definition that can name a Secret, by the names of such fields.
        let crd = serde_json::to_string(&crate::definition()).expect("JSON");
        assert_eq!(crd.matches("ecretRef\":{").count() + crd.matches("PullSecrets\":{").count(), 9);
        let spec: RoutingPolicySpec = serde_saphyr::from_str(
            r#"
upstream: {url: "http://a", apiKeySecretRef: {name: a, key: K}}
models:
  local: {name: l, upstream: {url: "http://a", apiKeySecretRef: {name: b, key: K}}}
  claude: {name: c, upstream: {url: "http://a", apiKeySecretRef: {name: c, key: K}}}
  grader: {name: g, upstream: {url: "http://a", apiKeySecretRef: {name: g, key: K}}}
brain: {url: "http://b", tokenSecretRef: {name: d, key: K}, managed: {tokenSecretRef: {name: h, key: K}, databaseURLSecretRef: {name: i, key: K}}}
access: {tokens: [{name: ann, secretRef: {name: e, key: K}}]}
dataPlane: {imagePullSecrets: [{name: f}]}
"#,
        )
        .expect("parses");
        assert_eq!(
            names(&spec),
            [
                "spec.upstream.apiKeySecretRef.name: a",
                "spec.models.local.upstream.apiKeySecretRef.name: b",
                "spec.models.claude.upstream.apiKeySecretRef.name: c",
                "spec.models.grader.upstream.apiKeySecretRef.name: g",
                "spec.brain.tokenSecretRef.name: d",
                "spec.brain.managed.tokenSecretRef.name: h",
                "spec.brain.managed.databaseURLSecretRef.name: i",
                "spec.access.tokens[0].secretRef.name: e",
                "spec.dataPlane.imagePullSecrets[0].name: f",
            ]
        );
    }

    #[test]
    fn a_text_is_bounded_alone_and_with_all_others_before_it_is_copied() {
        let stages = "{system: {configMapKeyRef: {name: p, key: k}}, user: u}, ".repeat(40);
        let text = format!(
            "upstream: {{url: \"http://a\"}}\nmodels: {{local: {{name: l}}, claude: {{name: c}}}}\nskills: [{{name: debug, stages: [{stages}]}}]"
        );
        let spec: RoutingPolicySpec = serde_saphyr::from_str(&text).expect("parses");
        let errors = |bytes: usize| {
            let mut spec = spec.clone();
            resolve(&mut spec, |_| Ok("x".repeat(bytes))).err().unwrap_or_default()
        };
        assert_eq!(errors(TEXTS_MAX_BYTES / 40), []);
        let together = errors(TEXT_MAX);
        assert_eq!(together.len(), 40 - TEXTS_MAX_BYTES / TEXT_MAX);
        assert!(
            together[0].to_string().ends_with("have at most 1048576 bytes together; shorten them"),
            "{}",
            together[0]
        );
        let alone = errors(TEXT_MAX + 1);
        assert_eq!(alone.len(), 40);
        assert!(
            alone[0].to_string().ends_with("p/k: is 65537 bytes; a text has at most 65536: shorten it"),
            "{}",
            alone[0]
        );
    }

    #[test]
    fn every_reference_without_a_text_is_named_with_its_path() {
        let mut spec: RoutingPolicySpec = serde_saphyr::from_str(POLICY).expect("parses");
        let errors = resolve(&mut spec, |_| Err("not found".into())).expect_err("none found");
        let lines: Vec<String> = errors.iter().map(FieldError::to_string).collect();
        assert_eq!(
            lines,
            [
                "spec.upstream.caBundle.configMapKeyRef: ca/ca.crt: not found",
                "spec.skills[0].stages[1].system.configMapKeyRef: prompts/p.md: not found",
            ]
        );
    }
}
