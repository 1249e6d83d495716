use http::Request;

use super::*;
use crate::fault::Fault;

fn watch() -> ApiRequest {
    let uri = "/api/v1/namespaces/a/services?watch=true&resourceVersion=17";
    ApiRequest::of(&Request::builder().uri(uri).body(()).expect("a request"))
}

/// What a body brings: names of events, `.` for a bookmark, `!` for an error, `X` for a connection that ends.
async fn shown(body: Body) -> String {
    let (mut shown, mut lines) = (String::new(), body.into_data_stream());
    while let Some(line) = lines.next().await {
        let Ok(line) = line else {
            shown.push('X');
            continue;
        };
        let event: Value = serde_json::from_slice(&line).unwrap_or_default();
        shown.push_str(match event["type"].as_str() {
            Some("BOOKMARK") => ".",
            Some("ERROR") => "!",
            Some(_) => event["object"]["metadata"]["name"].as_str().unwrap_or_default(),
            None => "half",
        });
    }
    shown
}

/// What comes of three events, in chunks that are no lines, with this fault, and how often it struck.
async fn given(fault: Option<Fault>, first: Option<Act>) -> (String, u64) {
    let event = |name: &str| format!("{}\n", json!({"type": "ADDED", "object": {"metadata": {"name": name}}}));
    let sent = [r#"{"type":"BOOKMARK"}"#, "\n", &event("a"), &event("b"), &event("c")].concat();
    let chunks: Vec<Line> = sent.as_bytes().chunks(7).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    let faults = Arc::new(Faults::new(fault));
    let body = perturbed(Body::from_stream(stream::iter(chunks)), &watch(), first, Arc::clone(&faults));
    (shown(body).await, faults.strikes())
}

#[tokio::test]
async fn each_fault_does_to_the_events_what_it_says_and_counts_only_if_it_did() {
    for (act, name, expected, strikes) in [
        (Act::Hold(Duration::from_millis(1)), "a", ".abc", 1),
        (Act::Twice, "b", ".abbc", 1),
        (Act::Swap, "a", ".bac", 1),
        (Act::Swap, "c", ".abc", 0),
        (Act::Drop, "b", ".ac", 1),
        (Act::End, "b", ".a", 1),
        (Act::CutInside, "b", ".ahalfX", 1),
        (Act::Gone, "c", ".ab!", 1),
        (Act::Twice, "d", ".abc", 0),
    ] {
        let point = format!("event:ADDED:services/{name}:1").parse().expect("a point");
        let given = given(Some(Fault { point, act, times: 1 }), None).await;
        assert_eq!(given, (expected.to_string(), strikes), "{act:?} {name}");
    }
    assert_eq!(given(None, Some(Act::CutInside)).await, (".halfX".to_string(), 1), "of the watch itself");
}

#[tokio::test]
async fn a_watch_of_a_bookmark_only_begins_and_ends_where_it_was_to_begin() {
    let mut lines = bookmark_only(&watch(), Duration::ZERO).into_data_stream();
    let line = lines.next().await.expect("a line").expect("no error");
    let event: Value = serde_json::from_slice(&line).expect("JSON");
    assert_eq!((&event["type"], &event["object"]["metadata"]["resourceVersion"]), (&json!("BOOKMARK"), &json!("17")));
    assert!(lines.next().await.is_none());
}

#[test]
fn an_event_is_known_by_type_resource_and_name_unless_the_name_is_random() {
    let line = |kind: &str| json!({"type": kind, "object": {"metadata": {"name": "edge"}}}).to_string();
    for (resource, line, expected) in [
        ("services", line("MODIFIED"), Some("event:MODIFIED:services/edge")),
        ("pods", line("ADDED"), Some("event:ADDED:pods")),
        ("pods", line("BOOKMARK"), None),
        ("pods", "half".into(), None),
    ] {
        assert_eq!(key(resource, line.as_bytes()).as_deref(), expected, "{line}");
    }
}
