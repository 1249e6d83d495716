//! With how many policies one replica would not be enough any more, so that they had to be shared between several.

use std::time::Duration;

use tests::manifests::built;

use super::{
    figures::{Figures, count},
    rest::MINUTE,
    rig::Rig,
};

/// How much of one processor the operator may use all the time.
const CORES: f64 = 0.5;
/// How often each policy changes.
const CHANGE_EVERY: Duration = Duration::from_secs(3_600);
/// How long a first settling of all may take.
const SETTLE: Duration = Duration::from_secs(600);
/// What a policy is taken to have at least, in MiB: with a few of them nothing is measured.
const LEAST_MIB: f64 = 1.0 / 1024.0;

/// Prints the number for each limit, and which limit is the first.
pub fn print(rig: &Rig, last: &Figures) {
    let limit = limit_mib();
    let mut limits = [
        (by_memory(rig, last, limit), format!("the memory limit of {limit:.0} MiB")),
        (by_processor(last), format!("{CORES} processors when each changes once in {} s", CHANGE_EVERY.as_secs())),
        (by_time(last), format!("{} s until all are settled for the first time", SETTLE.as_secs())),
    ];
    limits.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let shown: Vec<String> = limits.iter().map(|(policies, why)| format!("{policies:.0} by {why}")).collect();
    println!("sharding: needed from about this many policies on: {}", shown.join(", "));
}

/// By the most memory that it had, above what it has without policies.
#[allow(clippy::cast_precision_loss)]
fn by_memory(rig: &Rig, last: &Figures, limit_mib: f64) -> f64 {
    let of_policy = (rig.peak_mib() as f64 - last.start_mib) / count(last.policies);
    (limit_mib - last.start_mib) / of_policy.max(LEAST_MIB)
}

/// By the processor time of a change, and of a policy at rest.
fn by_processor(last: &Figures) -> f64 {
    let changes = last.changes.cpu.as_secs_f64() / CHANGE_EVERY.as_secs_f64();
    let rest = last.rest.cpu.as_secs_f64() / MINUTE.as_secs_f64() / count(last.policies);
    CORES / (changes + rest)
}

fn by_time(last: &Figures) -> f64 {
    SETTLE.as_secs_f64() * count(last.settled.policies) / last.settled.time.as_secs_f64()
}

/// The memory limit of the operator's Deployment, in MiB.
fn limit_mib() -> f64 {
    let deployment = &built("operator")["Deployment routing-operator"];
    let limit = &deployment["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"];
    let number = limit.as_str().and_then(|limit| limit.strip_suffix("Mi")?.parse().ok());
    number.expect("a memory limit in Mi")
}
