//! What is remembered of a session: ids, names of skills, verdicts, hashes of test commands.

use serde::{Deserialize, Serialize};

/// Most answers, calls and commands that are remembered; the oldest are forgotten.
const MOST: usize = 64;
/// How long a call may go on in the background, in milliseconds.
const PENDING_MS: u64 = 3_600_000;
/// How long a brain that failed to answer is left alone, in milliseconds, unless the user speaks to us.
const LEFT_ALONE_MS: u64 = 60_000;
/// The skill whose answers tests judge.
const JUDGED_BY_TESTS: &str = "debug";

/// A session.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(default)]
pub struct State {
    /// The routed answers, the last one at the end.
    pub answers: Vec<Answer>,
    /// The last routed call failed.
    pub failed: bool,
    /// Calls whose decision is not known yet.
    pub pending: Vec<Pending>,
    /// Test commands that were red when they last ran.
    pub red: Vec<String>,
    /// The model was asked once.
    pub asked: bool,
    /// The decision that it has yet to answer for.
    pub asking: Option<String>,
    /// The user was told once what to set.
    pub warned: bool,
    /// When the brain last failed to answer, in milliseconds since 1970.
    pub away_ms: u64,
    /// Decisions whose commits were reverted, and reported.
    pub reverted: Vec<String>,
}

/// A routed answer.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(default)]
pub struct Answer {
    pub decision: String,
    pub skill: String,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// What was reported, and by whom.
    pub verdict: Option<Verdict>,
    /// Test commands that were red before it and did not run since.
    pub red: Vec<String>,
}

/// A call whose decision is not known yet.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(default)]
pub struct Pending {
    pub call: String,
    pub skill: String,
    pub since_ms: u64,
    /// Tests that were red when it was made, and did not run since.
    pub red: Vec<String>,
}

/// What was reported.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub by: By,
    pub right: bool,
}

/// Who says so.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum By {
    Human,
    Ci,
    Agent,
}

impl By {
    /// The name of the source at the brain.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Ci => "ci",
            Self::Agent => "agent",
        }
    }
}

impl State {
    /// The last routed answer, unless a failed call came after it.
    pub(super) fn last(&self) -> Option<&Answer> {
        self.answers.last().filter(|_| !self.failed)
    }

    /// The last answer, if a test command may judge it.
    pub(super) fn judged_by(&self, test: &str) -> Option<&Answer> {
        self.last().filter(|last| last.red.iter().any(|red| red == test) && !last.is_judged())
    }

    /// The brain failed to answer a moment ago: asking at every event would hold the session up each time.
    pub(super) fn leaves_the_brain_alone(&self, now_ms: u64) -> bool {
        self.away_ms > 0 && now_ms.saturating_sub(self.away_ms) < LEFT_ALONE_MS
    }

    pub(super) fn answered(&mut self, decision: &str, skill: &str, now_ms: u64) {
        self.answered_after(decision, skill, now_ms, self.red.clone());
    }

    /// `red`: the tests that were red before.
    pub(super) fn answered_after(&mut self, decision: &str, skill: &str, now_ms: u64, red: Vec<String>) {
        if self.answers.iter().any(|answer| answer.decision == decision) {
            return;
        }
        let red = if skill == JUDGED_BY_TESTS { red } else { vec![] };
        let (decision, skill) = (decision.into(), skill.into());
        push(&mut self.answers, Answer { decision, skill, at_ms: now_ms, verdict: None, red });
        self.failed = false;
    }

    pub(super) fn waits_for(&mut self, call: &str, skill: &str, now_ms: u64) {
        if !self.pending.iter().any(|pending| pending.call == call) {
            let red = self.red.clone();
            push(&mut self.pending, Pending { call: call.into(), skill: skill.into(), since_ms: now_ms, red });
        }
    }

    pub(super) fn forget_pending(&mut self, call: &str) {
        self.pending.retain(|pending| pending.call != call);
    }

    pub(super) fn forget_old_pending(&mut self, now_ms: u64) {
        self.pending.retain(|pending| now_ms.saturating_sub(pending.since_ms) < PENDING_MS);
    }

    /// A red run after an answer leaves it unknown: a later green one may be due to other work.
    pub(super) fn tested(&mut self, test: &str, green: bool) {
        self.red.retain(|red| red != test);
        if !green {
            push(&mut self.red, test.to_string());
        }
        let before = self.answers.iter_mut().map(|answer| &mut answer.red);
        before
            .chain(self.pending.iter_mut().map(|pending| &mut pending.red))
            .for_each(|red| red.retain(|red| red != test));
    }

    pub(super) fn judge(&mut self, decision: &str, verdict: Verdict) {
        for answer in self.answers.iter_mut().filter(|answer| answer.decision == decision) {
            answer.verdict = Some(verdict);
        }
    }

    pub(super) fn note_reverted(&mut self, decision: &str) {
        push(&mut self.reverted, decision.to_string());
    }
}

impl Answer {
    /// A person or a test has spoken; the model's own word is weaker than both.
    fn is_judged(&self) -> bool {
        self.verdict.is_some_and(|verdict| verdict.by != By::Agent)
    }
}

fn push<T>(list: &mut Vec<T>, item: T) {
    list.push(item);
    list.drain(..list.len().saturating_sub(MOST));
}
