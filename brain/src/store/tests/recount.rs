//! The counts equal a recount from the rows, whatever happens to the evidence of a skill.

use std::collections::BTreeMap;

use proptest::prelude::*;
use uuid::Uuid;

use super::{
    verdicts::{decide, decide_as, log, report},
    *,
};
use crate::{
    record::tests::record,
    verdict::{Pattern, Source, Verdict},
};

#[derive(Clone, Debug)]
struct Step {
    decision: usize,
    source: Source,
    status: &'static str,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (
        0..4_usize,
        prop::sample::select(Source::ALL.to_vec()),
        prop::sample::select(vec!["pass", "fail", "skip", "retract"]),
    )
        .prop_map(|(decision, source, status)| Step { decision, source, status });
    prop::collection::vec(step, 0..60)
}

/// The counts, recounted from the rows.
async fn recount(store: &Store, sources: &Sources) -> (i64, i64) {
    let rows: Vec<(String, String, String)> =
        sqlx::query_as("SELECT unit, source, verdict FROM outcomes WHERE skill = 'debug' AND state = 'stands'")
            .fetch_all(&store.readers)
            .await
            .expect("rows");
    let mut units = BTreeMap::<String, Vec<(Source, Verdict)>>::new();
    for (unit, source, verdict) in rows {
        let verdict = Verdict::parse(&verdict).expect("a verdict");
        units.entry(unit).or_default().push((Source::parse(&source).expect("a source"), verdict));
    }
    let counted = units.into_values().filter_map(|verdicts| Pattern::of(verdicts).counted(sources));
    counted.fold((0, 0), |(pass, fail), (_, verdict)| match verdict {
        Verdict::Pass => (pass + 1, fail),
        Verdict::Fail => (pass, fail + 1),
        Verdict::Skip => (pass, fail),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_counts_always_equal_a_recount_from_the_rows(steps in steps(), counting in prop::sample::subsequence(Source::ALL.to_vec(), 1..=7)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (store, _folder) = store().await;
            let mut ids = vec![Uuid::now_v7().to_string()];
            for (decision, model) in [("local", "qwen"), ("local", "qwen"), ("claude", "c")] {
                ids.push(decide(&store, "debug", decision, model).await);
            }
            // All at once: they meet in one batch, too.
            let reports = steps.iter().map(|Step { decision, source, status }| report(&store, &ids[*decision], "debug", *source, status));
            futures::future::join_all(reports).await;
            let names: Vec<&str> = counting.iter().map(|source| source.as_str()).collect();
            let sources = Sources::parse(&names.join(",")).expect("names");
            let counted = store.evidence(&Query { sources: sources.clone(), ..over("debug", DAY) }).await.expect("evidence");
            prop_assert_eq!((counted.rate.pass, counted.rate.fail), recount(&store, &sources).await);
            prop_assert!(counted.rate.samples() <= 4, "a decision counts once");
            Ok(())
        })?;
    }
}

/// Everything that is counted about decisions and verdicts, in every width: width, start, arm, model and pattern, and how many.
pub(super) type Counted = BTreeMap<(i64, i64, String, String, String), i64>;

pub(super) async fn all_counts(store: &Store) -> Counted {
    let rows: Vec<(i64, i64, String, String, String, i64)> = sqlx::query_as(
        "SELECT width_ms, start_ms, arm, model, what, number FROM counts \
         WHERE what <> 'entry' AND number <> 0",
    )
    .fetch_all(&store.readers)
    .await
    .expect("rows");
    rows.into_iter()
        .map(|(width, start, arm, model, what, number)| ((width, start, arm, model, what), number))
        .collect()
}

