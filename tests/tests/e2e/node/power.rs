//! The node loses its power and gets it back.

use std::time::Instant;

use tests::waiting;

use super::{
    NAME, all_run, is_answered, is_done, policy,
    rest::{self, Record},
    until_all_is_up,
};
use crate::{
    pods::{self, Generation},
    setup::{self, PODS_LIMIT, cluster},
};

const NODE_PORT: u16 = 30354;
/// What the operator makes, what becomes of it, and its own lease.
const KINDS: &str = "serviceaccounts,configmaps,statefulsets,deployments,replicasets,pods,services,poddisruptionbudgets,\
                     networkpolicies,leases";
const SHOWN: &str = r#"--output=jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.uid}{"\n"}{end}"#;

/// A node without power until this is dropped, also if the test fails.
struct PowerCut;

impl PowerCut {
    fn begin() -> Self {
        let cut = Self;
        print!("{}", setup::script("power.sh", &["off"]));
        cut
    }

    /// Everything starts; returns when the node is ready, and what was printed.
    fn end() -> String {
        setup::script("power.sh", &["on"])
    }
}

impl Drop for PowerCut {
    fn drop(&mut self) {
        let _ = setup::script_output("power.sh", &["on"]);
    }
}

/// Kind, name and UID of what is in the namespaces of policy and operator.
fn objects(namespace: &str) -> Vec<String> {
    let list = |namespace: &str| cluster().kubectl(&["--namespace", namespace, "get", KINDS, SHOWN]).expect_worked();
    let both = list(namespace) + &list("routing-system");
    let mut lines: Vec<String> = both.lines().map(Into::into).collect();
    lines.sort();
    lines
}

/// Whether these are the same pods, each of which was started again.
fn are_started_again(now: &Generation, before: &Generation) -> bool {
    let later = |(name, (uid, restarts)): (&String, &(String, i32))| {
        before.get(name).is_some_and(|(old, earlier)| uid == old && restarts > earlier)
    };
    now.len() == before.len() && now.iter().all(later)
}

/// The nearest to a reboot that leaves this machine running: `tests/cluster/power.sh` kills etcd, the API server, the
/// controllers, containerd, the kubelet and every process of a pod at once, without a word to any of them, removes what is
/// not on a disk, and starts everything. What a kernel does anew is not part of it: the boot ID and the clock stay, and
/// what was written is not lost.
#[tokio::test]
async fn after_a_reboot_of_the_node_its_pods_serve_as_before_and_nothing_is_doubled_left_or_rewritten() {
    if !is_done("a reboot of the node") {
        return;
    }
    setup::brain().await;
    let policies = setup::prepared("e2e-reboot").await;
    policies.apply(NAME, &policy(NODE_PORT, 0));
    setup::served(&policies, NAME).await;
    policies.wait_for_last_good(NAME).await;
    let before = policies.wait_until_ready(NAME).await;
    let (pods_before, objects_before) = (pods::generation(&policies, NAME).await, objects(&policies.namespace));
    waiting::until_true("a call to be answered", || is_answered(NODE_PORT)).await;

    let cut = PowerCut::begin();
    assert!(!is_answered(NODE_PORT).await, "nothing runs");
    let (began, start) = (Instant::now(), std::thread::spawn(PowerCut::end));
    waiting::until_true_within(PODS_LIMIT, "a call to be answered", || is_answered(NODE_PORT)).await;
    println!("first good call {:.1?} after the power is back", began.elapsed());
    print!("{}", start.join().expect("the node is ready"));
    drop(cut);
    waiting::until_true_within(PODS_LIMIT, "each pod to be started again", || async {
        let again = are_started_again(&pods::generation(&policies, NAME).await, &pods_before);
        again && pods::of(&policies, NAME).await.iter().all(pods::is_ready)
    })
    .await;
    all_run(&policies, NAME, &before).await;

    let mut record = Record::of(&policies);
    policies.apply(NAME, &policy(NODE_PORT, 1));
    let after = policies.wait_until_ready(NAME).await;
    println!("a change is on all pods {:.0?} after the power is back", began.elapsed());
    assert_ne!(after.config_hash, before.config_hash);
    all_run(&policies, NAME, &after).await;
    let requests = record.until_rest().await;
    println!("the operator's requests for a change after it, until it is at rest:");
    rest::print(&requests);
    assert_eq!(objects(&policies.namespace), objects_before, "kind, name and UID of what there is");
    until_all_is_up();
    setup::let_go("e2e-reboot");
}
