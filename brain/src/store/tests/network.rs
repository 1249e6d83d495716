//! A Postgres server behind a network that fails: nothing that was acknowledged is missing, nothing is there twice, and
//! nothing waits for good.

use std::time::Instant;

use ::tests::{
    postgres::Postgres,
    proxy::{Lost, Proxy},
    waiting,
};

use super::*;
use crate::verdict::Source;

/// As the driver sends it.
const COMMIT: &str = "COMMIT\0";

/// A store whose server is behind a proxy, and one that sees the same database without it.
struct Behind {
    store: Store,
    direct: Store,
    proxy: Proxy,
    _server: Postgres,
}

impl Behind {
    async fn new() -> Self {
        let server = Postgres::start().await;
        let proxy = Proxy::to(server.port());
        let url = |text: String| DatabaseUrl::parse(&text).expect("a URL");
        let direct = Store::open(&url(server.url("postgres"))).await.expect("opens");
        let store = Store::open(&url(server.url_by(proxy.port(), "postgres"))).await.expect("opens");
        Self { store, direct, proxy, _server: server }
    }

    async fn total(&self) -> i64 {
        self.direct.evidence(&over("debug", DAY)).await.expect("evidence").total
    }
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_acknowledged_if_it_was_done_and_else_not() {
    let it = Behind::new().await;
    for (i, lost) in [Lost::Answer, Lost::Message, Lost::Answer, Lost::Message].into_iter().enumerate() {
        let before = it.total().await;
        it.proxy.lose(COMMIT, lost);
        let writes = (0..20).map(|_| it.store.append(entry("debug", FinalStatus::Pass)));
        let answers = futures::future::join_all(writes).await;
        assert!(it.proxy.has_lost(), "{i} {lost:?}");
        let written = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(it.total().await - before, i64::try_from(written).expect("few"), "{i} {lost:?}: {answers:?}");
        // The first batch has one entry or more; the rest come after the connection was lost.
        assert_eq!(written == 20, lost == Lost::Answer, "{i} {lost:?}: {answers:?}");
        for refused in answers.iter().filter_map(|answer| answer.as_ref().err()) {
            assert!(matches!(refused, StoreError::NotWritten(_)), "{refused}");
        }
    }
    assert_eq!(recount::all_counts(&it.direct).await, recount::all_recounted(&it.direct).await);
}

#[tokio::test]
async fn whoever_sends_a_decision_or_a_verdict_once_more_has_it_counted_once() {
    let it = Behind::new().await;
    let id = verdicts::decide(&it.direct, "debug", "local", "qwen").await;
    let record = it.direct.decision(&id).await.expect("read").expect("known").decision;
    let again = json!({"session_id": "_routing", "skill": "_routing", "phase": "decide", "final_status": "skip",
        "decision_id": id, "decision": record});
    let entries = it.direct.session("_routing", SESSION_ENTRIES_MAX).await.expect("entries");
    let second = verdicts::log(&it.store, again).await.expect("logged");
    assert_eq!((entries.len(), &entries[0].id), (1, &second), "the id of the first");
    for _ in 0..3 {
        verdicts::report(&it.store, &id, "debug", Source::Agent, "pass").await.expect("logged");
    }
    let evidence = it.direct.evidence(&over("debug", DAY)).await.expect("evidence");
    assert_eq!((evidence.decisions, evidence.rate.samples()), (1, 1));
    let entries = it.direct.session("_routing", SESSION_ENTRIES_MAX).await.expect("entries");
    assert_eq!(entries.iter().filter(|entry| entry.decision.is_some()).count(), 1);
    assert_eq!(recount::all_counts(&it.direct).await, recount::all_recounted(&it.direct).await);
}

#[tokio::test]
async fn a_network_that_swallows_everything_ends_no_request_without_an_answer_and_passes() {
    let it = Behind::new().await;
    it.store.append(entry("debug", FinalStatus::Pass)).await.expect("written");
    // In the middle of a query, so that one is under way, others wait and others connect.
    it.proxy.lose("FROM counts", Lost::AllThatFollows);
    let began = Instant::now();
    let query = over("debug", DAY);
    let reads = futures::future::join_all((0..8).map(|_| it.store.evidence(&query)));
    let (reads, write, reached) =
        tokio::join!(reads, it.store.append(entry("debug", FinalStatus::Pass)), it.store.reach());
    assert!(it.proxy.has_lost());
    println!("answered after {:.1?} of a hung network", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(45), "{:?}", began.elapsed());
    for error in reads.into_iter().map(|read| read.expect_err("hung").cause()) {
        assert!(error.contains("the brain tries again by itself"), "{error}");
    }
    let write = write.expect_err("hung").to_string();
    assert!(write.contains("the entry could not be written") && write.contains("tries again"), "{write}");
    let reached = reached.expect_err("hung").to_string();
    assert!(reached.contains("cannot be used; start the server"), "{reached}");
    it.proxy.hang(false);
    waiting::until_true("a write", || async { it.store.append(entry("debug", FinalStatus::Pass)).await.is_ok() }).await;
    waiting::until_true("the store", || async { it.store.reach().await.is_ok() }).await;
    it.store.evidence(&query).await.expect("read");
    assert_eq!(recount::all_counts(&it.direct).await, recount::all_recounted(&it.direct).await);
}

/// The only case in which the brain cannot know, and it says so.
#[tokio::test]
async fn of_a_commit_after_which_the_database_stays_away_it_is_said_that_it_is_not_known() {
    let it = Behind::new().await;
    it.proxy.lose(COMMIT, Lost::AllThatFollows);
    let began = Instant::now();
    let unknown = it.store.append(entry("debug", FinalStatus::Pass)).await.expect_err("nobody knows");
    println!("said after {:.1?} of a hung network", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    let said = unknown.to_string();
    assert!(said.starts_with("it is not known whether the entry was written: "), "{said}");
    assert!(said.ends_with("look whether it is there before you report it again"), "{said}");
    assert_eq!(it.total().await, 1, "the server had committed it");
    it.proxy.hang(false);
    waiting::until_true("a write", || async { it.store.append(entry("debug", FinalStatus::Pass)).await.is_ok() }).await;
    assert_eq!(it.total().await, 2);
}
