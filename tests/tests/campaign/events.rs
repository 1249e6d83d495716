//! The events that the operator published about a policy, and whether there are more of them than what went wrong explains.

use operator::controller::labels::FIELD_MANAGER;
pub use tests::events::Published;

use super::place::Place;

/// How much went wrong.
#[derive(Clone, Copy, Debug)]
pub struct Disturbance {
    /// Operators that worked at a time: each publishes what it writes.
    pub leaders: u64,
    /// How often something went wrong, and how often the user changed the policy on top of the scenario.
    pub times: u64,
}

/// What the operator has published about the policies of a namespace so far.
///
/// # Errors
/// The API server did not answer.
pub async fn published(place: &Place) -> kube::Result<Published> {
    tests::events::published(&place.client, &place.namespace, FIELD_MANAGER).await
}

/// The reasons that were published more often than is explained, a line each.
///
/// The rule: of each reason as many as in the run without faults, from each operator that worked at a time; and two more for the
/// end of the run and for each time that something went wrong or the user changed something more. Each of these leads a policy
/// out of its state and back into it, and on the way its pods may go and come.
#[must_use]
pub fn unexplained(undisturbed: &Published, published: &Published, disturbance: Disturbance) -> Vec<String> {
    let Disturbance { leaders, times } = disturbance;
    let line = |(reason, count): (&String, &u64)| {
        let without = undisturbed.get(reason).copied().unwrap_or_default();
        let explained = without * leaders + 2 * (1 + times);
        let is_more = *count > explained;
        is_more.then(|| format!("events: {reason} {count} times; {without} without faults, {explained} are explained"))
    };
    published.iter().filter_map(line).collect()
}

#[test]
fn an_event_that_repeats_as_long_as_a_watch_lags_is_not_explained_by_it() {
    let of = |counts: &[(&str, u64)]| counts.iter().map(|(reason, count)| ((*reason).to_string(), *count)).collect();
    let (undisturbed, once): (Published, _) =
        (of(&[("Progressing", 1), ("Ready", 2)]), Disturbance { leaders: 1, times: 1 });
    for (published, disturbance, lines) in [
        (of(&[("Progressing", 1), ("Ready", 2)]), once, 0),
        (of(&[("Progressing", 5), ("Ready", 6), ("ApiError", 4)]), once, 0),
        (of(&[("Progressing", 13)]), once, 1),
        (of(&[("Progressing", 6), ("ApiError", 5)]), once, 2),
        (of(&[("Progressing", 6)]), Disturbance { leaders: 2, times: 1 }, 0),
    ] {
        assert_eq!(unexplained(&undisturbed, &published, disturbance).len(), lines, "{published:?}");
    }
}
