//! The line about a decision, as the user reads it below a call.

use crds::shown::printable;
use serde_json::Value;

use crate::brain_client::KnownDecision;

/// Longest name that is shown, in characters.
const SHOWN: usize = 60;

/// The decision whose answer the caller has: of the last stage, the last one that answered.
pub(super) fn answering(decisions: &[KnownDecision]) -> Option<&KnownDecision> {
    let given = || decisions.iter().filter(|known| known.decision.get("shadow") != Some(&Value::Bool(true)));
    let last = given().map(stage).max()?;
    let answered = |known: &&KnownDecision| stage(known) == last && known.text("error").is_empty();
    // Ids sort by time.
    given().filter(answered).max_by_key(|known| known.text("id"))
}

fn stage(known: &KnownDecision) -> u64 {
    known.decision.get("stage").and_then(Value::as_u64).unwrap_or_default()
}

/// `debug: local, qwen35, 0.94 of 53; rate it: +1 / -1`
pub(super) fn shown(known: &KnownDecision) -> String {
    let name = |field| printable(known.text(field), SHOWN);
    let answered_by = if known.text("answered_by").is_empty() { name("model") } else { name("answered_by") };
    format!("{}: {}, {answered_by}, {}; rate it: +1 / -1", name("skill"), went_to(known), rate(known))
}

fn went_to(known: &KnownDecision) -> String {
    let explored = known.text("reason") == "explored";
    match known.text("decision") {
        "claude_fallback" => match known.text("reason") {
            "local_circuit_open" => "claude (local model away)".into(),
            "local_busy" => "claude (local model busy)".into(),
            _ => "claude (fallback)".into(),
        },
        "claude_escalation" => "claude (after a failed check)".into(),
        to if explored => format!("{} (explored)", printable(to, SHOWN)),
        to => printable(to, SHOWN),
    }
}

fn rate(known: &KnownDecision) -> String {
    let rate = known.decision.get("pass_rate").and_then(Value::as_f64);
    let samples = known.decision.get("samples").and_then(Value::as_u64);
    let of = samples.map(|samples| format!(" of {samples}")).unwrap_or_default();
    match (known.text("reason"), rate) {
        ("pinned", _) => "pinned".into(),
        ("too_few_samples", _) => format!("too few outcomes: {}", samples.unwrap_or_default()),
        (_, Some(rate)) => format!("{rate:.2}{of}"),
        (_, None) => "not measured".into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn known(changes: Value) -> KnownDecision {
        let mut decision = json!({"id": "1", "skill": "debug", "stage": 0, "decision": "local", "model": "qwen35",
            "reason": "at_or_above_floor", "pass_rate": 0.944, "samples": 53, "error": null});
        decision.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
        KnownDecision { decision, ..KnownDecision::default() }
    }

    #[test]
    fn the_line_says_where_the_call_went_and_how_sure_that_is() {
        for (changes, expected) in [
            (json!({}), "local, qwen35, 0.94 of 53"),
            (json!({"answered_by": "qwen35-4bit"}), "local, qwen35-4bit, 0.94 of 53"),
            (json!({"samples": null}), "local, qwen35, 0.94"),
            (json!({"pass_rate": null, "reason": "no_pass_rate"}), "local, qwen35, not measured"),
            (json!({"reason": "too_few_samples", "samples": 3}), "local, qwen35, too few outcomes: 3"),
            (json!({"reason": "pinned"}), "local, qwen35, pinned"),
            (json!({"reason": "explored"}), "local (explored), qwen35, 0.94 of 53"),
            (json!({"decision": "claude_fallback", "model": "c"}), "claude (fallback), c, 0.94 of 53"),
            (
                json!({"decision": "claude_fallback", "model": "c", "reason": "local_circuit_open"}),
                "claude (local model away), c, 0.94 of 53",
            ),
            (
                json!({"decision": "claude_fallback", "model": "c", "reason": "local_busy"}),
                "claude (local model busy), c, 0.94 of 53",
            ),
            (json!({"decision": "claude", "model": "caller"}), "claude, caller, 0.94 of 53"),
            (json!({"model": "a\nb\u{1b}"}), "local, a b , 0.94 of 53"),
        ] {
            let line = shown(&known(changes.clone()));
            let expected = format!("debug: {expected}; rate it: +1 / -1");
            assert!(line == expected || changes["model"] == "a\nb\u{1b}" && !line.contains(['\n', '\u{1b}']), "{line}");
        }
    }

    #[test]
    fn the_answering_decision_is_the_last_of_the_last_stage_that_has_an_answer() {
        let of = |changes: &[Value]| {
            let all: Vec<_> = changes.iter().cloned().map(known).collect();
            answering(&all).map(|known| known.text("id").to_string())
        };
        let fallback = [json!({"id": "2", "decision": "claude_fallback"}), json!({"id": "1", "error": "timeout"})];
        assert_eq!(of(&fallback), Some("2".into()));
        let kept = [json!({"id": "2", "error": "timeout"}), json!({"id": "1"})];
        assert_eq!(of(&kept), Some("1".into()), "an escalation that failed");
        let stages = [json!({"id": "2", "stage": 1}), json!({"id": "1"}), json!({"id": "3", "shadow": true})];
        assert_eq!(of(&stages), Some("2".into()));
        assert_eq!(of(&[json!({"id": "2", "stage": 1, "error": "timeout"}), json!({"id": "1"})]), None);
        assert_eq!(of(&[]), None);
    }
}
