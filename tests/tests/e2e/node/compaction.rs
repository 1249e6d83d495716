//! etcd forgets the past, so that every watch is too old.

use std::{collections::BTreeSet, time::Instant};

use tests::waiting;

use super::{
    NAME, PartAway, all_run, is_done, load, policy,
    rest::{self, Record, WATCHES},
};
use crate::setup::{self, cluster};

const NODE_PORT: u16 = 30352;
/// Most lists that watches may begin with: each begins anew once, some lists fail while the API server starts, and a lease
/// that was lost meanwhile makes each begin once more.
const LISTS_MAX: u64 = 5 * WATCHES;
/// Most writes for one change: of the config, of the status, of both pods until the kubelet is back, and events.
const WRITES_MAX: u64 = 60;
/// Most warnings: each watch logs its first failure, and then the second, fourth, eighth.
const WARNINGS_MAX: usize = 100;

/// Warnings and errors in the operator's log.
fn warnings() -> Vec<String> {
    let arguments = ["--namespace", "routing-system", "logs", "deployment/routing-operator"];
    let log = cluster().kubectl(&arguments).expect_worked();
    let is_bad = |line: &&str| [r#""level":"WARN""#, r#""level":"ERROR""#].iter().any(|level| line.contains(level));
    log.lines().filter(is_bad).map(Into::into).collect()
}

/// Whether a watch of policies from this version on is refused as too old.
fn is_too_old(version: &str) -> bool {
    let policies = "/apis/routing.hyperguild.io/v1alpha1/routingpolicies";
    let path = format!("{policies}?watch=1&timeoutSeconds=2&resourceVersion={version}");
    cluster().kubectl(&["get", "--raw", &path]).out.contains(r#""code":410"#)
}

/// The API server answers watches from its own memory, which reaches further back than etcd's. So it is down while etcd
/// is compacted, and its memory begins with the present.
#[tokio::test]
async fn after_a_compaction_that_makes_every_watch_too_old_changes_are_in_force_and_nothing_loops() {
    if !is_done("a compaction of etcd") {
        return;
    }
    let policies = setup::prepared("e2e-compaction").await;
    policies.apply(NAME, &policy(NODE_PORT, 0));
    setup::served(&policies, NAME).await;
    policies.wait_for_last_good(NAME).await;
    let (before, warned) = (policies.get(NAME).await, warnings().len());
    let mut record = Record::of(&policies);
    let load = load(NODE_PORT, None);

    let away = PartAway::take("stop", "apiserver");
    println!("{}", setup::script("compact.sh", &[]).trim());
    away.back();
    let back = Instant::now();
    let version = before.metadata.resource_version.expect("a version");
    waiting::until_true("a watch from before to be too old", || async { is_too_old(&version) }).await;
    policies.apply(NAME, &policy(NODE_PORT, 1));
    let after = policies.wait_until_ready(NAME).await;
    println!("a change is on all pods {:.0?} after the API server is back", back.elapsed());
    assert_ne!(after.config_hash, before.status.expect("a status").config_hash);
    all_run(&policies, NAME, &after).await;
    let report = load.end();
    println!("meanwhile {}", report.line());
    report.expect_no_failure();

    let requests = record.until_rest().await;
    println!("the operator's requests from the outage until it is at rest:");
    rest::print(&requests);
    let lists = requests.clone().only(|kind| kind.is_list_of_watch());
    let anew: BTreeSet<&str> = lists.iter().map(|(kind, _)| kind.resource.as_str()).collect();
    assert_eq!(anew.len() as u64, WATCHES, "every watch begins anew: {anew:?}");
    assert!(lists.count() <= LISTS_MAX && rest::writes(&requests) <= WRITES_MAX, "{requests:?}");

    let said = warnings();
    let new = said.len().saturating_sub(warned);
    println!("{new} warnings in the operator's log");
    assert!(new <= WARNINGS_MAX, "{said:#?}");
    record.until_rest().await;
    assert_eq!(warnings(), said, "nothing is logged at rest");
    setup::let_go("e2e-compaction");
}
