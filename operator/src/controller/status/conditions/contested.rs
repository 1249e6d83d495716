//! Whether somebody else keeps changing what the operator sets.

use crds::{policy::Reason, shown::printable};

use super::Finding;
use crate::controller::{
    apply::contest::Contest,
    child::{ChildKey, ChildKind},
};

/// The field of a Deployment that an autoscaler sets.
const REPLICAS: &str = "spec.replicas";
/// Longest list of fields, in characters: an event has room for the cure, too.
const FIELDS_SHOWN: usize = 500;

/// The fields that the operator had to correct several times of late, and who changes them; none: there are none.
pub(super) fn contested(policy: &str, contests: &[Contest]) -> Option<Finding> {
    let one = |Contest { child, field, manager }: &Contest| format!("{manager} keeps changing {field} of {child}");
    let all = contests.iter().map(one).collect::<Vec<_>>().join(", ");
    // A policy has no scale for its brain.
    let data_plane = ChildKey::new(ChildKind::Deployment, policy);
    let scales = |contest: &Contest| contest.field == REPLICAS && contest.child == data_plane;
    let cure = if contests.iter().any(scales) {
        "an autoscaler must target the RoutingPolicy, which has a scale of its own; anything else is set in the policy"
    } else {
        "set it in the policy, or stop that program"
    };
    let message = format!("{}, and the operator changes it back: {cure}", printable(&all, FIELDS_SHOWN));
    (!contests.is_empty()).then(|| Finding::holds(Reason::FieldContested, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_changes_what_is_said_with_the_cure() {
        let of = |kind, field: &str, manager: &str| Contest {
            child: ChildKey::new(kind, "edge"),
            field: field.into(),
            manager: manager.into(),
        };
        let said =
            |contests: &[Contest]| contested("edge", contests).map(|finding| finding.message).unwrap_or_default();
        let replicas = of(ChildKind::Deployment, REPLICAS, "kube-controller-manager");
        assert_eq!(
            said(&[replicas]),
            "kube-controller-manager keeps changing spec.replicas of Deployment edge, and the operator changes it back: an \
             autoscaler must target the RoutingPolicy, which has a scale of its own; anything else is set in the policy"
        );
        let port = of(ChildKind::Service, "spec.type", "helm");
        assert_eq!(
            said(&[port]),
            "helm keeps changing spec.type of Service edge, and the operator changes it back: set it in the policy, or stop \
             that program"
        );
        assert_eq!(contested("edge", &[]), None);
    }
}
