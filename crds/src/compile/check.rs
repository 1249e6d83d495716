//! The rules about what is asked of a skill's answers: its check and its grading.

use super::errors::Errors;
use crate::{
    FieldError,
    answer_check::{AnswerCheck, PATTERN_MAX},
    policy::{
        Check, GradedBy, Grading, Models, NEEDS_GRADER, OnFailedCheck, SkillSpec,
        check::{GRADINGS_MAX, RUBRIC_MAX},
        skill::{GRADED_AWAY, NEEDS_CHECK, STAYS_LOCAL},
    },
    table::{GradingRules, SkillCheck},
};

/// The check of a skill, if it has one; none if there is an error. `stays_local`: nothing of the skill goes to Claude.
/// `patterns` is how many patterns it may have; those that it has are subtracted.
pub(super) fn compile(
    path: &str,
    skill: &SkillSpec,
    stays_local: bool,
    patterns: &mut usize,
    errors: &mut Errors,
) -> Option<Option<SkillCheck>> {
    let on_failed_path = format!("{path}.onFailedCheck");
    let on_failed = skill.on_failed_check.unwrap_or_default();
    errors.check(&on_failed_path, "Claude", !(stays_local && on_failed == OnFailedCheck::Claude), STAYS_LOCAL);
    let Some(check) = &skill.check else {
        if skill.on_failed_check.is_some() {
            errors.push(FieldError::absent(on_failed_path, NEEDS_CHECK));
        }
        return Some(None);
    };
    let compiled = answer_check(&format!("{path}.check"), check, patterns, errors)?;
    Some(Some(SkillCheck { check: compiled, counts: check.counts, on_failed }))
}

fn answer_check(path: &str, check: &Check, patterns: &mut usize, errors: &mut Errors) -> Option<AnswerCheck> {
    let (field, compiled) = match (&check.json_schema, &check.pattern) {
        (Some(schema), None) => ("jsonSchema", AnswerCheck::by_schema(schema, patterns)),
        (None, Some(pattern)) => {
            let length = pattern.chars().count();
            errors.check(
                format!("{path}.pattern"),
                format!("{length} characters"),
                (1..=PATTERN_MAX).contains(&length),
                format!("must be 1 to {PATTERN_MAX} characters"),
            );
            ("pattern", AnswerCheck::by_pattern(pattern, patterns))
        }
        _ => {
            errors.push(FieldError::absent(path, "must have exactly one of jsonSchema and pattern"));
            return None;
        }
    };
    let refused = |reasons: Vec<String>| {
        reasons.into_iter().for_each(|reason| errors.push(FieldError::absent(format!("{path}.{field}"), reason)));
    };
    compiled.map_err(refused).ok()
}

/// How a skill's answers are judged, if they are; none if there is an error.
pub(super) fn grading(
    path: &str,
    skill: &SkillSpec,
    stays_local: bool,
    errors: &mut Errors,
) -> Option<Option<GradingRules>> {
    let Some(Grading { share, max_per_hour, rubric, by, counts }) = &skill.grading else { return Some(None) };
    let path = format!("{path}.grading");
    if stays_local && *by == GradedBy::Claude {
        errors.push(FieldError::absent(&path, GRADED_AWAY));
    }
    let share = errors.take(format!("{path}.share"), share.text(), share.value());
    errors.check(
        format!("{path}.maxPerHour"),
        max_per_hour,
        (1..=GRADINGS_MAX).contains(max_per_hour),
        format!("must be from 1 to {GRADINGS_MAX}"),
    );
    let length = rubric.chars().count();
    errors.check(
        format!("{path}.rubric"),
        format!("{length} characters"),
        (1..=RUBRIC_MAX).contains(&length),
        format!("must be 1 to {RUBRIC_MAX} characters"),
    );
    let max_per_hour = usize::try_from(*max_per_hour).ok()?;
    Some(Some(GradingRules { share: share?, max_per_hour, rubric: rubric.clone(), by: *by, counts: *counts }))
}

/// Whoever is named as judge exists.
pub(super) fn needs_grader(path: &str, models: &Models, skills: Option<&[SkillSpec]>, errors: &mut Errors) {
    let by_grader = |skill: &SkillSpec| skill.grading.as_ref().is_some_and(|grading| grading.by == GradedBy::Grader);
    if models.grader.is_none() && skills.into_iter().flatten().any(by_grader) {
        errors.push(FieldError::absent(path, NEEDS_GRADER));
    }
}
