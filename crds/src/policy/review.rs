//! Answers that are kept for a while, so that a person can judge them later.

use std::time::Duration;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::{decimal::Decimal, period::Period};

/// Longest time that an answer is kept.
pub const KEEP_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
/// Largest part of an answer that is kept, in bytes.
pub const ANSWER_MAX_BYTES: usize = 64 * 1024;
/// Why a time is refused. The number is that of [`KEEP_MAX`].
pub(crate) const TOO_LONG: &str = "must be at most 30d";
/// Why a share is refused.
pub(crate) const NOTHING_KEPT: &str = "must be more than 0; leave review out, and no answer is kept";
/// Why a policy without a brain is refused.
pub(crate) const NEEDS_A_BRAIN: &str = "needs brain, which keeps the answers; set brain, or leave review out";

/// A text that is not a period passes here: its pattern refuses it. CEL's durations have no unit for days.
const KEEP_RULE: &str = "!self.keep.matches('^[1-9][0-9]*(ms|s|m|h|d)$') || (self.keep.endsWith('d') ? \
    int(self.keep.substring(0, self.keep.size() - 1)) <= 30 : duration(self.keep) <= duration('720h'))";
/// A text that is not a decimal passes here: its pattern refuses it.
const SHARE_RULE: &str = "!self.share.matches('^0([.]0*)?$')";

/// A share of the answers, kept by the brain for a while. Prompts are not kept.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[cfg_attr(test, x_kube(cel))]
#[x_kube(validation = Rule::new(KEEP_RULE).message(TOO_LONG).field_path(".keep"))]
#[x_kube(validation = Rule::new(SHARE_RULE).message(NOTHING_KEPT).field_path(".share"))]
pub struct Review {
    /// How long an answer is kept, for example "24h": at most 30d. Then it is deleted.
    pub keep: Period,
    /// The part of the answers that is kept. A quoted decimal, more than 0 and at most 1, for example "0.1".
    pub share: Decimal,
}
