//! The four built-in skills. They have the same form as a user's own skills. Files can replace their prompts.

use std::collections::BTreeMap;

use crate::policy::{ConfigMapKeyRef, SkillSpec};

/// The ConfigMap name by which built-in skills refer to their prompts. No such ConfigMap is read.
pub const PROMPTS: &str = "builtin-prompts";

const SKILLS: [(&str, &str); 4] = [
    ("code_review", include_str!("../skills/code_review.yaml")),
    ("debug", include_str!("../skills/debug.yaml")),
    ("retrospective", include_str!("../skills/retrospective.yaml")),
    ("trainer", include_str!("../skills/trainer.yaml")),
];

/// Each prompt file that can replace a compiled-in prompt, and that prompt.
pub const PROMPT_FILES: [(&str, &str); 5] = [
    ("review.md", include_str!("../skills/prompts/review.md")),
    ("debug.md", include_str!("../skills/prompts/debug.md")),
    ("retrospective.md", include_str!("../skills/prompts/retrospective.md")),
    ("trainer-reader.md", include_str!("../skills/prompts/trainer-reader.md")),
    ("trainer-writer.md", include_str!("../skills/prompts/trainer-writer.md")),
];

/// The system prompts of the built-in skills, by file name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltinPrompts(BTreeMap<String, String>);

impl Default for BuiltinPrompts {
    fn default() -> Self {
        Self(PROMPT_FILES.iter().map(|(file, text)| ((*file).into(), (*text).into())).collect())
    }
}

impl BuiltinPrompts {
    /// The compiled-in prompts, replaced by those of `files`: pairs of a file name and its text.
    #[must_use]
    pub fn with_files(files: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut prompts = Self::default();
        prompts.0.extend(files);
        prompts
    }

    /// The prompt that a built-in skill refers to; none if the reference is to a ConfigMap.
    #[must_use]
    pub fn get(&self, reference: &ConfigMapKeyRef) -> Option<&str> {
        if reference.name == PROMPTS { self.0.get(&reference.key).map(String::as_str) } else { None }
    }
}

/// The built-in skills in the order of their names, with their prompts filled in.
#[must_use]
pub fn skills(prompts: &BuiltinPrompts) -> Vec<SkillSpec> {
    SKILLS.iter().map(|(_, yaml)| with_prompts(parse(yaml), prompts)).collect()
}

fn parse(yaml: &str) -> SkillSpec {
    serde_saphyr::from_str(yaml).expect("every built-in skill is compiled in, and the tests parse it")
}

fn with_prompts(mut skill: SkillSpec, prompts: &BuiltinPrompts) -> SkillSpec {
    for stage in skill.stages.iter_mut().flatten() {
        let text = stage.system.config_map_key_ref.as_ref().and_then(|reference| prompts.get(reference));
        if let Some(text) = text {
            stage.system.text = Some(text.to_string());
            stage.system.config_map_key_ref = None;
        }
    }
    skill
}

/// A skill as it is served: the fields of `given`, and for a built-in name the built-in fields that `given` leaves out.
#[must_use]
pub fn complete(given: &SkillSpec, builtins: &[SkillSpec]) -> SkillSpec {
    let Some(builtin) = builtins.iter().find(|builtin| builtin.name == given.name) else { return given.clone() };
    let SkillSpec {
        name,
        description,
        title,
        when_to_use,
        input_schema,
        attach,
        stages,
        thresholds,
        route,
        on_local_error,
        timeouts,
        check,
        on_failed_check,
        grading,
    } = given.clone();
    SkillSpec {
        name,
        description: description.or_else(|| builtin.description.clone()),
        title: title.or_else(|| builtin.title.clone()),
        when_to_use: when_to_use.or_else(|| builtin.when_to_use.clone()),
        input_schema: input_schema.or_else(|| builtin.input_schema.clone()),
        attach: attach.or_else(|| builtin.attach.clone()),
        stages: stages.or_else(|| builtin.stages.clone()),
        thresholds: thresholds.or_else(|| builtin.thresholds.clone()),
        route,
        on_local_error: on_local_error.or(builtin.on_local_error),
        timeouts: timeouts.or_else(|| builtin.timeouts.clone()),
        check: check.or_else(|| builtin.check.clone()),
        on_failed_check: on_failed_check.or(builtin.on_failed_check),
        grading: grading.or_else(|| builtin.grading.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_builtin_parses_has_its_name_and_all_its_prompts() {
        let skills = skills(&BuiltinPrompts::default());
        assert_eq!(skills.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), SKILLS.map(|(name, _)| name));
        for skill in &skills {
            for stage in skill.stages.iter().flatten() {
                assert!(stage.system.text.as_ref().is_some_and(|text| text.len() > 200), "{}", skill.name);
            }
        }
        let stages =
            |name: &str| skills.iter().find(|s| s.name == name).and_then(|s| s.stages.as_ref()).map_or(0, Vec::len);
        assert_eq!((stages("trainer"), stages("debug")), (2, 1));
    }

    #[test]
    fn every_prompt_file_is_used_and_replaced_by_a_file() {
        for (file, _) in PROMPT_FILES {
            let prompts = BuiltinPrompts::with_files([(file.to_string(), "mine".to_string())]);
            let replaced = skills(&prompts)
                .iter()
                .flat_map(|s| s.stages.clone().unwrap_or_default())
                .filter(|stage| stage.system.text.as_deref() == Some("mine"))
                .count();
            assert_eq!(replaced, 1, "{file}");
        }
    }

    #[test]
    fn only_the_given_fields_of_a_builtin_are_overridden() {
        let builtins = skills(&BuiltinPrompts::default());
        let given: SkillSpec = serde_saphyr::from_str("name: debug\ndescription: mine\n").expect("parses");
        let skill = complete(&given, &builtins);
        assert_eq!(skill.description.as_deref(), Some("mine"));
        assert_eq!(skill.stages, builtins[1].stages);
    }
}
