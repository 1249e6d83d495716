//! The record of a decision, as the data plane sends it with `session_log`: read into columns, and shown again as it was.

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::entry::SKILL_MAX;

/// The two models between which calls are routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arm {
    /// The local model.
    Local,
    /// Claude.
    Claude,
}

impl Arm {
    /// As it is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Claude => "claude",
        }
    }

    /// Reads what is stored.
    pub(crate) fn stored(text: &str) -> Self {
        Self::of(text)
    }

    /// Every decision but `local` went to Claude: `claude`, `claude_fallback`, `claude_escalation`.
    fn of(decision: &str) -> Self {
        if decision == Self::Local.as_str() { Self::Local } else { Self::Claude }
    }
}

/// Stands for a model that a gateway chose and did not name.
const UNNAMED: &str = "(gateway)";

/// The model whose answer it is, of a call that asked `model`: a gateway that fell back by itself asked another one, and
/// then the answer is not the local model's.
pub(crate) fn answerer<'a>(
    arm: Arm,
    model: &'a str,
    answered_by: Option<&'a str>,
    gateway_fallback: bool,
) -> (Arm, &'a str) {
    match answered_by {
        Some(same) if same == model => (arm, model),
        other if gateway_fallback => (Arm::Claude, other.unwrap_or(UNNAMED)),
        _ => (arm, model),
    }
}

/// Longest id of a client's call, in characters.
pub(crate) const CALL_MAX: usize = 256;

/// Longest text of a column, in characters: whatever an entry's own id, model or session may have.
const TEXT_MAX: usize = 256;

/// Postgres stores no text with this character.
pub(crate) const NUL: char = '\0';

/// Whether a text can be a client's id of a call.
pub(crate) fn is_call_id(id: &str) -> bool {
    (1..=CALL_MAX).contains(&id.chars().count()) && !id.contains(NUL)
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Integer,
    Real,
    Flag,
}

/// The fields that have columns of their own, named like them, in the order of a record. The others are kept together.
pub(crate) const COLUMNS: [(&str, Kind); 24] = [
    ("id", Kind::Text),
    ("time_ms", Kind::Integer),
    ("skill", Kind::Text),
    ("stage", Kind::Integer),
    ("hash", Kind::Text),
    ("pass_rate", Kind::Real),
    ("samples", Kind::Integer),
    ("evidence_age_ms", Kind::Integer),
    ("floor", Kind::Real),
    ("ceil", Kind::Real),
    ("reason", Kind::Text),
    ("decision", Kind::Text),
    ("model", Kind::Text),
    ("answered_by", Kind::Text),
    ("gateway_fallback", Kind::Flag),
    ("prompt_tokens", Kind::Integer),
    ("completion_tokens", Kind::Integer),
    ("finish_reason", Kind::Text),
    ("duration_ms", Kind::Integer),
    ("error", Kind::Text),
    ("caller", Kind::Text),
    ("session", Kind::Text),
    ("mode", Kind::Text),
    ("policy_hash", Kind::Text),
];

/// A field of a record, as its column holds it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Field {
    Text(Option<String>),
    Integer(Option<i64>),
    Real(Option<f64>),
}

/// A record that can be judged: it has an id, a skill and a model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) skill: String,
    /// The model that answered, and which of the two it is.
    pub(crate) model: String,
    pub(crate) arm: Arm,
    /// The values of [`COLUMNS`].
    pub(crate) fields: Vec<Field>,
    /// What has no column, or does not fit its column.
    pub(crate) rest: Map<String, Value>,
}

