//! The list of the latest decisions, and answers that are kept.

use super::*;
use crate::record::tests::record;

/// A decision, with an answer that is kept so long, if any is.
fn decision(number: usize, caller: &str, keep_ms: Option<i64>) -> (String, Entry) {
    let id = format!("01890000-0000-7000-8000-{number:012}");
    let mut record = record(&id, "debug", "local", "qwen35");
    record["caller"] = json!(caller);
    let mut arguments = json!({"skill": "_routing", "final_status": "skip", "decision_id": id, "decision": record});
    if let Some(keep_ms) = keep_ms {
        arguments["review"] = json!({"answer": "the answer", "keep_ms": keep_ms, "cut": true});
    }
    (id, Entry::from_arguments(arguments.as_object().cloned().unwrap_or_default()).expect("an entry"))
}

fn ids(page: &Page) -> Vec<String> {
    page.decisions.iter().filter_map(|stored| stored.decision["id"].as_str().map(str::to_string)).collect()
}

#[tokio::test]
async fn pages_follow_each_other_without_a_gap_and_filters_narrow_them() {
    let (store, _folder) = store().await;
    let (now, mut all) = (now_ms(), vec![]);
    for number in 0..7 {
        let (id, entry) = decision(number, if number % 3 == 0 { "bob" } else { "alice" }, None);
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
    let (kept, entry) = decision(1, "alice", Some(HOUR_MS));
    store.writer.append(entry, now).await.expect("written");
    let (due, entry) = decision(2, "alice", Some(HOUR_MS));
    store.writer.append(entry, now - HOUR_MS).await.expect("written");
    let reviews = store.reviews(None, 10).await.expect("reviews");
    assert_eq!(reviews.len(), 1, "what is due is not shown");
    assert_eq!((reviews[0].answer.as_str(), &reviews[0].decision, reviews[0].cut), ("the answer", &kept, 1));
    assert!(store.reviews(Some(&due), 10).await.expect("reviews").is_empty());
    assert_eq!(store.kept().await.expect("kept"), Kept { number: 1, keep_ms: HOUR_MS });
    let page = store.page(&Filter::default(), 10).await.expect("a page");
    assert_eq!(page.reviewed.into_iter().collect::<Vec<_>>(), [kept]);
    assert_eq!(review::delete_due(&store.readers, now_ms()).await.expect("deleted"), 1);
    assert_eq!(review::delete_due(&store.readers, now_ms()).await.expect("deleted"), 0);
}

#[test]
fn an_answer_that_is_too_large_or_has_no_decision_is_refused_and_never_printed() {
    let read = |review: Value| {
        let (id, entry) = decision(1, "alice", None);
        let mut arguments = json!({"skill": "_routing", "final_status": "skip", "decision_id": id});
        arguments["decision"] = json!(entry.decision);
        arguments["review"] = review;
        Entry::from_arguments(arguments.as_object().cloned().unwrap_or_default())
    };
    let too_large = read(json!({"answer": "x".repeat(64 * 1024 + 1), "keep_ms": 1})).expect_err("too large");
    assert!(too_large[0].starts_with("argument review.answer: is 65537 bytes"), "{too_large:?}");
    assert!(read(json!({"answer": "x", "keep_ms": 31 * 24 * HOUR_MS})).is_err(), "too long");
    let entry = read(json!({"answer": "canary", "keep_ms": 1})).expect("an entry");
    assert!(!format!("{entry:?}").contains("canary"));
    let alone = json!({"skill": "debug", "final_status": "pass", "review": {"answer": "x", "keep_ms": 1}});
    let alone = Entry::from_arguments(alone.as_object().cloned().unwrap_or_default()).expect_err("no decision");
    assert_eq!(alone, ["argument review: needs the decision whose answer it is"]);
}
