//! A report for people: as a table for a terminal, or as Markdown. No I/O.

use std::collections::BTreeMap;

use crds::shown::printable;

use super::figures::{UNKNOWN, change, number, rates, saved, share, usd, usd_or_unknown};
use crate::{
    brain_client::{KnownBefore, KnownFigures, KnownReport, KnownSkillReport},
    cli::aligned::aligned,
};

/// Longest text from outside that is shown in a column, in characters.
const SHOWN: usize = 100;
/// Longest sentence of the brain, in characters.
const SENTENCE_SHOWN: usize = 1000;
const HEADS: [&str; 11] = [
    "Skill",
    "Calls",
    "Local",
    "Local right",
    "Claude right",
    "Judged",
    "Fallbacks",
    "Escalations",
    "Tokens at home",
    "Cost",
    "Saved",
];

pub(super) fn table(report: &KnownReport) -> String {
    let mut rows = vec![HEADS.map(|head| head.to_uppercase()).to_vec()];
    rows.extend(rows_of(report));
    let notes: String = notes(report).iter().map(|note| format!("  {note}\n")).collect();
    let lines = aligned(&lines(report));
    format!("{}\n\n{}\nModel calls\n{lines}\n{notes}\n{}\n", headline(report), aligned(&rows), sentence(report))
}

pub(super) fn markdown(report: &KnownReport) -> String {
    let row =
        |cells: &[String]| format!("| {} |\n", cells.iter().map(|cell| escaped(cell)).collect::<Vec<_>>().join(" | "));
    let head = row(&HEADS.map(String::from));
    let rule = format!("|---|{}\n", "---:|".repeat(HEADS.len() - 1));
    let rows: String = rows_of(report).iter().map(|cells| row(cells)).collect();
    let notes: String = notes(report).iter().map(|note| format!("- {}\n", escaped(note))).collect();
    format!("### {}\n\n{head}{rule}{rows}\n{notes}\n{}\n", escaped(&headline(report)), escaped(&sentence(report)))
}

/// Text of others that would be a cell's end, or markup.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '|' | '*' | '_' | '`' | '<' | '>' | '[' | ']' | '\\' | '#') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn headline(report: &KnownReport) -> String {
    let KnownFigures { calls, share_local, saved: known, cost_usd, .. } = &report.total;
    let noun = if *calls == 1 { "call" } else { "calls" };
    let mut parts = vec![format!("{} {noun}", number(*calls))];
    parts.extend(share_local.map(|_| format!("{} answered at home", share(*share_local))));
    parts.push(cost_usd.map_or("cost not known".into(), |cost| format!("{} spent", usd(cost))));
    parts.push(known.as_ref().map_or("savings not known".into(), |_| format!("{} saved", saved(known.as_ref()))));
    format!("routing, last {}: {}", printable(&report.window, SHOWN), parts.join(", "))
}

fn rows_of(report: &KnownReport) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = report.skills.iter().map(of_skill).collect();
    if rows.len() > 1 {
        let mut total = cells("all", &report.total);
        total.splice(3..3, [UNKNOWN.into(), UNKNOWN.into(), judged(&report.skills)]);
        rows.push(total);
    }
    rows
}

fn of_skill(skill: &KnownSkillReport) -> Vec<String> {
    let mut row = cells(&skill.skill, &skill.figures);
    let rate = |arm: &str| printable(&rates(&skill.arms, arm), SHOWN);
    row.splice(3..3, [rate("local"), rate("claude"), judged(std::slice::from_ref(skill))]);
    row
}

/// All cells but those about rates.
fn cells(name: &str, figures: &KnownFigures) -> Vec<String> {
    let home = figures.tokens.local;
    vec![
        printable(name, SHOWN),
        number(figures.calls),
        share(figures.share_local),
        number(figures.fallbacks.calls),
        number(figures.escalations),
        tokens(home.prompt + home.completion),
        usd_or_unknown(figures.cost_usd),
        saved(figures.saved.as_ref()),
    ]
}

/// A call has some, so none were reported if there are none.
fn tokens(known: u64) -> String {
    if known == 0 { UNKNOWN.into() } else { number(known) }
}

fn judged(skills: &[KnownSkillReport]) -> String {
    let (judged, of) = skills
        .iter()
        .fold((0, 0), |(judged, of), skill| (judged + skill.coverage.judged, of + skill.coverage.decisions));
    if of == 0 { UNKNOWN.into() } else { format!("{} of {}", number(judged), number(of)) }
}

/// What the model calls were for.
fn lines(report: &KnownReport) -> Vec<Vec<String>> {
    let mut rows = vec![["FOR", "CALLS", "TOKENS IN", "CACHED", "TOKENS OUT", "COST"].map(String::from).to_vec()];
    rows.extend(report.total.lines.iter().map(|line| {
        let gap = if line.cost_usd.is_some() && line.priced < line.calls {
            format!(" of {}", number(line.priced))
        } else {
            String::new()
        };
        vec![
            purpose(&line.line),
            number(line.calls),
            tokens(line.tokens.prompt),
            number(line.tokens.cached),
            tokens(line.tokens.completion),
            format!("{}{gap}", usd_or_unknown(line.cost_usd)),
        ]
    }));
    rows
}