/// The same from the rows: each decision once, and each judged answer once, at the time of its latest verdict.
pub(super) async fn all_recounted(store: &Store) -> Counted {
    type Row = (String, i64, String, String, String, String);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT unit, at_ms, arm, model, source, verdict FROM outcomes WHERE state = 'stands' ORDER BY at_ms, id",
    )
    .fetch_all(&store.readers)
    .await
    .expect("rows");
    let mut units = BTreeMap::<String, Vec<Row>>::new();
    for row in rows {
        units.entry(row.0.clone()).or_default().push(row);
    }
    let decided: Vec<(i64, String, String)> =
        sqlx::query_as("SELECT at_ms, arm, model FROM decisions").fetch_all(&store.readers).await.expect("rows");
    let mut counted = Counted::new();
    let mut count = |at_ms: i64, arm: &str, model: &str, what: &str| {
        for width in [MINUTE_MS, HOUR_MS, 24 * HOUR_MS] {
            let key = (width, floor_to(at_ms, width), arm.to_string(), model.to_string(), what.to_string());
            *counted.entry(key).or_default() += 1;
        }
    };
    decided.iter().for_each(|(at_ms, arm, model)| count(*at_ms, arm, model, "decision"));
    for standing in units.into_values() {
        let verdicts = standing.iter().map(|(.., source, verdict)| {
            (Source::parse(source).expect("a source"), Verdict::parse(verdict).expect("a verdict"))
        });
        let what = Pattern::of(verdicts).to_string();
        let (_, at_ms, arm, model, ..) = standing.last().expect("one at least");
        count(*at_ms, arm, model, &what);
    }
    counted
}

/// What can happen to the evidence of a skill.
#[derive(Clone, Debug)]
enum Happens {
    Report {
        decision: usize,
        source: Source,
        status: &'static str,
    },
    /// Its record comes, for those that are known only from then on.
    Decision(usize),
    /// Without a decision.
    Alone(&'static str),
    Reset(Option<&'static str>),
}

fn happenings() -> impl Strategy<Value = Vec<Happens>> {
    let status = prop::sample::select(vec!["pass", "fail", "skip", "retract"]);
    let report = (0..5_usize, prop::sample::select(Source::ALL.to_vec()), status)
        .prop_map(|(decision, source, status)| Happens::Report { decision, source, status });
    let of = prop::sample::select(vec![None, Some("qwen"), Some("c"), Some("nobody")]);
    let one = prop_oneof![
        12 => report,
        2 => (0..5_usize).prop_map(Happens::Decision),
        2 => prop::sample::select(vec!["pass", "fail"]).prop_map(Happens::Alone),
        1 => of.prop_map(Happens::Reset),
    ];
    prop::collection::vec(one, 0..40)
}

/// What is refused changes nothing, so it is no error here.
async fn happen(store: &Store, ids: &[String], happens: &Happens) {
    let records = [("local", "qwen"), ("local", "newer"), ("claude", "c"), ("claude_fallback", "c"), ("local", "qwen")];
    match happens {
        Happens::Report { decision, source, status } => {
            let _ = report(store, &ids[*decision], "debug", *source, status).await;
        }
        Happens::Decision(i) => {
            let (decision, model) = records[*i];
            let mut sent = record(&ids[*i], "debug", decision, model);
            // The last one turns out to have failed: nothing that was said of it counts.
            sent["error"] = if *i == 4 { json!("timeout") } else { json!(null) };
            decide_as(store, &sent).await;
        }
        Happens::Alone(status) => {
            log(store, json!({"skill": "debug", "final_status": status})).await.expect("logged");
        }
        Happens::Reset(model) => {
            store.reset("debug", *model).await.expect("reset");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn after_every_step_each_count_of_each_model_and_width_equals_a_recount(happenings in happenings()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (store, folder) = store().await;
            let ids: Vec<String> = (0..5).map(|_| Uuid::now_v7().to_string()).collect();
            for happens in &happenings {
                happen(&store, &ids, happens).await;
                prop_assert_eq!(all_counts(&store).await, all_recounted(&store).await, "after {:?}", happens);
            }
            let counted = all_counts(&store).await;
            store.close().await;
            let again = Store::open(&folder.url).await.expect("opens again");
            prop_assert_eq!(all_counts(&again).await, counted, "also after a restart");
            Ok(())
        })?;
    }
    /// They meet in the batches of one writer, with resets and decisions that come late among them.
    #[test]
    fn whatever_happens_at_once_each_count_equals_a_recount(happenings in happenings()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (store, _folder) = store().await;
            let ids: Vec<String> = (0..5).map(|_| Uuid::now_v7().to_string()).collect();
            futures::future::join_all(happenings.iter().map(|happens| happen(&store, &ids, happens))).await;
            prop_assert_eq!(all_counts(&store).await, all_recounted(&store).await);
            Ok(())
        })?;
    }
}
