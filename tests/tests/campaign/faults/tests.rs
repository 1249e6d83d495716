use axum::body::Bytes;
use http::{HeaderMap, Request, StatusCode};

use super::*;

/// A request, as `PATCH /api/v1/services/edge`.
fn request(line: &str) -> ApiRequest {
    let (method, uri) = line.split_once(' ').expect("two words");
    ApiRequest::of(&Request::builder().method(method).uri(uri).body(()).expect("a request"))
}

fn fault(point: &str, act: Act, times: u32) -> Option<Fault> {
    Some(Fault { point: point.parse().expect("a point"), act, times })
}

fn reply(body: &str) -> ApiReply {
    ApiReply { status: StatusCode::OK, headers: HeaderMap::new(), body: Bytes::copy_from_slice(body.as_bytes()) }
}

/// What happens to requests, one after the other, if it strikes whenever it is due.
fn struck(point: &str, times: u32, lines: &[&str]) -> Vec<bool> {
    let faults = Faults::new(fault(point, Act::Hang, times));
    let due = |line: &&str| {
        let is_due = faults.on_request(&request(line)).is_some();
        if is_due {
            faults.strike();
        }
        is_due
    };
    lines.iter().map(due).collect()
}

#[test]
fn a_point_is_the_same_request_whatever_else_is_sent_at_once() {
    let [get, other, patch] = ["GET /api/v1/services/edge", "GET /api/v1/services/lb", "PATCH /api/v1/services/edge"];
    for lines in [[get, other, patch, get, other], [other, other, get, patch, get]] {
        let due = struck("get:services/edge:2", 1, &lines);
        let second = lines.iter().enumerate().filter(|(_, line)| **line == get).nth(1).map(|(at, _)| at);
        assert_eq!(due.iter().position(|due| *due), second, "{lines:?}");
        assert_eq!(due.iter().filter(|due| **due).count(), 1, "{lines:?}");
    }
    assert_eq!(struck("get:services/edge:3", 1, &[get, get]), [false, false], "it is not reached");
}

#[test]
fn several_times_in_a_row_are_those_of_the_same_request() {
    let lines = ["PATCH /api/v1/a", "PATCH /api/v1/b", "PATCH /api/v1/a", "PATCH /api/v1/a", "PATCH /api/v1/a"];
    assert_eq!(struck("patch:a:1", 3, &lines), [true, false, true, true, false]);
    let watch = |of: &str, version: u8| format!("GET /api/v1/{of}?watch=true&resourceVersion={version}");
    let watches = [watch("a", 1), watch("b", 1), watch("a", 2)];
    let lines: Vec<&str> = watches.iter().map(String::as_str).collect();
    assert_eq!(struck("watch:a:1", 2, &lines), [true, false, true]);
}

#[test]
fn events_in_a_row_are_those_that_follow_in_the_same_watch() {
    let faults = Faults::new(fault("event:MODIFIED:services/edge:1", Act::Twice, 2));
    let keys = ["ADDED:services/edge", "MODIFIED:services/edge", "ADDED:pods", "ADDED:services/lb", "ADDED:services/c"];
    let due: Vec<bool> = keys
        .iter()
        .map(|key| {
            let is_due = faults.on_event(&format!("event:{key}")).is_some();
            if is_due {
                faults.strike();
            }
            is_due
        })
        .collect();
    assert_eq!(due, [false, true, false, true, false]);
    assert_eq!((faults.strikes(), faults.points()), (2, 5));
}

#[test]
fn what_did_not_strike_is_due_the_next_time() {
    let (faults, get) = (Faults::new(fault("get:services/a:1", Act::Stale, 1)), request("GET /api/v1/services/a"));
    let due = || faults.on_request(&get) == Some(Act::Stale);
    assert!(due());
    assert!(due(), "the first one changed nothing");
    faults.strike();
    assert!(!due());
    assert_eq!(faults.strikes(), 1);
}

#[test]
fn a_read_is_news_when_its_reply_is_another_than_the_first_and_refusals_are_kept() {
    let (faults, get) = (Faults::new(None), request("GET /api/v1/services/a"));
    for body in ["1", "1", "2"] {
        faults.on_request(&get);
        faults.on_reply(&get, &reply(body));
    }
    assert_eq!(faults.recorded().iter().map(|read| read.is_news).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!(faults.first_reply(&get).map(|first| first.body), Some(reply("1").body));
    faults.on_reply(&get, &ApiReply { status: StatusCode::FORBIDDEN, ..reply("exceeded quota: q") });
    assert_eq!((faults.refusals("quota"), faults.refusals("limit")), (1, 0));
}

#[tokio::test]
async fn who_waits_for_a_point_goes_on_once_it_is_reached() {
    let faults = Faults::new(None);
    let point = "get:services/a:2".parse().expect("a point");
    let send = async {
        for _ in 0..2 {
            tokio::task::yield_now().await;
            faults.on_request(&request("GET /api/v1/services/a"));
        }
    };
    tokio::join!(faults.until(&point), send);
    faults.until(&point).await;
    assert_eq!(faults.counts(), Counts { requests: 2, writes: 0 });
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
