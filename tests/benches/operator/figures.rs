//! What was measured, and the units that it is printed in.

use std::time::Duration;

use tests::open_loop::Measured;

/// What was measured with a number of policies.
#[derive(Clone)]
pub struct Figures {
    /// How many there are.
    pub policies: usize,
    /// Memory of the operator without any, in MiB.
    pub start_mib: f64,
    /// How the new ones were settled.
    pub settled: Settled,
    /// A minute at rest.
    pub rest: Rest,
    /// Changes, one after the other.
    pub changes: Changes,
}

/// How new policies were settled.
#[derive(Clone, Copy)]
pub struct Settled {
    /// How many were new.
    pub policies: usize,
    /// From the first creation until all are settled.
    pub time: Duration,
    /// Processor time of the operator meanwhile.
    pub cpu: Duration,
}

/// A minute in which nothing changed.
#[derive(Clone, Copy)]
pub struct Rest {
    /// Processor time of the operator in it.
    pub cpu: Duration,
    /// Memory of the operator at its end, in MiB.
    pub mib: f64,
}

/// Changes, one after the other.
#[derive(Clone)]
pub struct Changes {
    /// From the API server's answer to a change until the policy's status has it.
    pub times: Measured,
    /// Processor time of the operator for one.
    pub cpu: Duration,
}

/// A time in milliseconds.
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// A number of policies, to divide by.
#[allow(clippy::cast_precision_loss)]
pub fn count(policies: usize) -> f64 {
    policies as f64
}

/// The times of changes in one line.
pub fn shown(times: &Measured) -> String {
    format!("p50 {:.1?}, p99 {:.1?}, max {:.1?} of {}", times.at(0.5), times.at(0.99), times.at(1.0), times.answered())
}

/// Whether a goal is met.
pub fn met(is: bool) -> &'static str {
    if is { "met" } else { "missed" }
}
