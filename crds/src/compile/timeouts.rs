//! The rules about how long a call may take.

use std::time::Duration;

use super::errors::Errors;
use crate::{
    period::Period,
    policy::{SkillTimeouts, Timeouts},
    table::CallTimeouts,
};

/// The policy's; `of_model` is the longest attempt on the local model, where the model itself has one.
pub(super) fn of_policy(given: &Timeouts, of_model: Option<Duration>, errors: &mut Errors) -> Option<CallTimeouts> {
    let Timeouts { local, total } = given;
    compile("spec.timeouts", local, total, errors).map(|timeouts| {
        // The model's own is the more specific one here, and may be longer.
        CallTimeouts { local: of_model.unwrap_or(timeouts.local), ..timeouts }
    })
}

/// A skill's own, within the longest attempt on the local model.
pub(super) fn of_skill(
    path: &str,
    given: &SkillTimeouts,
    of_model: Option<Duration>,
    errors: &mut Errors,
) -> Option<CallTimeouts> {
    let SkillTimeouts { local, total } = given;
    compile(path, local, total, errors).map(|timeouts| {
        let local = of_model.map_or(timeouts.local, |longest| longest.min(timeouts.local));
        CallTimeouts { local, ..timeouts }
    })
}

fn compile(path: &str, local: &Period, total: &Period, errors: &mut Errors) -> Option<CallTimeouts> {
    let local_value = errors.take(format!("{path}.local"), local.text(), local.duration());
    let total_value = errors.take(format!("{path}.total"), total.text(), total.duration());
    let (local_value, total_value) = (local_value?, total_value?);
    let total_name = path.strip_prefix("spec.").unwrap_or(path);
    errors.check(
        format!("{path}.local"),
        local.text(),
        local_value <= total_value,
        format!("must not be longer than {total_name}.total ({}), the budget of both attempts", total.text()),
    );
    Some(CallTimeouts { local: local_value, total: total_value })
}
