//! Finds the positions of fields in a YAML text.

use std::{cell::Cell, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::Spanned;

use super::{Position, select, yaml};

/// Deepest field that has a position of its own, as deep as the resource's own fields are. Each level needs much stack.
const DEPTH_MAX: usize = 16;

thread_local! {
    /// How deep the node is that is being read.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// One level more, for as long as it lives.
struct Level;

impl Level {
    fn below() -> Self {
        DEPTH.set(DEPTH.get() + 1);
        Self
    }

    fn is_too_deep() -> bool {
        DEPTH.get() > DEPTH_MAX
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// The shape of a document with the position of every node.
enum Node {
    Scalar,
    Sequence(Vec<Spanned<Node>>),
    Mapping(Vec<(Spanned<String>, Spanned<Node>)>),
}

/// The positions of the fields of a policy. The text is parsed once for all of them.
pub struct Positions(Option<Spanned<Node>>);

impl Positions {
    /// Reads the text of a policy. If it cannot be read, no field has a position.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let parsed = |text: &str| serde_saphyr::from_str_with_options(text, yaml()).ok();
        Self(select::policy(text).ok().and_then(|selected| parsed(&selected.text)))
    }

    /// The position of a field, or of the nearest field around it that is there.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<Position> {
        let mut node = self.0.as_ref()?;
        let mut found = None;
        for step in steps(path) {
            let next = match &node.value {
                Node::Mapping(fields) => {
                    fields.iter().find(|(key, _)| key.value == step).map(|(key, value)| (at(key), value))
                }
                Node::Sequence(items) => {
                    step.parse().ok().and_then(|i: usize| items.get(i)).map(|item| (at(item), item))
                }
                Node::Scalar => None,
            };
            let Some((position, value)) = next else { break };
            (found, node) = (Some(position), value);
        }
        found
    }
}

fn at<T>(spanned: &Spanned<T>) -> Position {
    Position { line: spanned.referenced.line(), column: spanned.referenced.column() }
}

/// `spec.skills[2].name` as spec, skills, 2, name.
fn steps(path: &str) -> impl Iterator<Item = &str> {
    path.split(['.', '[']).map(|step| step.trim_end_matches(']'))
}

/// `spec.skills.2.name` as `spec.skills[2].name`, the form that every other error uses.
pub(super) fn bracketed(path: &str) -> String {
    let mut out = String::new();
    for step in path.split('.').filter(|step| *step != "?") {
        match (out.is_empty(), step.parse::<usize>()) {
            (_, Ok(index)) => out += &format!("[{index}]"),
            (true, Err(_)) => out += step,
            (false, Err(_)) => out += &format!(".{step}"),
        }
    }
    out
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }
    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Scalar)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }
    fn visit_str<E>(self, _: &str) -> Result<Node, E> {
        Ok(Node::Scalar)
    }
    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let _level = Level::below();
        if Level::is_too_deep() {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Node::Scalar);
        }
        let mut nodes = vec![];
        while let Some(item) = items.next_element()? {
            nodes.push(item);
        }
        Ok(Node::Sequence(nodes))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Node, A::Error> {
        let _level = Level::below();
        if Level::is_too_deep() {
            while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Node::Scalar);
        }
        let mut nodes = vec![];
        while let Some(field) = fields.next_entry()? {
            nodes.push(field);
        }
        Ok(Node::Mapping(nodes))
    }
}
