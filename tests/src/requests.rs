//! What the operator asks the API server for, by the API server's audit record.

use std::{collections::BTreeMap, fmt};

use serde_json::Value;

use crate::{control_plane::ControlPlane, operator};

/// A kind of request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// Its verb, as RBAC names it.
    pub verb: String,
    /// What it is for, with its subresource; empty: discovery.
    pub resource: String,
    /// Whether it is for all namespaces.
    pub everywhere: bool,
}

impl Kind {
    fn of(entry: &Value) -> Self {
        let object = &entry["objectRef"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        let subresource = object["subresource"].as_str().map(|name| format!("/{name}")).unwrap_or_default();
        Self {
            verb: text(&entry["verb"]),
            resource: text(&object["resource"]) + &subresource,
            everywhere: object["namespace"].is_null(),
        }
    }

    /// Whether it is a watch, or for the lease that elects the leader.
    #[must_use]
    pub fn is_watch_or_lease(&self) -> bool {
        self.verb == "watch" || self.resource == "leases"
    }

    /// Whether it is the list that a watch of all namespaces begins with: a reconciliation lists one namespace.
    #[must_use]
    pub fn is_list_of_watch(&self) -> bool {
        self.verb == "list" && self.everywhere
    }

    /// Whether it changes something else than the lease.
    #[must_use]
    pub fn is_write(&self) -> bool {
        let writes = ["create", "delete", "deletecollection", "patch", "update"].contains(&self.verb.as_str());
        writes && self.resource != "leases"
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_watch = if self.is_list_of_watch() { " for a watch" } else { "" };
        let resource = if self.resource.is_empty() { "discovery" } else { self.resource.as_str() };
        write!(f, "{} {resource}{of_watch}", self.verb)
    }
}

/// How many requests of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests(BTreeMap<Kind, u64>);

impl Requests {
    /// Those of the operator that ended since the last call; `read` is as of [`ControlPlane::audit_since`].
    pub fn since(plane: &ControlPlane, read: &mut u64) -> Self {
        let mut all = Self::default();
        plane.audit_since(read, |entry| all.note(&entry));
        all
    }

    /// Counts a request that an API server recorded, if the operator sent it.
    pub fn note(&mut self, entry: &Value) {
        // A watch is recorded when it begins, too.
        if entry["user"]["username"] == operator::user().as_str() && entry["stage"] != "ResponseStarted" {
            *self.0.entry(Kind::of(entry)).or_default() += 1;
        }
    }

    /// Counts others, too.
    pub fn add(&mut self, others: &Self) {
        for (kind, count) in &others.0 {
            *self.0.entry(kind.clone()).or_default() += count;
        }
    }

    /// Those of some kinds alone.
    #[must_use]
    pub fn only(mut self, which: impl Fn(&Kind) -> bool) -> Self {
        self.0.retain(|kind, _| which(kind));
        self
    }

    /// How many they are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// Each kind with how many they are, in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = (&Kind, u64)> {
        self.0.iter().map(|(kind, count)| (kind, *count))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn requests_of_watches_are_told_from_those_of_reconciliations() {
        for (verb, object, shown, (watch_or_lease, list_of_watch, write)) in [
            ("watch", json!({"resource": "pods"}), "watch pods", (true, false, false)),
            ("list", json!({"resource": "pods"}), "list pods for a watch", (false, true, false)),
            ("list", json!({"resource": "pods", "namespace": "a"}), "list pods", (false, false, false)),
            ("patch", json!({"resource": "leases", "namespace": "a"}), "patch leases", (true, false, false)),
            (
                "patch",
                json!({"resource": "routingpolicies", "subresource": "status", "namespace": "a"}),
                "patch routingpolicies/status",
                (false, false, true),
            ),
            ("get", json!(null), "get discovery", (false, false, false)),
        ] {
            let kind = Kind::of(&json!({"verb": verb, "objectRef": object}));
            assert_eq!(kind.to_string(), shown);
            let found = (kind.is_watch_or_lease(), kind.is_list_of_watch(), kind.is_write());
            assert_eq!(found, (watch_or_lease, list_of_watch, write), "{shown}");
        }
    }
}
