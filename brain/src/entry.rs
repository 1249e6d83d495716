//! An entry of the log, and the limits of its fields.

use std::sync::LazyLock;

use crds::{
    arguments::ArgumentSchema,
    policy::review::{ANSWER_MAX_BYTES, KEEP_MAX},
    shown::printable,
};
use rmcp::model::JsonObject;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    record::Record,
    spent::GradingUsage,
    verdict::{Source, Verdict},
};

/// Key, in the `_meta` of a tool error, that says that nothing is wrong with the entry: it may be sent again.
pub const RETRYABLE: &str = "routing.hyperguild.io/retryable";
/// The tool that logs several records of decisions in one request. It is not listed, because it is nothing for a model: that
/// it is there is in the `_meta` of `session_log`, where [`SEVERAL_MOST`] has this name as its key.
pub const SEVERAL: &str = "routing.hyperguild.io/session_log_several";
/// Most entries of one request to [`SEVERAL`].
pub const SEVERAL_MOST: usize = 64;
/// Key of what was logged in a result's `_meta`: an object with the `id` of the entry; of several, a list of such, in
/// which those that were not logged have an `error` in place of the id, and [`RETRYABLE`] if nothing is wrong with them.
pub const LOGGED: &str = "routing.hyperguild.io/logged";
/// Longest skill name, in characters.
pub(crate) const SKILL_MAX: usize = 64;
/// Longest name of a model, in characters.
const MODEL_MAX: usize = 200;
/// Longest session id, phase, decision id, in characters.
const ID_MAX: usize = 256;
/// Longest id that an error repeats, in characters.
const ID_SHOWN: usize = 64;
/// Longest message, in characters.
const MESSAGE_MAX: usize = 4096;
/// Longest project root, in characters.
const PATH_MAX: usize = 1024;
/// Largest decision record, in bytes of JSON.
const DECISION_MAX_BYTES: usize = 16 * 1024;
/// Longest duration, in milliseconds: 366 days.
const DURATION_MAX_MS: i64 = 366 * 24 * 3_600_000;

/// How a skill call turned out.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum FinalStatus {
    /// The answer was right and useful: counts for the skill.
    Pass,
    /// The answer was wrong or of no use: counts against the skill.
    Fail,
    /// The entry says nothing about quality: does not count.
    Skip,
    /// Takes back what the same source said about the decision.
    Retract,
}

impl FinalStatus {
    /// The text that is stored and sent: `pass`, `fail`, `skip` or `retract`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.verdict().map_or("retract", Verdict::as_str)
    }

    /// What it says about the answer; none: a verdict is taken back.
    #[must_use]
    pub fn verdict(self) -> Option<Verdict> {
        match self {
            Self::Pass => Some(Verdict::Pass),
            Self::Fail => Some(Verdict::Fail),
            Self::Skip => Some(Verdict::Skip),
            Self::Retract => None,
        }
    }
}

/// The arguments of `session_log`.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Id of the caller's session; empty: none.
    #[serde(default)]
    pub session_id: String,
    /// Name of the skill that the entry is about, for example `code_review`.
    pub skill: String,
    /// What the entry reports, for example `outcome` or `decide`.
    #[serde(default)]
    pub phase: String,
    /// How the call turned out.
    pub final_status: FinalStatus,
    /// One line for a human reader, at most 4096 characters.
    #[serde(default)]
    pub message: String,
    /// How long the call took, in milliseconds.
    #[serde(default)]
    pub duration_ms: i64,
    /// Path of the project that the call was about; empty: none.
    #[serde(default)]
    pub project_root: String,
    /// Who says so.
    #[serde(default)]
    pub source: Source,
    /// Id of the decision whose outcome the entry reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision_id: Option<String>,
    /// The record of a decision, sent by the data plane; at most 16 KiB of JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<serde_json::Map<String, Value>>,
    /// What it took to judge the decision's answer, sent by the data plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<GradingUsage>,
    /// The decision's answer, to be kept for a while; sent by the data plane where the policy has `review`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
}

/// An answer that a person may judge later.
#[derive(Serialize, Deserialize, Clone, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// What the model said, at most 64 KiB.
    pub answer: String,
    /// Whether its end is missing.
    #[serde(default)]
    pub cut: bool,
    /// How long it is kept, in milliseconds, at most 30 days.
    pub keep_ms: i64,
    /// The part of the answers that the policy keeps, more than 0 and at most 1.
    pub share: f64,
}

/// Without the answer: it must not reach a log.
impl std::fmt::Debug for Review {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Review").field("bytes", &self.answer.len()).field("keep_ms", &self.keep_ms).finish()
    }
}

