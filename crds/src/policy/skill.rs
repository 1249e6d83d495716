//! A skill: one MCP tool, made of one or more model calls.

use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Attach, Check, Grading, OnFailedCheck, SkillTimeouts, TextSource, Thresholds, attach::ATTACH_MAX,
    upstream::TEXT_MAX,
};

/// Most skills of a policy.
pub const SKILLS_MAX: usize = 64;
/// Longest name of a skill, in characters.
pub const NAME_MAX: usize = 48;
/// Longest description, in characters.
pub const DESCRIPTION_MAX: usize = 4096;
/// Longest title, in characters.
pub const TITLE_MAX: usize = 80;
/// Longest text about when to use a skill, in characters.
pub const WHEN_MAX: usize = 500;
/// Most stages of a skill.
pub const STAGES_MAX: usize = 8;

/// The names are those of the skills in `crate::builtin`; a test compares the two.
pub(crate) const COMPLETE_RULE: &str = "self.name in ['code_review', 'debug', 'retrospective', 'trainer'] || \
    (has(self.description) && has(self.inputSchema) && has(self.stages))";
/// With `route: Local` nothing goes to Claude, unless `onLocalError` says so.
pub(crate) const ESCALATION_RULE: &str = "!has(self.onFailedCheck) || self.onFailedCheck != 'Claude' || \
    self.route != 'Local' || (has(self.onLocalError) && self.onLocalError == 'Claude')";
/// Why a skill that keeps everything local cannot ask Claude.
pub(crate) const STAYS_LOCAL: &str = "must not be Claude where nothing of the skill may be sent there; remove it, or set \
    onLocalError: Claude";
/// Why a setting about failed checks needs a check.
pub(crate) const NEEDS_CHECK: &str = "needs a check; add one, or remove it";
/// As above, for what is judged by Claude.
pub(crate) const GRADED_AWAY_RULE: &str = "!has(self.grading) || self.grading.by != 'Claude' || \
    self.route != 'Local' || (has(self.onLocalError) && self.onLocalError == 'Claude')";
/// Why Claude cannot judge the answers of a skill that keeps everything local.
pub(crate) const GRADED_AWAY: &str = "must not be by Claude where nothing of the skill may be sent there; set by: Grader, \
    or onLocalError: Claude";

/// One skill, served as an MCP tool. For a built-in one, set only the fields that you change; any other needs
/// description, inputSchema and stages.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[x_kube(validation = Rule::new(COMPLETE_RULE)
    .message("a skill that is not built in needs description, inputSchema and stages"))]
#[x_kube(validation = Rule::new("!has(self.onFailedCheck) || has(self.check)")
    .message(NEEDS_CHECK).field_path(".onFailedCheck"))]
#[x_kube(validation = Rule::new(ESCALATION_RULE).message(STAYS_LOCAL).field_path(".onFailedCheck"))]
#[x_kube(validation = Rule::new(GRADED_AWAY_RULE).message(GRADED_AWAY).field_path(".grading"))]
#[serde(rename_all = "camelCase")]
pub struct SkillSpec {
    /// Tool name: up to 48 characters a-z, 0-9, _ and -, starting with a letter.
    #[schemars(length(max = NAME_MAX), regex(pattern = r"^[a-z][a-z0-9_-]{0,47}$"))]
    pub name: String,

    /// What the skill does and when to use it. The calling model reads this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = DESCRIPTION_MAX))]
    pub description: Option<String>,

    /// The skill's name for people, for example "Code review". If absent: made of `name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = TITLE_MAX))]
    pub title: Option<String>,

    /// When to use the skill, and when not, in a sentence or two. Clients that load tools only when they are looked for
    /// give their model this text, not the description. If absent: the beginning of `description`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = WHEN_MAX))]
    pub when_to_use: Option<String>,

    /// JSON Schema (2020-12) of the tool's arguments: `type: object`, at most 16 KiB, without remote `$ref`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "free_form_object")]
    pub input_schema: Option<Map<String, Value>>,

    /// Arguments that `routing connect` fills from the caller's project, so that its model names files and revisions
    /// instead of writing out their text. If absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = ATTACH_MAX))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["argument".into()]))]
    pub attach: Option<Vec<Attach>>,

    /// The skill's model calls, in order. Each is routed separately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = STAGES_MAX))]
    pub stages: Option<Vec<StageSpec>>,

    /// Overrides `spec.thresholds` for this skill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thresholds: Option<Thresholds>,

    /// Auto: the pass rate decides. Local: every call goes to the local model; if that fails, `onLocalError` applies.
    /// Claude: every call goes to Claude. Default: Auto.
    #[serde(default)]
    pub route: RouteMode,

    /// What follows if the local model fails. Claude: one retry on Claude. Fail: the call fails. If absent: Claude, but
    /// Fail with `route: Local`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_local_error: Option<OnLocalError>,

    /// Overrides `spec.timeouts` for this skill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<SkillTimeouts>,

    /// A check of each answer, without a model: a JSON Schema or a pattern. A failed one is reported to the brain as a
    /// fail, with the source `check`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,

    /// What follows if an answer of the local model fails the check. Claude: Claude is asked as well, and its answer is
    /// given. Keep: the answer is given as it is, with a note. If absent: Keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failed_check: Option<OnFailedCheck>,

    /// Samples of the answers that a model judges in the background. Prompt and answer are sent to that model. If
    /// absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grading: Option<Grading>,
}

/// One model call of a skill.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
pub struct StageSpec {
    /// The system prompt, sent unchanged.
    pub system: TextSource,
    /// The user prompt: a Jinja template with the variables `args` (the caller's arguments), `previous` (the answer of
    /// the previous stage), `files` (the files that the arguments name) and `session` (earlier entries of the session).
    #[schemars(length(min = 1, max = TEXT_MAX))]
    pub user: String,
}

/// How the model for a skill's calls is chosen.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RouteMode {
    /// By the skill's pass rate and the thresholds.
    #[default]
    Auto,
    /// Always the local model.
    Local,
    /// Always Claude.
    Claude,
}

/// What follows if the local model fails. Claude: one retry on Claude. Fail: the call fails. If absent: Claude, but
/// Fail with `route: Local`.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLocalError {
    /// The call is retried once on Claude.
    Claude,
    /// The call fails. Nothing is sent to Claude.
    Fail,
}

/// Schema of an object whose content Kubernetes does not check. Atomic: two writers cannot each own a part of it.
pub(super) fn free_form_object(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": true,
        "x-kubernetes-map-type": "atomic"
    })
}
