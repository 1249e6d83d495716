//! A brain in which everything has happened that leaves a row.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::{
    entry::Entry,
    record::tests::record,
    settings::DatabaseUrl,
    store::{Query, Store, StoreError},
    verdict::{Source, Sources},
};

/// How many entries are written at the same time.
const AT_ONCE: usize = 250;
pub(crate) const SKILLS: [&str; 4] = ["debug", "code_review", "trainer", "own.skill"];
/// What must reach no message: it is in every row with a text of a person's or a model's.
pub(crate) const CANARY: &str = "canary-of-an-answer";

fn id(number: usize) -> String {
    format!("01890000-0000-7000-8000-{number:012}")
}

/// The `number`th entry: a decision, or something about an earlier one.
fn arguments(number: usize) -> Value {
    let skill = |i: usize| SKILLS[i / 2 % 4];
    // Written long before: what is written at the same time comes in any order.
    let about = |number: usize, more: Value| {
        let earlier = number.saturating_sub(2 * AT_ONCE) / 2 * 2;
        let mut entry = json!({"skill": skill(earlier), "decision_id": id(earlier)});
        more.as_object().expect("an object").iter().for_each(|(name, value)| entry[name] = value.clone());
        entry
    };
    let of_earlier = |more| about(number, more);
    let source = |number: usize| Source::ALL[number / 20 % Source::ALL.len()];
    // What was judged in the batch before, by the same source.
    let judged = |with: usize| number.saturating_sub(number % 20 - with + 13 * 20);
    match number % 20 {
        even if even % 2 == 0 => decision(number, skill(number)),
        1 | 3 | 5 => of_earlier(json!({"final_status": "pass", "source": source(number), "session_id": "s"})),
        7 | 9 => of_earlier(
            json!({"final_status": "fail", "source": source(number), "message": format!("{CANARY} \u{1f600}\n'\"\\")}),
        ),
        11 => of_earlier(
            json!({"final_status": "skip", "usage": {"model": "judge", "prompt_tokens": number, "cost_usd": 0.001}}),
        ),
        13 => about(judged(1), json!({"final_status": "retract", "source": source(judged(1))})),
        17 => about(judged(3), json!({"final_status": "fail", "source": source(judged(3))})),
        19 if number % 40 == 19 => {
            let answer = format!("{CANARY}\n{}", "ü".repeat(number % 3_000));
            of_earlier(
                json!({"final_status": "skip", "review": {"answer": answer, "keep_ms": 86_400_000, "share": 0.1}}),
            )
        }
        15 => json!({"skill": skill(number), "final_status": "fail", "duration_ms": number, "project_root": "/tmp/ü"}),
        _ => json!({"skill": skill(number), "final_status": "pass"}),
    }
}

fn decision(number: usize, skill: &str) -> Value {
    let (decision, model) = [("local", "qwen"), ("claude", "c"), ("claude_fallback", "c")][number / 2 % 3];
    let mut record = record(&id(number), skill, decision, model);
    record["error"] = if number % 20 == 18 { json!("timeout") } else { json!(null) };
    record["pass_rate"] = json!(0.1 + number as f64 / 3e6);
    record["shadow"] = json!(number.is_multiple_of(16));
    record["client_call_id"] = json!(format!("toolu_{number}"));
    record["claude_price"] = json!({"input": 3.0, "output": 15.0});
    json!({"session_id": "_routing", "skill": "_routing", "phase": "decide", "final_status": "skip",
        "decision_id": id(number), "decision": record})
}

/// Writes the entries `from..to`; begins the evidence of a skill anew after half of them.
pub(crate) async fn fill(store: &Store, from: usize, to: usize) {
    for begin in (from..to).step_by(AT_ONCE) {
        let written = join_all((begin..to.min(begin + AT_ONCE)).map(|number| write(store, number))).await;
        for result in written {
            // There may be nothing to take back: at the beginning, and where the evidence was begun anew.
            assert!(matches!(result, Ok(_) | Err(StoreError::Refused { .. })), "{result:?}");
        }
        if (begin..begin + AT_ONCE).contains(&(to / 2)) {
            store.reset("trainer", None).await.expect("reset");
            store.reset("debug", Some("qwen")).await.expect("reset");
        }
    }
}

pub(crate) async fn write(store: &Store, number: usize) -> Result<String, StoreError> {
    let entry = Entry::from_arguments(arguments(number).as_object().cloned().unwrap_or_default());
    store.append(entry.map_err(|errors| StoreError::Refused { reason: errors.join("; ") })?).await
}

/// A brain in a file, with so many entries.
pub(crate) async fn brain(url: &DatabaseUrl, entries: usize) -> Store {
    let store = Store::open(url).await.expect("opens");
    fill(&store, 0, entries).await;
    store
}

/// What a brain answers about its evidence and its report, without the time of the question.
pub(crate) async fn answers(url: &DatabaseUrl) -> Vec<String> {
    let store = Store::open(url).await.expect("opens");
    let window = std::time::Duration::from_secs(7 * 86_400);
    let mut answers = vec![];
    for skill in SKILLS.into_iter().chain(["_routing"]) {
        for local in [None, Some("qwen".to_string())] {
            let query = Query { skill: skill.into(), window, local, sources: Sources::default(), at_least: 0 };
            answers.push(format!("{skill}: {:?}", store.evidence(&query).await.expect("evidence")));
        }
    }
    let report = store.report(&crds::period::Period::from_text("7d")).await.expect("a report");
    answers.push(format!("{:?} {:?}", report.total, report.skills));
    store.close().await;
    answers
}
