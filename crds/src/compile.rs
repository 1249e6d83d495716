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
    table::{RoutingTable, Skill},
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
    let RoutingPolicySpec {
        upstream,
        models,
        brain,
        thresholds,
        evidence,
        review,
        skills,
        client,
        access,
        timeouts,
        limits,
        decision_line,
        suspend: _,
        service,
        data_plane,
    } = spec;
    let local = upstream::target("spec.models.local", &models.local, upstream, errors);
    let claude = caller::claude("spec.models.claude", &models.claude, upstream, errors);
    let grader = models.grader.as_ref().map(|grader| upstream::target("spec.models.grader", grader, upstream, errors));
    let local_timeout = local.as_ref().and_then(|local| local.timeout);
    let timeouts = timeouts::of_policy(timeouts, local_timeout, errors);
    check::needs_grader("spec.models", models, skills.as_deref(), errors);
    if models.claude.is_caller() {
        caller::judges_nothing("spec.skills", skills.as_deref().unwrap_or_default(), errors);
    }
    let brain = brain.as_ref().map(|brain| upstream::brain("spec.brain", brain, errors));
    let thresholds = Thresholds::compile(thresholds, evidence.of, brain.is_some(), errors);
    let exploration =
        evidence::exploration("spec.evidence.exploration", &evidence.exploration, brain.is_some(), errors);
    let evidence = evidence::rules("spec.evidence", evidence, errors);
    let review = review.as_ref().map(|review| review::compile("spec.review", review, brain.is_some(), errors));
    let of_policy = OfPolicy { thresholds: &thresholds, timeouts, local_timeout };
    let are_listed = skills.is_some();
    let skills = compile_skills(skills.as_deref(), &of_policy, prompts, errors);
    if let Some(rules) = &evidence {
        evidence::needs_source("spec.evidence.sources", rules, skills.values().map(AsRef::as_ref), errors);
    }
    if models.claude.is_caller() {
        let path = "spec.models.claude.returnToCaller";
        caller::needs_one_stage(path, skills.values().map(AsRef::as_ref), are_listed, errors);
    }
    let access = access::rules("spec.access", access, errors);
    errors.check(
        "spec.limits.inFlight",
        limits.in_flight,
        (1..=IN_FLIGHT_MAX).contains(&limits.in_flight),
        format!("must be from 1 to {IN_FLIGHT_MAX}"),
    );
    data_plane::check_service("spec.service", service, errors);
    data_plane::check("spec.dataPlane", data_plane, errors);
    Some(RoutingTable {
        local: local?,
        claude: claude?,
        grader: match grader {
            Some(target) => Some(target?),
            None => None,
        },
        brain: match brain {
            Some(target) => Some(target?),
            None => None,
        },
        evidence: evidence?,
        exploration: exploration?,
        review: match review {
            Some(rules) => Some(rules?),
            None => None,
        },
        skills,
        always_load: client.always_load,
        access,
        in_flight: limits.in_flight as usize,
        decision_line: *decision_line,
        port: service.port,
    })
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
