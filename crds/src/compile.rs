//! Turns a policy into a routing table, or into a list of everything that is wrong with it.
//!
//! Validation and compilation are one pass, so that no rule is checked in a second place.

mod access;
mod check;
mod data_plane;
mod errors;
mod evidence;
mod skill;
mod upstream;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

pub use self::upstream::{BaseUrlError, is_model_name, is_reference, parse_base_url};
use self::{errors::Errors, evidence::Thresholds};
use crate::{
    FieldErrors, RoutingPolicySpec,
    arguments::PATTERNS_MAX,
    builtin::{self, BuiltinPrompts},
    policy::{SkillSpec, Timeouts, limits::IN_FLIGHT_MAX, skill::SKILLS_MAX},
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
        skills,
        access,
        timeouts,
        limits,
        decision_line,
        suspend: _,
        service,
        data_plane,
    } = spec;
    let (local_timeout, total_timeout) = compile_timeouts(timeouts, errors).unzip();
    let local = upstream::target("spec.models.local", &models.local, upstream, local_timeout, errors);
    let claude = upstream::target("spec.models.claude", &models.claude, upstream, None, errors);
    let grader =
        models.grader.as_ref().map(|grader| upstream::target("spec.models.grader", grader, upstream, None, errors));
    check::needs_grader("spec.models", models, skills.as_deref(), errors);
    let brain = brain.as_ref().map(|brain| upstream::brain("spec.brain", brain, errors));
    let thresholds = Thresholds::compile(thresholds, evidence.of, brain.is_some(), errors);
    let exploration =
        evidence::exploration("spec.evidence.exploration", &evidence.exploration, brain.is_some(), errors);
    let evidence = evidence::rules("spec.evidence", evidence, errors);
    let skills = compile_skills(skills.as_deref(), &thresholds, prompts, errors);
    if let Some(rules) = &evidence {
        evidence::needs_source("spec.evidence.sources", rules, skills.values().map(AsRef::as_ref), errors);
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
        skills,
        access,
        total_timeout: total_timeout?,
        in_flight: limits.in_flight as usize,
        decision_line: *decision_line,
        port: service.port,
    })
}

fn compile_timeouts(timeouts: &Timeouts, errors: &mut Errors) -> Option<(Duration, Duration)> {
    let local = errors.take("spec.timeouts.local", timeouts.local.text(), timeouts.local.duration());
    let total = errors.take("spec.timeouts.total", timeouts.total.text(), timeouts.total.duration());
    let (local, total) = (local?, total?);
    errors.check(
        "spec.timeouts.local",
        timeouts.local.text(),
        local <= total,
        format!("must not be longer than timeouts.total ({}), the budget of both attempts", timeouts.total.text()),
    );
    Some((local, total))
}

fn compile_skills(
    given: Option<&[SkillSpec]>,
    thresholds: &Thresholds,
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
        if let Some(skill) = skill::compile(&path, spec, &complete, thresholds, &mut patterns, errors) {
            skills.insert(skill.name.clone(), Arc::new(skill));
        }
    }
    skills
}

#[cfg(test)]
mod tests;
