//! Arguments that a client beside the project fills from its disk, so that no model has to write them out.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most arguments of a skill that are filled.
pub const ATTACH_MAX: usize = 8;
/// Longest name of an argument, in characters.
pub const ARGUMENT_MAX: usize = 64;
/// Most lines of the end of a file.
pub const LINES_MAX: u32 = 10_000;

/// Exactly one of the three says where the text comes from.
pub(crate) const ATTACH_RULE: &str = "(has(self.fromFilesIn) ? 1 : 0) + (has(self.fromGit) ? 1 : 0) + \
    (has(self.fromLastLines) ? 1 : 0) == 1";
/// The message about that.
pub(crate) const ATTACH_ONE: &str = "must have exactly one of fromFilesIn, fromGit and fromLastLines";

/// One argument that `routing connect` fills from the caller's project. Files that Git ignores and files that look like
/// secrets are left out.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[cfg_attr(test, x_kube(cel))]
#[x_kube(validation = Rule::new(ATTACH_RULE).message(ATTACH_ONE))]
#[serde(rename_all = "camelCase")]
pub struct Attach {
    /// The argument that is filled; the skill's `inputSchema` declares it.
    #[schemars(length(min = 1, max = ARGUMENT_MAX))]
    pub argument: String,

    /// Another argument, a list of paths below the project's root: their texts are filled in, as an object from path to
    /// text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = ARGUMENT_MAX))]
    pub from_files_in: Option<String>,

    /// The output of `git diff`: of the revision or range that the caller names in this argument. WorkingTree: what is
    /// not committed, if the caller names nothing. Named: nothing in that case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_git: Option<FromGit>,

    /// This many lines at the end of the file whose path the caller names in this argument.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = LINES_MAX), extend("format" = "int32"))]
    pub from_last_lines: Option<u32>,
}

/// What is filled in if the caller names no revision.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum FromGit {
    /// The changes that are not committed.
    WorkingTree,
    /// Nothing.
    Named,
}
