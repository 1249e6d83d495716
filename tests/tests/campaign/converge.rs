//! The oracle: a namespace becomes what it should be, within 90 s after the last fault, and then nothing moves any more.

use std::time::{Duration, Instant};

use super::{
    faults::Faults,
    operated::RESYNC,
    place::Place,
    snapshot::{Observation, Snapshot, differences, observe},
};

/// Longest wait until a namespace is what it should be, after the last fault.
const WITHIN: Duration = Duration::from_secs(90);
/// How long nothing may move: the operator asks the pods of a policy at least once meanwhile.
const QUIET: Duration = RESYNC.saturating_add(Duration::from_secs(1));
/// How often it is observed.
const OBSERVE_EVERY: Duration = Duration::from_millis(500);

/// Waits until a namespace is as expected and quiet. Returns how many points were recorded when it first was so.
///
/// # Errors
/// It does not become so in time: where it differs, or what still moves.
pub async fn converge(place: &Place, expected: &Snapshot, faults: &Faults) -> Result<usize, Vec<String>> {
    let (began, mut first) = (Instant::now(), None);
    loop {
        let points = faults.points();
        let problems = match observe(place).await {
            Err(error) => vec![format!("the API server: {error}")],
            Ok(observed) => match differences(expected, &observed.snapshot) {
                same if same.is_empty() => {
                    let first = *first.get_or_insert(points);
                    match is_quiet(place, &observed, faults).await {
                        Ok(()) => return Ok(first),
                        Err(moved) => vec![moved],
                    }
                }
                different => different,
            },
        };
        let since = faults.ends_at().map_or(began, |ended| ended.max(began));
        if since.elapsed() > WITHIN {
            return Err(problems);
        }
        tokio::time::sleep(OBSERVE_EVERY).await;
    }
}

/// Waits until nothing moves in a namespace, and returns what it is then.
///
/// # Errors
/// Something still moves after the longest wait.
pub async fn settle(place: &Place, faults: &Faults) -> Result<Snapshot, String> {
    let began = Instant::now();
    loop {
        let moved = match observe(place).await {
            Err(error) => format!("the API server: {error}"),
            Ok(observed) => match is_quiet(place, &observed, faults).await {
                Ok(()) => return Ok(observed.snapshot),
                Err(moved) => moved,
            },
        };
        if began.elapsed() > WITHIN {
            return Err(moved);
        }
        tokio::time::sleep(OBSERVE_EVERY).await;
    }
}

/// Watches for a while whether a `resourceVersion` changes, the operator asks for anything but its watches, or something goes
/// wrong only now.
async fn is_quiet(place: &Place, before: &Observation, faults: &Faults) -> Result<(), String> {
    let (began, counts) = (Instant::now(), faults.counts());
    while began.elapsed() < QUIET {
        tokio::time::sleep(OBSERVE_EVERY).await;
        let now = observe(place).await.map_err(|error| format!("the API server: {error}"))?;
        let mut names = before.versions.keys().chain(now.versions.keys());
        if let Some(name) = names.find(|name| before.versions.get(*name) != now.versions.get(*name)) {
            return Err(format!("{name} still changes"));
        }
        let (writes, requests) = (faults.counts().writes - counts.writes, faults.counts().requests - counts.requests);
        if writes > 0 {
            let last = faults.last_lines().pop().unwrap_or_default();
            return Err(format!("the operator still writes: {writes} requests, the last of them {last}"));
        }
        if requests > 0 && !faults.lose_events() {
            return Err(format!("the operator still asks: {requests} requests"));
        }
        if faults.ends_at().is_some_and(|ends| ends > began) {
            return Err("it goes wrong only now".into());
        }
    }
    Ok(())
}
