//! The events that the operator published about a policy, and whether there are more of them than what went wrong explains.

use std::collections::BTreeMap;

use k8s_openapi::api::events::v1::Event;
use kube::{Api, api::ListParams};
use operator::controller::labels::FIELD_MANAGER;

use super::place::Place;

/// How often each reason was published.
pub type Published = BTreeMap<String, u64>;

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
    let events: Api<Event> = Api::namespaced(place.client.clone(), &place.namespace);
    let events = events.list(&ListParams::default()).await?;
    let own = events.items.iter().filter(|event| event.reporting_controller.as_deref() == Some(FIELD_MANAGER));
    let mut published = Published::new();
    for event in own {
        *published.entry(event.reason.clone().unwrap_or_default()).or_default() += times(event);
    }
    Ok(published)
}

/// How often an event came: repetitions are counted in its series.
fn times(event: &Event) -> u64 {
    let count = event.series.as_ref().map(|series| series.count).or(event.deprecated_count);
    count.and_then(|count| u64::try_from(count).ok()).unwrap_or(1).max(1)
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
fn repetitions_of_an_event_count() {
    use k8s_openapi::{api::events::v1::EventSeries, apimachinery::pkg::apis::meta::v1::MicroTime, jiff::Timestamp};
    let event = |count: Option<i32>, series: Option<i32>| Event {
        deprecated_count: count,
        series: series.map(|count| EventSeries { count, last_observed_time: MicroTime(Timestamp::UNIX_EPOCH) }),
        ..Event::default()
    };
    for (count, series, expected) in [(None, None, 1), (Some(4), None, 4), (Some(1), Some(13), 13), (Some(0), None, 1)]
    {
        assert_eq!(times(&event(count, series)), expected, "{count:?} {series:?}");
    }
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
