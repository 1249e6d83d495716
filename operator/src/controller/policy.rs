//! A policy as the API server returns it. While the CustomResourceDefinition is newer than the operator, which happens
//! during an upgrade and a downgrade, a policy can have fields that this version does not know.

use crds::{RoutingPolicy, depth, document};
use serde_json::Value;

/// A policy, or why it cannot be read, and its fields that this version does not know.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The policy as this version knows it, or why it cannot be read: the parser's own words.
    pub read: Result<RoutingPolicy, String>,
    /// The fields of its spec that this version does not know.
    pub unknown: Vec<UnknownField>,
}

impl Policy {
    /// Reads the API server's answer. Its depth is measured first: the API server takes deeper policies than any parser.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let unreadable = |error| Self { read: Err(error), unknown: vec![] };
        let depth = depth::of_json(text);
        if depth > depth::MAX {
            return unreadable(format!(
                "it is nested {depth} levels deep; at most {} are allowed: simplify spec.skills[].inputSchema or \
                 spec.models.*.parameters",
                depth::MAX
            ));
        }
        match serde_json::from_str::<Value>(text) {
            Ok(raw) => {
                let unknown = unknown(&raw);
                Self { read: serde_json::from_value(raw).map_err(|e| e.to_string()), unknown }
            }
            Err(error) => unreadable(error.to_string()),
        }
    }
}

/// A field that this version does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownField {
    /// Its path, for example `spec.skills[0].field`.
    pub path: String,
    value: Value,
}

impl UnknownField {
    /// Inserts the field into a spec as JSON, at its path; does nothing if the parent does not exist.
    pub fn put_into(&self, spec: &mut Value) {
        let pointer = pointer(&self.path);
        let Some((parent, name)) = pointer.strip_prefix("/spec").and_then(|below| below.rsplit_once('/')) else {
            return;
        };
        if let Some(fields) = spec.pointer_mut(parent).and_then(Value::as_object_mut) {
            fields.insert(name.into(), self.value.clone());
        }
    }
}

/// The JSON pointer for a path: `/spec/skills/0/field` for `spec.skills[0].field`.
fn pointer(path: &str) -> String {
    format!("/{}", path.replace(['.', '['], "/").replace(']', ""))
}

/// The fields of a policy's spec that this version does not know.
fn unknown(raw: &Value) -> Vec<UnknownField> {
    // Not those of the status: the operator writes it, and an operator of another version may have left fields in it.
    let paths = document::unknown_fields(raw).into_iter().filter(|path| path.starts_with("spec."));
    let found = paths.filter_map(|path| Some(UnknownField { value: raw.pointer(&pointer(&path))?.clone(), path }));
    found.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(spec: &Value) -> Policy {
        let metadata = json!({"name": "edge", "managedFields": [{"manager": "kubectl"}]});
        let policy = json!({"apiVersion": "routing.hyperguild.io/v1alpha1", "kind": "RoutingPolicy",
            "metadata": metadata, "spec": spec, "status": {"newer": 1}});
        Policy::parse(&policy.to_string())
    }

    #[test]
    fn fields_that_this_version_does_not_know_are_kept() {
        let spec = json!({"upstream": {"url": "http://a", "newer": true}, "futureField": {"a": [1]},
            "models": {"local": {"name": "l", "parameters": {"anything": 1}}, "claude": {"name": "c"}},
            "skills": [{"name": "debug"}, {"name": "trainer", "retries": 2}]});
        let policy = policy(&spec);
        let known = policy.read.as_ref().expect("read");
        assert_eq!((known.spec.upstream.url.as_str(), known.metadata.name.as_deref()), ("http://a", Some("edge")));
        let paths: Vec<&str> = policy.unknown.iter().map(|field| field.path.as_str()).collect();
        assert_eq!(paths, ["spec.upstream.newer", "spec.futureField", "spec.skills[1].retries"]);

        let mut rendered = json!({"upstream": {"url": "http://a"}, "skills": [{"name": "debug"}, {"name": "trainer"}]});
        policy.unknown.iter().for_each(|field| field.put_into(&mut rendered));
        assert_eq!(
            rendered,
            json!({"upstream": {"url": "http://a", "newer": true}, "futureField": {"a": [1]},
                "skills": [{"name": "debug"}, {"name": "trainer", "retries": 2}]})
        );
        let mut without_its_place = json!({"skills": []});
        policy.unknown[2].put_into(&mut without_its_place);
        assert_eq!(without_its_place, json!({"skills": []}));
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_the_reason() {
        let refusal = |spec: &Value| policy(spec).read.expect_err("not a policy");
        assert!(refusal(&json!({"upstream": 1})).contains("invalid type"), "{}", refusal(&json!({"upstream": 1})));
        let nested = |depth| (0..depth).fold(json!(1), |inner, _| json!({"not": inner}));
        let of_depth = |depth| json!({"skills": [{"name": "notes", "inputSchema": nested(depth)}]});
        assert!(refusal(&of_depth(depth::MAX)).contains("levels deep; at most 100 are allowed"));
        assert!(!refusal(&of_depth(depth::MAX - 10)).contains("levels deep"));
    }
}
