//! What is asked of a skill's answers: a check by the program, and a judgement by a model.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{answer_check::PATTERN_MAX, decimal::Decimal};

/// Longest rubric, in characters.
pub const RUBRIC_MAX: usize = 4096;
/// Most gradings of a skill that a pod can be allowed in an hour.
pub const GRADINGS_MAX: u32 = 10_000;

/// A check of each answer of a skill, without a model: of the answer of its last stage. An answer that was cut at its
/// token limit fails it.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[cfg_attr(test, x_kube(cel))]
#[x_kube(validation = Rule::new("has(self.jsonSchema) != has(self.pattern)")
    .message("must have exactly one of jsonSchema and pattern"))]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// JSON Schema (2020-12) that the answer fits, as JSON, alone or in a fenced block. The bounds of an `inputSchema`
    /// apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::skill::free_form_object")]
    pub json_schema: Option<Map<String, Value>>,

    /// Regular expression that is found in the answer, without look-around and back-references. `^` and `$` tie it to
    /// the ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = PATTERN_MAX))]
    pub pattern: Option<String>,

    /// Which results are reported to the brain as outcomes. Fail: only a failed check, as a fail. Both: a check that
    /// holds as a pass, too, for skills where it decides. Default: Fail.
    #[serde(default)]
    pub counts: CheckCounts,
}

/// Which results of a check are reported as outcomes.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CheckCounts {
    /// A check that fails is a fail; one that holds says nothing.
    #[default]
    Fail,
    /// A check that fails is a fail, one that holds a pass.
    Both,
}

/// What follows if an answer of the local model fails the check. Claude: Claude is asked as well, and its answer is
/// given. Keep: the answer is given as it is, with a note. If absent: Keep.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailedCheck {
    /// Claude is asked, within what is left of the call's time.
    Claude,
    /// The answer is given with a note.
    #[default]
    Keep,
}

/// Samples of a skill's answers that a model judges in the background: pass, fail, or unsure, which counts as neither.
/// The prompt and the answer are sent to that model.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Grading {
    /// Share of the answers that are judged, chosen by a hash of the prompt. A quoted decimal from 0 to 1.
    pub share: Decimal,
    /// Most judgements in an hour, for each pod.
    #[schemars(range(min = 1, max = GRADINGS_MAX), extend("format" = "int32"))]
    pub max_per_hour: u32,
    /// What makes an answer good. The judging model reads this text.
    #[schemars(length(min = 1, max = RUBRIC_MAX))]
    pub rubric: String,
    /// The judging model. Claude: `models.claude`. Grader: `models.grader`. Default: Claude.
    #[serde(default)]
    pub by: GradedBy,
    /// Whether the judgements count for the pass rate. They are reported in any case. Default: false.
    #[serde(default)]
    pub counts: bool,
}

/// The judging model.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GradedBy {
    /// `models.claude`.
    #[default]
    Claude,
    /// `models.grader`.
    Grader,
}
