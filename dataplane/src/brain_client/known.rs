//! What our brain has stored, as it is read back, and beginning evidence anew. Other brains may have none of it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crds::shown::printable;
use reqwest::StatusCode;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{ANSWER_MAX_BYTES, BrainClient, BrainError, REASON_SHOWN, SESSION_MAX_BYTES};
use crate::decision_log::PACE;

/// For a person at a terminal.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// How long a record may be on its way: the time-out of sending one.
const ON_ITS_WAY: Duration = Duration::from_secs(2);
/// Time until it is asked for again: the records of one call may be that far apart, and two looks must not fall between them.
const ASK_AGAIN: Duration = PACE.saturating_mul(3);

/// What the brain knows of a skill.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(default)]
pub struct KnownSkill {
    /// Its name.
    pub skill: String,
    /// How often its answers were right, whichever model gave them.
    pub rate: KnownRate,
    /// Of each model.
    pub models: Vec<KnownModel>,
    /// Of how many answers each source decides.
    pub sources: BTreeMap<String, u64>,
    /// How each other source agrees with people.
    pub agreement: BTreeMap<String, KnownAgreement>,
    /// Model calls in the window.
    pub decisions: u64,
    /// When its evidence was begun anew, in milliseconds since 1970.
    pub since: Option<u64>,
}

/// How often a source said the same as a person about the same answer.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(default)]
pub struct KnownAgreement {
    /// Answers about which both said the same.
    pub same: u64,
    /// Answers about which both said pass or fail.
    pub of: u64,
}

/// How often answers were right.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq)]
#[serde(default)]
pub struct KnownRate {
    /// pass / (pass + fail), from 0 to 1; none: not measured.
    pub pass_rate: Option<f64>,
    /// Number of answers that were right.
    pub pass: u64,
    /// Number of answers that were not.
    pub fail: u64,
}

impl KnownRate {
    /// The answers that count.
    pub fn samples(self) -> u64 {
        self.pass.saturating_add(self.fail)
    }
}

/// The rate of one model.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(default)]
pub struct KnownModel {
    /// `local` or `claude`.
    pub arm: String,
    /// Its name; empty: verdicts that name no known decision.
    pub model: String,
    /// How often it was right.
    #[serde(flatten)]
    pub rate: KnownRate,
    /// Its calls in the window.
    pub decisions: u64,
}

/// A decision as the brain has stored it.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(default)]
pub struct KnownDecision {
    /// The record.
    pub decision: Value,
    /// When it was reported, in milliseconds since 1970.
    pub at: u64,
    /// The verdicts that stand on it, by source.
    pub verdicts: BTreeMap<String, String>,
}

impl KnownDecision {
    /// A text of the record; empty if it has none of this name.
    pub fn text(&self, field: &str) -> &str {
        self.decision.get(field).and_then(Value::as_str).unwrap_or_default()
    }
}

impl BrainClient {
    /// What is known of one skill, or of all.
    ///
    /// # Errors
    /// The request failed, or the brain keeps no evidence per model (404).
    pub async fn evidence(&self, skill: Option<&str>) -> Result<Vec<KnownSkill>, BrainError> {
        let request = self.client.get(self.url("/evidence")).query(&skill.map(|skill| [("skill", skill)]));
        self.list(request, "skills").await
    }

    /// The latest decisions of a skill, at most `limit` (1 to 500, the brain's bound), the latest first.
    ///
    /// # Errors
    /// As [`BrainClient::evidence`].
    pub async fn decisions(&self, skill: &str, limit: usize) -> Result<Vec<KnownDecision>, BrainError> {
        let parameters = [("skill", skill.to_string()), ("limit", limit.to_string())];
        self.list(self.client.get(self.url("/decisions")).query(&parameters), "decisions").await
    }

    /// A decision; none: the brain does not know it.
    ///
    /// # Errors
    /// As [`BrainClient::evidence`].
    pub async fn decision(&self, id: &str) -> Result<Option<KnownDecision>, BrainError> {
        let request = self.client.get(self.url("/decisions")).query(&[("id", id)]);
        Ok(self.list(request, "decisions").await?.pop())
    }

    /// A decision that was just made: its record reaches the brain soon after the answer has reached the caller.
    ///
    /// # Errors
    /// As [`BrainClient::evidence`].
    pub async fn decision_on_its_way(&self, id: &str) -> Result<Option<KnownDecision>, BrainError> {
        let until = Instant::now() + ON_ITS_WAY;
        loop {
            let known = self.decision(id).await?;
            if known.is_some() || Instant::now() >= until {
                return Ok(known);
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// The decisions that were made for a client's call, by the client's own id of it, the latest first.
    ///
    /// # Errors
    /// As [`BrainClient::evidence`]; an earlier brain refuses the parameter (400).
    pub async fn decisions_of_call(&self, call: &str) -> Result<Vec<KnownDecision>, BrainError> {
        let request = self.client.get(self.url("/decisions")).query(&[("call", call)]);
        self.list(request, "decisions").await
    }

    /// The decisions of a call that was just answered, as soon as one of them has an answer. The records arrive one after
    /// the other: these are all once none was added between two looks.
    ///
    /// # Errors
    /// As [`BrainClient::decisions_of_call`].
    pub async fn decisions_of_call_on_their_way(&self, call: &str) -> Result<Vec<KnownDecision>, BrainError> {
        let until = Instant::now() + ON_ITS_WAY;
        let mut before = 0;
        loop {
            let known = self.decisions_of_call(call).await?;
            let answered = known.iter().any(|known| known.text("error").is_empty());
            if (answered && known.len() == before) || Instant::now() >= until {
                return Ok(known);
            }
            before = known.len();
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// Begins the evidence of a skill anew, or that of one of its models. Returns how many outcomes count no more.
    ///
    /// # Errors
    /// As [`BrainClient::evidence`]; refused with the brain's reason for a skill that it does not know.
    pub async fn reset_evidence(&self, skill: &str, model: Option<&str>) -> Result<u64, BrainError> {
        let body = json!({"skill": skill, "model": model}).to_string();
        let response = self.send(self.client.post(self.url("/evidence/reset")).timeout(TIMEOUT).body(body)).await?;
        let refused = response.status() == StatusCode::BAD_REQUEST;
        if !refused && response.status() != StatusCode::OK {
            return Err(BrainError::Status(response.status().as_u16()));
        }
        let answer = Self::body(response, ANSWER_MAX_BYTES).await?;
        if refused {
            let reason = answer.get("error").and_then(Value::as_str).unwrap_or("no reason given");
            return Err(BrainError::Refused { reason: printable(reason, REASON_SHOWN) });
        }
        answer.get("ended").and_then(Value::as_u64).ok_or(BrainError::Malformed("the number of ended outcomes"))
    }

    async fn list<T: DeserializeOwned>(
        &self,
        request: reqwest::RequestBuilder,
        field: &'static str,
    ) -> Result<Vec<T>, BrainError> {
        let mut body = self.json(request.timeout(TIMEOUT), SESSION_MAX_BYTES).await?;
        let list = body.get_mut(field).map(Value::take).and_then(|list| serde_json::from_value(list).ok());
        list.ok_or(BrainError::Malformed(field))
    }
}