impl Record {
    /// Reads a record.
    ///
    /// # Errors
    /// The field that is missing or wrong.
    pub(crate) fn read(record: &Map<String, Value>) -> Result<Self, String> {
        let text = |name: &str| {
            record.get(name).and_then(Value::as_str).filter(|text| !text.is_empty() && is_column_text(text))
        };
        let required = |name: &str| {
            text(name).ok_or_else(|| {
                format!("argument decision.{name}: is missing, no text or longer than {TEXT_MAX} characters")
            })
        };
        let (id, skill) = (required("id")?, required("skill")?);
        if skill.chars().count() > SKILL_MAX {
            return Err(format!("argument decision.skill: is longer than {SKILL_MAX} characters"));
        }
        if Uuid::parse_str(id).map_or(true, |uuid| uuid.to_string() != id) {
            return Err("argument decision.id: must be a UUID, in lower case with hyphens".into());
        }
        let mut rest: Map<String, Value> =
            record.iter().filter(|(name, _)| !COLUMNS.iter().any(|(column, _)| column == name)).map(owned).collect();
        let mut field = |(name, kind): (&str, Kind)| {
            let value = record.get(name).unwrap_or(&Value::Null);
            fit(kind, value).unwrap_or_else(|| {
                rest.insert(name.into(), value.clone());
                fit(kind, &Value::Null).unwrap_or(Field::Text(None))
            })
        };
        let fields = COLUMNS.into_iter().map(&mut field).collect();
        let fell_back = record.get("gateway_fallback") == Some(&Value::Bool(true));
        let (arm, model) = answerer(Arm::of(required("decision")?), required("model")?, text("answered_by"), fell_back);
        Ok(Self { id: id.into(), skill: skill.into(), model: model.into(), arm, fields, rest })
    }

    /// The client's own id of the call, if it can be one.
    pub(crate) fn client_call(&self) -> Option<&str> {
        self.rest.get("client_call_id").and_then(Value::as_str).filter(|id| is_call_id(id))
    }

    /// The text of a column, if it has one.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.field(name)? {
            Field::Text(text) => text.as_deref(),
            _ => None,
        }
    }

    /// The whole number of a column, if it has one.
    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        match self.field(name)? {
            Field::Integer(number) => *number,
            _ => None,
        }
    }

    fn field(&self, name: &str) -> Option<&Field> {
        self.fields.get(COLUMNS.iter().position(|(column, _)| *column == name)?)
    }
}

