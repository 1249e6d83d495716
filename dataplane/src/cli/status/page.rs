//! What `routing status` shows, for people and for scripts. No I/O.

use crds::{
    interval::wilson,
    pod::{ModelReport, PodStatus, SkillReport, rules::ReviewReport, savings::SavingsReport, why},
    shown::printable,
};
use serde_json::{Value, json};

use crate::{
    brain_client::KnownDecision,
    cli::aligned::{age, aligned, rate},
};

/// Longest text from outside that is shown in a column, in characters.
const SHOWN: usize = 60;
/// Longest problem that is shown, in characters.
const PROBLEM_SHOWN: usize = 400;
/// Digits of the config hash that are shown.
const HASH_SHOWN: usize = 12;

/// What one look has found.
pub(super) struct Seen {
    /// Address of the admin port.
    pub(super) url: String,
    pub(super) status: PodStatus,
    /// Address of the brain, if one was given.
    pub(super) brain: Option<String>,
    /// The latest first.
    pub(super) decisions: Vec<KnownDecision>,
    /// Why there are no decisions, although a brain was given.
    pub(super) brain_problem: Option<String>,
    /// When, in milliseconds since 1970.
    pub(super) now_ms: u64,
}

/// For people.
pub(super) fn text(seen: &Seen) -> String {
    let status = &seen.status;
    let models = aligned(&status.models.iter().map(|report| model(report, seen.now_ms)).collect::<Vec<_>>());
    let mut skills = vec![row(["SKILL", "CALLS GO TO", "WHY", "LOCAL", "CLAUDE", "COVERAGE", ""])];
    skills.extend(status.skills.iter().map(skill));
    let saved = status.savings.as_ref().map(savings).unwrap_or_default();
    let kept = status.review.as_ref().map(kept).unwrap_or_default();
    format!("{}\nModels\n{models}\nSkills\n{}{kept}{saved}{}", head(seen), aligned(&skills), last(seen))
}

/// Which answers the brain keeps.
fn kept(ReviewReport { keep_ms, share, problem }: &ReviewReport) -> String {
    let all = format!("{} % of the answers, each for {}", (share * 10_000.0).round() / 100.0, age(*keep_ms));
    let problem =
        if problem.is_empty() { String::new() } else { format!(", but {}", printable(problem, PROBLEM_SHOWN)) };
    format!("\nKept for review: {all}{problem}\n")
}

/// In one line; `routing report` has the rest.
fn savings(report: &SavingsReport) -> String {
    let share =
        report.share_local.map(|share| format!(", {:.0} % answered at home", share * 100.0)).unwrap_or_default();
    let usd = |what: &str, amount: Option<f64>| amount.map(|usd| format!(", ${usd:.2} {what}")).unwrap_or_default();
    let (cost, saved) = (usd("spent", report.cost_usd), usd("saved", report.saved_usd));
    format!("\nLast {}: {} calls{share}{cost}{saved} (routing report)\n", printable(&report.since, SHOWN), report.calls)
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.iter().map(|cell| printable(cell, SHOWN)).collect()
}

fn head(seen: &Seen) -> String {
    let PodStatus { version, config_hash, origin, refused, missing_secrets, draining, .. } = &seen.status;
    let hash: String = config_hash.chars().take(HASH_SHOWN).collect();
    let mut lines = vec![format!(
        "routing {} at {}, config {} ({})",
        printable(version, SHOWN),
        seen.url,
        printable(&hash, SHOWN),
        printable(origin, SHOWN)
    )];
    if *draining {
        lines.push("It was told to end, and takes no new calls.".into());
    }
    lines.extend(refused.iter().map(|refused| {
        let since = age(seen.now_ms.saturating_sub(refused.since_ms));
        format!("The newest config is refused, since {since}: {}", printable(&refused.reason, PROBLEM_SHOWN))
    }));
    lines.extend(missing_secrets.iter().map(|missing| printable(&format!("Missing: {missing}"), PROBLEM_SHOWN)));
    lines.join("\n") + "\n"
}

fn model(report: &ModelReport, now_ms: u64) -> Vec<String> {
    let ModelReport { name, model, endpoint, problem, .. } = report;
    let mut cells = row([name, model, endpoint, answers(report)]);
    let problem = (!problem.is_empty()).then(|| printable(problem, PROBLEM_SHOWN));
    let all: Vec<String> = problem.into_iter().chain(unasked(report, now_ms)).chain(queue(report)).collect();
    if !all.is_empty() {
        cells.push(all.join("; "));
    }
    cells
}

/// Why a model is not called, and when it will be.
fn unasked(report: &ModelReport, now_ms: u64) -> Option<String> {
    let circuit = report.circuit.as_ref().filter(|circuit| circuit.is_open())?;
    let next = circuit.next_trial_ms.map(|next| format!("next trial in {}", age(next.saturating_sub(now_ms))));
    let next = next.unwrap_or_else(|| "the next call tries it".into());
    Some(format!("NOT CALLED: it failed {} times in a row; {next}", circuit.failures))
}

