//! The events that a program published, and how often each came.

use std::collections::BTreeMap;

use k8s_openapi::api::events::v1::Event;
use kube::{Api, Client, api::ListParams};

/// How often each reason was published.
pub type Published = BTreeMap<String, u64>;

/// What this program has published about the objects of a namespace so far.
///
/// # Errors
/// The API server did not answer.
pub async fn published(client: &Client, namespace: &str, reporter: &str) -> kube::Result<Published> {
    let events: Api<Event> = Api::namespaced(client.clone(), namespace);
    let events = events.list(&ListParams::default()).await?;
    let own = events.items.iter().filter(|event| event.reporting_controller.as_deref() == Some(reporter));
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

#[cfg(test)]
mod tests {
    use k8s_openapi::{api::events::v1::EventSeries, apimachinery::pkg::apis::meta::v1::MicroTime, jiff::Timestamp};

    use super::*;

    #[test]
    fn repetitions_of_an_event_count() {
        let event = |count: Option<i32>, series: Option<i32>| Event {
            deprecated_count: count,
            series: series.map(|count| EventSeries { count, last_observed_time: MicroTime(Timestamp::UNIX_EPOCH) }),
            ..Event::default()
        };
        for (count, series, expected) in
            [(None, None, 1), (Some(4), None, 4), (Some(1), Some(13), 13), (Some(0), None, 1)]
        {
            assert_eq!(times(&event(count, series)), expected, "{count:?} {series:?}");
        }
    }
}
