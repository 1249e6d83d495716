//! A policy that was read and compiled but does not run yet.

use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use crds::{
    Document, DocumentError, FieldError, RoutingPolicy, RoutingPolicySpec, RoutingTable,
    builtin::BuiltinPrompts,
    compile,
    document::{Position, Positions},
    hash::config_hash,
    managed,
    pod::RENDERED,
    policy::ConfigMapKeyRef,
    references,
};
use serde::Serialize;

use crate::upstream;

/// What happens to fields that this version does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownFields {
    /// The file is refused: a misspelt field must not be silently ignored. So it is checked, here or for a cluster, where
    /// an operator may run its brain.
    Refuse,
    /// As above, except in a file that the operator rendered: there they are only reported.
    WarnIfRendered,
}

/// Where a policy comes from.
#[derive(Debug, Clone)]
pub enum PolicySource {
    /// The policy that the environment variables describe.
    Environment(Box<RoutingPolicySpec>),
    /// A policy file, and the folder with the ConfigMaps that it refers to.
    File {
        path: PathBuf,
        /// Holds `<name>/<key>`; without it, references to ConfigMaps are errors.
        config_maps: Option<PathBuf>,
    },
}

/// A compiled policy.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub table: Arc<RoutingTable>,
    /// Hash of the policy with the texts of its ConfigMaps.
    pub hash: String,
    /// Paths of fields that this version does not know; only in a file that the operator rendered.
    pub unknown_fields: Vec<String>,
}

/// Why a policy is refused: one problem or several, each with its place.
#[derive(Serialize, Clone, Debug, PartialEq, Eq)]
pub struct PolicyRefusal {
    /// Path of the file; `environment` without a file, `policy` if it was refused after it had been compiled.
    pub file: String,
    pub problems: Vec<PolicyProblem>,
}

/// One thing wrong with a policy file.
#[derive(Serialize, Clone, Debug, PartialEq, Eq)]
pub struct PolicyProblem {
    /// Line and column in the file, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// What is wrong and how to fix it.
    pub message: String,
}

impl std::fmt::Display for PolicyRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let line = |problem: &PolicyProblem| match problem.position {
            Some(position) => format!("{}:{position}: {}", self.file, problem.message),
            None => format!("{}: {}", self.file, problem.message),
        };
        f.write_str(&self.problems.iter().map(line).collect::<Vec<_>>().join("\n"))
    }
}

impl std::error::Error for PolicyRefusal {}

impl PolicyRefusal {
    /// One problem without a position.
    pub fn of(file: impl Into<String>, message: String) -> Self {
        Self { file: file.into(), problems: vec![PolicyProblem { position: None, message }] }
    }
}

/// Compiles the policy that the environment describes.
///
/// # Errors
/// Everything that is wrong with it.
pub fn from_environment(spec: &RoutingPolicySpec, prompts: &BuiltinPrompts) -> Result<Candidate, PolicyRefusal> {
    let refused = |message: String| PolicyRefusal::of("environment", message);
    let table = compile(spec, prompts).map_err(|errors| refused(errors.to_string()))?;
    let document =
        serde_json::to_value(RoutingPolicy::new("routing", spec.clone())).map_err(|e| refused(e.to_string()))?;
    Ok(Candidate { table: Arc::new(table), hash: config_hash(&document), unknown_fields: vec![] })
}

/// A text of a ConfigMap, or why there is none.
pub type Text = Result<String, String>;

/// Compiles the text of a policy file. ConfigMaps that it refers to are those in the same text, otherwise those that
/// `config_map` reads, where there are any.
///
/// # Errors
/// Everything that is wrong with it.
pub fn from_text(
    file: &Path,
    text: &str,
    config_map: Option<&mut dyn FnMut(&ConfigMapKeyRef) -> Text>,
    prompts: &BuiltinPrompts,
    unknown: UnknownFields,
) -> Result<Candidate, PolicyRefusal> {
    let refused = |problems| PolicyRefusal { file: file.display().to_string(), problems };
    let document = Document::parse(text).map_err(|e| refused(parse_problems(text, &e)))?;
    from_document(document, config_map, prompts, unknown).map_err(|errors| refused(located(text, &errors)))
}

fn parse_problems(text: &str, error: &DocumentError) -> Vec<PolicyProblem> {
    match error {
        DocumentError::Form(errors) => located(text, errors),
        other => vec![PolicyProblem { position: other.position(), message: other.to_string() }],
    }
}

