//! A row that is over, and what its records say of the rate.

use std::time::Duration;

use serde_json::Value;

use crate::counted::{self, Kinds, UNREACHABLE};

/// The calls of a row.
pub struct Row {
    pub name: String,
    /// One record of each call.
    pub records: Vec<Value>,
    /// Requests for rates that failed meanwhile.
    pub errors: Kinds,
    /// Lines of the log about such requests.
    pub warnings: usize,
    /// How long all calls together took.
    pub took: Duration,
}

impl Row {
    /// The ids of its records.
    pub fn ids(&self) -> Vec<String> {
        self.records.iter().map(|record| record["id"].as_str().expect("an id").to_string()).collect()
    }

    /// No call has a rate, and each failed request is one error of this kind, and warned of.
    pub fn has_no_rate(&self, kind: &str) {
        for record in &self.records {
            assert!(is_without_rate(record), "{}: {record}", self.name);
        }
        assert!(counted::are(&self.errors, kind), "{}: {:?}", self.name, self.errors);
        assert_eq!(self.warnings, counted::sum(&self.errors), "{}: warnings", self.name);
    }

    /// Each call has this rate. A request may take longer than its second on a busy machine: then there is none.
    pub fn has_rate(&self, rate: &str) {
        self.has_rate_or_none(rate, UNREACHABLE);
        assert!(!self.records.iter().all(is_without_rate), "{}: nobody has the rate", self.name);
    }

    /// Each call has this rate, or none after an error of this kind.
    pub fn has_rate_or_none(&self, rate: &str, kind: &str) {
        for record in self.records.iter().filter(|record| !is_without_rate(record)) {
            assert_eq!(record["pass_rate"].to_string(), rate, "{}: {record}", self.name);
        }
        let failed = counted::are(&self.errors, kind);
        assert!(failed || self.errors.is_empty(), "{}: {:?}", self.name, self.errors);
        assert!(failed || !self.records.iter().any(is_without_rate), "{}: none without an error", self.name);
    }
}

/// Whether the brain said nothing that counted, not even that there is no rate.
fn is_without_rate(record: &Value) -> bool {
    record["pass_rate"].is_null() && record["evidence_age_ms"].is_null()
}
