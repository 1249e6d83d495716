//! A report over time: equal steps of a span.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Saved, skill};
use crate::{
    record::Arm,
    spent::Line,
    store::{Step, Sums},
};

/// Equal steps of a span.
#[derive(Serialize, Clone, Debug, PartialEq)]
pub struct Series {
    /// The length of a step, in milliseconds.
    pub step_ms: i64,
    /// The steps in which something was called, the oldest first.
    pub points: Vec<Point>,
}

/// A step.
#[derive(Serialize, Clone, Debug, PartialEq)]
pub struct Point {
    /// Its begin, in milliseconds since 1970.
    pub at_ms: i64,
    /// Answers of the local model.
    pub local: i64,
    /// Answers of Claude, fallbacks and escalations included.
    pub claude: i64,
    /// What all calls cost in US dollars; none: not known.
    pub cost_usd: Option<f64>,
    /// What was saved in US dollars, by the usual length of the whole span; none: not known.
    pub saved_usd: Option<f64>,
}

impl Series {
    /// Of the sums of each step; their order does not matter.
    pub(crate) fn of(step_ms: i64, steps: &[Step]) -> Self {
        let mut by_skill: BTreeMap<&str, Vec<&Sums>> = BTreeMap::new();
        let mut by_time: BTreeMap<i64, Vec<&Sums>> = BTreeMap::new();
        for Step { start_ms, sums } in steps {
            by_skill.entry(&sums.skill).or_default().push(sums);
            by_time.entry(*start_ms).or_default().push(sums);
        }
        let points = by_time.into_iter().map(|(at_ms, sums)| point(at_ms, &sums, &by_skill)).collect();
        Self { step_ms, points }
    }
}

fn point(at_ms: i64, sums: &[&Sums], by_skill: &BTreeMap<&str, Vec<&Sums>>) -> Point {
    let saved = by_skill.iter().filter_map(|(skill, known)| {
        let of_skill: Vec<&Sums> = sums.iter().copied().filter(|sums| sums.skill == *skill).collect();
        Saved::by(&of_skill, known)
    });
    let calls = |lines: &[Line], arm: Arm| {
        let counts = |sums: &&&Sums| sums.arm == arm.as_str() && sums.line().is_some_and(|line| lines.contains(&line));
        sums.iter().filter(counts).map(|sums| sums.calls).sum()
    };
    Point {
        at_ms,
        local: calls(&[Line::Local], Arm::Local),
        claude: calls(&[Line::Local, Line::Claude, Line::Fallback, Line::Escalation], Arm::Claude),
        cost_usd: skill::cost(sums.iter().copied()),
        saved_usd: Saved::all(saved).map(|saved| saved.usd),
    }
}