fn owned((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

/// The value as a column of this kind holds it; none: it does not fit.
/// Columns are indexed; a longer text is kept with what has none.
fn is_column_text(text: &str) -> bool {
    text.chars().count() <= TEXT_MAX && !text.contains(NUL)
}

fn fit(kind: Kind, value: &Value) -> Option<Field> {
    let empty = value.is_null();
    Some(match kind {
        Kind::Text if empty => Field::Text(None),
        Kind::Text => Field::Text(Some(value.as_str().filter(|text| is_column_text(text))?.into())),
        Kind::Real if empty => Field::Real(None),
        Kind::Real => Field::Real(Some(value.as_f64()? + 0.0)),
        Kind::Integer | Kind::Flag if empty => Field::Integer(None),
        Kind::Integer => Field::Integer(Some(value.as_i64()?)),
        Kind::Flag => Field::Integer(Some(value.as_bool()?.into())),
    })
}

/// The record as it was sent: its columns in order, and the rest.
pub(crate) fn shown(fields: Vec<Field>, rest: Option<&str>) -> Value {
    let value = |(name, kind), field| match (field, kind) {
        (Field::Text(text), _) => (name, Value::from(text)),
        (Field::Integer(number), Kind::Flag) => (name, Value::from(number.map(|number| number != 0))),
        (Field::Integer(number), _) => (name, Value::from(number)),
        (Field::Real(number), _) => (name, Value::from(number)),
    };
    let mut record: Map<String, Value> = COLUMNS
        .into_iter()
        .zip(fields)
        .map(|(column, field)| value(column, field))
        .map(|(n, v)| (n.into(), v))
        .collect();
    // Written by this program, so it is an object.
    record.extend(rest.and_then(|rest| serde_json::from_str::<Map<String, Value>>(rest).ok()).unwrap_or_default());
    Value::Object(record)
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// A record as the data plane sends it.
    pub(crate) fn record(id: &str, skill: &str, decision: &str, model: &str) -> Value {
        json!({"id": id, "time_ms": 1, "skill": skill, "stage": 0, "hash": "00", "pass_rate": 0.94, "samples": 53,
            "evidence_age_ms": null, "floor": 0.9, "ceil": 0.7, "reason": "at_or_above_floor", "decision": decision,
            "model": model, "answered_by": null, "gateway_fallback": false, "prompt_tokens": 10, "completion_tokens": 20,
            "finish_reason": "stop", "duration_ms": 7, "error": null, "caller": "me", "session": "s", "mode": null,
            "policy_hash": "ab"})
    }

    fn read(record: &Value) -> Result<Record, String> {
        Record::read(record.as_object().expect("an object"))
    }

    #[test]
    fn a_record_is_shown_as_it_was_sent_with_what_this_version_does_not_know() {
        let mut sent = record(&Uuid::now_v7().to_string(), "debug", "local", "qwen35");
        sent["p_local"] = json!(0.5);
        sent["samples"] = json!("many");
        let read = read(&sent).expect("a record");
        assert_eq!((read.arm, read.text("session"), read.text("error")), (Arm::Local, Some("s"), None));
        let rest = serde_json::to_string(&read.rest).expect("JSON");
        assert_eq!(shown(read.fields, Some(&rest)), sent);
    }

    #[test]
    fn an_answer_of_a_gateways_own_fallback_is_not_that_of_the_model_that_was_asked() {
        for (decision, answered_by, fell_back, expected) in [
            ("local", json!("qwen"), json!(false), (Arm::Local, "qwen")),
            ("local", json!("qwen-4bit"), json!(false), (Arm::Local, "qwen")),
            ("local", json!(null), json!(null), (Arm::Local, "qwen")),
            ("local", json!("claude"), json!(true), (Arm::Claude, "claude")),
            ("local", json!("qwen"), json!(true), (Arm::Local, "qwen")),
            ("local", json!(null), json!(true), (Arm::Claude, UNNAMED)),
            ("claude", json!("qwen-2"), json!(true), (Arm::Claude, "qwen-2")),
        ] {
            let mut sent = record(&Uuid::now_v7().to_string(), "debug", decision, "qwen");
            (sent["answered_by"], sent["gateway_fallback"]) = (answered_by.clone(), fell_back);
            let read = read(&sent).expect("a record");
            assert_eq!((read.arm, &*read.model), expected, "{decision} by {answered_by}");
            assert_eq!(shown(read.fields, None)["model"], "qwen", "the record stays as it was sent");
        }
    }

    #[test]
    fn work_that_the_caller_does_counts_for_claude_under_the_callers_name() {
        for decision in ["claude", "claude_fallback", "claude_escalation"] {
            let mut sent = record(&Uuid::now_v7().to_string(), "debug", decision, "caller");
            (sent["answered_by"], sent["gateway_fallback"]) = (json!("caller"), json!(null));
            let read = read(&sent).expect("a record");
            assert_eq!((read.arm, &*read.model), (Arm::Claude, "caller"), "{decision}");
        }
    }

    #[test]
    fn a_record_that_cannot_be_judged_is_refused_by_its_field() {
        for (name, value) in [
            ("id", json!("nonsense")),
            ("id", json!("01A20917-6803-711F-8633-8F52A9CCE27F")),
            ("id", json!("01a209176803711f86338f52a9cce27f")),
            ("id", json!(1)),
            ("skill", json!("")),
            ("model", json!(null)),
            ("decision", json!(2)),
            ("skill", json!("s".repeat(65))),
            ("model", json!("m".repeat(257))),
        ] {
            let mut sent = record(&Uuid::now_v7().to_string(), "debug", "claude", "c");
            sent[name] = value;
            assert!(read(&sent).expect_err(name).starts_with(&format!("argument decision.{name}: ")));
        }
    }

    #[test]
    fn a_text_that_is_too_long_for_an_index_has_no_column_and_zero_has_no_sign() {
        let mut sent = record(&Uuid::now_v7().to_string(), "debug", "claude", "c");
        (sent["session"], sent["floor"]) = (json!("s".repeat(257)), json!(-0.0));
        let read = read(&sent).expect("a record");
        assert_eq!((read.text("session"), read.rest["session"].as_str().map(str::len)), (None, Some(257)));
        let floor = shown(read.fields, None)["floor"].as_f64().expect("a number");
        assert!(floor == 0.0 && floor.is_sign_positive());
    }
}
