use axum::body::Bytes;
use http::{HeaderMap, Request, StatusCode};

use super::*;

/// A request, as `PATCH /path`.
fn asked(line: &str) -> Asked {
    let (method, uri) = line.split_once(' ').expect("two words");
    Asked::of(&Request::builder().method(method).uri(uri).body(()).expect("a request"))
}

/// What happens to requests, one after the other, whose reads are answered.
fn met(target: Target, nth: u64, times: u32, lines: &[&str]) -> Vec<bool> {
    let faults = Faults::new(Some(Fault { target, act: Act::Hang, nth, times }));
    let reply = Reply { status: StatusCode::OK, headers: HeaderMap::new(), body: Bytes::new() };
    let meet = |line: &&str| {
        let asked = asked(line);
        let met = faults.meets(&asked).is_some();
        faults.note(&asked, &reply);
        met
    };
    lines.iter().map(meet).collect()
}

#[test]
fn the_nth_of_what_is_counted_is_met() {
    let lines = ["GET /a", "PATCH /a", "GET /a?watch=true", "GET /a", "GET /b", "DELETE /a"];
    for (target, nth, at) in [
        (Target::Request, 1, Some(0)),
        (Target::Request, 3, Some(3)),
        (Target::Write, 2, Some(5)),
        (Target::Watch, 1, Some(2)),
        (Target::Repeated, 1, Some(3)),
        (Target::Repeated, 2, None),
        (Target::Write, 3, None),
        (Target::Event, 1, None),
    ] {
        let met = met(target, nth, 1, &lines);
        assert_eq!(met.iter().position(|met| *met), at, "{target:?} {nth}");
        assert!(met.iter().filter(|met| **met).count() <= 1, "{target:?} {nth}");
    }
}

#[test]
fn several_times_in_a_row_are_those_of_the_same_request() {
    let lines = ["PATCH /a", "PATCH /b", "PATCH /a", "PATCH /a", "PATCH /a"];
    assert_eq!(met(Target::Write, 1, 3, &lines), [true, false, true, true, false]);
    let watches = ["GET /a?watch=true&resourceVersion=1", "GET /b?watch=true", "GET /a?watch=true&resourceVersion=2"];
    assert_eq!(met(Target::Watch, 1, 2, &watches), [true, false, true]);
}

#[test]
fn events_in_a_row_are_those_that_follow() {
    let faults = Faults::new(Some(Fault { target: Target::Event, act: Act::Twice, nth: 2, times: 2 }));
    let met: Vec<bool> = (0..4).map(|_| faults.meets_event().is_some()).collect();
    assert_eq!(met, [false, true, true, false]);
    assert_eq!(faults.counts().of(Target::Event), 4);
}

#[test]
fn a_new_process_is_alive() {
    let faults = Faults::new(None);
    let first = faults.begin();
    faults.crash();
    assert!(first.is_cancelled() && faults.is_dead());
    let second = faults.begin();
    assert!(!second.is_cancelled() && !faults.is_dead());
}
