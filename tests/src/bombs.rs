//! Policies that would end, hang or fill a process that takes them: one of each kind, in the form of a spec's changes,
//! with a part of the refusal. The last two are of every kind that `crds` tests, each at more sizes, where it bounds them.

use crds::policy::skill::SKILLS_MAX;
use serde_json::{Map, Value, json};

/// A hostile policy.
#[derive(Clone, Debug)]
pub struct Bomb {
    /// What it is.
    pub name: &'static str,
    /// The changes of a policy's spec.
    pub spec: Value,
    /// What is said about it.
    pub refusal: &'static str,
}

/// One of each kind.
#[must_use]
pub fn all() -> Vec<Bomb> {
    let chain = |start: &str, link: &str, end: &str| of_template(&format!("{start}{}{end}", link.repeat(5000)));
    let operators = "a tag has more than 256 operators, postfixes and brackets; split it";
    let blocks = "more than 64 blocks are open here, each elif counted as one; end some of them before";
    let bomb = |name, spec, refusal| Bomb { name, spec, refusal };
    vec![
        bomb("attributes", chain("{{ args", ".a", " }}"), operators),
        bomb("signs", chain("{{ ", "-", "1 }}"), operators),
        bomb("filters", chain("{{ args", "|e", " }}"), operators),
        bomb("alternatives", chain("{{ ", "1 if 0 else ", "1 }}"), operators),
        bomb("branches", chain("{% if 0 %}", "{% elif 0 %}", "{% endif %}"), blocks),
        bomb("blocks", chain("", "{% if 1 %}", ""), blocks),
        bomb("brackets", chain("{{ ", "[", " }}"), "more than 16 brackets are open here; split the expression"),
        bomb("wrapped values", chain("", "{%set a=[a]%}", ""), "the template has more than 1024 operators"),
        bomb(
            "a value in itself",
            of_template("{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}"),
            "unknown function namespace",
        ),
        bomb("references that double", of_schema(&doubling(false)), "has more than 2000 paths"),
        bomb("unevaluated properties", of_schema(&doubling(true)), "has unevaluatedProperties, which is not supported"),
        bomb("endless references", of_schema(&json!({"$ref": "#/properties/a"})), "which is itself, without end"),
        bomb("many patterns", of_schema(&patterns(".{1}", 180)), "has 180 patterns, and 32 of 32 are left for it"),
        bomb("large patterns", of_schema(&patterns(".{999}", 30)), "needs more than 262144 bytes when compiled"),
        bomb(
            "a deep schema",
            of_schema(&(0..36).fold(json!({}), |below, _| json!({"not": below}))),
            "of more than 32 subsch",
        ),
        bomb("every chain of a template", of_skills(every_chain()), "a tag has more than 256 operators"),
        bomb("every keyword that multiplies", of_skills(every_multiplier()), "has more than 2000 paths"),
    ]
}

impl Bomb {
    /// How many of its skills are refused: all.
    #[must_use]
    pub fn skills(&self) -> usize {
        self.spec["skills"].as_array().map_or(0, Vec::len)
    }
}

fn of_skills(skills: impl Iterator<Item = Value>) -> Value {
    let named = |(i, mut skill): (usize, Value)| {
        skill["name"] = json!(format!("s{i}"));
        skill["description"] = json!("d");
        skill
    };
    json!({"skills": skills.enumerate().map(named).collect::<Vec<_>>()})
}

fn every_chain() -> impl Iterator<Item = Value> {
    let chains: Vec<[String; 3]> =
        serde_json::from_str(include_str!("../../crds/src/template/tests/chains.json")).expect("JSON");
    let template = |[start, link, end]: [String; 3]| {
        let user = format!("{start}{}{end}", link.repeat(1000));
        json!({"inputSchema": {"type": "object"}, "stages": [{"system": {"text": "s"}, "user": user}]})
    };
    chains.into_iter().map(template)
}

fn every_multiplier() -> impl Iterator<Item = Value> {
    let multipliers: Vec<String> =
        serde_json::from_str(include_str!("../../crds/src/arguments/tests/multipliers.json")).expect("JSON");
    let schema = |multiplier: String| {
        let at = |i: usize| {
            let next = format!("#/$defs/d{}", i + 1);
            let text = multiplier.replace('§', &format!(r#"{{"$ref": "{next}"}}"#)).replace("#/$defs/next", &next);
            serde_json::from_str::<Value>(&text).expect("JSON")
        };
        let mut definitions: Map<String, Value> = (0..16).map(|i| (format!("d{i}"), at(i))).collect();
        definitions.insert("d16".into(), json!({"type": "string"}));
        let schema = json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": definitions});
        json!({"inputSchema": schema, "stages": [{"system": {"text": "s"}, "user": "u"}]})
    };
    multipliers.into_iter().map(schema)
}

/// As many references as a policy may have, from as many skills and stages, to the key `k` of the ConfigMap `large`.
#[must_use]
pub fn references() -> Value {
    let stage = json!({"system": {"configMapKeyRef": {"name": "large", "key": "k"}}, "user": "u"});
    let skill = |i: usize| json!({"name": format!("s{i}"), "description": "d", "inputSchema": {"type": "object"}, "stages": vec![stage.clone(); 8]});
    json!({"skills": (0..SKILLS_MAX).map(skill).collect::<Vec<_>>()})
}

fn of_template(user: &str) -> Value {
    json!({"skills": [{"name": "debug", "stages": [{"system": {"text": "s"}, "user": user}]}]})
}

fn of_schema(argument: &Value) -> Value {
    let mut schema = json!({"type": "object", "properties": {"a": argument}});
    if let Some(definitions) = argument.get("$defs") {
        schema["$defs"] = definitions.clone();
    }
    json!({"skills": [{"name": "debug", "inputSchema": schema}]})
}

fn doubling(unevaluated: bool) -> Value {
    let twice = |i: usize| json!({"allOf": vec![json!({"$ref": format!("#/$defs/d{}", i + 1)}); 2]});
    let mut definitions: Map<String, Value> = (0..12).map(|i| (format!("d{i}"), twice(i))).collect();
    definitions.insert("d12".into(), json!({"type": "string"}));
    let mut schema = json!({"allOf": [{"$ref": "#/$defs/d0"}], "$defs": definitions});
    if unevaluated {
        let before = std::mem::take(&mut schema);
        schema = json!({"unevaluatedProperties": false});
        schema
            .as_object_mut()
            .into_iter()
            .for_each(|schema| schema.extend(before.as_object().cloned().unwrap_or_default()));
    }
    schema
}

fn patterns(pattern: &str, count: usize) -> Value {
    let all: Map<String, Value> = (0..count).map(|i| (format!("{pattern}{i}"), json!(true))).collect();
    json!({"patternProperties": all})
}
