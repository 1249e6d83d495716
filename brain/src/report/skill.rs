//! The figures of one skill.

use std::collections::BTreeMap;

use crds::usage::NANO;

use super::{ArmRate, ArmTokens, Before, Coverage, Fallbacks, Figures, Known, LineFigures, Saved, SkillReport, Tokens};
use crate::{
    record::Arm,
    spent::Line,
    store::{Evidence, Sums},
};

pub(super) fn report(name: &str, known: &Known) -> SkillReport {
    let of = |sums: &'_ [Sums]| -> Vec<Sums> { sums.iter().filter(|sums| sums.skill == name).cloned().collect() };
    let (now, earlier) = (of(&known.now), of(&known.before));
    let (now, earlier): (Vec<&Sums>, Vec<&Sums>) = (now.iter().collect(), earlier.iter().collect());
    let saved_before = Saved::of(&earlier).map(|saved| saved.usd);
    let figures = Figures { before: before(&earlier, saved_before), ..figures(&now, Saved::of(&now)) };
    let none = (Evidence::default(), Evidence::default());
    let (evidence, evidence_before) = known.evidence.get(name).unwrap_or(&none);
    SkillReport {
        skill: name.into(),
        figures,
        arms: arms(evidence),
        coverage: coverage(evidence),
        agreement: evidence.agreement.clone(),
        pass_rate_before: local_rate(evidence_before),
    }
}

fn arms(evidence: &Evidence) -> Vec<ArmRate> {
    evidence.models.iter().map(|model| ArmRate { rate: model.clone(), interval: model.rate.interval() }).collect()
}

fn coverage(evidence: &Evidence) -> Coverage {
    Coverage { judged: evidence.judged(), decisions: evidence.decisions }
}

fn local_rate(evidence: &Evidence) -> Option<f64> {
    let local = evidence.models.iter().filter(|model| model.arm == Arm::Local.as_str());
    let (pass, fail) = local.fold((0, 0), |(pass, fail), model| (pass + model.rate.pass, fail + model.rate.fail));
    crate::store::Rate::of(pass, fail).pass_rate
}

/// Of the calls of a span.
pub(super) fn figures(sums: &[&Sums], saved: Option<Saved>) -> Figures {
    Figures {
        calls: sums.iter().map(|sums| sums.firsts).sum(),
        share_local: share_local(sums),
        lines: lines(sums),
        fallbacks: fallbacks(sums),
        escalations: calls(sums, &[Line::Escalation]),
        tokens: ArmTokens { local: tokens(sums, Arm::Local), claude: tokens(sums, Arm::Claude) },
        cost_usd: cost(sums.iter().copied()),
        saved,
        before: None,
    }
}

/// None: nothing was called then.
pub(super) fn before(sums: &[&Sums], saved_usd: Option<f64>) -> Option<Before> {
    let Figures { calls, share_local, cost_usd, .. } = figures(sums, None);
    (!sums.is_empty()).then_some(Before { calls, share_local, cost_usd, saved_usd })
}

fn calls(sums: &[&Sums], lines: &[Line]) -> i64 {
    sums.iter().filter(|sums| sums.line().is_some_and(|line| lines.contains(&line))).map(|sums| sums.calls).sum()
}

/// Of an escalation that failed the caller got the local answer after all.
// Numbers of calls, far below 2^53.
#[allow(clippy::cast_precision_loss)]
fn share_local(sums: &[&Sums]) -> Option<f64> {
    let is = |sums: &&&Sums, line: Line, arm: Arm| sums.line() == Some(line) && sums.arm == arm.as_str();
    let local: i64 = sums.iter().filter(|sums| is(sums, Line::Local, Arm::Local)).map(|sums| sums.calls).sum();
    let escalated = calls(sums, &[Line::Escalation]);
    let kept = (calls(sums, &[Line::LocalUnused]) - escalated).max(0);
    let answered = calls(sums, &[Line::Local, Line::Claude, Line::Fallback]) + escalated + kept;
    (answered > 0).then(|| (local + kept) as f64 / answered as f64)
}

fn lines(sums: &[&Sums]) -> Vec<LineFigures> {
    let of = |line: Line| {
        let of_line: Vec<&Sums> = sums.iter().copied().filter(|sums| sums.line() == Some(line)).collect();
        (!of_line.is_empty()).then(|| LineFigures {
            line,
            calls: of_line.iter().map(|sums| sums.calls).sum(),
            tokens: added(of_line.iter().copied()),
            cost_usd: cost(of_line.iter().copied()),
            priced: of_line.iter().map(|sums| sums.priced).sum(),
        })
    };
    Line::ALL.into_iter().filter_map(of).collect()
}

fn fallbacks(sums: &[&Sums]) -> Fallbacks {
    let mut why = BTreeMap::new();
    let is_why = |sums: &&&Sums| match sums.line() {
        Some(Line::LocalFailed) => true,
        // The local model was not asked.
        Some(Line::Fallback) => !sums.detail.is_empty(),
        _ => false,
    };
    for sums in sums.iter().filter(is_why) {
        *why.entry(sums.detail.clone()).or_default() += sums.calls;
    }
    Fallbacks { calls: calls(sums, &[Line::Fallback]), why }
}

fn tokens(sums: &[&Sums], arm: Arm) -> Tokens {
    added(sums.iter().copied().filter(|sums| sums.arm == arm.as_str()))
}

fn added<'a>(sums: impl Iterator<Item = &'a Sums>) -> Tokens {
    sums.fold(Tokens::default(), |all, sums| Tokens {
        prompt: all.prompt + sums.tokens_in,
        cached: all.cached + sums.tokens_cached,
        completion: all.completion + sums.tokens_out,
    })
}

// Far below 2^53 billionths.
#[allow(clippy::cast_precision_loss)]
pub(super) fn cost<'a>(sums: impl Iterator<Item = &'a Sums>) -> Option<f64> {
    let (priced, nano) = sums.fold((0, 0), |(priced, nano), sums| (priced + sums.priced, nano + sums.nano_usd));
    (priced > 0).then(|| nano as f64 / NANO)
}
