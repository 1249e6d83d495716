//! Whether a selector matches labels.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use super::Labels;

/// All requirements of the selector must hold; a selector without any matches everything.
pub(super) fn matches(selector: &LabelSelector, labels: &Labels) -> bool {
    let mut wanted = selector.match_labels.iter().flatten();
    let mut expressions = selector.match_expressions.iter().flatten();
    wanted.all(|(name, value)| labels.get(name) == Some(value)) && expressions.all(|one| holds(one, labels))
}

/// `NotIn` also holds if there is no such label.
fn holds(requirement: &LabelSelectorRequirement, labels: &Labels) -> bool {
    let LabelSelectorRequirement { key, operator, values } = requirement;
    let value = labels.get(key);
    let is_listed = value.is_some_and(|value| values.iter().flatten().any(|listed| listed == value));
    match operator.as_str() {
        "In" => is_listed,
        "NotIn" => !is_listed,
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        other => panic!("{other} is not an operator of a selector: In, NotIn, Exists, DoesNotExist"),
    }
}