/// How many calls wait, where there is a limit.
fn queue(report: &ModelReport) -> Option<String> {
    let (most, waiting) = report.max_concurrent.zip(report.waiting)?;
    Some(format!("{} of {most} calls at a time, {waiting} waiting", report.in_flight.unwrap_or_default()))
}

/// Whether a model answers, as far as it is known.
fn answers(report: &ModelReport) -> &'static str {
    match report.reachable {
        _ if !report.has_endpoint() => "does the work itself",
        Some(true) if report.problem.is_empty() => "answers",
        Some(true) => "answers, but",
        Some(false) => "does not answer:",
        None => "not asked yet",
    }
}

fn skill(skill: &SkillReport) -> Vec<String> {
    let coverage = skill.coverage.zip(skill.decisions);
    let coverage = coverage.map_or_else(|| "-".into(), |(part, of)| format!("{:.0} % of {of}", part * 100.0));
    let claude = match skill.claude_pass_rate {
        None if skill.evidence_of.is_none() => "-".into(),
        known => rate(known, skill.claude_samples),
    };
    let mut cells = row([&skill.name, &skill.route]);
    cells.extend([
        why::message(skill).unwrap_or_default(),
        rate(skill.pass_rate, skill.samples),
        claude,
        coverage,
        notes(skill),
    ]);
    cells
}

/// What a reader should know besides.
fn notes(skill: &SkillReport) -> String {
    let held = skill.held_age_ms.map(age).map(|age| format!(", {age} old")).unwrap_or_default();
    let all = [
        (skill.locked, "LOCKED: no more local outcomes come".into()),
        (skill.exploring, "exploring".into()),
        (skill.check.is_some(), "checked".into()),
        (skill.grading.is_some(), "graded".into()),
        (skill.held, format!("held{held}")),
    ];
    all.into_iter().filter(|(is, _)| *is).map(|(_, note)| note).collect::<Vec<_>>().join("; ")
}

fn last(seen: &Seen) -> String {
    let Some(brain) = &seen.brain else {
        return "\nThe last decisions: name the brain with --brain-url or BRAIN_URL.\n".into();
    };
    if let Some(problem) = &seen.brain_problem {
        return format!("\nThe last decisions are not known: {problem}.\n");
    }
    let rows: Vec<_> = seen.decisions.iter().map(|decision| decided(decision, seen.now_ms)).collect();
    let none = if rows.is_empty() { "  none yet\n" } else { "" };
    format!("\nLast decisions ({brain})\n{none}{}", aligned(&rows))
}

fn decided(known: &KnownDecision, now_ms: u64) -> Vec<String> {
    let verdicts: Vec<String> = known.verdicts.iter().map(|(source, verdict)| format!("{source}: {verdict}")).collect();
    let verdicts = if verdicts.is_empty() { "no verdict".into() } else { verdicts.join(", ") };
    let shadow = known.decision.get("shadow") == Some(&Value::Bool(true));
    let kind = if shadow { "shadow" } else { known.text("decision") };
    let ago = format!("{} ago", age(now_ms.saturating_sub(known.at)));
    let failed = known.text("error");
    let failed = if failed.is_empty() { String::new() } else { format!("failed: {failed}") };
    row([
        &ago,
        known.text("skill"),
        kind,
        known.text("model"),
        known.text("reason"),
        &verdicts,
        known.text("id"),
        &failed,
    ])
}

/// For scripts: the names of `/status`, with the intervals.
pub(super) fn json(seen: &Seen) -> Value {
    let status = &seen.status;
    json!({
        "url": seen.url, "version": status.version, "configHash": status.config_hash, "origin": status.origin,
        "draining": status.draining, "refused": status.refused, "missingSecrets": status.missing_secrets,
        "review": status.review, "models": status.models, "skills": status.skills.iter().map(skill_json).collect::<Vec<_>>(),
        "brain": seen.brain, "brainProblem": seen.brain_problem, "decisions": seen.decisions,
    })
}

fn skill_json(skill: &SkillReport) -> Value {
    let interval = |rate: Option<f64>, samples: Option<u64>| rate.zip(samples).and_then(|(r, n)| wilson(r, n));
    let mut all = json!(skill);
    all["interval"] = json!(interval(skill.pass_rate, skill.samples));
    all["claudeInterval"] = json!(interval(skill.claude_pass_rate, skill.claude_samples));
    all
}

#[cfg(test)]
mod tests {
    use crds::pod::{models::CircuitReport, rules::CheckReport};

    use super::*;