fn from_document(
    mut document: Document,
    config_map: Option<&mut dyn FnMut(&ConfigMapKeyRef) -> Text>,
    prompts: &BuiltinPrompts,
    unknown: UnknownFields,
) -> Result<Candidate, Vec<FieldError>> {
    let rendered = document.policy.metadata.annotations.as_ref().is_some_and(|a| a.contains_key(RENDERED));
    let mut errors = match unknown {
        UnknownFields::WarnIfRendered if rendered => vec![],
        UnknownFields::WarnIfRendered | UnknownFields::Refuse => document.unknown_field_errors(),
    };
    let spec = &mut document.policy.spec;
    let hash = resolve(spec, &document.config_maps, config_map, &document.hash).unwrap_or_else(|unresolved| {
        errors.extend(unresolved);
        document.hash.clone()
    });
    if unknown == UnknownFields::Refuse {
        let metadata = &document.policy.metadata;
        let name = metadata.name.as_deref().unwrap_or_default();
        let namespace = metadata.namespace.as_deref().unwrap_or("default");
        errors.extend(managed::place(spec, name, namespace));
    }
    let table = table(spec, prompts, &mut errors);
    errors.extend(document.form_errors_beside(&errors));
    match table {
        Some(table) if errors.is_empty() => {
            Ok(Candidate { table: Arc::new(table), hash, unknown_fields: document.unknown_fields })
        }
        _ => Err(errors),
    }
}

/// The table of a policy; none if the policy cannot be compiled.
fn table(spec: &RoutingPolicySpec, prompts: &BuiltinPrompts, errors: &mut Vec<FieldError>) -> Option<RoutingTable> {
    match compile(spec, prompts) {
        Ok(table) => {
            errors.extend(bad_ca_bundles(spec, &table));
            Some(table)
        }
        Err(invalid) => {
            // A reference whose text could not be read is already reported.
            let named: HashSet<String> = errors.iter().map(|error| error.path.clone()).collect();
            errors.extend(invalid.0.into_iter().filter(|error| !named.contains(&error.path)));
            None
        }
    }
}

/// Fills in the texts of ConfigMaps and returns the config's hash; the texts are part of the config.
fn resolve(
    spec: &mut RoutingPolicySpec,
    beside: &BTreeMap<ConfigMapKeyRef, String>,
    mut config_map: Option<&mut dyn FnMut(&ConfigMapKeyRef) -> Text>,
    hash: &str,
) -> Result<String, Vec<FieldError>> {
    let before = spec.clone();
    references::resolve(spec, |reference| match (beside.get(reference), &mut config_map) {
        (Some(text), _) => Ok(text.clone()),
        (None, Some(read)) => read(reference),
        (None, None) => Err(not_beside(reference, beside)),
    })?;
    if *spec == before {
        return Ok(hash.to_string());
    }
    let resolved = serde_json::to_value(&*spec).unwrap_or_default();
    Ok(config_hash(&serde_json::json!([hash, resolved])))
}

/// Why a ConfigMap that may be in the policy's file is not used.
fn not_beside(reference: &ConfigMapKeyRef, beside: &BTreeMap<ConfigMapKeyRef, String>) -> String {
    let same = beside.keys().filter(|other| other.name == reference.name);
    let keys: Vec<&str> = same.map(|other| other.key.as_str()).take(10).collect();
    if keys.is_empty() {
        return references::NO_CLUSTER.into();
    }
    format!("the ConfigMap in the policy's file has no such key; it has: {}", keys.join(", "))
}

/// The CA bundles that hold no usable certificate; `crds` checks only that they are PEM.
fn bad_ca_bundles(spec: &RoutingPolicySpec, table: &RoutingTable) -> Vec<FieldError> {
    let mut errors = vec![];
    for (name, target) in table.models() {
        let own = spec.models.has_own_upstream(name);
        let path = if own { format!("spec.models.{name}.upstream.caBundle") } else { "spec.upstream.caBundle".into() };
        if let Some(Err(error)) = target.ca_bundle.as_deref().map(upstream::check_ca_bundle) {
            errors.push(FieldError::absent(path, error.to_string()));
        }
    }
    errors.dedup();
    errors
}

fn located(text: &str, errors: &[FieldError]) -> Vec<PolicyProblem> {
    let positions = Positions::of(text);
    let problem =
        |error: &FieldError| PolicyProblem { position: positions.find(&error.path), message: error.to_string() };
    errors.iter().map(problem).collect()
}
