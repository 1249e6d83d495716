//! A request of an operator and the reply to it, as far as faults distinguish them.

use std::{fmt, time::Duration};

use axum::body::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri, header::CONTENT_TYPE};
use operator::client::{LEASE_TIMEOUT, SILENCE_MAX};
use serde_json::Value;
use url::form_urlencoded;

/// A request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApiRequest {
    /// What it asks for, `VERB:RESOURCE/NAME`: the same in every run and every namespace. A list has what it selects by, as
    /// `list:pods[routing]`; what has a random name has none.
    pub key: String,
    /// The `resourceVersion` that it names.
    pub version: Option<String>,
    method: Method,
    uri: Uri,
}

/// What happens in a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// A request to read once.
    Read,
    /// A request to change something.
    Write,
    /// A request to be told of changes.
    Watch,
    /// A change that a watch tells of.
    Event,
    /// A request to read the lease.
    LeaseRead,
    /// A request to change the lease.
    LeaseWrite,
}

impl ApiRequest {
    /// What a request asks for.
    pub fn of<B>(request: &Request<B>) -> Self {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let parameter = |name: &str| {
            let mut all = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
            all.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        let below = below_namespace(uri.path());
        let content = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let verb = match method {
            Method::GET if parameter("watch").is_some() => "watch",
            Method::GET if below.len() > 1 => "get",
            Method::GET => "list",
            _ if parameter("dryRun").is_some() => "dry-run",
            Method::POST => "create",
            Method::DELETE => "delete",
            Method::PATCH if content.starts_with("application/apply-patch") => "apply",
            Method::PATCH => "patch",
            _ => "update",
        };
        let selected = parameter("labelSelector").map(|selector| first_value(&selector)).unwrap_or_default();
        let (key, version) =
            (format!("{verb}:{}{selected}", without_random_name(&below)), parameter("resourceVersion"));
        Self { key, version, method, uri }
    }

    /// What it is for.
    #[must_use]
    pub fn class(&self) -> Class {
        Class::of_key(&self.key)
    }
}

/// The parts of a path below its namespace, or below the version where there is none.
fn below_namespace(path: &str) -> Vec<&str> {
    let all: Vec<&str> = path.trim_matches('/').split('/').collect();
    let below: &[&str] = match all.as_slice() {
        ["api", _, rest @ ..] | ["apis", _, _, rest @ ..] => rest,
        _ => &[],
    };
    match below {
        ["namespaces", _, rest @ ..] if !rest.is_empty() => rest.to_vec(),
        other => other.to_vec(),
    }
}

fn without_random_name(below: &[&str]) -> String {
    match below {
        [resource @ ("pods" | "events"), _, rest @ ..] => [&[*resource][..], rest].concat().join("/"),
        all => all.join("/"),
    }
}

/// The value of a selector's first requirement, in brackets.
fn first_value(selector: &str) -> String {
    let first = selector.split(',').next().and_then(|requirement| requirement.split_once('='));
    first.map(|(_, value)| format!("[{value}]")).unwrap_or_default()
}

/// The resource of a key, whatever begins it.
#[must_use]
pub fn resource_of(key: &str) -> &str {
    let what = key.rsplit(':').next().unwrap_or_default();
    what.split(['/', '[']).next().unwrap_or_default()
}

impl Class {
    /// What the key of a point stands for.
    #[must_use]
    pub fn of_key(key: &str) -> Self {
        let verb = key.split(':').next().unwrap_or_default();
        match (verb, resource_of(key) == "leases") {
            ("event", _) => Self::Event,
            ("watch", _) => Self::Watch,
            ("get" | "list", false) => Self::Read,
            ("get" | "list", true) => Self::LeaseRead,
            (_, false) => Self::Write,
            (_, true) => Self::LeaseWrite,
        }
    }

    /// How long the operator's client waits for an answer.
    #[must_use]
    pub fn silence_max(self) -> Duration {
        match self {
            Self::LeaseRead | Self::LeaseWrite => LEASE_TIMEOUT,
            Self::Read | Self::Write | Self::Watch | Self::Event => SILENCE_MAX,
        }
    }
}

impl fmt::Display for ApiRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.uri)
    }
}

