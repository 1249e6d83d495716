//! Metrics of how answers turned out: checks, judgements, and what of them reached the brain.

use endpoint::metrics::Registered;
use prometheus_client::encoding::EncodeLabelSet;

use super::labels::{CallLabels, Counters, KindLabel};
use crate::{decision::DecisionRecord, verdict::Verdict};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CutLabels {
    skill: String,
    decision: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CheckLabels {
    skill: String,
    decision: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct VerdictLabels {
    skill: String,
    source: &'static str,
    verdict: &'static str,
}

/// See the module.
pub(super) struct Verdicts {
    cut_answers: Counters<CutLabels>,
    checks: Counters<CheckLabels>,
    verdicts: Counters<VerdictLabels>,
    verdicts_dropped: Counters<KindLabel>,
    reviews_dropped: Counters<KindLabel>,
    gradings: Counters<CallLabels>,
}

impl Verdicts {
    pub(super) fn registered(new: &mut Registered<'_>) -> Self {
        Self {
            cut_answers: new.metric("cut_answers", "Answers of models that were cut at their token limit"),
            checks: new.metric("checks", "Checks of answers by decision and result: passed, failed"),
            verdicts: new.metric("verdicts", "Verdicts that came in by themselves, by source: check, grader, implicit"),
            verdicts_dropped: new
                .metric("verdicts_dropped", "Verdicts dropped before they reached the brain, by kind of error"),
            reviews_dropped: new.metric(
                "reviews_dropped",
                "Answers to keep for review that did not reach the brain, by kind of error",
            ),
            gradings: new.metric(
                "gradings",
                "Answers of the sample by result: pass, fail, unsure, unreadable, failed (not judged); too_large, busy, \
                 over_budget (not sent)",
            ),
        }
    }

    pub(super) fn decision(&self, record: &DecisionRecord) {
        let (skill, decision) = (&record.skill, record.decision.as_str());
        if record.was_cut() {
            self.cut_answers.get_or_create(&CutLabels { skill: skill.clone(), decision }).inc();
        }
        if let Some(check) = record.check {
            let labels = CheckLabels { skill: skill.clone(), decision, result: check.as_str() };
            self.checks.get_or_create(&labels).inc();
        }
    }

    pub(super) fn verdict(&self, Verdict { skill, source, quality, .. }: &Verdict) {
        let labels = VerdictLabels { skill: skill.clone(), source: source.as_str(), verdict: quality.as_str() };
        self.verdicts.get_or_create(&labels).inc();
    }

    pub(super) fn verdict_dropped(&self, kind: &'static str) {
        self.verdicts_dropped.get_or_create(&KindLabel { kind }).inc();
    }

    pub(super) fn review_dropped(&self, kind: &'static str) {
        self.reviews_dropped.get_or_create(&KindLabel { kind }).inc();
    }

    pub(super) fn grading(&self, skill: &str, result: &'static str) {
        self.gradings.get_or_create(&CallLabels { skill: skill.into(), result }).inc();
    }
}
