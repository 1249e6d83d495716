//! A policy that was read and compiled but does not run yet.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use crds::{
    Document, DocumentError, FieldError, RoutingPolicy, RoutingPolicySpec, RoutingTable,
    builtin::BuiltinPrompts,
    compile,
    compile::is_reference,
    document::{self, MAX_BYTES, Position},
    hash::config_hash,
    policy::ConfigMapKeyRef,
    references,
};
use serde::Serialize;

use crate::upstream;

/// Annotation that the operator sets on the policies it renders: a field that this version does not know is then only a
/// warning, so that a newer operator and an older pod work together during an upgrade.
const RENDERED: &str = "routing.hyperguild.io/rendered";
/// File beside the policy with the last config that every replica ran.
const LAST_GOOD: &str = "last-good.yaml";

/// What happens to fields that this version does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownFields {
    /// The file is refused: a misspelt field must not be silently ignored.
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
pub struct Refusal {
    /// Path of the file; `environment` without a file, `policy` if it was refused after it had been compiled.
    pub file: String,
    pub problems: Vec<Problem>,
}

/// One thing wrong with a policy file.
#[derive(Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line and column in the file, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// What is wrong and how to fix it.
    pub message: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let line = |problem: &Problem| match problem.position {
            Some(position) => format!("{}:{position}: {}", self.file, problem.message),
            None => format!("{}: {}", self.file, problem.message),
        };
        f.write_str(&self.problems.iter().map(line).collect::<Vec<_>>().join("\n"))
    }
}

impl std::error::Error for Refusal {}

impl PolicySource {
    /// Reads and compiles the policy.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(&self, prompts: &BuiltinPrompts) -> Result<Candidate, Refusal> {
        match self {
            Self::Environment(spec) => from_environment(spec, prompts),
            Self::File { path, config_maps } => {
                read_file(path, config_maps.as_deref(), prompts, UnknownFields::WarnIfRendered)
            }
        }
    }

    /// Reads and compiles `last-good.yaml` beside the policy; none if there is no such file.
    #[must_use]
    pub fn read_last_good(&self, prompts: &BuiltinPrompts) -> Option<Result<Candidate, Refusal>> {
        let Self::File { path, config_maps } = self else { return None };
        let last_good = path.parent().unwrap_or(Path::new("")).join(LAST_GOOD);
        last_good
            .is_file()
            .then(|| read_file(&last_good, config_maps.as_deref(), prompts, UnknownFields::WarnIfRendered))
    }
}

fn from_environment(spec: &RoutingPolicySpec, prompts: &BuiltinPrompts) -> Result<Candidate, Refusal> {
    let refused =
        |message: String| Refusal { file: "environment".into(), problems: vec![Problem { position: None, message }] };
    let table = compile(spec, prompts).map_err(|errors| refused(errors.to_string()))?;
    let document =
        serde_json::to_value(RoutingPolicy::new("routing", spec.clone())).map_err(|e| refused(e.to_string()))?;
    Ok(Candidate { table: Arc::new(table), hash: config_hash(&document), unknown_fields: vec![] })
}

/// Reads and compiles one policy file.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read_file(
    path: &Path,
    config_maps: Option<&Path>,
    prompts: &BuiltinPrompts,
    unknown: UnknownFields,
) -> Result<Candidate, Refusal> {
    let refused = |problems: Vec<Problem>| Refusal { file: path.display().to_string(), problems };
    let text = read_bounded(path).map_err(|message| refused(vec![Problem { position: None, message }]))?;
    let document = Document::parse(&text).map_err(|e| refused(parse_problems(&text, &e)))?;
    from_document(document, config_maps, prompts, unknown)
        .map_err(|errors| refused(errors.iter().map(|error| located(&text, error)).collect()))
}

fn parse_problems(text: &str, error: &DocumentError) -> Vec<Problem> {
    match error {
        DocumentError::Form(errors) => errors.iter().map(|error| located(text, error)).collect(),
        other => vec![Problem { position: other.position(), message: other.to_string() }],
    }
}

fn from_document(
    mut document: Document,
    config_maps: Option<&Path>,
    prompts: &BuiltinPrompts,
    unknown: UnknownFields,
) -> Result<Candidate, Vec<FieldError>> {
    let rendered = document.policy.metadata.annotations.as_ref().is_some_and(|a| a.contains_key(RENDERED));
    let mut errors = match unknown {
        UnknownFields::WarnIfRendered if rendered => vec![],
        UnknownFields::WarnIfRendered | UnknownFields::Refuse => document.unknown_field_errors(),
    };
    let spec = &mut document.policy.spec;
    let hash = resolve(spec, config_maps, &document.hash).unwrap_or_else(|unresolved| {
        errors.extend(unresolved);
        document.hash.clone()
    });
    let table = match compile(spec, prompts) {
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
    };
    errors.extend(document.form_errors_beside(&errors));
    match table {
        Some(table) if errors.is_empty() => {
            Ok(Candidate { table: Arc::new(table), hash, unknown_fields: document.unknown_fields })
        }
        _ => Err(errors),
    }
}

/// Fills in the texts of ConfigMaps and returns the config's hash; the texts are part of the config.
fn resolve(spec: &mut RoutingPolicySpec, config_maps: Option<&Path>, hash: &str) -> Result<String, Vec<FieldError>> {
    let Some(folder) = config_maps else { return Ok(hash.to_string()) };
    let before = spec.clone();
    references::resolve(spec, |reference| read_config_map(folder, reference))?;
    if *spec == before {
        return Ok(hash.to_string());
    }
    let resolved = serde_json::to_value(&*spec).unwrap_or_default();
    Ok(config_hash(&serde_json::json!([hash, resolved])))
}

/// The CA bundles that hold no usable certificate; `crds` checks only that they are PEM.
fn bad_ca_bundles(spec: &RoutingPolicySpec, table: &RoutingTable) -> Vec<FieldError> {
    let models = [("local", &spec.models.local, &table.local), ("claude", &spec.models.claude, &table.claude)];
    let mut errors = vec![];
    for (name, model, target) in models {
        let own = model.upstream.is_some();
        let path = if own { format!("spec.models.{name}.upstream.caBundle") } else { "spec.upstream.caBundle".into() };
        if let Some(Err(error)) = target.ca_bundle.as_deref().map(upstream::check_ca_bundle) {
            errors.push(FieldError::absent(path, error.to_string()));
        }
    }
    errors.dedup();
    errors
}

fn located(text: &str, error: &FieldError) -> Problem {
    Problem { position: document::position(text, &error.path), message: error.to_string() }
}

fn read_config_map(folder: &Path, reference: &ConfigMapKeyRef) -> Result<String, String> {
    let ConfigMapKeyRef { name, key } = reference;
    if !is_reference(name) || !is_reference(key) {
        return Err("is not a name and key of a ConfigMap".into());
    }
    let path = folder.join(name).join(key);
    read_bounded(&path).map_err(|e| format!("{}: {e}", path.display()))
}

fn read_bounded(path: &Path) -> Result<String, String> {
    let metadata = fs::metadata(path).map_err(|e| format!("cannot be read: {e}"))?;
    if !metadata.is_file() {
        return Err("is not a file".into());
    }
    if metadata.len() > MAX_BYTES as u64 {
        return Err(format!("is larger than {MAX_BYTES} bytes"));
    }
    fs::read_to_string(path).map_err(|e| format!("cannot be read: {e}"))
}
