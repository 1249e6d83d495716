use super::*;
use crate::upstream::Unreachable;

/// A circuit with a clock that the test sets, in seconds.
struct Timed {
    state: State,
    start: Instant,
}

impl Timed {
    fn new() -> Self {
        Self { state: State::default(), start: Instant::now() }
    }

    fn at(&self, second: u64) -> Instant {
        self.start + Duration::from_secs(second)
    }

    fn admit(&mut self, second: u64) -> Result<Pass, Refused> {
        self.state.admit(self.at(second))
    }

    /// A call that is let through, and ends in the same second.
    fn call(&mut self, second: u64, error: Option<AttemptError>) -> Option<Change> {
        let pass = self.admit(second).expect("let through");
        self.end(pass, (second, second), error)
    }

    fn end(&mut self, pass: Pass, (began, ended): (u64, u64), error: Option<AttemptError>) -> Option<Change> {
        self.state.ended(pass, self.at(began), error.as_ref(), self.at(ended))
    }

    /// Opens at this second.
    fn opened(second: u64) -> Self {
        let mut circuit = Self::new();
        for i in 1..=FAILURES {
            assert_eq!(circuit.call(second, down()).is_some(), i == FAILURES, "after {i} failures");
        }
        circuit
    }

    fn state(&self, second: u64) -> (&'static str, u32, Option<u64>) {
        let Snapshot { state, failures, next_trial } = self.state.snapshot(self.at(second));
        (state, failures, next_trial.map(|time| time.as_secs()))
    }
}

#[allow(clippy::unnecessary_wraps)]
fn down() -> Option<AttemptError> {
    Some(AttemptError::Status { status: 503, kind: None })
}

#[allow(clippy::unnecessary_wraps)]
fn refused() -> Option<AttemptError> {
    Some(AttemptError::Unreachable { endpoint: "h:1".into(), cause: Unreachable::Refused })
}

/// That of one prompt: the endpoint works.
#[allow(clippy::unnecessary_wraps)]
fn of_a_prompt() -> Option<AttemptError> {
    Some(AttemptError::Status { status: 400, kind: None })
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn five_failures_in_a_row_open_it_and_whatever_works_between_begins_anew() {
    let mut circuit = Timed::new();
    for error in [down(), down(), down(), down(), None, down(), down(), down(), down(), of_a_prompt(), down()] {
        assert_eq!(circuit.call(0, error), None);
    }
    assert_eq!(circuit.state(0), ("closed", 1, None));
    for _ in 2..FAILURES {
        assert_eq!(circuit.call(1, refused()), None);
    }
    assert_eq!(circuit.call(2, refused()), Some(Change::Opened { failures: 5, pause: seconds(30) }));
    assert_eq!(circuit.state(3), ("open", 5, Some(29)));
}

#[test]
fn it_lets_nothing_through_for_30_s_and_then_one_trial_at_a_time() {
    let mut circuit = Timed::opened(10);
    let refused = |next| Err(Refused { failures: 5, next_trial: next });
    for (second, left) in [(10, 30), (25, 15), (39, 1)] {
        assert_eq!(circuit.admit(second), refused(Some(seconds(left))), "{second}");
    }
    assert_eq!(circuit.state(40), ("half_open", 5, None), "due");
    assert_eq!(circuit.admit(40), Ok(Pass::Trial));
    for second in [40, 41, 500] {
        assert_eq!(circuit.admit(second), refused(None), "the trial is under way");
    }
    assert_eq!(circuit.state(500), ("half_open", 5, None));
    assert_eq!(circuit.end(Pass::Trial, (40, 501), None), Some(Change::Closed));
    assert_eq!(circuit.admit(501), Ok(Pass::Normal));
    assert_eq!(circuit.state(501), ("closed", 0, None));
}

#[test]
fn each_trial_that_fails_doubles_the_pause_up_to_five_minutes_and_one_that_works_resets_it() {
    let mut circuit = Timed::opened(0);
    let mut now = 0;
    for (pause, next) in [(30, 60), (60, 120), (120, 240), (240, 300), (300, 300), (300, 300)] {
        assert!(circuit.admit(now + pause - 1).is_err(), "{pause}");
        now += pause;
        assert_eq!(circuit.call(now, down()), Some(Change::StaysOpen { pause: seconds(next) }));
    }
    assert_eq!(circuit.state(now), ("open", 11, Some(300)));
    assert_eq!(circuit.call(now + 300, of_a_prompt()), Some(Change::Closed), "the endpoint works, whatever it says");
    let again = Timed::opened(0);
    assert_eq!(again.state(0), ("open", 5, Some(30)));
}

#[test]
fn a_trial_that_is_given_up_is_made_by_the_next_call() {
    let mut circuit = Timed::opened(0);
    assert_eq!(circuit.admit(30), Ok(Pass::Trial));
    circuit.state.given_up();
    assert_eq!(circuit.admit(30), Ok(Pass::Trial));
}

#[test]
fn calls_that_were_under_way_when_it_opened_neither_close_it_nor_hold_it_open() {
    let mut circuit = Timed::new();
    let slow: Vec<Pass> = (0..3).map(|_| circuit.admit(0).expect("closed")).collect();
    for _ in 0..FAILURES {
        circuit.call(1, down());
    }
    for (pass, error) in slow.into_iter().zip([None, down(), of_a_prompt()]) {
        assert_eq!(circuit.end(pass, (0, 20), error), None);
    }
    assert_eq!(circuit.state(20), ("open", 5, Some(11)));
}

#[test]
fn what_began_before_the_endpoint_last_worked_is_not_counted() {
    let mut circuit = Timed::new();
    circuit.call(5, None);
    for _ in 0..2 * FAILURES {
        assert_eq!(circuit.end(Pass::Normal, (0, 75), Some(AttemptError::TimedOut { after: seconds(75) })), None);
    }
    assert_eq!(circuit.state(75), ("closed", 0, None));
}

#[test]
fn a_probe_that_reaches_an_endpoint_that_was_away_makes_the_next_call_a_trial() {
    let mut circuit = Timed::new();
    circuit.state.reached(circuit.at(0));
    for _ in 0..FAILURES {
        circuit.call(0, refused());
    }
    circuit.state.reached(circuit.at(7));
    assert_eq!(circuit.state(7), ("half_open", 5, None), "a probe closes nothing by itself");
    assert_eq!(circuit.call(7, down()), Some(Change::StaysOpen { pause: seconds(60) }));
    circuit.state.reached(circuit.at(8));
    assert_eq!(circuit.state(8), ("open", 6, Some(59)), "it is reached all the time, and answers 503");
}

#[test]
fn what_was_changed_during_a_trial_is_tried_at_once_after_it() {
    let mut circuit = Timed::opened(0);
    let trial = circuit.admit(30).expect("due");
    circuit.state.due(circuit.at(31));
    assert_eq!(circuit.end(trial, (30, 40), down()), Some(Change::StaysOpen { pause: Duration::ZERO }));
    let trial = circuit.admit(40).expect("what it is now");
    let pause = Duration::from_secs(30);
    assert_eq!(circuit.end(trial, (40, 41), down()), Some(Change::StaysOpen { pause }), "nothing changed meanwhile");
    assert_eq!(circuit.state(41), (circuit::OPEN, 7, Some(30)));
}
