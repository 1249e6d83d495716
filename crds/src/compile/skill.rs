//! The rules about one skill: name, schema, stages.

use std::{collections::BTreeSet, sync::Arc};

use super::{check, errors::Errors, evidence::Thresholds, upstream};
use crate::{
    FieldError,
    arguments::{self, ArgumentSchema},
    policy::{
        OnLocalError, RouteMode, SkillSpec, StageSpec,
        skill::{DESCRIPTION_MAX, NAME_MAX, STAGES_MAX},
        upstream::TEXT_MAX,
    },
    table::{Skill, Stage},
    template::{Template, TemplateError},
};

/// Compiles a skill. `given` is the skill as the policy has it; `spec` is the same, completed from the built-in skill
/// with its name. `patterns` is how many patterns its schema may have; those that it has are subtracted.
pub(super) fn compile(
    path: &str,
    given: &SkillSpec,
    spec: &SkillSpec,
    thresholds: &Thresholds,
    patterns: &mut usize,
    errors: &mut Errors,
) -> Option<Skill> {
    let SkillSpec {
        name,
        description,
        input_schema,
        stages,
        thresholds: own_thresholds,
        route,
        on_local_error,
        check: _,
        on_failed_check: _,
        grading: _,
    } = spec;
    let on_local_error = on_local_error.unwrap_or(default_on_local_error(*route));
    errors.check(
        format!("{path}.name"),
        name,
        is_name(name),
        format!("must be 1 to {NAME_MAX} of a-z, 0-9, '_' and '-', starting with a letter"),
    );
    require(path, spec, errors);
    if let Some(text) = description {
        let length = text.chars().count();
        errors.check(
            format!("{path}.description"),
            format!("{length} characters"),
            (1..=DESCRIPTION_MAX).contains(&length),
            format!("must be 1 to {DESCRIPTION_MAX} characters"),
        );
    }
    let arguments = input_schema.as_ref().and_then(|schema| {
        let compiled = ArgumentSchema::compile_within(schema, patterns);
        compiled
            .map_err(|reasons| {
                reasons.into_iter().for_each(|r| errors.push(FieldError::absent(format!("{path}.inputSchema"), r)))
            })
            .ok()
    });
    let stays_local = *route == RouteMode::Local && on_local_error == OnLocalError::Fail;
    let check = check::compile(path, spec, stays_local, patterns, errors);
    let grading = check::grading(path, spec, stays_local, errors);
    // Built-in stages guard what they read, so they work with any schema; a user's stages must fit the skill's schema.
    let own_stages = given.stages.is_some() && arguments.is_some();
    let declared = input_schema.as_ref().filter(|_| own_stages).and_then(arguments::declared);
    let stages = compile_stages(&format!("{path}.stages"), stages.as_deref()?, declared.as_ref(), errors);
    let thresholds = match own_thresholds {
        Some(own) => thresholds.of_skill(&format!("{path}.thresholds"), own, errors),
        None => thresholds.of_policy,
    };
    let (thresholds, relative_to) = thresholds?;
    Some(Skill {
        name: name.clone(),
        description: description.clone()?,
        input_schema: Arc::new(input_schema.clone()?),
        arguments: arguments?,
        stages: stages?,
        thresholds,
        relative_to,
        route: *route,
        on_local_error,
        check: check?,
        grading: grading?,
    })
}

fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    name.len() <= NAME_MAX && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(allowed)
}

fn require(path: &str, spec: &SkillSpec, errors: &mut Errors) {
    let given = [
        ("description", spec.description.is_some()),
        ("inputSchema", spec.input_schema.is_some()),
        ("stages", spec.stages.is_some()),
    ];
    for (field, _) in given.iter().filter(|(_, given)| !given) {
        let message = format!(
            "is required, because \"{}\" is not a built-in skill",
            crate::shown::printable(&spec.name, NAME_MAX)
        );
        errors.push(FieldError::absent(format!("{path}.{field}"), message));
    }
}

/// A skill that is pinned to the local model sends nothing to Claude unless the policy says so.
fn default_on_local_error(route: RouteMode) -> OnLocalError {
    match route {
        RouteMode::Local => OnLocalError::Fail,
        RouteMode::Auto | RouteMode::Claude => OnLocalError::Claude,
    }
}

fn compile_stages(
    path: &str,
    specs: &[StageSpec],
    declared: Option<&BTreeSet<String>>,
    errors: &mut Errors,
) -> Option<Vec<Stage>> {
    errors.check(
        path,
        format!("{} stages", specs.len()),
        (1..=STAGES_MAX).contains(&specs.len()),
        format!("must be 1 to {STAGES_MAX}"),
    );
    let compiled: Vec<Option<Stage>> = specs
        .iter()
        .take(STAGES_MAX)
        .enumerate()
        .map(|(i, spec)| stage(&format!("{path}[{i}]"), i == 0, spec, declared, errors))
        .collect();
    compiled.into_iter().collect()
}

fn stage(
    path: &str,
    first: bool,
    spec: &StageSpec,
    declared: Option<&BTreeSet<String>>,
    errors: &mut Errors,
) -> Option<Stage> {
    let system = upstream::text(&format!("{path}.system"), &spec.system, errors);
    let too_long = |text: &str| text.len() > TEXT_MAX;
    for (field, text) in [("system", system.as_deref().unwrap_or_default()), ("user", &spec.user)] {
        errors.check(
            format!("{path}.{field}"),
            format!("{} bytes", text.len()),
            !too_long(text),
            format!("must be at most {TEXT_MAX} bytes"),
        );
    }
    let user_path = format!("{path}.user");
    if spec.user.is_empty() {
        errors.push(FieldError::absent(&user_path, "must not be empty"));
    }
    if too_long(&spec.user) {
        return None;
    }
    let refused = |found: Vec<TemplateError>| {
        found.iter().for_each(|error| errors.push(FieldError::absent(&user_path, error.to_string())));
    };
    let user = Template::parse(&spec.user).map_err(refused).ok()?;
    for error in user.unknown_variables(first, declared) {
        errors.push(FieldError::absent(&user_path, error.to_string()));
    }
    Some(Stage { system: system?, user })
}
