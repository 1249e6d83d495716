//! Policies as values: a test merges its changes into a base. Their text is JSON, which YAML parsers read, too.

use std::fmt;

use serde_json::{Value, json};

/// A policy document.
#[derive(Clone, Debug)]
pub struct Policy(Value);

impl Policy {
    /// A policy with one upstream and the models `l` and `c`.
    #[must_use]
    pub fn at(upstream: &str) -> Self {
        Self::of("routing", &base(upstream, "l", "c"))
    }

    /// A policy with this name and exactly this spec.
    #[must_use]
    pub fn of(name: &str, spec: &Value) -> Self {
        Self(json!({
            "apiVersion": "routing.hyperguild.io/v1alpha1",
            "kind": "RoutingPolicy",
            "metadata": {"name": name},
            "spec": spec,
        }))
    }

    /// With another local model.
    #[must_use]
    pub fn local(self, model: &str) -> Self {
        self.spec(json!({"models": {"local": {"name": model}}}))
    }

    /// With another model for the calls that do not go to the local one.
    #[must_use]
    pub fn claude(self, model: &str) -> Self {
        self.spec(json!({"models": {"claude": {"name": model}}}))
    }

    /// With changes of the spec, see [`merged`].
    #[must_use]
    pub fn spec(self, changes: Value) -> Self {
        Self(merged(self.0, json!({"spec": changes})))
    }

    /// With an annotation.
    #[must_use]
    pub fn annotation(self, name: &str, value: &str) -> Self {
        Self(merged(self.0, json!({"metadata": {"annotations": {name: value}}})))
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.0)
    }
}

/// The text of a policy as people write it, one field a line: for tests of the lines and columns in messages. `more`
/// are further lines of the spec, from line 7 on.
#[must_use]
pub fn written(upstream: &str, local: &str, more: &str) -> String {
    let more: String = more.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "apiVersion: routing.hyperguild.io/v1alpha1\nkind: RoutingPolicy\nmetadata: {{name: routing}}\nspec:\n  \
         upstream: {{url: {upstream}}}\n  models: {{local: {{name: {local}}}, claude: {{name: c}}}}\n{more}"
    )
}

/// A spec with one upstream and two models.
#[must_use]
pub fn base(upstream: &str, local: &str, claude: &str) -> Value {
    json!({"upstream": {"url": upstream}, "models": {"local": {"name": local}, "claude": {"name": claude}}})
}

/// A value with changes, as by JSON Merge Patch (RFC 7386): objects merge by key, null removes a key, everything else
/// replaces what is there.
#[must_use]
pub fn merged(value: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else { return changes };
    let Value::Object(mut fields) = value else { return merged(json!({}), Value::Object(changes)) };
    for (key, change) in changes {
        if change.is_null() {
            fields.remove(&key);
        } else {
            let field = fields.entry(key).or_insert(Value::Null);
            *field = merged(field.take(), change);
        }
    }
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cases of RFC 7386, appendix A.
    #[test]
    fn changes_are_merged_as_the_rfc_says() {
        for (value, changes, expected) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a": "b"}), json!(["c"]), json!(["c"])),
            (json!({"a": "foo"}), json!(null), json!(null)),
            (json!({"a": "foo"}), json!("bar"), json!("bar")),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            assert_eq!(merged(value.clone(), changes.clone()), expected, "{value} with {changes}");
        }
    }
}
