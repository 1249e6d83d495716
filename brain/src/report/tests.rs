use super::*;

fn sums(arm: &str, line: Line, calls: i64) -> Sums {
    Sums {
        skill: "debug".into(),
        arm: arm.into(),
        model: "m".into(),
        line: line.as_str().into(),
        calls,
        ..Sums::default()
    }
}

fn report(now: Vec<Sums>) -> Report {
    Report::of(&Known { now, before: vec![], evidence: BTreeMap::new() }, (0, 1), "7d")
}

fn near(found: f64, expected: f64) -> bool {
    (found - expected).abs() < 1e-9
}

/// 10 calls of 1,000 tokens each at home, and 4 answers of Claude of 100, 100, 300 and 300 tokens; 3 and 15 dollars.
fn ten_at_home() -> Vec<Sums> {
    let local = Sums {
        firsts: 10,
        counted: 10,
        tokens_in: 10_000,
        tokens_out: 5_000,
        would_calls: 10,
        would_in: 30_000_000,
        would_out: 150_000_000,
        ..sums("local", Line::Local, 10)
    };
    let claude = Sums {
        firsts: 3,
        counted: 4,
        tokens_in: 4_000,
        tokens_out: 800,
        out_squares: 200_000.0,
        priced: 4,
        nano_usd: 24_000_000,
        nano_squares: 144e12,
        ..sums("claude", Line::Claude, 4)
    };
    vec![local, claude]
}

#[test]
fn what_was_saved_is_claudes_price_for_the_same_prompts_and_the_usual_length() {
    let report = report(ten_at_home());
    let saved = report.skills[0].figures.saved.expect("saved");
    // 10,000 tokens at 3 dollars, and 10 answers of 200 tokens at 15 dollars, a million.
    assert!(near(saved.usd, 0.03 + 0.03), "{saved:?}");
    // The standard deviation of the lengths is 115.47, that of their mean 57.735.
    let half = 1.959_963_984_540_054 * 57.735_026_918_962_58 * 10.0 * 15e-6;
    assert!(near(saved.high - saved.usd, half) && near(saved.usd - saved.low, half), "{saved:?}");
    assert_eq!((saved.basis, saved.calls, saved.priced), (Basis::ClaudeLength, 10, 10));
    assert_eq!(report.total.saved, Some(saved));
    assert_eq!((report.total.calls, report.total.share_local), (13, Some(10.0 / 14.0)));
    assert_eq!(report.total.cost_usd, Some(0.024));
}

#[test]
fn what_attempts_cost_is_taken_off_and_without_a_price_claudes_own_costs_count() {
    let mut now = ten_at_home();
    let cost = |line: Line, arm: &str, nano_usd| Sums { priced: 1, nano_usd, ..sums(arm, line, 1) };
    now.extend([
        cost(Line::LocalFailed, "local", 1_000_000),
        cost(Line::LocalUnused, "local", 2_000_000),
        cost(Line::Shadow, "local", 3_000_000),
        cost(Line::Grading, "", 4_000_000),
        cost(Line::Escalation, "claude", 9_000_000),
    ]);
    let saved = report(now.clone()).total.saved.expect("saved");
    assert!(near(saved.would_usd - saved.usd, 0.010), "{saved:?}");
    (now[0].would_calls, now[0].would_in, now[0].would_out) = (0, 0, 0);
    now.truncate(2);
    let by_cost = report(now.clone()).total.saved.expect("saved");
    assert!(near(by_cost.usd, 0.06) && by_cost.basis == Basis::ClaudeCost, "10 calls at 0.006: {by_cost:?}");
    now[1].priced = 0;
    assert_eq!(report(now).total.saved, None, "nothing is known of what Claude costs");
}

#[test]
fn without_an_answer_of_claude_the_local_length_stands_in_for_it() {
    let mut now = ten_at_home();
    now.truncate(1);
    let saved = report(now).total.saved.expect("saved");
    assert!(near(saved.usd, 0.03 + 10.0 * 500.0 * 15e-6) && saved.basis == Basis::LocalLength, "{saved:?}");
}

#[test]
fn an_escalation_that_failed_left_the_local_answer() {
    let of = |escalations: i64| {
        let all = vec![
            sums("local", Line::LocalUnused, 4),
            sums("claude", Line::Escalation, escalations),
            sums("claude", Line::ClaudeFailed, 4 - escalations),
        ];
        report(all).total.share_local
    };
    assert_eq!([of(4), of(1), of(0)], [Some(0.0), Some(0.75), Some(1.0)]);
}

#[test]
fn fallbacks_say_why_and_lines_are_in_their_order() {
    let failed = |detail: &str, calls| Sums { detail: detail.into(), ..sums("local", Line::LocalFailed, calls) };
    let report = report(vec![sums("claude", Line::Fallback, 3), failed("timeout", 2), failed("status", 1)]);
    assert_eq!(
        report.total.fallbacks,
        Fallbacks { calls: 3, why: [("timeout".into(), 2), ("status".into(), 1)].into() }
    );
    assert_eq!(
        report.total.lines.iter().map(|line| line.line).collect::<Vec<_>>(),
        [Line::LocalFailed, Line::Fallback]
    );
    assert_eq!(report.total.share_local, Some(0.0));
}
