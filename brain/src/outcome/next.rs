//! Where a skill's next call goes, as far as the brain can know it: it has no policy, but each record of a decision has the
//! thresholds that applied. No I/O.

use crds::{policy::RouteStatus, table::ThresholdValues};
use serde_json::Value;

use crate::{
    record::Arm,
    store::{Evidence, Rate},
};

/// A sentence; none: there is no decision, or the rate does not decide.
pub(super) fn next(latest: &Value, after: &Evidence) -> Option<String> {
    let text = |name: &str| latest[name].as_str();
    match text("reason")? {
        "pinned" => return Some(format!("The policy pins its calls to {}.", text("decision")?)),
        // How many it wants is not in the record.
        "too_few_samples" => return None,
        _ => {}
    }
    let rate = match text("evidence_of") {
        Some(local) => of_local(after, local),
        None => after.rate,
    };
    let (floor, ceil) = (latest["floor"].as_f64()?, latest["ceil"].as_f64()?);
    let go = match ThresholdValues::new(floor, ceil)?.route(rate.pass_rate?) {
        RouteStatus::Local => "stay local",
        RouteStatus::Claude => "go to Claude",
        RouteStatus::Split => "are split",
    };
    Some(format!("With floor {floor:.2} and ceil {ceil:.2}, as in its latest decision, its calls {go}."))
}

/// The rate of the local model of this name, with what names no model.
fn of_local(after: &Evidence, local: &str) -> Rate {
    let is_its = |model: &&crate::store::ModelRate| {
        model.arm == Arm::Local.as_str() && (model.model == local || model.model.is_empty())
    };
    let (pass, fail) = after
        .models
        .iter()
        .filter(is_its)
        .fold((0, 0), |(pass, fail), model| (pass + model.rate.pass, fail + model.rate.fail));
    Rate::of(pass, fail)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::ModelRate;

    #[test]
    fn the_thresholds_of_the_latest_decision_say_where_the_next_call_goes() {
        let model = |arm: &str, model: &str, pass, fail| ModelRate {
            arm: arm.into(),
            model: model.into(),
            rate: Rate::of(pass, fail),
            decisions: 0,
        };
        let evidence = |pass, fail| Evidence {
            rate: Rate::of(pass + 90, fail),
            models: vec![model("local", "qwen", pass, 0), model("local", "", 0, fail), model("claude", "c", 90, 0)],
            ..Evidence::default()
        };
        let of_local =
            json!({"reason": "split", "decision": "local", "floor": 0.9, "ceil": 0.7, "evidence_of": "qwen"});
        let of_all = json!({"reason": "split", "decision": "local", "floor": 0.9, "ceil": 0.7});
        let pinned = json!({"reason": "pinned", "decision": "claude", "floor": 0.9, "ceil": 0.7});
        let few = json!({"reason": "too_few_samples", "decision": "local", "floor": 0.9, "ceil": 0.7});
        for (latest, after, expected) in [
            (
                &of_local,
                evidence(9, 1),
                Some("With floor 0.90 and ceil 0.70, as in its latest decision, its calls stay local."),
            ),
            (
                &of_local,
                evidence(8, 2),
                Some("With floor 0.90 and ceil 0.70, as in its latest decision, its calls are split."),
            ),
            (
                &of_local,
                evidence(6, 4),
                Some("With floor 0.90 and ceil 0.70, as in its latest decision, its calls go to Claude."),
            ),
            (
                &of_all,
                evidence(6, 4),
                Some("With floor 0.90 and ceil 0.70, as in its latest decision, its calls stay local."),
            ),
            (&of_local, Evidence::default(), None),
            (&pinned, evidence(6, 4), Some("The policy pins its calls to claude.")),
            (&few, evidence(6, 4), None),
            (&json!({}), evidence(6, 4), None),
            (&json!({"reason": "split", "floor": 0.5, "ceil": 0.7}), evidence(6, 4), None),
        ] {
            assert_eq!(next(latest, &after).as_deref(), expected, "{latest}");
        }
    }
}
