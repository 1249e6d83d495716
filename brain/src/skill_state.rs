//! Where a skill's calls go and why, as far as its latest decisions and verdicts say. No I/O.

use crds::interval::Interval;
use serde::Serialize;
use serde_json::Value;

use crate::{
    record::{Arm, Record},
    spent::LOCAL_CIRCUIT_OPEN,
    store::{Evidence, ModelRate, Rate, StoredDecision},
    verdict::Sources,
};

/// Local attempts in a row, all of which failed, that are a problem.
const FAILING: usize = 3;
/// Decisions of which some should have been judged.
const JUDGED_OF: i64 = 20;
/// The least share of decisions that should be judged.
const COVERAGE_MIN: f64 = 0.05;
/// Decimal places of the rates that a message shows.
const SHOWN: usize = 2;

/// A rate with its 95 % interval.
#[derive(Serialize, Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// How often answers were right.
    #[serde(flatten)]
    pub rate: Rate,
    /// The lower end of the interval; none: not measured.
    pub low: Option<f64>,
    /// The upper end of the interval.
    pub high: Option<f64>,
}

impl From<Rate> for Measured {
    fn from(rate: Rate) -> Self {
        let interval = rate.interval();
        Self { rate, low: interval.map(|Interval { low, .. }| low), high: interval.map(|i| i.high) }
    }
}

/// The rate of one model.
#[derive(Serialize, Debug)]
pub struct ModelState {
    arm: String,
    model: String,
    #[serde(flatten)]
    measured: Measured,
    decisions: i64,
}

impl From<&ModelRate> for ModelState {
    fn from(model: &ModelRate) -> Self {
        let ModelRate { arm, model, rate, decisions } = model.clone();
        Self { arm, model, measured: rate.into(), decisions }
    }
}

/// Where calls go.
#[derive(Serialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Route {
    /// To the local model.
    Local,
    /// To Claude.
    Claude,
    /// Half and half.
    Split,
    /// Where the policy pins the skill.
    Pinned,
}

/// The latest decision.
#[derive(Serialize, Debug)]
pub struct Last {
    id: Option<String>,
    at_ms: i64,
    reason: Option<String>,
    arm: Option<&'static str>,
    model: Option<String>,
}

/// What is known about a skill.
#[derive(Serialize, Debug)]
pub struct SkillState {
    skill: String,
    /// None: no decision is known.
    route: Option<Route>,
    /// Of the local model that answers now, or, where none is known, of all answers.
    rate: Measured,
    floor: Option<f64>,
    ceil: Option<f64>,
    /// The rate rested on outcomes older than the window at the latest decision.
    held: bool,
    models: Vec<ModelState>,
    /// Model calls in the window.
    decisions: i64,
    /// The share of them that was judged.
    coverage: Option<f64>,
    last: Option<Last>,
    /// It goes to Claude, and nothing brings outcomes of the local model.
    locked: bool,
    /// Some of the latest calls went against the rate, or the local model was asked beside Claude.
    exploring: bool,
    #[serde(skip)]
    failing: Option<String>,
    /// At the latest decision the judgements of the hour were used up.
    #[serde(skip)]
    gradings_used_up: bool,
}

/// A skill's latest decisions, the newest first.
pub struct Latest<'a>(pub &'a [StoredDecision]);

impl Latest<'_> {
    /// The name of the local model whose rate counts, if one is known.
    #[must_use]
    pub fn local_model(&self) -> Option<String> {
        let named = |stored: &StoredDecision| text(&stored.decision, "evidence_of");
        let asked = |stored: &StoredDecision| {
            text(&stored.decision, "model").filter(|_| stored.decision["decision"] == Arm::Local.as_str())
        };
        self.0.iter().find_map(named).or_else(|| self.0.iter().find_map(asked))
    }

    /// The sources that counted at the latest decision.
    #[must_use]
    pub fn sources(&self) -> Sources {
        let listed = self.0.first().and_then(|stored| stored.decision["sources"].as_array());
        let names: Vec<&str> = listed.into_iter().flatten().filter_map(Value::as_str).collect();
        Sources::parse(&names.join(",")).unwrap_or_default()
    }

    fn any(&self, holds: impl Fn(&Value) -> bool) -> bool {
        self.0.iter().any(|stored| holds(&stored.decision))
    }

    fn first(&self) -> Option<&Value> {
        self.0.first().map(|stored| &stored.decision)
    }

    /// The error of the latest attempts on the local model, if all of them failed. One that was not made because of its
    /// circuit counts.
    fn failing(&self) -> Option<String> {
        let error = |stored: &StoredDecision| {
            let record = &stored.decision;
            let is_open = record["reason"] == LOCAL_CIRCUIT_OPEN;
            let local = record["decision"] == Arm::Local.as_str();
            (local || is_open).then(|| if is_open { Some(LOCAL_CIRCUIT_OPEN.into()) } else { text(record, "error") })
        };
        let latest: Vec<Option<String>> = self.0.iter().filter_map(error).take(FAILING).collect();
        let all = latest.len() == FAILING && latest.iter().all(Option::is_some);
        latest.into_iter().next().flatten().filter(|_| all)
    }
}

