//! What becomes of the events of a watch on their way: line by line, as the API server sends them.

use std::{collections::VecDeque, io, sync::Arc, time::Duration};

use axum::{
    BoxError,
    body::{Body, BodyDataStream, Bytes},
};
use futures::{StreamExt, future, stream};
use serde_json::{Value, json};

use super::{
    api_request::{ApiRequest, resource_of},
    fault::Act,
    faults::Faults,
};

/// Longest wait for the event that another is to come after.
const SWAPPED_WITHIN: Duration = Duration::from_secs(5);
/// Changes of objects; bookmarks and errors are none.
const CHANGES: [&str; 3] = ["ADDED", "MODIFIED", "DELETED"];
/// Objects whose names differ from run to run.
const WITH_RANDOM_NAMES: [&str; 1] = ["pods"];
/// The event of a watch whose version the API server has no more.
const GONE: &[u8] = br#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version","reason":"Expired","code":410}}
"#;

/// The body of a watch with the faults of its operator; `first` is what happens to its first event.
pub fn perturbed(body: Body, watch: &ApiRequest, first: Option<Act>, faults: Arc<Faults>) -> Body {
    let (chunks, resource) = (body.into_data_stream(), resource_of(&watch.key).to_string());
    let events = Events { chunks, resource, read: vec![], due: VecDeque::new(), ended: None, first, faults };
    Body::from_stream(stream::unfold(events, |mut events| async move { Some((events.next().await?, events)) }))
}

/// The body of a watch that brings nothing but a bookmark of the version where it begins, and ends after a time.
pub fn bookmark_only(watch: &ApiRequest, time: Duration) -> Body {
    let object = json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": watch.version}});
    let line = format!("{}\n", json!({"type": "BOOKMARK", "object": object}));
    let silence = stream::once(tokio::time::sleep(time)).filter_map(|()| future::ready(None));
    Body::from_stream(stream::iter([Line::Ok(line.into())]).chain(silence))
}

/// One line, or why there is none.
type Line = Result<Bytes, BoxError>;

struct Events {
    chunks: BodyDataStream,
    /// What it watches.
    resource: String,
    /// What has come and is not a whole line yet.
    read: Vec<u8>,
    /// What is given next, before anything else.
    due: VecDeque<Bytes>,
    /// It ends after what is due, with an error or without.
    ended: Option<EarlyEnd>,
    /// What happens to the next event.
    first: Option<Act>,
    faults: Arc<Faults>,
}

/// How a watch ends early.
#[derive(Clone, Copy, PartialEq, Eq)]
enum EarlyEnd {
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
                Some(EarlyEnd::Cut) => {
                    self.ended = Some(EarlyEnd::Over);
                    return Some(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()));
                }
                Some(EarlyEnd::Calmly | EarlyEnd::Over) => return None,
                None => {}
            }
            let line = match self.line().await? {
                Ok(line) => line,
                Err(error) => {
                    self.faults.on_broken();
                    return Some(Err(error));
                }
            };
            match self.act_on(&line) {
                None => self.due.push_back(line),
                Some(act) => self.act(act, line).await,
            }
        }
    }

    /// What happens to a line, if it is an event.
    fn act_on(&mut self, line: &[u8]) -> Option<Act> {
        let act = self.faults.on_event(&key(&self.resource, line)?);
        self.first.take().or(act)
    }

    async fn act(&mut self, act: Act, line: Bytes) {
        match act {
            Act::Hold(time) => {
                tokio::time::sleep(time).await;
                self.due.push_back(line);
            }
            Act::Twice => self.due.extend([line.clone(), line]),
            Act::Swap => {
                let (next, others) = self.next_event().await;
                let is_swapped = next.is_some();
                self.due.extend(next.into_iter().chain([line]).chain(others));
                if !is_swapped {
                    return;
                }
            }
            Act::Drop => {}
            Act::End => self.ended = Some(EarlyEnd::Calmly),
            Act::CutInside => {
                self.due.push_back(line.slice(..line.len() / 2));
                self.ended = Some(EarlyEnd::Cut);
            }
            Act::Gone => {
                self.due.push_back(Bytes::from_static(GONE));
                self.ended = Some(EarlyEnd::Calmly);
            }
            // Of requests.
            _ => return self.due.push_back(line),
        }
        self.faults.strike();
    }

    /// The next event, if it comes soon, and the other lines before it.
    async fn next_event(&mut self) -> (Option<Bytes>, Vec<Bytes>) {
        let mut others = vec![];
        let found = tokio::time::timeout(SWAPPED_WITHIN, async {
            while let Some(Ok(line)) = self.line().await {
                if let Some(key) = key(&self.resource, &line) {
                    // Recorded as every other; one fault at a time happens.
                    let _ = self.faults.on_event(&key);
                    return Some(line);
                }
                others.push(line);
            }
            None
        });
        let found = found.await.ok().flatten();
        (found, others)
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

/// The key of an event of a resource; none: the line is no change of an object.
fn key(resource: &str, line: &[u8]) -> Option<String> {
    let event: Value = serde_json::from_slice(line).ok()?;
    let kind = event["type"].as_str().filter(|kind| CHANGES.contains(kind))?;
    let name = event["object"]["metadata"]["name"].as_str().filter(|_| !WITH_RANDOM_NAMES.contains(&resource));
    Some(match name {
        Some(name) => format!("event:{kind}:{resource}/{name}"),
        None => format!("event:{kind}:{resource}"),
    })
}

#[cfg(test)]
mod tests;
