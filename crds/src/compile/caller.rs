//! The rules of a policy whose Claude is the caller.

use super::{errors::Errors, upstream};
use crate::{
    FieldError,
    policy::{
        ClaudeModel, GradedBy, OnLocalError, RouteMode, SkillSpec, Upstream,
        models::{CALLER_ALONE, CALLER_JUDGES, CLAUDE_ONE},
    },
    table::{ClaudeTarget, Skill},
};

/// Who does what the local model does not do; none if there is an error.
pub(super) fn claude(path: &str, given: &ClaudeModel, shared: &Upstream, errors: &mut Errors) -> Option<ClaudeTarget> {
    match (given.model(), given.is_caller()) {
        (Some(model), false) => upstream::target(path, &model, shared, errors).map(Box::new).map(ClaudeTarget::Model),
        (None, true) => caller(&format!("{path}.returnToCaller"), given, errors),
        _ => {
            errors.push(FieldError::absent(path, CLAUDE_ONE));
            None
        }
    }
}

fn caller(path: &str, given: &ClaudeModel, errors: &mut Errors) -> Option<ClaudeTarget> {
    let ClaudeModel { name: _, return_to_caller: _, parameters, upstream, timeout, max_concurrent, price } = given;
    let one_is_set = upstream.is_some() || timeout.is_some() || max_concurrent.is_some() || price.is_some();
    if !parameters.is_empty() || one_is_set {
        errors.push(FieldError::absent(path, CALLER_ALONE));
    }
    Some(ClaudeTarget::Caller)
}

/// The caller judges no answers.
pub(super) fn judges_nothing(path: &str, skills: &[SkillSpec], errors: &mut Errors) {
    for (i, skill) in skills.iter().enumerate() {
        if skill.grading.as_ref().is_some_and(|grading| grading.by == GradedBy::Claude) {
            errors.push(FieldError::absent(format!("{path}[{i}].grading"), CALLER_JUDGES));
        }
    }
}

/// Only the work of a last stage can be returned: nobody would go on with what the caller makes of an earlier one.
/// `listed`: the policy says which skills there are.
pub(super) fn needs_one_stage<'a>(
    path: &str,
    skills: impl Iterator<Item = &'a Skill>,
    listed: bool,
    errors: &mut Errors,
) {
    for skill in skills.filter(|skill| skill.stages.len() > 1 && !stays_local(skill)) {
        let (name, stages) = (&skill.name, skill.stages.len());
        let leave_out = if listed { "leave it out of skills" } else { "list the skills without it" };
        let message = format!(
            "cannot serve the skill {name}: it has {stages} stages, and one before the last cannot be returned to the caller; set \
             models.claude.name, or give the skill route: Local, or {leave_out}"
        );
        errors.push(FieldError::absent(path, message));
    }
}

fn stays_local(skill: &Skill) -> bool {
    skill.route == RouteMode::Local && skill.on_local_error == OnLocalError::Fail
}
