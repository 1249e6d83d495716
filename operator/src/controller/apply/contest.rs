//! Notices a program that keeps changing what the operator sets, such as an autoscaler that targets the Deployment: each of
//! the two undoes the other's change, pods are made and killed for ever, and nothing else would say why.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use kube::{ResourceExt, api::DynamicObject};
use serde_json::Value;

use crate::controller::{child::ChildKey, labels::FIELD_MANAGER};

/// Corrections of the same field after the same manager, within [`WITHIN`], from which on it is reported.
const CORRECTIONS: usize = 3;
/// While a field is contested, a child is corrected at most this often: the other program may be as fast as the operator.
const CALM: Duration = Duration::from_secs(5);
/// How long a correction counts. An autoscaler looks every 15 s.
const WITHIN: Duration = Duration::from_secs(600);
/// Most fields of one child that are followed: anyone who may write a child can change many.
const FIELDS_MAX: usize = 16;

/// A field that somebody else keeps changing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Contest {
    /// The child.
    pub child: ChildKey,
    /// Path of the field, for example `spec.replicas`.
    pub field: String,
    /// The field manager that changes it.
    pub manager: String,
}

/// The corrections of one child's fields, by field and manager.
#[derive(Clone, Default, Debug)]
pub struct Corrections(BTreeMap<(String, String), VecDeque<Instant>>);

impl Corrections {
    /// Notes that a child was corrected to this body. Only what a manager is recorded for: the API server writes
    /// some values, such as quantities, otherwise than they were sent.
    pub fn note(&mut self, body: &Value, existing: &DynamicObject, now: Instant) {
        self.forget(now);
        for (field, steps) in changed(body, existing) {
            let Some(manager) = manager(existing.managed_fields(), &steps) else { continue };
            let key = (field, manager.to_string());
            if self.0.len() < FIELDS_MAX || self.0.contains_key(&key) {
                let times = self.0.entry(key).or_default();
                times.push_back(now);
                times.drain(..times.len().saturating_sub(CORRECTIONS));
            }
        }
    }

    /// Until when a child is left as it is, because a field of it is contested and was corrected just now.
    pub fn calm_until(&self, now: Instant) -> Option<Instant> {
        let last = self.often().filter_map(|(_, times)| times.back()).max()?;
        Some(*last + CALM).filter(|until| now < *until)
    }

    /// The fields that were corrected often enough of late.
    pub fn contests(&mut self, child: &ChildKey, now: Instant) -> Vec<Contest> {
        self.forget(now);
        let contest = |((field, manager), _): (&(String, String), _)| Contest {
            child: child.clone(),
            field: field.clone(),
            manager: manager.clone(),
        };
        self.often().map(contest).collect()
    }

    /// Those that were made often enough to be reported.
    fn often(&self) -> impl Iterator<Item = (&(String, String), &VecDeque<Instant>)> {
        self.0.iter().filter(|(_, times)| times.len() >= CORRECTIONS)
    }

    fn forget(&mut self, now: Instant) {
        self.0.retain(|_, times| {
            times.retain(|at| now.saturating_duration_since(*at) < WITHIN);
            !times.is_empty()
        });
    }
}

/// The leaves of a body that are otherwise in the object, each as a path and as the steps that `managedFields` names.
fn changed(body: &Value, existing: &DynamicObject) -> Vec<(String, Vec<String>)> {
    let mut found = vec![];
    let sections = body.as_object().into_iter().flatten().filter(|(section, _)| existing.data.get(section).is_some());
    for (section, ours) in sections {
        compare(ours, &existing.data[section], section, &[format!("f:{section}")], &mut found);
    }
    found
}

