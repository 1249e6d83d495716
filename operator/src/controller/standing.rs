//! What stands of a policy: what its last reconciliation read and did in the cluster. While the watches bring no change, the
//! next one asks only the pods, and sends no request to the API server.

use std::sync::Arc;

use crds::{RoutingPolicy, policy::RoutingPolicyStatus};
use kube::api::ObjectMeta;

use super::{
    apply::Applied,
    build, nudge,
    pods::PodView,
    validate::{Accepted, Invalid},
};

/// What stands of a policy. It is bounded: without skills, templates of pods, and managed fields.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The policy without its skills; its status and version are those last written.
    pub policy: Arc<RoutingPolicy>,
    /// What is known of the valid policy, or why it is refused.
    pub valid: Arc<Result<Accepted, Invalid>>,
    /// The children.
    pub applied: Arc<Applied>,
    /// The hash of the config that the pods should run.
    pub target: Option<String>,
    /// The pods, not asked yet.
    pub pods: Vec<PodView>,
    /// The pods of its brain.
    pub brain_pods: Vec<PodView>,
    /// How many changes the watches had brought before anything was read.
    pub changes: u64,
    /// Whether nothing is left to be done until something changes.
    pub is_settled: bool,
    /// Whether the config that the pods should run is also kept as the last good one.
    pub is_last_good: bool,
}

impl Standing {
    /// Whether it still stands: the watch has the policy's last version, and has brought nothing else since.
    #[must_use]
    pub fn is_current(&self, watched: &ObjectMeta, changes: u64) -> bool {
        self.is_settled
            && self.changes == changes
            && self.policy.metadata.uid == watched.uid
            && self.policy.metadata.resource_version == watched.resource_version
    }

    /// Notes that a status was written, as the API server kept it, and what the policy is since. If somebody else changed the
    /// policy before, that is not read yet; and once all pods run the config, it is to be kept as the last good one.
    pub fn written(&mut self, status: RoutingPolicyStatus, since: &ObjectMeta) {
        let before = &self.policy.metadata;
        let is_same = before.generation == since.generation && requested_at(before) == requested_at(since);
        self.is_settled &= is_same && (self.is_last_good || !build::ran_everywhere(&status));
        let policy = Arc::make_mut(&mut self.policy);
        policy.status = Some(status);
        policy.metadata.resource_version.clone_from(&since.resource_version);
    }
}

fn requested_at(metadata: &ObjectMeta) -> Option<&String> {
    metadata.annotations.as_ref()?.get(nudge::REQUESTED_AT)
}

/// The policy without what is needed only to build its children.
#[must_use]
pub fn slim(policy: &RoutingPolicy) -> RoutingPolicy {
    let mut slim = policy.clone();
    slim.spec.skills = None;
    slim.spec.models.local.parameters.clear();
    slim.spec.models.claude.parameters.clear();
    slim.metadata.managed_fields = None;
    // kubectl keeps the whole policy in one of them.
    slim.metadata.annotations.iter_mut().for_each(|all| all.retain(|name, _| name == nudge::REQUESTED_AT));
    slim
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn standing(is_last_good: bool) -> Standing {
        let spec = json!({"upstream": {"url": "http://a"}, "models": {"local": {"name": "l"}, "claude": {"name": "c"}},
            "skills": [{"name": "debug"}]});
        let mut policy = RoutingPolicy::new("edge", serde_json::from_value(spec).expect("a spec"));
        policy.metadata = meta("u1", "7");
        Standing {
            policy: Arc::new(slim(&policy)),
            valid: Arc::new(Err(Invalid {
                reason: crds::policy::Reason::Invalid,
                message: String::new(),
                references: None,
                unfinished: false,
            })),
            applied: Arc::default(),
            target: Some("new".into()),
            pods: vec![],
            brain_pods: vec![],
            changes: 3,
            is_settled: true,
            is_last_good,
        }
    }

    fn meta(uid: &str, version: &str) -> ObjectMeta {
        ObjectMeta { uid: Some(uid.into()), resource_version: Some(version.into()), ..ObjectMeta::default() }
    }

    fn status(programmed: u32) -> RoutingPolicyStatus {
        let condition = json!({"type": "Programmed", "status": "True", "reason": "x", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"});
        let replicas = json!({"desired": 1, "current": 1, "ready": 1, "programmed": programmed});
        serde_json::from_value(json!({"conditions": [condition], "replicas": replicas})).expect("a status")
    }

    #[test]
    fn it_stands_until_the_policy_or_something_of_it_changes() {
        let standing = standing(true);
        assert!(standing.policy.spec.skills.is_none());
        for (uid, version, changes, stands) in
            [("u1", "7", 3, true), ("u1", "8", 3, false), ("u1", "7", 4, false), ("u2", "7", 3, false)]
        {
            assert_eq!(standing.is_current(&meta(uid, version), changes), stands, "{uid} {version} {changes}");
        }
        let unsettled = Standing { is_settled: false, ..standing };
        assert!(!unsettled.is_current(&meta("u1", "7"), 3));
    }

    #[test]
    fn it_stands_after_its_own_status_unless_the_config_is_to_be_kept_as_the_last_good_one() {
        for (is_last_good, programmed, stands) in [(true, 1, true), (false, 0, true), (false, 1, false)] {
            let mut standing = standing(is_last_good);
            standing.written(status(programmed), &meta("u1", "8"));
            assert!(!standing.is_current(&meta("u1", "7"), 3), "the watch is older than the status");
            assert_eq!(standing.is_current(&meta("u1", "8"), 3), stands, "{is_last_good} {programmed}");
            assert_eq!(standing.policy.status, Some(status(programmed)));
        }
    }

    #[test]
    fn a_change_that_came_before_its_own_status_is_read() {
        let annotated = [(nudge::REQUESTED_AT.to_string(), "now".to_string())];
        for since in [
            ObjectMeta { generation: Some(2), ..meta("u1", "8") },
            ObjectMeta { annotations: Some(annotated.into()), ..meta("u1", "8") },
        ] {
            let mut standing = standing(true);
            standing.written(status(1), &since);
            assert!(!standing.is_current(&since, 3), "{since:?}");
        }
    }
}
