//! A skill: one MCP tool, made of one or more model calls.

use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{TextSource, Thresholds};

/// The built-in skills are those of `crate::builtin`; a test there holds this rule against them.
pub(crate) const COMPLETE_RULE: &str = "self.name in ['code_review', 'debug', 'retrospective', 'trainer'] || \
    (has(self.description) && has(self.inputSchema) && has(self.stages))";

/// One skill. A built-in name needs only the fields to override; any other name needs description, inputSchema
/// and stages.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[x_kube(validation = Rule::new(COMPLETE_RULE)
    .message("a skill that is not built in needs description, inputSchema and stages"))]
#[serde(rename_all = "camelCase")]
pub struct SkillSpec {
    /// The tool's name: a lower-case letter, then up to 47 of a-z, 0-9, _ and -.
    #[schemars(length(max = 48), regex(pattern = r"^[a-z][a-z0-9_-]{0,47}$"))]
    pub name: String,

    /// What the skill does and when to use it; the calling model reads this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub description: Option<String>,

    /// JSON Schema (2020-12) of the arguments, `type: object`, at most 16 KiB, no remote `$ref`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "free_form_object")]
    pub input_schema: Option<Map<String, Value>>,

    /// The model calls, in order; each is routed on its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 8))]
    pub stages: Option<Vec<StageSpec>>,

    /// Overrides `spec.thresholds` for this skill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thresholds: Option<Thresholds>,

    /// Auto: by pass rate. Local, Claude: pinned.
    #[serde(default)]
    pub route: RouteMode,

    /// What follows a local error: another try on Claude, or a failed call. Default: Claude; with `route: Local`, Fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_local_error: Option<OnLocalError>,
}

/// One model call of a skill.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
pub struct StageSpec {
    /// The system prompt, sent as it is.
    pub system: TextSource,
    /// The user prompt: a template over `args`, `previous` (the answer of the stage before), `files` and `session`.
    #[schemars(length(min = 1, max = 65536))]
    pub user: String,
}

/// How a skill's route is found.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RouteMode {
    /// By pass rate and thresholds.
    #[default]
    Auto,
    /// Always the local model.
    Local,
    /// Always Claude.
    Claude,
}

/// What follows when the local model errs.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLocalError {
    /// One try on Claude.
    Claude,
    /// The call fails; nothing is sent to Claude.
    Fail,
}

/// Schema of an object whose content Kubernetes does not look into. Atomic: two writers cannot mix halves of it.
pub(super) fn free_form_object(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": true,
        "x-kubernetes-map-type": "atomic"
    })
}