/// Elements of lists are compared where they have the same name; what the API server fills in is not in our body.
fn compare(ours: &Value, theirs: &Value, path: &str, steps: &[String], found: &mut Vec<(String, Vec<String>)>) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(_)) => {
            for (name, ours) in ours {
                let steps = [steps, &[format!("f:{name}")]].concat();
                compare(ours, theirs.get(name).unwrap_or(&Value::Null), &format!("{path}.{name}"), &steps, found);
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            for ours in ours {
                let named = |element: &&Value| element["name"].is_string() && element["name"] == ours["name"];
                if let (Some(name), Some(theirs)) = (ours["name"].as_str(), theirs.iter().find(named)) {
                    let steps = [steps, &[format!("k:{{\"name\":\"{name}\"}}")]].concat();
                    compare(ours, theirs, &format!("{path}[{name}]"), &steps, found);
                }
            }
        }
        _ if ours != theirs => found.push((path.into(), steps.to_vec())),
        _ => {}
    }
}

/// The manager, other than the operator, that an entry records for a field.
fn manager<'a>(entries: &'a [ManagedFieldsEntry], steps: &[String]) -> Option<&'a str> {
    let owns = |entry: &&ManagedFieldsEntry| {
        let fields = entry.fields_v1.as_ref().map(|FieldsV1(fields)| fields);
        let found = steps.iter().try_fold(fields?, |fields, step| fields.get(step));
        found.map(|_| ())
    };
    let others = entries.iter().filter(|entry| entry.manager.as_deref() != Some(FIELD_MANAGER));
    others.filter(|entry| owns(entry).is_some()).find_map(|entry| entry.manager.as_deref())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::controller::child::ChildKind;

    fn deployment(replicas: u32, image: &str) -> Value {
        json!({"metadata": {"name": "edge"}, "spec": {"replicas": replicas,
            "template": {"spec": {"containers": [{"name": "routing", "image": image}]}}}})
    }

    /// The Deployment after an autoscaler set its replicas.
    fn scaled() -> DynamicObject {
        let mut object = deployment(2, "a");
        object["metadata"]["managedFields"] = json!([
            {"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": {"f:spec": {"f:template": {}}}},
            {"manager": "kube-controller-manager", "operation": "Update", "subresource": "scale",
                "fieldsV1": {"f:spec": {"f:replicas": {}}}},
        ]);
        serde_json::from_value(object).expect("an object")
    }

    #[test]
    fn the_third_correction_of_a_field_within_ten_minutes_is_a_contest_until_they_end() {
        let (start, key) = (Instant::now(), ChildKey::new(ChildKind::Deployment, "edge"));
        let at = |second| start + Duration::from_secs(second);
        let mut corrections = Corrections::default();
        for (second, expected) in [(0, 0), (15, 0), (30, 1), (45, 1)] {
            corrections.note(&deployment(1, "a"), &scaled(), at(second));
            assert_eq!(corrections.contests(&key, at(second)).len(), expected, "{second}");
        }
        let contest =
            Contest { child: key.clone(), field: "spec.replicas".into(), manager: "kube-controller-manager".into() };
        assert_eq!(corrections.contests(&key, at(500)), [contest]);
        assert_eq!(corrections.calm_until(at(46)), Some(at(50)), "as fast as the other program it would never end");
        assert_eq!(corrections.calm_until(at(50)), None);
        assert_eq!(corrections.contests(&key, at(646)), []);
        corrections.note(&deployment(1, "a"), &scaled(), at(700));
        assert_eq!(corrections.contests(&key, at(700)), [], "it begins anew");
    }

    #[test]
    fn each_field_and_its_manager_is_told_apart_and_not_more_than_a_few() {
        let found = changed(&deployment(1, "b"), &scaled());
        let paths: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["spec.replicas", "spec.template.spec.containers[routing].image"]);
        assert_eq!(manager(scaled().managed_fields(), &found[1].1), None, "nobody is recorded for the image");
        let many: serde_json::Map<String, Value> = (0..100).map(|i| (format!("k{i}"), json!("ours"))).collect();
        let theirs: serde_json::Map<String, Value> = (0..100).map(|i| (format!("f:k{i}"), json!({}))).collect();
        let managers = json!([{"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:data": theirs}}]);
        let theirs = json!({"metadata": {"managedFields": managers}, "data": {}});
        let theirs = serde_json::from_value(theirs).expect("an object");
        let mut corrections = Corrections::default();
        corrections.note(&json!({"data": many}), &theirs, Instant::now());
        assert_eq!(corrections.0.len(), FIELDS_MAX);
    }
}
