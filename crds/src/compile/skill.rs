//! The rules about one skill: name, schema, stages.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{attach, check, errors::Errors, evidence::Thresholds, timeouts, upstream};
use crate::{
    FieldError,
    arguments::{self, ArgumentSchema},
    policy::{
        Attach, OnLocalError, RelativeTo, RouteMode, SkillSpec, StageSpec,
        skill::{DESCRIPTION_MAX, NAME_MAX, STAGES_MAX, TITLE_MAX, WHEN_MAX},
        upstream::TEXT_MAX,
    },
    table::{CallTimeouts, Skill, Stage, ThresholdValues},
    template::{Template, TemplateError},
};

/// What the policy says for skills that say nothing of their own; none: it is wrong.
pub(super) struct OfPolicy<'a> {
    pub(super) thresholds: &'a Thresholds,
    pub(super) timeouts: Option<CallTimeouts>,
    /// Longest attempt on the local model, where the model itself has one.
    pub(super) local_timeout: Option<Duration>,
}

impl OfPolicy<'_> {
    fn timeouts_of(&self, path: &str, spec: &SkillSpec, errors: &mut Errors) -> Option<CallTimeouts> {
        match &spec.timeouts {
            Some(own) => timeouts::of_skill(&format!("{path}.timeouts"), own, self.local_timeout, errors),
            None => self.timeouts,
        }
    }

    fn thresholds_of(
        &self,
        path: &str,
        spec: &SkillSpec,
        errors: &mut Errors,
    ) -> Option<(ThresholdValues, RelativeTo)> {
        match &spec.thresholds {
            Some(own) => self.thresholds.of_skill(&format!("{path}.thresholds"), own, errors),
            None => self.thresholds.of_policy,
        }
    }
}

/// Compiles a skill. `given` is the skill as the policy has it; `spec` is the same, completed from the built-in skill
/// with its name. `of_policy` are the policy's rules that hold where the skill has none. `patterns` is how many patterns its
/// schema may have; those that it has are subtracted.
pub(super) fn compile(
    path: &str,
    given: &SkillSpec,
    spec: &SkillSpec,
    of_policy: &OfPolicy<'_>,
    patterns: &mut usize,
    errors: &mut Errors,
) -> Option<Skill> {
    let on_local_error = spec.on_local_error.unwrap_or(default_on_local_error(spec.route));
    check_texts(path, spec, errors);
    let arguments = arguments_of(path, spec, patterns, errors);
    let stays_local = spec.route == RouteMode::Local && on_local_error == OnLocalError::Fail;
    let check = check::compile(path, spec, stays_local, patterns, errors);
    let grading = check::grading(path, spec, stays_local, errors);
    let attach = attach_of(path, given, spec, errors);
    let timeouts = of_policy.timeouts_of(path, spec, errors);
    // Built-in stages guard what they read, so they work with any schema; a user's stages must fit the skill's schema.
    let own_stages = given.stages.is_some() && arguments.is_some();
    let declared = spec.input_schema.as_ref().filter(|_| own_stages).and_then(arguments::declared);
    let stages = compile_stages(&format!("{path}.stages"), spec.stages.as_deref()?, declared.as_ref(), errors);
    let (thresholds, relative_to) = of_policy.thresholds_of(path, spec, errors)?;
    Some(Skill {
        name: spec.name.clone(),
        description: spec.description.clone()?,
        title: spec.title.clone().unwrap_or_else(|| title_of(&spec.name)),
        when_to_use: spec.when_to_use.clone(),
        attach,
        timeouts: timeouts?,
        input_schema: Arc::new(spec.input_schema.clone()?),
        arguments: arguments?,
        stages: stages?,
        thresholds,
        relative_to,
        route: spec.route,
        on_local_error,
        check: check?,
        grading: grading?,
    })
}

/// The skill's name and its texts for callers.
fn check_texts(path: &str, spec: &SkillSpec, errors: &mut Errors) {
    // Without `..`: a new field is noticed here, and needs code that honours it.
    let SkillSpec {
        name,
        description,
        title,
        when_to_use,
        input_schema: _,
        attach: _,
        stages: _,
        thresholds: _,
        timeouts: _,
        route: _,
        on_local_error: _,
        check: _,
        on_failed_check: _,
        grading: _,
    } = spec;
    let message = format!("must be 1 to {NAME_MAX} of a-z, 0-9, '_' and '-', starting with a letter");
    errors.check(format!("{path}.name"), name, is_name(name), message);
    require(path, spec, errors);
    for (field, text, max) in [
        ("description", description, DESCRIPTION_MAX),
        ("title", title, TITLE_MAX),
        ("whenToUse", when_to_use, WHEN_MAX),
    ] {
        check_text(&format!("{path}.{field}"), text.as_deref(), max, errors);
    }
}

fn arguments_of(path: &str, spec: &SkillSpec, patterns: &mut usize, errors: &mut Errors) -> Option<ArgumentSchema> {
    let path = format!("{path}.inputSchema");
    let refused = |reasons: Vec<String>| {
        reasons.into_iter().for_each(|reason| errors.push(FieldError::absent(&path, reason)));
    };
    ArgumentSchema::compile_within(spec.input_schema.as_ref()?, patterns).map_err(refused).ok()
}

fn attach_of(path: &str, given: &SkillSpec, spec: &SkillSpec, errors: &mut Errors) -> Vec<Attach> {
    let schema = spec.input_schema.as_ref();
    match &given.attach {
        Some(own) => attach::checked(&format!("{path}.attach"), own, schema, errors),
        // A schema of the user's may leave out what the built-in one has.
        None => {
            let declared = schema.and_then(arguments::declared);
            attach::that_fit(spec.attach.as_deref().unwrap_or_default(), declared.as_ref())
        }
    }
}

fn check_text(path: &str, text: Option<&str>, max: usize, errors: &mut Errors) {
    let Some(length) = text.map(|text| text.chars().count()) else { return };
    let message = format!("must be 1 to {max} characters");
    errors.check(path, format!("{length} characters"), (1..=max).contains(&length), message);
}

/// A name for people: `release_notes` becomes `Release notes`.
fn title_of(name: &str) -> String {
    let spaced = name.replace(['_', '-'], " ");
    let mut letters = spaced.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
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
    Some(Stage { system: system?.into(), user })
}
