//! The rules about pass rates: what they are measured by, what counts, and what explores.

use super::errors::Errors;
use crate::{
    policy::{self, Evidence, EvidenceOf, ExplorationMode, RelativeTo, Source, evidence::MIN_SAMPLES_MAX},
    table::{EvidenceRules, ExplorationRules, Skill, ThresholdValues},
};

/// The policy's thresholds, and what those of a skill need.
pub(super) struct Thresholds {
    pub(super) of_policy: Option<(ThresholdValues, RelativeTo)>,
    /// What is missing for `relativeTo: Claude`, with its cure; none: nothing.
    missing: Option<&'static str>,
}

impl Thresholds {
    /// `brain`: whether the policy has one.
    pub(super) fn compile(given: &policy::Thresholds, of: EvidenceOf, brain: bool, errors: &mut Errors) -> Self {
        let missing = match (brain, of) {
            (false, _) => Some("needs a brain, which knows Claude's rate; set spec.brain, or leave relativeTo out"),
            (true, EvidenceOf::Skill) => {
                Some("needs Claude's own rate; set spec.evidence.of: Model, or leave relativeTo out")
            }
            (true, EvidenceOf::Model) => None,
        };
        let mut thresholds = Self { of_policy: None, missing };
        thresholds.of_policy = thresholds.of_skill("spec.thresholds", given, errors);
        thresholds
    }

    /// The thresholds at `path`, which stand on their own.
    pub(super) fn of_skill(
        &self,
        path: &str,
        given: &policy::Thresholds,
        errors: &mut Errors,
    ) -> Option<(ThresholdValues, RelativeTo)> {
        let policy::Thresholds { floor, ceil, relative_to } = given;
        if let Some(missing) = self.missing.filter(|_| *relative_to == RelativeTo::Claude) {
            errors.check(format!("{path}.relativeTo"), "Claude", false, missing);
        }
        let floor_value = errors.take(format!("{path}.floor"), floor.text(), floor.value());
        let ceil_value = errors.take(format!("{path}.ceil"), ceil.text(), ceil.value());
        let values = ThresholdValues::new(floor_value?, ceil_value?);
        errors.check(
            format!("{path}.ceil"),
            ceil.text(),
            values.is_some(),
            format!(
                "must not be above floor ({}): below ceil calls go to Claude, from floor up they stay local",
                floor.text()
            ),
        );
        Some((values?, *relative_to))
    }
}

pub(super) fn rules(path: &str, evidence: &Evidence, errors: &mut Errors) -> Option<EvidenceRules> {
    let Evidence { of, sources, window, ttl, min_samples, on_expired, hold_for, exploration: _ } = evidence;
    let sources = check_sources(&format!("{path}.sources"), sources, errors);
    let window_length = errors.take(format!("{path}.window"), window.text(), window.duration());
    let ttl = errors.take(format!("{path}.ttl"), ttl.text(), ttl.duration());
    let hold_for = errors.take(format!("{path}.holdFor"), hold_for.text(), hold_for.duration_or_zero());
    errors.check(
        format!("{path}.minSamples"),
        min_samples,
        (1..=MIN_SAMPLES_MAX).contains(min_samples),
        format!("must be from 1 to {MIN_SAMPLES_MAX}"),
    );
    window_length?;
    Some(EvidenceRules {
        of: *of,
        sources,
        window: window.text().into(),
        ttl: ttl?,
        min_samples: u64::from(*min_samples),
        on_expired: *on_expired,
        hold_for: hold_for?,
    })
}

/// Each skill has a source that counts: a grader alone is none until the policy trusts it.
pub(super) fn needs_source<'a>(
    path: &str,
    rules: &EvidenceRules,
    skills: impl Iterator<Item = &'a Skill>,
    errors: &mut Errors,
) {
    let listed = !rules.sources.is_empty();
    for skill in skills.filter(|skill| listed && rules.names_sources_of(skill)) {
        let cure = format!(
            "leaves no verdict that counts for the skill {}, whose gradings do not; list another source, or set the skill's \
             grading.counts: true once they agree with people's verdicts",
            skill.name
        );
        errors.check(path, "[grader]", !rules.sources_of(skill).is_empty(), cure);
    }
}

/// The sources in one order, whatever the policy's is.
fn check_sources(path: &str, sources: &[Source], errors: &mut Errors) -> Vec<Source> {
    let message = "must name at least one source; leave it out for all but implicit";
    errors.check(path, "[]", !sources.is_empty(), message);
    for (i, source) in sources.iter().enumerate() {
        let first = !sources[..i].contains(source);
        errors.check(format!("{path}[{i}]"), source.as_str(), first, "is already listed above; remove one");
    }
    let mut sources = sources.to_vec();
    sources.sort_unstable();
    sources.dedup();
    sources
}

/// `brain`: whether the policy has one.
pub(super) fn exploration(
    path: &str,
    given: &policy::Exploration,
    brain: bool,
    errors: &mut Errors,
) -> Option<ExplorationRules> {
    let policy::Exploration { mode, share, claude_share } = given;
    let share = errors.take(format!("{path}.share"), share.text(), share.value());
    let claude_share = errors.take(format!("{path}.claudeShare"), claude_share.text(), claude_share.value());
    let name = match mode {
        ExplorationMode::Off => return Some(ExplorationRules::OFF),
        ExplorationMode::Live => "Live",
        ExplorationMode::Shadow => "Shadow",
    };
    let message = "needs a brain, without which nothing is learned from it; set spec.brain, or leave it out";
    errors.check(format!("{path}.mode"), name, brain, message);
    Some(ExplorationRules { mode: *mode, share: share?, claude_share: claude_share? })
}
