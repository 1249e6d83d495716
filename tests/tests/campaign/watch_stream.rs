//! What becomes of the events of a watch on their way: line by line, as the API server sends them.

use std::{collections::VecDeque, io, sync::Arc, time::Duration};

use axum::{
    BoxError,
    body::{Body, BodyDataStream, Bytes},
};
use futures::{StreamExt, stream};

use super::{
    fault::{Act, Fault, Target},
    faults::Faults,
};

/// Longest wait for the event that another is to come after.
const SWAPPED_WITHIN: Duration = Duration::from_secs(5);
/// Changes of objects; bookmarks are none.
const CHANGES: [&[u8]; 3] = [br#"{"type":"ADDED""#, br#"{"type":"MODIFIED""#, br#"{"type":"DELETED""#];
/// The event of a watch whose version the API server has no more.
const GONE: &[u8] = br#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version","reason":"Expired","code":410}}
"#;

/// The body of a watch with the faults of its operator.
pub fn perturbed(body: Body, faults: Arc<Faults>) -> Body {
    let chunks = body.into_data_stream();
    let events = Events { chunks, read: vec![], due: VecDeque::new(), ended: None, faults };
    Body::from_stream(stream::unfold(events, |mut events| async move { Some((events.next().await?, events)) }))
}

/// One line, or why there is none.
type Line = Result<Bytes, BoxError>;

struct Events {
    chunks: BodyDataStream,
    /// What has come and is not a whole line yet.
    read: Vec<u8>,
    /// What is given next, before anything else.
    due: VecDeque<Bytes>,
    /// It ends after what is due, with an error or without.
    ended: Option<End>,
    faults: Arc<Faults>,
}

/// How a watch ends early.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Calmly,
    Cut,
    Over,
}

impl Events {
    async fn next(&mut self) -> Option<Line> {
        loop {
            if let Some(due) = self.due.pop_front() {
                return Some(Ok(due));
            }
            match self.ended {
                Some(End::Cut) => {
                    self.ended = Some(End::Over);
                    return Some(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()));
                }
                Some(End::Calmly | End::Over) => return None,
                None => {}
            }
            let line = match self.line().await? {
                Ok(line) => line,
                Err(error) => return Some(Err(error)),
            };
            let is_change = CHANGES.iter().any(|change| line.starts_with(change));
            match is_change.then(|| self.faults.meets_event()).flatten() {
                None => self.due.push_back(line),
                Some(act) => self.act(act, line).await,
            }
        }
    }

    async fn act(&mut self, act: Act, line: Bytes) {
        match act {
            Act::Hold(time) => {
                tokio::time::sleep(time).await;
                self.due.push_back(line);
            }
            Act::Twice => self.due.extend([line.clone(), line]),
            Act::Swap => {
                let next = tokio::time::timeout(SWAPPED_WITHIN, self.line()).await;
                self.due.extend(next.ok().flatten().and_then(Result::ok));
                self.due.push_back(line);
            }
            Act::Drop => {}
            Act::End => self.ended = Some(End::Calmly),
            Act::CutInside => {
                self.due.push_back(line.slice(..line.len() / 2));
                self.ended = Some(End::Cut);
            }
            Act::Gone => {
                self.due.push_back(Bytes::from_static(GONE));
                self.ended = Some(End::Calmly);
            }
            // Of requests.
            _ => self.due.push_back(line),
        }
    }

    /// The next line, with its end.
    async fn line(&mut self) -> Option<Line> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let rest = self.read.split_off(end + 1);
                return Some(Ok(std::mem::replace(&mut self.read, rest).into()));
            }
            match self.chunks.next().await {
                Some(Ok(chunk)) => self.read.extend_from_slice(&chunk),
                Some(Err(error)) => return Some(Err(error.into())),
                None if self.read.is_empty() => return None,
                None => return Some(Ok(std::mem::take(&mut self.read).into())),
            }
        }
    }
}

/// What comes of three events, in chunks that are no lines, when this happens to the n-th.
async fn given(act: Act, nth: u64) -> String {
    let event = |name: &str| format!("{{\"type\":\"ADDED\",\"object\":\"{name}\"}}\n");
    let sent = [r#"{"type":"BOOKMARK"}"#, "\n", &event("a"), &event("b"), &event("c")].concat();
    let chunks: Vec<Result<Bytes, BoxError>> =
        sent.as_bytes().chunks(7).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    let fault = Fault { target: Target::Event, act, nth, times: 1 };
    let body = perturbed(Body::from_stream(stream::iter(chunks)), Arc::new(Faults::new(Some(fault))));
    let mut given = String::new();
    let mut lines = body.into_data_stream();
    while let Some(line) = lines.next().await {
        match line.map(|line| String::from_utf8_lossy(&line).into_owned()) {
            Ok(line) if line.contains("BOOKMARK") => given.push('.'),
            Ok(line) if line.contains("410") => given.push('!'),
            Ok(line) => given.push_str(line.trim_end().split('"').nth(7).unwrap_or("half")),
            Err(_) => given.push('X'),
        }
    }
    given
}

#[tokio::test]
async fn each_fault_does_to_the_events_what_it_says() {
    for (act, nth, expected) in [
        (Act::Hold(Duration::from_millis(1)), 1, ".abc"),
        (Act::Twice, 2, ".abbc"),
        (Act::Swap, 1, ".bac"),
        (Act::Swap, 3, ".abc"),
        (Act::Drop, 2, ".ac"),
        (Act::End, 2, ".a"),
        (Act::CutInside, 2, ".ahalfX"),
        (Act::Gone, 3, ".ab!"),
        (Act::Twice, 4, ".abc"),
    ] {
        assert_eq!(given(act, nth).await, expected, "{act:?} {nth}");
    }
}