fn purpose(line: &str) -> String {
    match line {
        "local" => "answers at home".into(),
        "local_failed" => "failed local attempts".into(),
        "local_unused" => "local answers that failed a check".into(),
        "claude" => "answers of Claude".into(),
        "fallback" => "answers of Claude after a local failure".into(),
        "escalation" => "answers of Claude after a failed check".into(),
        "claude_failed" => "failed calls of Claude".into(),
        "shadow" => "shadow calls".into(),
        "grading" => "judgements of answers".into(),
        other => printable(other, SHOWN),
    }
}

/// What the table has no room for.
fn notes(report: &KnownReport) -> Vec<String> {
    let total = &report.total;
    let mut notes = vec![];
    if !total.fallbacks.why.is_empty() {
        notes.push(format!("Why there was no local answer: {}.", counted(&total.fallbacks.why)));
    }
    for skill in &report.skills {
        let name = printable(&skill.skill, SHOWN);
        notes.extend(skill.agreement.iter().filter(|(_, agreement)| agreement.of > 0).map(|(source, agreement)| {
            let source = printable(source, SHOWN);
            format!("{name}: {source} said the same as people about {} of {} answers.", agreement.same, agreement.of)
        }));
        notes.extend(rate_change(skill));
    }
    if total.saved.is_none() && total.calls > 0 {
        notes.push("Savings are not known: set models.claude.price in the policy.".into());
    }
    notes.extend(total.before.as_ref().map(|before| against_before(total, before)));
    notes
}

fn counted(why: &BTreeMap<String, u64>) -> String {
    why.iter()
        .map(|(kind, calls)| format!("{} {}", printable(kind, SHOWN), number(*calls)))
        .collect::<Vec<_>>()
        .join(", ")
}

fn rate_change(skill: &KnownSkillReport) -> Option<String> {
    let before = skill.pass_rate_before?;
    let local = skill.arms.iter().filter(|arm| arm.arm == "local");
    let (pass, fail) = local.fold((0, 0), |(pass, fail), arm| (pass + arm.pass, fail + arm.fail));
    // Numbers of verdicts, far below 2^53.
    #[allow(clippy::cast_precision_loss)]
    let now = (pass + fail > 0).then(|| pass as f64 / (pass + fail) as f64)?;
    Some(format!("{}: local right {now:.2}, {before:.2} in the period before.", printable(&skill.skill, SHOWN)))
}

fn against_before(now: &KnownFigures, before: &KnownBefore) -> String {
    let change = change(now.calls, before.calls);
    let change = if change.is_empty() { change } else { format!(" ({change})") };
    format!(
        "The period before: {} calls{change}, {} answered at home, {} spent, {} saved.",
        number(before.calls),
        share(before.share_local),
        usd_or_unknown(before.cost_usd),
        before.saved_usd.map_or_else(|| UNKNOWN.into(), usd)
    )
}

fn sentence(report: &KnownReport) -> String {
    printable(&report.counterfactual, SENTENCE_SHOWN)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report() -> KnownReport {
        let debug = json!({"skill": "debug", "calls": 1234, "share_local": 0.9, "cost_usd": 0.5, "escalations": 2,
            "fallbacks": {"calls": 3, "why": {"timeout": 3}},
            "tokens": {"local": {"in": 1_000_000, "cached": 0, "out": 20}},
            "saved": {"usd": 4.2, "low": 4.0, "high": 4.4}, "coverage": {"judged": 41, "decisions": 1300},
            "arms": [{"arm": "local", "model": "q", "pass_rate": 0.9, "pass": 36, "fail": 4},
                {"arm": "claude", "model": "c", "pass_rate": 1.0, "pass": 1, "fail": 0}],
            "agreement": {"grader": {"same": 9, "of": 10}}, "pass_rate_before": 0.8});
        let total = json!({"calls": 1234, "share_local": 0.9, "cost_usd": 0.5, "fallbacks": {"calls": 3, "why": {"timeout": 3}},
            "saved": {"usd": 4.2, "low": 4.0, "high": 4.4},
            "lines": [{"line": "local", "calls": 1100, "tokens": {"in": 1_000_000, "out": 20}},
                {"line": "claude", "calls": 134, "cost_usd": 0.5, "priced": 130}],
            "before": {"calls": 1000, "share_local": 0.5, "cost_usd": 1.0, "saved_usd": null}});
        let all = json!({"window": "7d", "total": total, "skills": [debug], "counterfactual": "Saved is | what."});
        serde_json::from_value(all).expect("a report")
    }

    #[test]
    fn a_report_is_a_table_for_a_terminal() {
        insta::assert_snapshot!(table(&report()));
    }

    #[test]
    fn the_headline_says_what_is_not_known() {
        let of = |total| headline(&serde_json::from_value(json!({"window": "7d", "total": total})).expect("a report"));
        assert_eq!(
            of(json!({"calls": 1, "share_local": 1.0})),
            "routing, last 7d: 1 call, 100 % answered at home, cost not known, savings not known"
        );
        assert_eq!(
            of(json!({"calls": 0, "cost_usd": 0.0})),
            "routing, last 7d: 0 calls, $0.00 spent, savings not known"
        );
    }

    #[test]
    fn a_report_is_markdown_in_which_nothing_of_others_is_markup() {
        let mut report = report();
        report.skills[0].skill = "a|b<img>_x_".into();
        insta::assert_snapshot!(markdown(&report));
    }
}
