//! The list of the latest decisions, and answers that are kept.

use super::*;
use crate::record::tests::record;

fn read(arguments: &Value) -> Result<Entry, Vec<String>> {
    Entry::from_arguments(arguments.as_object().cloned().unwrap_or_default())
}

fn decision(number: usize, caller: &str) -> (String, Entry) {
    let id = format!("01890000-0000-7000-8000-{number:012}");
    let mut record = record(&id, "debug", "local", "qwen35");
    record["caller"] = json!(caller);
    let arguments = json!({"skill": "_routing", "final_status": "skip", "decision_id": id, "decision": record});
    (id, read(&arguments).expect("an entry"))
}

/// The entry with the answer of a decision.
fn answer(id: &str, review: Value) -> Value {
    json!({"skill": "_routing", "phase": "review", "final_status": "skip", "decision_id": id, "review": review})
}

fn ids(page: &Page) -> Vec<String> {
    page.decisions.iter().filter_map(|stored| stored.decision["id"].as_str().map(str::to_string)).collect()
}

#[tokio::test]
async fn pages_follow_each_other_without_a_gap_and_filters_narrow_them() {
    let (store, _folder) = store().await;
    let (now, mut all) = (now_ms(), vec![]);
    for number in 0..7 {
        let (id, entry) = decision(number, if number % 3 == 0 { "bob" } else { "alice" });
        // All but the last at one time: the id orders them.
        store.writer.append(entry, if number == 6 { now } else { now - 1_000 }).await.expect("written");
        all.insert(0, id);
    }
    let (mut filter, mut listed) = (Filter::default(), vec![]);
    loop {
        let page = store.page(&filter, 3).await.expect("a page");
        listed.extend(ids(&page));
        filter.before = page.next;
        if filter.before.is_none() {
            break;
        }
    }
    assert_eq!(listed, all);
    let of = async |filter: Filter| ids(&store.page(&filter, 10).await.expect("a page")).len();
    let bob = || Filter { caller: Some("bob".into()), ..Filter::default() };
    assert_eq!(of(bob()).await, 3);
    assert_eq!(of(Filter { skill: Some("other".into()), ..bob() }).await, 0);
    assert_eq!(of(Filter { arm: Some(crate::record::Arm::Claude), ..bob() }).await, 0);
    let mut wrong = entry("debug", FinalStatus::Fail);
    wrong.decision_id = Some(all[0].clone());
    store.append(wrong).await.expect("written");
    for (judged, expected) in [(Judged::Wrong, 1), (Judged::Right, 0), (Judged::NotYet, 6)] {
        assert_eq!(of(Filter { judged: Some(judged), ..Filter::default() }).await, expected, "{judged:?}");
    }
}

#[tokio::test]
async fn an_answer_is_kept_for_its_time_and_deleted_then() {
    let (store, _folder) = store().await;
    let now = now_ms();
    let mut ids = vec![];
    for (number, at_ms) in [(1, now), (2, now - HOUR_MS)] {
        let (id, entry) = decision(number, "alice");
        store.writer.append(entry, at_ms).await.expect("written");
        let review = json!({"answer": "the answer", "keep_ms": HOUR_MS, "cut": true, "share": 0.1});
        store.writer.append(read(&answer(&id, review)).expect("an entry"), at_ms).await.expect("written");
        ids.push(id);
    }
    let (kept, due) = (&ids[0], &ids[1]);
    let reviews = store.reviews(None, 10).await.expect("reviews");
    assert_eq!(reviews.len(), 1, "what is due is not shown");
    let review = &reviews[0];
    assert_eq!((review.answer.as_str(), &review.decision, review.cut, review.share), ("the answer", kept, 1, 0.1));
    assert!(store.reviews(Some(due), 10).await.expect("reviews").is_empty());
    assert_eq!(store.kept().await.expect("kept"), Kept { number: 1, keep_ms: HOUR_MS, share: 0.1 });
    let page = store.page(&Filter::default(), 10).await.expect("a page");
    assert_eq!(page.reviewed, [kept.clone()].into());
    assert!(page.decisions.iter().all(|stored| stored.verdicts.is_empty()), "an answer is no verdict on it");
    assert_eq!(review::delete_due(&store.readers, now_ms()).await.expect("deleted"), 1);
    assert_eq!(review::delete_due(&store.readers, now_ms()).await.expect("deleted"), 0);
    assert_eq!(store.kept().await.expect("kept").number, 1);
}

#[tokio::test]
async fn there_are_no_more_answers_than_decisions_and_the_first_one_stays() {
    let (store, _folder) = store().await;
    let (id, entry) = decision(1, "alice");
    let of =
        |text: &str| read(&answer(&id, json!({"answer": text, "keep_ms": HOUR_MS, "share": 1}))).expect("an entry");
    let refused = store.append(of("too early")).await.expect_err("no decision");
    assert!(refused.to_string().contains("argument decision_id: no decision has this id"), "{refused}");
    store.append(entry).await.expect("written");
    for text in ["first", "second"] {
        store.append(of(text)).await.expect("written");
    }
    let reviews = store.reviews(None, 10).await.expect("reviews");
    assert_eq!(reviews.iter().map(|review| review.answer.as_str()).collect::<Vec<_>>(), ["first"]);
}

#[test]
fn an_answer_that_is_too_large_or_not_alone_is_refused_and_never_printed() {
    let id = decision(1, "alice").0;
    let of = |review: Value| read(&answer(&id, review));
    let entry = of(json!({"answer": "canary", "keep_ms": 1, "share": 0.5})).expect("an entry");
    assert!(!format!("{entry:?}").contains("canary"));
    let large = of(json!({"answer": "x".repeat(64 * 1024 + 1), "keep_ms": 1, "share": 1})).expect_err("too large");
    assert!(large[0].starts_with("argument review.answer: is 65537 bytes"), "{large:?}");
    for (name, review) in [
        ("keep_ms", json!({"answer": "x", "keep_ms": 31 * 24 * HOUR_MS, "share": 1})),
        ("share", json!({"answer": "x", "keep_ms": 1, "share": 0})),
        ("share", json!({"answer": "x", "keep_ms": 1})),
        ("review", json!({"answer": "x", "keep_ms": 1, "share": 1, "prompt": "x"})),
    ] {
        let errors = of(review).expect_err(name);
        assert!(errors[0].contains(name), "{errors:?}");
    }
    for (field, value) in [
        ("final_status", json!("pass")),
        ("decision_id", json!(null)),
        ("decision", json!(decision(1, "alice").1.decision)),
        ("usage", json!({"model": "m"})),
    ] {
        let mut beside = answer(&id, json!({"answer": "x", "keep_ms": 1, "share": 1}));
        match value {
            Value::Null => drop(beside.as_object_mut().expect("an object").remove(field)),
            value => beside[field] = value,
        }
        let errors = read(&beside).expect_err(field);
        assert!(errors[0].starts_with("argument review: "), "{field}: {errors:?}");
    }
}