/// An id of a decision in the one form that is stored and compared: a UUID has others, such as upper case. What is none
/// stays as it is.
pub(crate) fn canonical(id: String) -> String {
    Uuid::parse_str(&id).map_or(id, |uuid| uuid.to_string())
}

impl Entry {
    /// An entry with nothing but what every entry has.
    #[must_use]
    pub fn of(skill: String, final_status: FinalStatus) -> Self {
        Self {
            session_id: String::new(),
            skill,
            phase: String::new(),
            final_status,
            message: String::new(),
            duration_ms: 0,
            project_root: String::new(),
            source: Source::default(),
            decision_id: None,
            decision: None,
            usage: None,
            review: None,
        }
    }

    /// Reads the arguments of a `session_log` call.
    ///
    /// # Errors
    /// One sentence per wrong argument, naming it.
    pub fn from_arguments(arguments: JsonObject) -> Result<Self, Vec<String>> {
        static SCHEMA: LazyLock<ArgumentSchema> = LazyLock::new(|| {
            ArgumentSchema::compile(&Entry::schema()).expect("the schema is compiled in, and the tests compile it")
        });
        let mut arguments = SCHEMA.check(arguments)?;
        let bytes = arguments.get("decision").map_or(0, |decision| decision.to_string().len());
        if bytes > DECISION_MAX_BYTES {
            return Err(vec![format!(
                "argument decision: is {bytes} bytes of JSON; at most {DECISION_MAX_BYTES} are allowed"
            )]);
        }
        // A record is kept as it was sent.
        arguments.iter_mut().filter(|(name, _)| *name != "decision").for_each(|(_, value)| make_whole(value));
        let mut entry: Self = serde_json::from_value(Value::Object(arguments)).map_err(|e| vec![e.to_string()])?;
        entry.decision_id = entry.decision_id.map(canonical);
        entry.check().map_err(|error| vec![error])?;
        Ok(entry)
    }

    /// What the schema cannot say.
    fn check(&self) -> Result<(), String> {
        let record = self.record()?;
        let alone = self.decision_id.is_some() && record.is_none() && self.final_status == FinalStatus::Skip;
        for (name, given) in [("usage", self.usage.is_some()), ("review", self.review.is_some())] {
            if given && !alone {
                return Err(format!(
                    "argument {name}: needs decision_id and final_status skip, and no decision beside it"
                ));
            }
        }
        if let Some(review) = &self.review {
            check_review(review, self.usage.is_some())?;
        }
        let Some(id) = &self.decision_id else {
            let retracts = self.final_status == FinalStatus::Retract;
            return if retracts {
                Err("argument decision_id: is needed to take a verdict back".into())
            } else {
                Ok(())
            };
        };
        if Uuid::parse_str(id).is_err() {
            return Err(format!(
                "argument decision_id: {}: must be the id in the answer's routing line, for example {}",
                printable(id, ID_SHOWN),
                Uuid::nil()
            ));
        }
        match record {
            Some(record) if record.id != *id => Err("argument decision_id: is not decision.id".into()),
            _ => Ok(()),
        }
    }

    /// The record, if there is one.
    pub(crate) fn record(&self) -> Result<Option<Record>, String> {
        self.decision.as_ref().map(Record::read).transpose()
    }

    /// The JSON Schema of `session_log`'s arguments.
    #[must_use]
    pub fn schema() -> JsonObject {
        let text =
            |max: usize, description: &str| json!({"type": "string", "maxLength": max, "description": description});
        let schema = json!({
            "type": "object",
            "required": ["skill", "final_status"],
            "additionalProperties": false,
            "properties": {
                "session_id": text(ID_MAX, "Your session; its entries can be read back at /sessions/{id}."),
                "skill": {"type": "string", "minLength": 1, "maxLength": SKILL_MAX, "pattern": "^[A-Za-z0-9_.-]*$",
                    "description": "The skill that this is about, for example code_review."},
                "phase": text(ID_MAX, "outcome when you report how a skill's answer turned out."),
                "final_status": {"type": "string", "enum": ["pass", "fail", "skip", "retract"],
                    "description": "pass: the answer was right and useful. fail: it was not. skip: says nothing about quality. retract: takes back what was reported on this decision_id."},
                "source": {"type": "string", "enum": Source::ALL.map(Source::as_str),
                    "description": "Who says so: human if the user said it; default agent, which is you."},
                "message": text(MESSAGE_MAX, "One line on what was right or wrong."),
                "duration_ms": {"type": "integer", "minimum": 0, "maximum": DURATION_MAX_MS, "description": "How long it took, in milliseconds."},
                "project_root": text(PATH_MAX, "The project that this is about."),
                "decision_id": text(ID_MAX, "The id in the answer's routing line, so that the outcome is tied to its decision."),
                "decision": {"type": "object", "description": "A decision record; sent by the data plane."},
                "usage": GradingUsage::schema(MODEL_MAX),
                "review": {"type": "object", "required": ["answer", "keep_ms", "share"], "additionalProperties": false,
                    "description": "An answer to keep for review; sent by the data plane.",
                    "properties": {"answer": {"type": "string"}, "cut": {"type": "boolean"},
                        "keep_ms": {"type": "integer", "minimum": 1, "maximum": KEEP_MAX.as_millis()},
                        "share": {"type": "number", "exclusiveMinimum": 0, "maximum": 1}}}
            }
        });
        schema.as_object().cloned().unwrap_or_default()
    }
}

