//! Turns a policy into a routing table, or into a list of everything that is wrong with it.
//!
//! Validation and compilation are one pass, so that no rule is checked in a second place.

mod access;
mod attach;
mod caller;
mod check;
mod data_plane;
mod errors;
mod evidence;
mod managed;
mod price;
mod review;
mod skill;
mod timeouts;
mod upstream;

use std::{collections::BTreeMap, sync::Arc};

pub use self::managed::check_managed_brain;
pub use self::upstream::{BaseUrlError, is_model_name, is_reference, parse_base_url};
use self::{errors::Errors, evidence::Thresholds, skill::OfPolicy};
use crate::{
    FieldErrors, RoutingPolicySpec,
    arguments::PATTERNS_MAX,
    builtin::{self, BuiltinPrompts},
    policy::{SkillSpec, limits::IN_FLIGHT_MAX, skill::SKILLS_MAX},
    table::{EvidenceRules, RoutingTable, Skill},
};

/// Compiles a policy whose ConfigMap references have been resolved.
///
/// # Errors
/// Everything wrong with the policy, each with the path of its field and the value.
pub fn compile(spec: &RoutingPolicySpec, prompts: &BuiltinPrompts) -> Result<RoutingTable, FieldErrors> {
    let mut errors = Errors::default();
    match table(spec, prompts, &mut errors) {
        Some(table) if errors.is_empty() => Ok(table),
        _ => Err(errors.into_field_errors()),
    }
}

fn table(spec: &RoutingPolicySpec, prompts: &BuiltinPrompts, errors: &mut Errors) -> Option<RoutingTable> {
    let (models, shared) = (&spec.models, &spec.upstream);
    let local = upstream::target("spec.models.local", &models.local, shared, errors);
    let claude = caller::claude("spec.models.claude", &models.claude, shared, errors);
    let grader =
        optional(models.grader.as_ref(), |grader| upstream::target("spec.models.grader", grader, shared, errors));
    let local_timeout = local.as_ref().and_then(|local| local.timeout);
    let timeouts = timeouts::of_policy(&spec.timeouts, local_timeout, errors);
    check_judges(spec, errors);
    let brain = optional(spec.brain.as_ref(), |brain| upstream::brain("spec.brain", brain, errors));
    let (evidence, has_brain) = (&spec.evidence, spec.brain.is_some());
    let thresholds = Thresholds::compile(&spec.thresholds, evidence.of, has_brain, errors);
    let exploration = evidence::exploration("spec.evidence.exploration", &evidence.exploration, has_brain, errors);
    let evidence = evidence::rules("spec.evidence", evidence, errors);
    let review = optional(spec.review.as_ref(), |review| review::compile("spec.review", review, has_brain, errors));
    let of_policy = OfPolicy { thresholds: &thresholds, timeouts, local_timeout };
    let skills = compile_skills(spec.skills.as_deref(), &of_policy, prompts, errors);
    check_skills(spec, evidence.as_ref(), &skills, errors);
    let access = access::rules("spec.access", &spec.access, errors);
    check_serving(spec, errors);
    Some(RoutingTable {
        local: local?,
        claude: claude?,
        grader: grader?,
        brain: brain?,
        evidence: evidence?,
        exploration: exploration?,
        review: review?,
        skills,
        always_load: spec.client.always_load,
        access,
        in_flight: spec.limits.in_flight as usize,
        decision_line: spec.decision_line,
        port: spec.service.port,
    })
}

/// Compiles what a policy may leave out; none if there is an error.
fn optional<G, C>(given: Option<&G>, compile: impl FnOnce(&G) -> Option<C>) -> Option<Option<C>> {
    given.map_or(Some(None), |given| compile(given).map(Some))
}

/// Whoever judges answers exists, and is a model.
fn check_judges(spec: &RoutingPolicySpec, errors: &mut Errors) {
    let skills = spec.skills.as_deref();
    check::needs_grader("spec.models", &spec.models, skills, errors);
    if spec.models.claude.is_caller() {
        caller::judges_nothing("spec.skills", skills.unwrap_or_default(), errors);
    }
}

/// What the rest of the policy requires of its skills.
fn check_skills(
    spec: &RoutingPolicySpec,
    rules: Option<&EvidenceRules>,
    skills: &BTreeMap<String, Arc<Skill>>,
    errors: &mut Errors,
) {
    if let Some(rules) = rules {
        evidence::needs_source("spec.evidence.sources", rules, skills.values().map(AsRef::as_ref), errors);
    }
    if spec.models.claude.is_caller() {
        let (path, are_listed) = ("spec.models.claude.returnToCaller", spec.skills.is_some());
        caller::needs_one_stage(path, skills.values().map(AsRef::as_ref), are_listed, errors);
    }
}

/// The rules about how the data plane serves.
fn check_serving(spec: &RoutingPolicySpec, errors: &mut Errors) {
    // Without `..`: a new field is noticed here, and needs code that honours it.
    let RoutingPolicySpec {
        limits,
        service,
        data_plane,
        upstream: _,
        models: _,
        brain: _,
        thresholds: _,
        evidence: _,
        review: _,
        skills: _,
        client: _,
        access: _,
        timeouts: _,
        decision_line: _,
        suspend: _,
    } = spec;
    let is_possible = (1..=IN_FLIGHT_MAX).contains(&limits.in_flight);
    let message = format!("must be from 1 to {IN_FLIGHT_MAX}");
    errors.check("spec.limits.inFlight", limits.in_flight, is_possible, message);
    data_plane::check_service("spec.service", service, errors);
    data_plane::check("spec.dataPlane", data_plane, errors);
}

fn compile_skills(
    given: Option<&[SkillSpec]>,
    of_policy: &OfPolicy<'_>,
    prompts: &BuiltinPrompts,
    errors: &mut Errors,
) -> BTreeMap<String, Arc<Skill>> {
    let builtins = builtin::skills(prompts);
    let specs = given.unwrap_or(&builtins);
    errors.check(
        "spec.skills",
        specs.len(),
        (1..=SKILLS_MAX).contains(&specs.len()),
        format!("must be 1 to {SKILLS_MAX} skills; leave it out for the built-in ones"),
    );
    let mut skills = BTreeMap::new();
    let mut patterns = PATTERNS_MAX;
    for (i, spec) in specs.iter().take(SKILLS_MAX).enumerate() {
        let path = format!("spec.skills[{i}]");
        let duplicate = specs[..i].iter().any(|earlier| earlier.name == spec.name);
        errors.check(
            format!("{path}.name"),
            &spec.name,
            !duplicate,
            "a skill with this name is already defined above; merge the two or rename one",
        );
        let complete = builtin::complete(spec, &builtins);
        if let Some(skill) = skill::compile(&path, spec, &complete, of_policy, &mut patterns, errors) {
            skills.insert(skill.name.clone(), Arc::new(skill));
        }
    }
    skills
}

#[cfg(test)]
mod tests;