    fn seen() -> Seen {
        let debug = SkillReport {
            name: "debug".into(),
            pass_rate: Some(0.683),
            samples: Some(41),
            route: "claude".into(),
            reason: "below_ceil".into(),
            evidence_of: Some("qwen".into()),
            claude_pass_rate: Some(0.91),
            claude_samples: Some(22),
            decisions: Some(120),
            coverage: Some(0.53),
            floor: Some(0.9),
            ceil: Some(0.7),
            locked: true,
            ..SkillReport::default()
        };
        let fresh = SkillReport {
            name: "own".into(),
            route: "local".into(),
            reason: "no_pass_rate".into(),
            exploring: true,
            check: Some(CheckReport::default()),
            ..SkillReport::default()
        };
        let away = ModelReport {
            name: "local".into(),
            model: "qwen".into(),
            endpoint: "llm:80".into(),
            reachable: Some(false),
            problem: "start it".into(),
            ..ModelReport::default()
        };
        let status = PodStatus {
            version: "1".into(),
            config_hash: "ab".into(),
            origin: "policy".into(),
            skills: vec![debug, fresh],
            models: vec![away, ModelReport::of_the_caller()],
            ..PodStatus::default()
        };
        let decision = json!({"id": "i", "skill": "debug", "decision": "claude", "model": "c", "reason": "below_ceil"});
        let verdicts = [("human".to_string(), "pass".to_string())].into();
        let decisions = vec![KnownDecision { decision, at: 1_000, verdicts }];
        Seen {
            url: "http://a".into(),
            status,
            brain: Some("http://b".into()),
            decisions,
            brain_problem: None,
            now_ms: 4_000,
        }
    }

    #[test]
    fn one_screen_says_where_calls_go_and_why_and_what_is_wrong() {
        let expected = "\
routing 1 at http://a, config ab (policy)

Models
  local   qwen    llm:80  does not answer:      start it
  claude  caller          does the work itself

Skills
  SKILL  CALLS GO TO  WHY                       LOCAL                   CLAUDE                  COVERAGE
  debug  claude       0.68 of 41 is below 0.70  0.68 [0.53–0.80] of 41  0.91 [0.72–0.98] of 22  53 % of 120  LOCKED: no more local outcomes come
  own    local        no outcomes are known     not measured            -                       -            exploring; checked

Last decisions (http://b)
  3 s ago  debug  claude  c  below_ceil  human: pass  i
";
        assert_eq!(text(&seen()), expected);
    }

    #[test]
    fn it_says_whether_a_model_is_called_and_who_waits_for_it() {
        let mut seen = seen();
        let circuit = CircuitReport { state: "open".into(), failures: 7, next_trial_ms: Some(seen.now_ms + 12_000) };
        seen.status.models[0].circuit = Some(circuit.clone());
        let line = "does not answer:      start it; NOT CALLED: it failed 7 times in a row; next trial in 12 s\n";
        assert!(text(&seen).contains(line), "{}", text(&seen));
        let trying = CircuitReport { state: "half_open".into(), next_trial_ms: None, ..circuit };
        let local = ModelReport {
            reachable: Some(true),
            problem: String::new(),
            circuit: Some(trying),
            in_flight: Some(2),
            waiting: Some(9),
            max_concurrent: Some(2),
            ..seen.status.models[0].clone()
        };
        seen.status.models[0] = local.clone();
        let line =
            "NOT CALLED: it failed 7 times in a row; the next call tries it; 2 of 2 calls at a time, 9 waiting\n";
        assert!(text(&seen).contains(line), "{}", text(&seen));
        let closed = CircuitReport { state: "closed".into(), ..CircuitReport::default() };
        seen.status.models[0] = ModelReport { circuit: Some(closed), max_concurrent: None, ..local };
        assert!(text(&seen).contains("local   qwen    llm:80  answers\n"), "{}", text(&seen));
    }

    #[test]
    fn it_says_which_answers_are_kept_and_why_none_is() {
        let mut seen = seen();
        let kept = ReviewReport { keep_ms: 86_400_000, share: 0.0125, problem: String::new() };
        seen.status.review = Some(kept.clone());
        let line = "\nKept for review: 1.25 % of the answers, each for 24 h";
        assert!(text(&seen).contains(&format!("{line}\n\nLast decisions")), "{}", text(&seen));
        assert_eq!(json(&seen)["review"], json!({"keepMs": 86_400_000, "share": 0.0125, "problem": ""}));
        seen.status.review = Some(ReviewReport { problem: "the brain\nkeeps none".into(), ..kept });
        assert!(text(&seen).contains(&format!("{line}, but the brain\\u{{a}}keeps none\n")), "{}", text(&seen));
    }

    #[test]
    fn texts_from_outside_cannot_forge_a_line() {
        let mut seen = seen();
        seen.status.skills[0].name = "a\nb\u{1b}[2J".into();
        seen.decisions[0].decision["model"] = json!("c\nd");
        let text = text(&seen);
        assert!(!text.contains('\u{1b}') && !text.contains("c\nd") && !text.contains("a\nb"), "{text}");
    }

    #[test]
    fn scripts_get_the_intervals_and_a_brain_that_is_away_is_named() {
        let away = Seen { brain_problem: Some("the brain is away".into()), decisions: vec![], ..seen() };
        assert!(text(&away).ends_with("The last decisions are not known: the brain is away.\n"));
        let json = json(&away);
        assert_eq!(
            (&json["skills"][0]["passRate"], &json["brainProblem"]),
            (&json!(0.683), &json!("the brain is away"))
        );
        assert!(json["skills"][0]["interval"]["low"].as_f64().is_some_and(|low| low < 0.54), "{json}");
        assert_eq!(json["skills"][1]["interval"], json!(null));
    }
}
