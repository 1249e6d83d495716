//! A skill: one MCP tool, made of one or more model calls.

use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{TextSource, Thresholds, upstream::TEXT_MAX};

/// Most skills of a policy.
pub const SKILLS_MAX: usize = 64;
/// Longest name of a skill, in characters.
pub const NAME_MAX: usize = 48;
/// Longest description, in characters.
pub const DESCRIPTION_MAX: usize = 4096;
/// Most stages of a skill.
pub const STAGES_MAX: usize = 8;

/// The names are those of the skills in `crate::builtin`; a test compares the two.
pub(crate) const COMPLETE_RULE: &str = "self.name in ['code_review', 'debug', 'retrospective', 'trainer'] || \
    (has(self.description) && has(self.inputSchema) && has(self.stages))";

/// One skill, served as an MCP tool. For a built-in one, set only the fields that you change; any other needs
/// description, inputSchema and stages.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[x_kube(validation = Rule::new(COMPLETE_RULE)
    .message("a skill that is not built in needs description, inputSchema and stages"))]
#[serde(rename_all = "camelCase")]
pub struct SkillSpec {
    /// Tool name: up to 48 characters a-z, 0-9, _ and -, starting with a letter.
    #[schemars(length(max = NAME_MAX), regex(pattern = r"^[a-z][a-z0-9_-]{0,47}$"))]
    pub name: String,

    /// What the skill does and when to use it. The calling model reads this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = DESCRIPTION_MAX))]
    pub description: Option<String>,

    /// JSON Schema (2020-12) of the tool's arguments: `type: object`, at most 16 KiB, without remote `$ref`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "free_form_object")]
    pub input_schema: Option<Map<String, Value>>,

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
