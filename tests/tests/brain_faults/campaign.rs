//! A data plane whose brain has one fault after the other, while its models are well.

use std::collections::HashMap;

use serde_json::{Value, json};
use tests::{
    Policy,
    calls::CALLS,
    fault_rows::Rows,
    fault_server::{
        FaultServer, GOOD, answer_to,
        brain::{Ask, FaultyBrain, Takes},
    },
    mcp::CallResult,
    program::Program,
    waiting,
};

use crate::{
    counted::{self, Kinds, NO_RATE},
    decided,
    deliveries::Deliveries,
    row::Row,
};

/// What an answer says of its decision, and what the record of that says.
const SAID: [&str; 3] = ["passRate", "decision", "reason"];
const NOTED: [&str; 3] = ["pass_rate", "decision", "reason"];

/// Rates are asked for again after a moment, and not kept beyond that.
pub fn nothing_is_held() -> Value {
    json!({"of": "Skill", "ttl": "1ms", "holdFor": "0s"})
}

/// See the module.
pub struct Campaign {
    pub brain: FaultyBrain,
    pub rows: Rows,
    pub deliveries: Deliveries,
    at_a_time: usize,
    errors: Kinds,
    _models: FaultServer,
}

impl Campaign {
    /// With these rules of evidence, and so many calls in flight.
    pub async fn start(takes: Takes, evidence: Value, at_a_time: usize) -> Self {
        let (brain, models) = (FaultyBrain::start(takes).await, FaultServer::start().await);
        let policy = Policy::at(&models.url()).local(GOOD).claude("other").spec(json!({
            "brain": {"url": brain.url()},
            "evidence": evidence,
            "limits": {"inFlight": 2 * CALLS},
            "skills": [{"name": "debug"}],
        }));
        let rows = Rows::of(Program::serve_policy(&policy).start().await).at_a_time(at_a_time);
        let (deliveries, errors) = (Deliveries::default(), Kinds::default());
        Self { brain, rows, deliveries, at_a_time, errors, _models: models }
    }

    /// Makes so many calls: each has the answer of a model, and one record, which says what the answer says and is
    /// decided by the rate that it names.
    pub async fn row(&mut self, name: &str, calls: usize) -> Row {
        let mut said = HashMap::new();
        let each = |number: usize, result: &CallResult| {
            assert!(!result.is_error() && result.text(0) == answer_to(number), "{name}: {result:?}");
            let ids = result.decisions("id");
            let [Value::String(id)] = &ids[..] else { panic!("{name}: one decision: {result:?}") };
            said.insert(id.clone(), SAID.map(|field| result.decisions(field).remove(0)));
        };
        let took = self.rows.call(name, calls, each).await;
        let logged = self.rows.logged(name, calls).await;
        for record in &logged.records {
            let says = said.remove(record["id"].as_str().expect("an id"));
            assert_eq!(says, Some(NOTED.map(|field| record[field].clone())), "{name}: {record}");
            assert!(decided::is_by_its_rate(record), "{name}: {record}");
        }
        let warnings = logged.lines("the brain gave no pass rate").len();
        let now = counted::so_far(self.rows.routing(), NO_RATE).await;
        let errors = counted::since(&self.errors, &now);
        self.errors = now;
        self.deliveries.note(&logged.records);
        Row { name: name.into(), records: logged.records, errors, warnings, took }
    }

    /// Each request for a rate failed and is counted once, and no error was kept: as many calls as may be in flight
    /// share one request, and no more. `each_is_read`: no request is sent on a connection that nobody reads any more.
    pub async fn each_request_is_counted(&self, row: &Row, each_is_read: bool) {
        let errors = counted::sum(&row.errors);
        let least = row.records.len().div_ceil(self.at_a_time);
        assert!(errors >= least, "{}: {errors} errors", row.name);
        if each_is_read {
            let what = format!("{}: {errors} requests", row.name);
            waiting::until_true(&what, || std::future::ready(self.brain.asked(Ask::Rate) == errors)).await;
        }
        assert!(self.brain.asked(Ask::Rate) <= errors, "{}: {errors} errors", row.name);
    }

    /// The process runs, works on nothing, and holds what it held before.
    pub async fn leaves_nothing_behind(self) {
        self.rows.leaves_nothing_behind().await;
    }
}
