//! What the largest schemas that are allowed need of memory. In a process of its own: other tests need some, too.

use crds::{
    arguments::{ArgumentSchema, PATTERNS_MAX},
    policy::skill::SKILLS_MAX,
};
use serde_json::{Map, Value, json};

/// What all of it may need, in MiB: the smallest default memory limit of a pod is some times this.
const MOST: usize = 100;

fn compile(schema: Value) -> Result<ArgumentSchema, Vec<String>> {
    ArgumentSchema::compile(schema.as_object().expect("an object"))
}

/// Memory of this process, in bytes.
fn memory() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let resident = pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    resident.expect("a number of pages") * 4096
}

/// What `work` leaves this process with, in MiB; its result is kept until then.
fn needed<T>(work: impl FnOnce() -> T) -> usize {
    let before = memory();
    let _kept = work();
    memory().saturating_sub(before) / 1024 / 1024
}

/// As many patterns as allowed, each as large as allowed, built and used.
fn patterns() -> ArgumentSchema {
    let one = |repeated: usize| {
        compile(json!({"type": "object", "properties": {"a": {"pattern": format!(".{{{repeated}}}")}}})).is_ok()
    };
    let largest = (1..120).rev().find(|repeated| one(*repeated)).expect("some size is allowed");
    let patterns: Map<String, Value> =
        (0..PATTERNS_MAX).map(|i| (format!(".{{{}}}{i}", largest - 2), json!({"type": "string"}))).collect();
    let schema =
        json!({"type": "object", "properties": {"a": {"patternProperties": patterns, "additionalProperties": false}}});
    let schema = compile(schema).expect("a schema");
    let long: Map<String, Value> = (0..100).map(|i| (format!("{i}{}", "ä".repeat(largest)), json!("x"))).collect();
    assert!(schema.check(json!({"a": long}).as_object().expect("object").clone()).is_err());
    schema
}

/// As many skills as allowed, each with as many paths as allowed.
fn paths() -> Vec<ArgumentSchema> {
    let all = |part: &Value| json!({"allOf": vec![part; 42]});
    let schema = json!({"type": "object", "$defs": {"d": all(&json!({"type": "number"}))},
        "properties": {"a": all(&json!({"$ref": "#/$defs/d"}))}});
    (0..SKILLS_MAX).map(|_| compile(schema.clone()).expect("a schema")).collect()
}

// One test: two would run at the same time.
#[test]
fn the_largest_schemas_that_are_allowed_need_little_memory() {
    let (patterns, paths) = (needed(patterns), needed(paths));
    assert!(patterns < MOST, "{patterns} MiB for {PATTERNS_MAX} patterns");
    assert!(paths < MOST, "{paths} MiB for {SKILLS_MAX} skills");
}
