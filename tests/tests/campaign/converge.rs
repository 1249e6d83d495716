//! The oracle: a namespace becomes what it should be, within 90 s after the last fault, and then nothing moves any more.

use std::time::{Duration, Instant};

use super::{
    fault::{Counts, Target},
    faults::Faults,
    look::{Seen, Snapshot, differences, look},
    operated::RESYNC,
    place::Place,
};

/// Longest wait until a namespace is what it should be, after the last fault.
const WITHIN: Duration = Duration::from_secs(90);
/// How long nothing may move: the operator asks the pods of a policy at least once meanwhile.
const QUIET: Duration = RESYNC.saturating_add(Duration::from_secs(1));
/// How often is looked.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Waits until a namespace is as expected and quiet. Returns what the operator had sent when it first was so.
///
/// # Errors
/// It does not become so in time: where it differs, or what still moves.
pub async fn converge(place: &Place, expected: &Snapshot, faults: &Faults) -> Result<Counts, Vec<String>> {
    let (began, mut first) = (Instant::now(), None);
    loop {
        let counts = faults.counts();
        let problems = match look(place).await {
            Err(error) => vec![format!("the API server: {error}")],
            Ok(seen) => match differences(expected, &seen.snapshot) {
                same if same.is_empty() => {
                    let first = *first.get_or_insert(counts);
                    match is_quiet(place, &seen, faults).await {
                        Ok(()) => return Ok(first),
                        Err(moved) => vec![moved],
                    }
                }
                different => different,
            },
        };
        let since = faults.last_acted().map_or(began, |acted| acted.max(began));
        if since.elapsed() > WITHIN {
            return Err(problems);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until nothing moves in a namespace, and returns what it is then.
///
/// # Errors
/// Something still moves after the longest wait.
pub async fn settle(place: &Place, faults: &Faults) -> Result<Snapshot, String> {
    let began = Instant::now();
    loop {
        let moved = match look(place).await {
            Err(error) => format!("the API server: {error}"),
            Ok(seen) => match is_quiet(place, &seen, faults).await {
                Ok(()) => return Ok(seen.snapshot),
                Err(moved) => moved,
            },
        };
        if began.elapsed() > WITHIN {
            return Err(moved);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Watches for a while whether a `resourceVersion` changes, the operator asks for anything but its watches, or something goes
/// wrong only now.
async fn is_quiet(place: &Place, seen: &Seen, faults: &Faults) -> Result<(), String> {
    let (began, counts) = (Instant::now(), faults.counts());
    while began.elapsed() < QUIET {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = look(place).await.map_err(|error| format!("the API server: {error}"))?;
        let mut names = seen.versions.keys().chain(now.versions.keys());
        if let Some(name) = names.find(|name| seen.versions.get(*name) != now.versions.get(*name)) {
            return Err(format!("{name} still changes"));
        }
        let sent = |target| faults.counts().of(target) - counts.of(target);
        if sent(Target::Write) > 0 {
            let last = faults.sent().pop().unwrap_or_default();
            return Err(format!(
                "the operator still writes: {} requests, the last of them {last}",
                sent(Target::Write)
            ));
        }
        if sent(Target::Request) > 0 && !faults.lose_events() {
            return Err(format!("the operator still asks: {} requests", sent(Target::Request)));
        }
        if faults.last_acted().is_some_and(|acted| acted > began) {
            return Err("it goes wrong only now".into());
        }
    }
    Ok(())
}
