//! What was saved by answering at home: a comparison with what did not happen, so with an interval, and with its basis.

use crds::{interval::Z, usage::NANO};
use serde::Serialize;

use super::skill::cost;
use crate::{record::Arm, spent::Line, store::Sums};

/// Millionths of a dollar per million tokens, in billionths of a dollar per token.
const NANO_PER_PRICE: f64 = 1e-3;

/// What was saved, in US dollars; less than nothing if attempts cost more than they spared.
#[derive(Serialize, Clone, Copy, Debug, PartialEq)]
pub struct Saved {
    /// The best guess.
    pub usd: f64,
    /// The lower end of its 95 % interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// What the calls would have cost on Claude.
    pub would_usd: f64,
    /// The calls that were spared.
    pub calls: i64,
    /// Those of them whose price is known.
    pub priced: i64,
    /// What Claude's side of the comparison is taken from.
    pub basis: Basis,
}

/// What the length of Claude's answer, or its cost, is taken from.
#[derive(Serialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The mean length of Claude's answers to the skill.
    ClaudeLength,
    /// The length of the local model's answers: Claude has answered none.
    LocalLength,
    /// The mean cost of Claude's calls of the skill: there is no price.
    ClaudeCost,
    /// Several skills.
    Sum,
}

/// A mean and its standard error.
struct Mean {
    value: f64,
    error: f64,
}

impl Mean {
    // Numbers of calls and tokens, far below 2^53.
    #[allow(clippy::cast_precision_loss)]
    fn of(number: i64, sum: i64, squares: f64) -> Option<Self> {
        if number <= 0 {
            return None;
        }
        let (n, sum) = (number as f64, sum as f64);
        let value = sum / n;
        let variance = if number > 1 { ((squares - n * value * value) / (n - 1.0)).max(0.0) } else { 0.0 };
        Some(Self { value, error: (variance / n).sqrt() })
    }
}

impl Saved {
    /// Of one skill; none: nothing was answered at home, or nothing is known of what Claude costs.
    pub(super) fn of(sums: &[&Sums]) -> Option<Self> {
        Self::by(sums, sums)
    }

    /// Of one skill, by what is known of Claude's calls of another span.
    pub(super) fn by(sums: &[&Sums], known: &[&Sums]) -> Option<Self> {
        let is_local = |sums: &&Sums| sums.line() == Some(Line::Local) && sums.arm == Arm::Local.as_str();
        let is_claude = |sums: &&Sums| {
            matches!(sums.line(), Some(Line::Claude | Line::Fallback | Line::Escalation))
                && sums.arm == Arm::Claude.as_str()
        };
        let local: Vec<&Sums> = sums.iter().copied().filter(|sums| is_local(sums)).collect();
        let claude: Vec<&Sums> = known.iter().copied().filter(|sums| is_claude(sums)).collect();
        let calls: i64 = local.iter().map(|sums| sums.calls).sum();
        let (would, half, basis, priced) =
            by_price(&local, &claude).or_else(|| by_cost(calls, &claude)).filter(|_| calls > 0)?;
        let is_spent = |sums: &&&Sums| {
            let at_home =
                matches!(sums.line(), Some(Line::LocalFailed | Line::LocalUnused | Line::Shadow | Line::Grading));
            at_home || is_local(sums)
        };
        let spent = cost(sums.iter().filter(is_spent).copied()).unwrap_or_default();
        let (would, half) = (would / NANO, half / NANO);
        let usd = would - spent;
        Some(Self { usd, low: usd - half, high: usd + half, would_usd: would, calls, priced, basis })
    }

    /// Of several skills, whose lengths have nothing to do with each other.
    pub(super) fn all(skills: impl Iterator<Item = Self>) -> Option<Self> {
        let half = |saved: &Self| (saved.high - saved.low) / 2.0;
        skills.reduce(|all, one| {
            let (usd, half) = (all.usd + one.usd, half(&all).hypot(half(&one)));
            Self {
                usd,
                low: usd - half,
                high: usd + half,
                would_usd: all.would_usd + one.would_usd,
                calls: all.calls + one.calls,
                priced: all.priced + one.priced,
                basis: if all.basis == one.basis { all.basis } else { Basis::Sum },
            }
        })
    }
}

/// What calls would have cost and half of its interval, in billionths of a dollar, by what, and for how many calls.
type Estimate = (f64, f64, Basis, i64);

/// By the price of the policy.
// Billionths of a dollar, far below 2^53.
#[allow(clippy::cast_precision_loss)]
fn by_price(local: &[&Sums], claude: &[&Sums]) -> Option<Estimate> {
    let sum = |of: fn(&Sums) -> i64| local.iter().map(|sums| of(sums)).sum::<i64>();
    let (priced, prompts, prices) = (sum(|s| s.would_calls), sum(|s| s.would_in), sum(|s| s.would_out));
    if priced == 0 {
        return None;
    }
    let length = |sums: &[&Sums]| {
        let number = sums.iter().map(|sums| sums.counted).sum();
        Mean::of(number, sums.iter().map(|sums| sums.tokens_out).sum(), sums.iter().map(|sums| sums.out_squares).sum())
    };
    let of_claude = length(claude).map(|mean| (mean, Basis::ClaudeLength));
    let (mean, basis) = of_claude.or_else(|| Some((length(local)?, Basis::LocalLength)))?;
    let per_token = prices as f64 * NANO_PER_PRICE;
    Some((prompts as f64 + mean.value * per_token, Z * mean.error * per_token, basis, priced))
}

/// By what the gateway says that Claude's calls of this skill cost.
#[allow(clippy::cast_precision_loss)]
fn by_cost(calls: i64, claude: &[&Sums]) -> Option<Estimate> {
    let number = claude.iter().map(|sums| sums.priced).sum();
    let mean = Mean::of(
        number,
        claude.iter().map(|sums| sums.nano_usd).sum(),
        claude.iter().map(|sums| sums.nano_squares).sum(),
    )?;
    Some((calls as f64 * mean.value, Z * calls as f64 * mean.error, Basis::ClaudeCost, calls))
}