/// A reply.
#[derive(Clone)]
pub struct ApiReply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl ApiReply {
    /// Whether another reply to the same question tells nothing new. Each list has another version: what it lists counts.
    #[must_use]
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        let items = self.items();
        self.status == other.status && (self.body == other.body || items.is_some() && items == other.items())
    }

    fn items(&self) -> Option<Value> {
        serde_json::from_slice::<Value>(&self.body).ok()?.get_mut("items").map(Value::take)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_in_each_namespace_and_tells_requests_apart() {
        let selector = "labelSelector=app.kubernetes.io%2Fname%3Drouting%2Capp.kubernetes.io%2Finstance%3Dedge";
        let pods = format!("GET /api/v1/namespaces/a/pods?&{selector}&limit=200");
        for (line, content, key, class) in [
            ("GET /api/v1/namespaces/a/services/edge", "", "get:services/edge", Class::Read),
            ("GET /api/v1/namespaces/b/services/edge?", "", "get:services/edge", Class::Read),
            (pods.as_str(), "", "list:pods[routing]", Class::Read),
            ("GET /api/v1/pods?watch=true&resourceVersion=7", "", "watch:pods", Class::Watch),
            (
                "PATCH /apis/apps/v1/namespaces/a/deployments/edge?&force=true&fieldManager=x",
                "application/apply-patch+yaml",
                "apply:deployments/edge",
                Class::Write,
            ),
            (
                "PATCH /apis/apps/v1/namespaces/a/deployments/edge?dryRun=All",
                "application/apply-patch+yaml",
                "dry-run:deployments/edge",
                Class::Write,
            ),
            (
                "PATCH /apis/routing.hyperguild.io/v1alpha1/namespaces/a/routingpolicies/edge/status?",
                "application/json-patch+json",
                "patch:routingpolicies/edge/status",
                Class::Write,
            ),
            ("PATCH /api/v1/namespaces/a/pods/edge-7d-x2?", "application/merge-patch+json", "patch:pods", Class::Write),
            ("POST /apis/events.k8s.io/v1/namespaces/a/events?", "", "create:events", Class::Write),
            ("DELETE /api/v1/namespaces/a/services/edge-lb?", "", "delete:services/edge-lb", Class::Write),
            ("GET /apis/coordination.k8s.io/v1/namespaces/a/leases/l", "", "get:leases/l", Class::LeaseRead),
            (
                "PATCH /apis/coordination.k8s.io/v1/namespaces/a/leases/l?",
                "application/strategic-merge-patch+json",
                "patch:leases/l",
                Class::LeaseWrite,
            ),
        ] {
            let (method, uri) = line.split_once(' ').expect("two words");
            let request = Request::builder().method(method).uri(uri).header(CONTENT_TYPE, content).body(());
            let request = ApiRequest::of(&request.expect("a request"));
            assert_eq!((request.key.as_str(), request.class()), (key, class), "{line}");
        }
        assert_eq!(Class::of_key("event:ADDED:services/edge"), Class::Event);
        assert_eq!(["watch:pods[x]", "event:ADDED:pods", "get:pods/a"].map(resource_of), ["pods"; 3]);
    }

    #[test]
    fn a_list_says_the_same_as_long_as_it_lists_the_same() {
        let reply = |status: StatusCode, body: &str| ApiReply {
            status,
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        };
        let list = |version: u8, item: u8| {
            reply(StatusCode::OK, &format!(r#"{{"metadata": {{"resourceVersion": "{version}"}}, "items": [{item}]}}"#))
        };
        let (object, missing) = (reply(StatusCode::OK, "{}"), reply(StatusCode::NOT_FOUND, "{}"));
        assert!(list(1, 5).says_the_same_as(&list(2, 5)) && object.says_the_same_as(&object));
        assert!(!list(1, 5).says_the_same_as(&list(1, 6)) && !object.says_the_same_as(&missing));
        assert!(!object.says_the_same_as(&reply(StatusCode::OK, "{ }")));
    }
}
