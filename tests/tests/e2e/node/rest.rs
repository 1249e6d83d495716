//! What the operator asks the API server for, by the API server's own record, until nothing happens any more.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use tests::{
    audit::Audit,
    policies::Policies,
    requests::{Kind, Requests},
};

use super::NAME;
use crate::setup;

/// How long nothing may happen: longer than any wait of the operator between two attempts, which is a minute at most.
const REST: Duration = Duration::from_secs(70);
/// Longest wait for it. After an outage of the API server controllers and kubelet recover one after the other.
const LIMIT: Duration = Duration::from_secs(420);
const STEP: Duration = Duration::from_secs(1);
/// What the operator watches: policies, their children, pods.
pub const WATCHES: u64 = 10;
/// How often each watch may end, or begin anew with a list, within the rest: the API server ends it after a minute.
const TURNS: u64 = 3;

/// The API server's record of the operator's requests for one namespace, and for all of them.
pub struct Record<'a> {
    policies: &'a Policies,
    audit: Audit,
    read: u64,
}

impl<'a> Record<'a> {
    /// The record from now on.
    pub fn of(policies: &'a Policies) -> Self {
        let kubeconfig = setup::required_from_make("E2E_KUBECONFIG");
        let state = kubeconfig.parent().expect("it is in the folder of the cluster's state");
        let mut record = Self { policies, audit: Audit::in_file(state.join("log/audit.log")), read: 0 };
        record.new_requests();
        record
    }

    /// Those since the last call.
    fn new_requests(&mut self) -> Requests {
        let (mut new, own) = (Requests::default(), self.policies.namespace.as_str());
        self.audit.since(&mut self.read, |entry| {
            let namespace = &entry["objectRef"]["namespace"];
            if namespace.is_null() || namespace == own {
                new.note(&entry);
            }
        });
        new
    }

    /// Waits until for a while nothing is asked for but by watches, and no object of the policy has another version; these
    /// watches run, and do not end and begin in a loop. Returns what was asked for since the record began.
    pub async fn until_rest(&mut self) -> Requests {
        let (began, mut all) = (Instant::now(), self.new_requests());
        let (mut since, mut before, mut turns) = (Instant::now(), self.policies.versions(NAME).await, 0);
        while since.elapsed() < REST {
            // The rest itself.
            tokio::time::sleep(STEP).await;
            let (new, now) = (self.new_requests(), self.policies.versions(NAME).await);
            all.add(&new);
            turns += new.clone().only(|kind| kind.verb == "watch" || kind.is_list_of_watch()).count();
            let others = new.only(|kind| !kind.is_watch_or_lease() && !kind.is_list_of_watch());
            if others.count() > 0 || now != before || turns > WATCHES * TURNS {
                assert!(
                    began.elapsed() < LIMIT,
                    "no rest: {others:?}, {turns} turns of watches, changed: {:?}",
                    moved(&before, &now)
                );
                (since, before, turns) = (Instant::now(), now, 0);
            }
        }
        assert!(
            all.count() > 0,
            "nothing is recorded: the API server was started by an earlier version of tests/cluster; `tests/cluster/part.sh \
             stop apiserver` and `start apiserver`"
        );
        all
    }
}

/// The objects that one of two readings has in another version.
fn moved<'a>(before: &'a BTreeMap<String, String>, now: &'a BTreeMap<String, String>) -> Vec<&'a String> {
    before.keys().chain(now.keys()).filter(|object| before.get(*object) != now.get(*object)).collect()
}

/// Prints requests, a line for each kind.
pub fn print(requests: &Requests) {
    requests.iter().for_each(|(kind, count)| println!("  {count} × {kind}"));
}

/// How many of them change something.
pub fn writes(requests: &Requests) -> u64 {
    requests.clone().only(Kind::is_write).count()
}
