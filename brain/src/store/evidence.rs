//! What is known about a skill's answers: rates per model, by the verdicts of the sources that count.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use crds::{
    interval::{Interval, wilson},
    period::{Period, USUAL_WINDOW},
};
use serde::Serialize;
use sqlx::AnyPool;

use super::{
    clock::TOLERANCE_MS,
    counts::{self, Sum, What},
};
use crate::{
    record::Arm,
    verdict::{Pattern, Source, Sources, Verdict},
};

/// Verdicts that are read at once to find the latest ones.
const PAGE: i64 = 1_000;
/// Most pages.
const PAGES_MAX: i64 = 100;

/// The verdicts on a skill's local answers, the latest first, before a time and an id. $1 skill, $2 the model's name, $3
/// time, $4 id, $5 most rows. In two parts, so that each reads the index in its order.
pub(super) const LATEST: &str = "SELECT unit, at_ms, id, source, verdict FROM ( \
       SELECT * FROM (SELECT unit, at_ms, id, source, verdict FROM outcomes \
         WHERE state = 'stands' AND skill = $1 AND arm = 'local' AND model = $2 AND (at_ms, id) < ($3, $4) \
         ORDER BY at_ms DESC, id DESC LIMIT $5) AS named \
       UNION ALL \
       SELECT * FROM (SELECT unit, at_ms, id, source, verdict FROM outcomes \
         WHERE state = 'stands' AND skill = $1 AND arm = 'local' AND model = '' AND (at_ms, id) < ($3, $4) \
         ORDER BY at_ms DESC, id DESC LIMIT $5) AS unnamed \
     ) AS parts ORDER BY at_ms DESC, id DESC LIMIT $5";

/// What is asked.
#[derive(Clone, Debug)]
pub struct Query {
    /// The skill.
    pub skill: String,
    /// How far back verdicts count.
    pub window: Duration,
    /// The name of the local model: only its answers count. None: all answers, whoever gave them.
    pub local: Option<String>,
    /// The sources that count.
    pub sources: Sources,
    /// If the window has fewer verdicts on the local model, the latest ones count, so many of them.
    pub at_least: i64,
}

impl Query {
    /// All answers of a skill in the usual window.
    #[must_use]
    pub fn of_all(skill: &str) -> Self {
        let window = Period::from_text(USUAL_WINDOW).duration().expect("it is a constant, and the tests parse it");
        Self { skill: skill.into(), window, local: None, sources: Sources::default(), at_least: 0 }
    }
}

/// How often answers were right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Rate {
    /// pass / (pass + fail), from 0 to 1; none if both are 0.
    pub pass_rate: Option<f64>,
    /// Number of answers that were right.
    pub pass: i64,
    /// Number of answers that were not.
    pub fail: i64,
}

impl Rate {
    /// The rate of so many answers.
    #[must_use]
    pub fn of(pass: i64, fail: i64) -> Self {
        Self { pass_rate: ratio(pass, fail), pass, fail }
    }

    fn add(&mut self, verdict: Verdict, number: i64) {
        match verdict {
            Verdict::Pass => self.pass += number,
            Verdict::Fail => self.fail += number,
            Verdict::Skip => {}
        }
        self.pass_rate = ratio(self.pass, self.fail);
    }

    /// Its 95 % interval; none: not measured.
    #[must_use]
    pub fn interval(&self) -> Option<Interval> {
        wilson(self.pass_rate?, u64::try_from(self.samples()).unwrap_or_default())
    }

    /// As a sentence has it: `0.80 of 10`, or `not measured`.
    #[must_use]
    pub fn shown(&self) -> String {
        self.pass_rate.map_or_else(|| "not measured".into(), |rate| format!("{rate:.2} of {}", self.samples()))
    }

    /// The answers that count.
    #[must_use]
    pub fn samples(&self) -> i64 {
        self.pass + self.fail
    }
}

/// The rate of one model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelRate {
    /// `local` or `claude`.
    pub arm: String,
    /// Its name; empty: verdicts that name no known decision, which count for the local model.
    pub model: String,
    /// How often it was right.
    #[serde(flatten)]
    pub rate: Rate,
    /// Its calls in the window.
    pub decisions: i64,
}

/// How often a source said the same as a person about the same answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Agreement {
    /// Answers about which both said the same.
    pub same: i64,
    /// Answers about which both said pass or fail.
    pub of: i64,
}

/// What is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// Of the local model that was asked for, or of all answers.
    pub rate: Rate,
    /// Number of all entries of the skill.
    pub total: i64,
    /// Of each model.
    pub models: Vec<ModelRate>,
    /// Of how many answers each source decides.
    pub sources: BTreeMap<&'static str, i64>,
    /// How each other source agrees with people.
    pub agreement: BTreeMap<&'static str, Agreement>,
    /// Model calls for the skill.
    pub decisions: i64,
    /// When the evidence was begun anew, in milliseconds since 1970.
    pub since: Option<i64>,
    /// Of the judged answers those whose outcome names no decision. Only [`Store::coverage_evidence`] reads it.
    ///
    /// [`Store::coverage_evidence`]: super::Store::coverage_evidence
    pub alone: i64,
    /// The age of the latest verdict, in milliseconds, if older ones than the window's count.
    pub held_age_ms: Option<i64>,
}

impl Evidence {
    /// Decisions that were judged: an outcome that names none is about none.
    #[must_use]
    pub fn judged(&self) -> i64 {
        let named = self.models.iter().filter(|model| !model.model.is_empty());
        (named.map(|model| model.rate.samples()).sum::<i64>() - self.alone).max(0)
    }

