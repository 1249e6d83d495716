//! The work that a call returns to its caller, where no model does what the local one does not do.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value};

use super::Call;
use crate::decision::DecisionRecord;

/// A skill's work, to be done by whoever called it.
pub struct Work {
    /// The system prompt of the stage.
    pub instructions: Arc<str>,
    /// The arguments of the call: the caller has them.
    pub arguments: Map<String, Value>,
    /// Those that were filled for the caller, who has not seen them, with what they hold.
    pub filled: BTreeMap<String, String>,
}

impl Work {
    /// That of the stage of this decision.
    pub(super) fn of(call: &Call, decided: Option<&DecisionRecord>) -> Self {
        let stage = decided.and_then(|record| call.skill.stages.get(record.stage));
        let instructions = stage.map(|stage| Arc::clone(&stage.system)).unwrap_or_default();
        Self { instructions, arguments: call.arguments.clone(), filled: call.client.filled.clone() }
    }
}
