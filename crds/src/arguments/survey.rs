//! How much work a schema can cause: read from its text, before it is compiled.
//!
//! A validator follows every path through `$ref`, `allOf` and the like, so a schema of a few lines can have more paths
//! than there are atoms. They are counted one by one up to a bound; what is left has a price that is known.

use std::{collections::BTreeSet, ptr};

use serde_json::{Map, Value};

use crate::shown::printable;

/// Most paths through a schema: its subschemas, each counted as often as `$ref` leads to it, and the values of `enum`.
pub const PATHS_MAX: usize = 2000;
/// Longest path, in subschemas.
pub const DEPTH_MAX: usize = 32;
/// They take exponential time to compile, even for few paths.
const UNSUPPORTED: [&str; 2] = ["unevaluatedProperties", "unevaluatedItems"];
/// Longest part of a schema that an error repeats, in characters.
const SHOWN: usize = 80;

/// What a schema consists of.
#[derive(Debug, Default)]
pub(super) struct Survey<'a> {
    /// Paths through the schema.
    pub paths: usize,
    /// Its different patterns.
    pub patterns: BTreeSet<&'a str>,
}

/// Reads a schema from its top.
///
/// # Errors
/// The bound that it exceeds, or what it must not use, with the cure.
pub(super) fn survey(schema: &Value) -> Result<Survey<'_>, String> {
    let mut walk = Walk { root: schema, above: vec![], level: 0, survey: Survey::default() };
    walk.visit(schema)?;
    Ok(walk.survey)
}

/// How often a schema leads back to one that it is part of: the same value, a member or an item of it is then checked
/// that often once more, and the next level that often again.
#[derive(Clone, Copy, Default)]
struct Loops {
    same: usize,
    member: usize,
    /// By `additionalProperties`: about no member that another keyword of the same schema names.
    additional: usize,
    item: usize,
    /// By the schemas for items, of which each item has one.
    position: usize,
}

impl Loops {
    fn member(self) -> usize {
        self.member.max(self.additional)
    }

    fn item(self) -> usize {
        self.item + self.position
    }

    fn below(self) -> usize {
        self.same + self.member().max(self.item())
    }

    /// Adds those of another schema about the same value.
    fn add(&mut self, other: Self) {
        self.same += other.same;
        self.member += other.member();
        self.item += other.item();
    }
}

struct Walk<'a> {
    root: &'a Value,
    /// The schemas that lead here, each with the level of the value that it is about.
    above: Vec<(&'a Value, usize)>,
    level: usize,
    survey: Survey<'a>,
}

impl<'a> Walk<'a> {
    fn visit(&mut self, schema: &'a Value) -> Result<Loops, String> {
        self.count(1)?;
        let Value::Object(keywords) = schema else { return Ok(Loops::default()) };
        if self.above.len() >= DEPTH_MAX {
            return Err(format!("has a path of more than {DEPTH_MAX} subschemas, $ref included; flatten it"));
        }
        self.above.push((schema, self.level));
        if let Some(keyword) = UNSUPPORTED.iter().find(|keyword| keywords.contains_key(**keyword)) {
            return Err(format!("has {keyword}, which is not supported; use additionalProperties or items"));
        }
        let mut loops = Loops::default();
        for (keyword, value) in keywords {
            self.keyword(keyword, value, &mut loops)?;
        }
        self.above.pop();
        if loops.member().max(loops.item()) > 1 {
            return Err("refers to itself more than once for the same value, so that each level of arguments \
                multiplies the work; let it refer to itself once"
                .into());
        }
        Ok(loops)
    }

    fn keyword(&mut self, keyword: &'a str, value: &'a Value, loops: &mut Loops) -> Result<(), String> {
        match keyword {
            "$ref" => loops.add(self.reference(value)?),
            "allOf" | "anyOf" | "oneOf" | "not" | "if" | "then" | "else" | "dependentSchemas" | "dependencies"
            | "contentSchema" => {
                for part in parts(keyword, value) {
                    loops.add(self.visit(part)?);
                }
            }
            "properties" => loops.member += self.greatest(parts(keyword, value))?,
            "patternProperties" => {
                self.survey.patterns.extend(value.as_object().into_iter().flat_map(Map::keys).map(String::as_str));
                for part in parts(keyword, value) {
                    loops.member += self.visit_below(part)?;
                }
            }
            "additionalProperties" => loops.additional = self.visit_below(value)?,
            "propertyNames" => loops.member += self.visit_below(value)?,
            "prefixItems" | "items" | "additionalItems" => {
                loops.position = loops.position.max(self.greatest(parts(keyword, value))?);
            }
            "contains" => loops.item += self.visit_below(value)?,
            "pattern" => self.survey.patterns.extend(value.as_str()),
            "enum" | "required" => self.count(value.as_array().map_or(0, Vec::len))?,
            _ => {}
        }
        Ok(())
    }

    fn count(&mut self, more: usize) -> Result<(), String> {
        self.survey.paths += more;
        if self.survey.paths > PATHS_MAX {
            return Err(format!(
                "has more than {PATHS_MAX} paths: its subschemas, each as often as $ref leads to it, and the values of \
                enum and required; simplify it"
            ));
        }
        Ok(())
    }

    /// A schema for members or items: how often it leads back.
    fn visit_below(&mut self, schema: &'a Value) -> Result<usize, String> {
        self.level += 1;
        let loops = self.visit(schema)?;
        self.level -= 1;
        Ok(loops.below())
    }

    /// Schemas of which at most one is about the same member or item: the highest number of ways that lead back.
    fn greatest(&mut self, schemas: impl IntoIterator<Item = &'a Value>) -> Result<usize, String> {
        schemas.into_iter().try_fold(0, |most, schema| Ok(self.visit_below(schema)?.max(most)))
    }

    fn reference(&mut self, address: &Value) -> Result<Loops, String> {
        let address = address.as_str().unwrap_or_default();
        let shown = printable(address, SHOWN);
        let target = self.target(address).ok_or_else(|| {
            format!("refers to {shown}, which is not in it; write #/$defs/NAME, without % and with one $defs.NAME")
        })?;
        match self.above.iter().find(|(above, _)| ptr::eq(*above, target)) {
            Some((_, level)) if *level == self.level => Err(format!("refers to {shown}, which is itself, without end")),
            Some(_) => {
                self.count(1)?;
                Ok(Loops { same: 1, ..Loops::default() })
            }
            None => self.visit(target),
        }
    }

    fn target(&self, address: &str) -> Option<&'a Value> {
        let fragment = address.strip_prefix('#').filter(|fragment| !fragment.contains('%'))?;
        if fragment.is_empty() || fragment.starts_with('/') {
            return self.root.pointer(fragment);
        }
        let mut anchored = vec![];
        note_anchored(self.root, fragment, &mut anchored);
        if let [only] = anchored[..] { Some(only) } else { None }
    }
}

fn note_anchored<'a>(value: &'a Value, name: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(map) => {
            if map.get("$anchor").and_then(Value::as_str) == Some(name) {
                found.push(value);
            }
            map.values().for_each(|value| note_anchored(value, name, found));
        }
        Value::Array(items) => items.iter().for_each(|item| note_anchored(item, name, found)),
        _ => {}
    }
}

/// The subschemas of a keyword.
fn parts<'a>(keyword: &str, value: &'a Value) -> Vec<&'a Value> {
    match (value, keyword) {
        (Value::Array(schemas), _) => schemas.iter().collect(),
        (Value::Object(by_name), "properties" | "patternProperties" | "dependentSchemas" | "dependencies") => {
            by_name.values().collect()
        }
        _ => vec![value],
    }
}
