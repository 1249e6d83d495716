//! Samples of answers, judged by a model in the background. No call waits for it or is changed by it.

mod budget;
mod judge;
mod spent;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crds::{
    policy::{GradedBy, Source},
    table::{GradingRules, Skill},
};
use endpoint::trace::Place;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use self::budget::Budget;
pub use self::spent::Spent;
use crate::{
    config::Active,
    data_plane::DataPlane,
    decision::DecisionRecord,
    traces::attribute,
    upstream::{Admission, ModelClient, Prompt},
    verdict::Verdict,
};

/// Most answers that are judged at a time; further ones are not judged.
const AT_A_TIME: usize = 2;
/// Longest judgement, if the policy has no time-out for the model.
const TIME_MAX: Duration = Duration::from_secs(60);

/// How a judgement ended whose answer is none of the three words.
const UNREADABLE: &str = "unreadable";

/// The places and the budgets of judgements. They outlive a reload.
pub struct Gradings {
    places: Arc<Semaphore>,
    budgets: Mutex<HashMap<String, Budget>>,
}

impl Default for Gradings {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_A_TIME)), budgets: Mutex::default() }
    }
}

impl Gradings {
    /// A place to judge an answer of a skill, taken from its budget; otherwise why there is none.
    fn take(&self, skill: &str, most: usize, now: Instant) -> Result<OwnedSemaphorePermit, &'static str> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| "busy")?;
        // Every change of a budget is complete, so a panic elsewhere leaves nothing half done.
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        if budgets.entry(skill.to_string()).or_default().take(most, now) { Ok(place) } else { Err("over_budget") }
    }

    /// How many judgements of a skill began within the last hour.
    pub fn taken(&self, skill: &str, now: Instant) -> usize {
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        budgets.get_mut(skill).map_or(0, |budget| budget.taken(now))
    }

    /// Whether a skill whose answers are judged has had as many judgements within the last hour as it may.
    pub fn are_used_up(&self, skill: &Skill, now: Instant) -> bool {
        skill.grading.as_ref().is_some_and(|rules| self.taken(&skill.name, now) >= rules.max_per_hour)
    }
}

/// What is judged.
struct About {
    skill: String,
    call_id: Uuid,
    decision_id: Uuid,
    /// Where its call is in the trace.
    place: Place,
}

/// An answer that a call got.
pub struct Graded<'a> {
    pub call_id: Uuid,
    /// Where its call is in the trace.
    pub place: &'a Place,
    pub hash: u64,
    pub prompt: &'a Prompt,
    pub answer: &'a str,
    pub record: &'a DecisionRecord,
}

/// Has the answer of the last stage judged if it is one of the sample. A failed check has judged it already. Returns at
/// once.
pub fn sample(data_plane: &Arc<DataPlane>, active: &Arc<Active>, skill: &Skill, graded: &Graded<'_>) {
    if !skill.is_last(graded.record.stage) || graded.record.failed_check() {
        return;
    }
    let Some(rules) = skill.grading.as_ref().filter(|rules| judge::is_chosen(graded.hash, rules.share)) else { return };
    let Some(judge) = model(active, rules) else { return };
    let metrics = &data_plane.metrics;
    let Some(prompt) = judge::prompt(&rules.rubric, graded.prompt, graded.answer) else {
        return metrics.grading(&skill.name, "too_large");
    };
    // Without waiting: those who wait have callers.
    let Ok(admission) = judge.admit_now() else { return metrics.grading(&skill.name, "busy") };
    match data_plane.gradings.take(&skill.name, rules.max_per_hour, Instant::now()) {
        Ok(place) => {
            let (data_plane, active, judge) = (Arc::clone(data_plane), Arc::clone(active), judge.clone());
            let about = About {
                skill: skill.name.clone(),
                call_id: graded.call_id,
                decision_id: graded.record.id,
                place: graded.place.clone(),
            };
            tokio::spawn(async move {
                let result = ask((&judge, admission), &prompt, &data_plane, &active, &about).await;
                data_plane.metrics.grading(&about.skill, result);
                drop(place);
            });
        }
        Err(reason) => metrics.grading(&skill.name, reason),
    }
}

fn model<'a>(active: &'a Active, rules: &GradingRules) -> Option<&'a ModelClient> {
    match rules.by {
        // `compile` refuses a policy without the one that it names.
        GradedBy::Claude => active.claude.as_ref(),
        GradedBy::Grader => active.grader.as_ref(),
    }
}

/// Asks the judge and reports what it says; how it ended, for the metric.
async fn ask(
    (judge, admission): (&ModelClient, Admission),
    prompt: &Prompt,
    data_plane: &DataPlane,
    active: &Active,
    About { skill, call_id, decision_id, place }: &About,
) -> &'static str {
    let (call_id, decision_id, model) = (*call_id, *decision_id, &judge.target().model);
    let name = format!("{} {model}", attribute::CHAT);
    let mut span = place.request(name, || attribute::of_grading(skill, decision_id, judge));
    let time = judge.target().timeout.unwrap_or(TIME_MAX);
    let reply = judge.ask(admission, span.context().as_ref(), prompt, time).await;
    span.note(|| attribute::of_usage(&reply.usage));
    let spent = Spent::new(skill, decision_id, model, reply.usage);
    data_plane.decision_log.graded(call_id, &span.place(), active.brain.as_ref(), spent);
    let said = match reply.result {
        Ok(said) => said,
        Err(error) => {
            span.fail(error.kind());
            // The error has nothing of a prompt.
            tracing::debug!(skill, cause = error.kind(), "an answer was not judged");
            return "failed";
        }
    };
    let Some(quality) = judge::read(&said.text) else {
        span.fail(UNREADABLE);
        return UNREADABLE;
    };
    let verdict = Verdict::new(skill, decision_id, Source::Grader, quality);
    data_plane.decision_log.verdict(call_id, &span.place(), active.brain.as_ref(), verdict);
    quality.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn at_most_two_answers_are_judged_at_a_time_and_a_budget_is_a_skills_own() {
        let (gradings, now) = (Gradings::default(), Instant::now());
        let first = gradings.take("debug", 2, now).expect("a place");
        let second = gradings.take("trainer", 2, now).expect("a place");
        assert_eq!(gradings.take("debug", 2, now).err(), Some("busy"));
        drop((first, second));
        drop(gradings.take("debug", 2, now).expect("busy took nothing of the budget"));
        assert_eq!(gradings.take("debug", 2, now).err(), Some("over_budget"));
        assert!(gradings.take("trainer", 2, now).is_ok());
    }
}