    /// The rate of Claude, by this name.
    #[must_use]
    pub fn claude(&self, name: &str) -> Rate {
        let of_claude = |model: &&ModelRate| model.arm == Arm::Claude.as_str() && model.model == name;
        self.models.iter().find(of_claude).map(|model| model.rate).unwrap_or_default()
    }
}

pub(super) async fn read(readers: &AnyPool, query: &Query, now_ms: i64) -> Result<Evidence, sqlx::Error> {
    let window_ms = i64::try_from(query.window.as_millis()).unwrap_or(i64::MAX);
    let sums = counts::sums(readers, &query.skill, window_ms, now_ms).await?;
    let mut evidence = summed(&sums, query);
    evidence.since = since(readers, query).await?;
    if let Some(local) = query.local.as_ref().filter(|_| evidence.rate.samples() < query.at_least) {
        let (rate, latest) = latest(readers, query, local, now_ms).await?;
        if rate.samples() > evidence.rate.samples() {
            evidence.held_age_ms = latest.map(|at_ms| (now_ms - at_ms).max(0));
            evidence.rate = rate;
        }
    }
    Ok(evidence)
}

/// Pure: what the sums of a window say.
fn summed(sums: &[Sum], query: &Query) -> Evidence {
    let mut evidence = Evidence::default();
    let mut models: BTreeMap<(&str, &str), ModelRate> = BTreeMap::new();
    for Sum { arm, model, what, number } in sums {
        let of_model = || ModelRate { arm: arm.clone(), model: model.clone(), rate: Rate::default(), decisions: 0 };
        match what {
            What::Entry => evidence.total += number,
            What::Decision => {
                evidence.decisions += number;
                models.entry((arm, model)).or_insert_with(of_model).decisions += number;
            }
            What::Verdicts(pattern) => {
                for (source, same) in pattern.compared_with(Source::Human) {
                    let agreement = evidence.agreement.entry(source.as_str()).or_default();
                    agreement.of += number;
                    agreement.same += if same { *number } else { 0 };
                }
                let Some((source, verdict)) = pattern.counted(&query.sources) else { continue };
                models.entry((arm, model)).or_insert_with(of_model).rate.add(verdict, *number);
                if verdict != Verdict::Skip && *number != 0 {
                    *evidence.sources.entry(source.as_str()).or_default() += number;
                }
                let is_local = arm == Arm::Local.as_str();
                if query.local.as_ref().is_none_or(|local| is_local && (model == local || model.is_empty())) {
                    evidence.rate.add(verdict, *number);
                }
            }
        }
    }
    evidence.models = models.into_values().filter(|model| model.rate.samples() > 0 || model.decisions > 0).collect();
    evidence.sources.retain(|_, number| *number != 0);
    evidence.agreement.retain(|_, agreement| agreement.of != 0);
    evidence
}

/// When the evidence of the skill, or of its local model, was begun anew.
async fn since(readers: &AnyPool, Query { skill, local, .. }: &Query) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar("SELECT MAX(at_ms) FROM resets WHERE skill = $1 AND (model = '' OR model = $2)")
        .bind(skill)
        .bind(local.as_deref().unwrap_or_default())
        .fetch_one(readers)
        .await
}

/// The rate of the latest `at_least` judged local answers, however old, and when the latest of them was judged.
async fn latest(
    readers: &AnyPool,
    query: &Query,
    local: &str,
    now_ms: i64,
) -> Result<(Rate, Option<i64>), sqlx::Error> {
    let (mut units, mut places): (Vec<Unit>, HashMap<String, usize>) = Default::default();
    let mut before = (i64::MAX, String::new());
    for _ in 0..PAGES_MAX {
        let read = sqlx::query_as(LATEST).bind(&query.skill).bind(local).bind(before.0).bind(&before.1).bind(PAGE);
        let rows: Vec<(String, i64, String, String, String)> = read.fetch_all(readers).await?;
        let last = i64::try_from(rows.len()).is_ok_and(|rows| rows < PAGE);
        for (unit, at_ms, id, source, verdict) in rows {
            before = (at_ms, id);
            let Some(verdict) = Source::parse(&source).zip(Verdict::parse(&verdict)) else { continue };
            let place = *places.entry(unit).or_insert(units.len());
            match units.get_mut(place) {
                Some(known) => known.verdicts.push(verdict),
                None => units.push(Unit { at_ms, verdicts: vec![verdict] }),
            }
        }
        let (rate, at) = counted(&units, query, now_ms);
        if last || rate.samples() >= query.at_least {
            return Ok((rate, at));
        }
    }
    Ok(counted(&units, query, now_ms))
}

/// A judged answer.
struct Unit {
    /// When its latest verdict was given.
    at_ms: i64,
    verdicts: Vec<(Source, Verdict)>,
}

fn counted(units: &[Unit], query: &Query, now_ms: i64) -> (Rate, Option<i64>) {
    let (mut rate, mut latest) = (Rate::default(), None);
    for Unit { at_ms, verdicts, .. } in units.iter().filter(|unit| unit.at_ms <= now_ms + TOLERANCE_MS) {
        if rate.samples() >= query.at_least {
            break;
        }
        if let Some((_, verdict)) = Pattern::of(verdicts.iter().copied()).counted(&query.sources) {
            rate.add(verdict, 1);
            latest = latest.or(Some(*at_ms).filter(|_| verdict != Verdict::Skip));
        }
    }
    (rate, latest)
}

// Counts are far below 2^53, so the quotient is the nearest double: the same that parsing "0.90" gives.
#[allow(clippy::cast_precision_loss)]
fn ratio(pass: i64, fail: i64) -> Option<f64> {
    (pass + fail > 0).then(|| pass as f64 / (pass + fail) as f64)
}
