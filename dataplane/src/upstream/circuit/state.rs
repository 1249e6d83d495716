//! When a circuit opens, tries and closes. No I/O, and no clock: every time is a value.

use std::time::{Duration, Instant};

use crds::pod::models::circuit;

use crate::upstream::AttemptError;

/// Failures in a row that open the circuit.
pub(super) const FAILURES: u32 = 5;
/// Time from its opening to the first trial.
const PAUSE_FIRST: Duration = Duration::from_secs(30);
/// Longest time between two trials; it doubles with each that fails.
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// What is known of the calls so far.
#[derive(Default)]
pub(super) struct State {
    /// Failures in a row.
    failures: u32,
    /// When the endpoint last worked.
    worked: Option<Instant>,
    /// None: calls are made.
    open: Option<Open>,
}

/// An open circuit.
struct Open {
    /// From the last failure to the next trial.
    pause: Duration,
    next_trial: Instant,
    /// A trial is under way.
    trying: bool,
    /// What failed was changed during the trial, whose failure then says nothing of what it is now.
    changed: bool,
    /// At the last failure there was no connection at all, which a probe can disprove.
    unreachable: bool,
}

/// How a call was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// The circuit is closed.
    Normal,
    /// It is open, and this call shows whether it may close.
    Trial,
}

/// A call was not let through.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) failures: u32,
    /// Time until the next trial; none: one is under way.
    pub(super) next_trial: Option<Duration>,
}

/// What the end of a call changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The circuit is open now.
    Opened { failures: u32, pause: Duration },
    /// A trial failed.
    StaysOpen { pause: Duration },
    /// A trial worked: calls are made again.
    Closed,
}

/// A circuit at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// One of the names of [`circuit`].
    pub state: &'static str,
    /// Failures in a row.
    pub failures: u32,
    /// Time until the next trial, while `open`.
    pub next_trial: Option<Duration>,
}

impl State {
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub(super) fn admit(&mut self, now: Instant) -> Result<Pass, Refused> {
        let Some(open) = &mut self.open else { return Ok(Pass::Normal) };
        let next_trial = (!open.trying).then(|| open.next_trial.saturating_duration_since(now));
        if next_trial == Some(Duration::ZERO) {
            open.trying = true;
            return Ok(Pass::Trial);
        }
        Err(Refused { failures: self.failures, next_trial })
    }

    /// Notes the end of a call that began then. What was let through before the circuit opened says nothing new.
    pub(super) fn ended(
        &mut self,
        pass: Pass,
        began: Instant,
        error: Option<&AttemptError>,
        now: Instant,
    ) -> Option<Change> {
        let failed = error.filter(|error| error.is_of_the_endpoint());
        match (pass, self.is_open(), failed) {
            (Pass::Normal, true, _) => None,
            (Pass::Normal, false, None) => {
                self.works(now);
                None
            }
            (Pass::Normal, false, Some(error)) => self.fails(began, error, now),
            (Pass::Trial, _, None) => {
                self.works(now);
                Some(Change::Closed)
            }
            (Pass::Trial, _, Some(error)) => self.stays_open(error, now),
        }
    }

    fn works(&mut self, now: Instant) {
        *self = Self { worked: Some(now), ..Self::default() };
    }

    /// A slow failure of what began before the endpoint last worked is not in a row with others.
    fn fails(&mut self, began: Instant, error: &AttemptError, now: Instant) -> Option<Change> {
        if self.worked.is_some_and(|worked| began < worked) {
            return None;
        }
        self.failures += 1;
        if self.failures < FAILURES {
            return None;
        }
        self.open = Some(Open::after(error, PAUSE_FIRST, now));
        Some(Change::Opened { failures: self.failures, pause: PAUSE_FIRST })
    }

    fn stays_open(&mut self, error: &AttemptError, now: Instant) -> Option<Change> {
        let Open { pause, changed, .. } = self.open.as_ref()?;
        let pause = if *changed { Duration::ZERO } else { (*pause * 2).clamp(PAUSE_FIRST, PAUSE_MAX) };
        self.failures = self.failures.saturating_add(1);
        self.open = Some(Open::after(error, pause, now));
        Some(Change::StaysOpen { pause })
    }

    /// A trial ended without a result.
    pub(super) fn given_up(&mut self) {
        if let Some(open) = &mut self.open {
            open.trying = false;
        }
    }

    /// A probe reached the endpoint: if that was what failed, the next call may try it. What answers a probe may still not
    /// serve the model, so a probe closes nothing.
    pub(super) fn reached(&mut self, now: Instant) {
        if self.open.as_ref().is_some_and(|open| open.unreachable) {
            self.try_next(now);
        }
    }

    /// What failed was changed: the next call may try it, also if a trial of what it was is under way.
    pub(super) fn due(&mut self, now: Instant) {
        if let Some(open) = &mut self.open {
            open.changed = open.trying;
        }
        self.try_next(now);
    }

    fn try_next(&mut self, now: Instant) {
        if let Some(open) = &mut self.open {
            open.next_trial = open.next_trial.min(now);
        }
    }

    pub(super) fn snapshot(&self, now: Instant) -> Snapshot {
        let left = self.open.as_ref().map(|open| (open.trying, open.next_trial.saturating_duration_since(now)));
        let (state, next_trial) = match left {
            None => (circuit::CLOSED, None),
            Some((false, left)) if !left.is_zero() => (circuit::OPEN, Some(left)),
            Some(_) => (circuit::HALF_OPEN, None),
        };
        Snapshot { state, failures: self.failures, next_trial }
    }
}

impl Snapshot {
    /// Whether calls are left out.
    pub fn is_open(&self) -> bool {
        self.state != circuit::CLOSED
    }
}

impl Open {
    fn after(error: &AttemptError, pause: Duration, now: Instant) -> Self {
        let unreachable = matches!(error, AttemptError::Unreachable { .. });
        Self { pause, next_trial: now + pause, trying: false, changed: false, unreachable }
    }
}

#[cfg(test)]
mod tests;
