//! Finds the position of a field in a YAML text.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::Spanned;

use super::Position;

/// The shape of a document with the position of every node.
enum Node {
    Scalar,
    Sequence(Vec<Spanned<Node>>),
    Mapping(Vec<(Spanned<String>, Spanned<Node>)>),
}

pub(super) fn position(text: &str, path: &str) -> Option<Position> {
    let root: Spanned<Node> = serde_saphyr::from_str(text).ok()?;
    let mut node = &root;
    let mut found = None;
    for step in steps(path) {
        let next = match &node.value {
            Node::Mapping(fields) => {
                fields.iter().find(|(key, _)| key.value == step).map(|(key, value)| (at(key), value))
            }
            Node::Sequence(items) => step.parse().ok().and_then(|i: usize| items.get(i)).map(|item| (at(item), item)),
            Node::Scalar => None,
        };
        let Some((position, value)) = next else { break };
        (found, node) = (Some(position), value);
    }
    found
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
        let mut nodes = vec![];
        while let Some(item) = items.next_element()? {
            nodes.push(item);
        }
        Ok(Node::Sequence(nodes))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Node, A::Error> {
        let mut nodes = vec![];
        while let Some(field) = fields.next_entry()? {
            nodes.push(field);
        }
        Ok(Node::Mapping(nodes))
    }
}
