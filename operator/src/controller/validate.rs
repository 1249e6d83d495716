//! Step 2, pure: checks whether a policy, with the texts it refers to, can be run, and renders its config.

use std::collections::BTreeSet;

use crds::{
    FieldError, RoutingPolicy, RoutingPolicySpec, RoutingTable, builtin::BuiltinPrompts, compile, managed,
    policy::Reason, references,
};
use kube::ResourceExt;

use super::{
    dereference::Texts,
    policy::UnknownField,
    render::{Rendered, render},
};

/// Longest message about a refused policy, in characters.
const MESSAGE_MAX: usize = 2_000;

/// A policy that can be run.
#[derive(Debug)]
pub struct Valid {
    /// The spec with every text filled in, and with the address of a brain that the operator runs.
    pub spec: RoutingPolicySpec,
    /// The routing table that the spec compiles to.
    pub table: RoutingTable,
    /// The config for the pods.
    pub rendered: Rendered,
    /// Paths of fields that this version does not know.
    pub unknown_fields: Vec<String>,
}

/// What of a valid policy is needed after its children are built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The names of the skills that it serves.
    pub skills: BTreeSet<String>,
    /// Whether its config names Secrets.
    pub refers_to_secrets: bool,
    /// Paths of fields that this version does not know.
    pub unknown_fields: Vec<String>,
    /// What keeps some clients from using a skill, a sentence each.
    pub warnings: Vec<String>,
}

impl Valid {
    /// What is needed of it later.
    #[must_use]
    pub fn accepted(&self) -> Accepted {
        Accepted {
            skills: self.table.skills.keys().map(ToString::to_string).collect(),
            refers_to_secrets: self.table.secrets().next().is_some(),
            unknown_fields: self.unknown_fields.clone(),
            warnings: self.table.warnings(),
        }
    }
}

/// A policy that cannot be run until someone changes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The reason that the conditions give.
    pub reason: Reason,
    /// Everything wrong with it, with path and value, separated by `; `.
    pub message: String,
    /// The part of the message that is about references to ConfigMaps; none if all of them resolve.
    pub references: Option<String>,
    /// Whether the check did not come to its end, so that another one of the same policy may end otherwise.
    pub unfinished: bool,
}

/// Checks a policy and renders its config. A field that this version does not know is not an error; what is not allowed
/// by the operator's settings is one.
///
/// # Errors
/// Everything wrong with it, in one message.
pub fn validate(
    policy: &RoutingPolicy,
    unknown: &[UnknownField],
    texts: &Texts,
    not_allowed: &[FieldError],
) -> Result<Valid, Invalid> {
    let mut spec = policy.spec.clone();
    let unresolved = references::resolve(&mut spec, |reference| {
        texts.get(reference).cloned().unwrap_or_else(|| Err("was not read".into()))
    });
    let unresolved = unresolved.err().unwrap_or_default();
    let of_brain = managed::place(&mut spec, &policy.name_any(), &policy.namespace().unwrap_or_default());
    let not_allowed = &[not_allowed, &of_brain].concat()[..];
    let table = match compile(&spec, &BuiltinPrompts::default()) {
        Ok(table) if unresolved.is_empty() && not_allowed.is_empty() => table,
        Ok(_) => return Err(refused(&unresolved, not_allowed)),
        Err(errors) => return Err(refused(&unresolved, &[not_allowed, &errors.0].concat())),
    };
    let rendered = render(&policy.name_any(), &spec, unknown).map_err(|message| Invalid {
        reason: Reason::TooLarge,
        message,
        references: None,
        unfinished: false,
    })?;
    let unknown_fields = unknown.iter().map(|field| field.path.clone()).collect();
    Ok(Valid { spec, table, rendered, unknown_fields })
}

fn refused(unresolved: &[FieldError], errors: &[FieldError]) -> Invalid {
    // A reference without a text is already in `unresolved`.
    let is_new = |error: &&FieldError| !unresolved.iter().any(|other| other.path == error.path);
    let all = unresolved.iter().chain(errors.iter().filter(is_new));
    let references = (!unresolved.is_empty()).then(|| message(unresolved.iter()));
    Invalid { reason: Reason::Invalid, message: message(all), references, unfinished: false }
}

fn message<'a>(errors: impl Iterator<Item = &'a FieldError>) -> String {
    let whole = errors.map(ToString::to_string).collect::<Vec<_>>().join("; ");
    match whole.char_indices().nth(MESSAGE_MAX) {
        Some((end, _)) => format!("{}…", &whole[..end]),
        None => whole,
    }
}

#[cfg(test)]
mod tests;