fn check_review(review: &Review, has_usage: bool) -> Result<(), String> {
    let bytes = review.answer.len();
    if has_usage {
        return Err("argument review: must not be beside usage; report each in an entry of its own".into());
    }
    if bytes > ANSWER_MAX_BYTES {
        return Err(format!("argument review.answer: is {bytes} bytes; at most {ANSWER_MAX_BYTES} are allowed"));
    }
    Ok(())
}

/// For JSON Schema 12.0 is an integer, too, and for the fields it is not.
// The schema has bounded whole numbers far below 2^53.
#[allow(clippy::cast_possible_truncation)]
fn make_whole(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(make_whole),
        Value::Number(number) => {
            if let Some(float) = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0) {
                *value = Value::from(float as i64);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: Value) -> Result<Entry, Vec<String>> {
        Entry::from_arguments(arguments.as_object().cloned().unwrap_or_default())
    }

    #[test]
    fn an_outcome_needs_a_skill_and_a_status_only() {
        let entry = read(json!({"skill": "debug", "final_status": "pass"})).expect("an entry");
        assert_eq!((entry.session_id.as_str(), entry.duration_ms, entry.decision), ("", 0, None));
        let whole = read(json!({"skill": "debug", "final_status": "pass", "duration_ms": 12.0})).expect("an entry");
        assert_eq!(whole.duration_ms, 12);
    }

    #[test]
    fn a_verdict_is_taken_back_by_the_id_of_its_decision() {
        let errors = read(json!({"skill": "debug", "final_status": "retract"})).expect_err("no id");
        assert_eq!(errors, ["argument decision_id: is needed to take a verdict back"]);
        let entry = json!({"skill": "debug", "final_status": "retract", "decision_id": Uuid::nil(), "source": "human"});
        assert_eq!(read(entry).expect("an entry").source, Source::Human);
    }

    #[test]
    fn what_is_not_known_of_a_judgement_may_be_null_as_it_is_written() {
        let usage = json!({"model": "m"});
        let entry = read(json!({"skill": "debug", "final_status": "skip", "decision_id": Uuid::nil(), "usage": usage}));
        let entry = entry.expect("an entry");
        let Value::Object(written) = json!(entry) else { panic!("an object") };
        assert!(written["usage"]["cost_from"].is_null());
        assert_eq!(Entry::from_arguments(written), Ok(entry));
    }

    #[test]
    fn every_wrong_argument_is_named() {
        for (name, value) in [
            ("skill", json!("")),
            ("skill", json!("a b")),
            ("skill", json!("code\u{202e}review")),
            ("skill", json!("x".repeat(65))),
            ("skill", json!(1)),
            ("final_status", json!("passed")),
            ("message", json!("x".repeat(4097))),
            ("message", json!("a\0b")),
            ("session_id", json!("x".repeat(257))),
            ("project_root", json!("x".repeat(1025))),
            ("decision_id", json!("x".repeat(257))),
            ("decision_id", json!("nonsense")),
            ("source", json!("me")),
            ("duration_ms", json!(-1)),
            ("duration_ms", json!(1.5)),
            ("decision", json!({"x": "y".repeat(16 * 1024)})),
            ("decision", json!("text")),
            ("usage", json!({"model": "m"})),
            ("usage", json!({})),
            ("usage", json!({"model": "m", "cost_usd": -1})),
            ("unknown", json!(1)),
        ] {
            let mut arguments = json!({"skill": "debug", "final_status": "pass"});
            arguments[name] = value.clone();
            let errors = read(arguments).expect_err(name);
            assert!(errors[0].contains(name), "{name} {value}: {errors:?}");
        }
    }
}