fn text(record: &Value, name: &str) -> Option<String> {
    record[name].as_str().filter(|text| !text.is_empty()).map(str::to_string)
}

/// A threshold as a pass rate: one that is relative to Claude's is in a field of its own.
fn threshold(record: Option<&Value>, name: &str) -> Option<f64> {
    let record = record?;
    record[format!("effective_{name}")].as_f64().or_else(|| record[name].as_f64())
}

impl SkillState {
    /// What `evidence` and the latest decisions say about a skill.
    #[must_use]
    pub fn of(skill: String, evidence: &Evidence, latest: &Latest<'_>) -> Self {
        let last = latest.first();
        let reason = last.and_then(|record| text(record, "reason"));
        let (floor, ceil) = (threshold(last, "floor"), threshold(last, "ceil"));
        let route = reason.as_deref().map(|reason| route(reason, evidence.rate.pass_rate, floor, ceil));
        let exploring = latest.any(|record| record["reason"] == "explored" || record["shadow"] == true);
        let of_the_local_model = last.is_some_and(|record| text(record, "evidence_of").is_some());
        let certain = last.is_some_and(|record| record["p_local"].as_f64() == Some(0.0));
        Self {
            skill,
            route,
            rate: evidence.rate.into(),
            floor,
            ceil,
            held: last.is_some_and(|record| record["held"] == true),
            models: evidence.models.iter().map(ModelState::from).collect(),
            decisions: evidence.decisions,
            coverage: share(evidence.judged(), evidence.decisions),
            last: latest.0.first().map(|stored| shown_last(stored, reason)),
            // Where the rate is that of the skill, Claude's outcomes lift it.
            locked: route == Some(Route::Claude) && certain && !exploring && of_the_local_model,
            exploring,
            failing: latest.failing(),
            gradings_used_up: last.is_some_and(|record| record["gradings_used_up"] == true),
        }
    }
}

fn shown_last(stored: &StoredDecision, reason: Option<String>) -> Last {
    let record = stored.decision.as_object().and_then(|record| Record::read(record).ok());
    Last {
        id: text(&stored.decision, "id"),
        at_ms: stored.at,
        reason,
        arm: record.as_ref().map(|record| record.arm.as_str()),
        model: record.map(|record| record.model),
    }
}

fn route(reason: &str, rate: Option<f64>, floor: Option<f64>, ceil: Option<f64>) -> Route {
    match (reason, rate, floor.zip(ceil)) {
        ("pinned", _, _) => Route::Pinned,
        ("too_few_samples", _, _) | (_, None, _) | (_, _, None) => Route::Local,
        (_, Some(rate), Some((floor, _))) if rate >= floor => Route::Local,
        (_, Some(rate), Some((_, ceil))) if rate < ceil => Route::Claude,
        _ => Route::Split,
    }
}

// Counts are far below 2^53.
#[allow(clippy::cast_precision_loss)]
fn share(judged: i64, of: i64) -> Option<f64> {
    (of > 0).then(|| (judged as f64 / of as f64).min(1.0))
}

/// Something that a person should change.
#[derive(Serialize, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `local_failing`, `locked`, `gradings_used_up` or `low_coverage`.
    pub kind: &'static str,
    /// The skill.
    pub skill: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub cure: String,
}

/// What is wrong with a skill, the worst first.
#[must_use]
pub fn problems(state: &SkillState) -> Vec<Problem> {
    let skill = &state.skill;
    let problem =
        |kind, message: String, cure: &str| Problem { kind, skill: skill.clone(), message, cure: cure.into() };
    let failing = state.failing.as_ref().map(|error| {
        problem(
            "local_failing",
            format!("{skill}: the last {FAILING} calls of the local model failed ({error})."),
            "Look whether the model runs and answers: `routing status` names its address and the error.",
        )
    });
    let locked = state.locked.then(|| {
        problem(
            "locked",
            format!("{skill} is locked: it goes to Claude, and no outcomes of the local model come any more."),
            "Set evidence.exploration in the policy, or begin its evidence anew: `routing evidence reset` with the skill's name.",
        )
    });
    let used_up = state.gradings_used_up.then(|| {
        problem(
            "gradings_used_up",
            format!("{skill}: the judgements of this hour were used up at its latest call, and no answer is judged."),
            "Lower grading.share in the policy, so that they last, or raise grading.maxPerHour.",
        )
    });
    let low =
        state.coverage.filter(|coverage| state.decisions >= JUDGED_OF && *coverage < COVERAGE_MIN).map(|coverage| {
            problem(
                "low_coverage",
                format!(
                    "{skill}: {coverage:.SHOWN$} of {} calls were judged, so its rate says little.",
                    state.decisions
                ),
                "Judge some below, or let the plugin, a check or CI report: see docs/evidence.md.",
            )
        });
    failing.into_iter().chain(locked).chain(used_up).chain(low).collect()
}

#[cfg(test)]
mod tests;
