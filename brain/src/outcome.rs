//! What a reported outcome changed, in a sentence. No I/O.

use crds::nearest::nearest;

mod next;

use serde_json::Value;

use crate::{
    entry::{Entry, FinalStatus},
    store::{Evidence, ModelRate},
};

/// What was logged, the rates that it changed, and where that sends calls by the `latest` decision's record. `known` are
/// the skills of which there is evidence; they are needed only where [`is_unknown`].
pub(crate) fn told(
    entry: &Entry,
    (before, after): (&Evidence, &Evidence),
    latest: Option<&Value>,
    known: &[String],
) -> String {
    let Entry { skill, source, final_status, .. } = entry;
    let what = match final_status {
        FinalStatus::Retract => "retracted".to_string(),
        status => format!("reported: {}", status.as_str()),
    };
    let mut text = format!("{what} ({}) for {skill}. {}", source.as_str(), changes(skill, before, after));
    if let Some(next) = latest.and_then(|latest| next::next(latest, after)) {
        text += &format!(" {next}");
    }
    if is_unknown(before) {
        text += &unknown(skill, known);
    }
    text
}

/// Whether nothing was known of a skill.
pub(crate) fn is_unknown(before: &Evidence) -> bool {
    before.decisions == 0 && before.rate.samples() == 0
}

fn changes(skill: &str, before: &Evidence, after: &Evidence) -> String {
    let changed: Vec<String> =
        after.models.iter().chain(&before.models).filter_map(|model| change(model, before, after)).collect();
    match changed.first() {
        Some(first) => first.clone(),
        None => format!("Pass rate of {skill}: {}, unchanged.", after.rate.shown()),
    }
}

/// The sentence about one model, if its rate changed.
fn change(model: &ModelRate, before: &Evidence, after: &Evidence) -> Option<String> {
    let rate = |evidence: &Evidence| {
        let same = |other: &&ModelRate| (&other.arm, &other.model) == (&model.arm, &model.model);
        evidence.models.iter().find(same).map(|model| model.rate).unwrap_or_default()
    };
    let (before, after) = (rate(before), rate(after));
    let name = match (model.arm.as_str(), model.model.as_str()) {
        (arm, "") => format!("the {arm} model"),
        (arm, model) => format!("{arm} ({model})"),
    };
    (before != after).then(|| format!("Pass rate of {name}: {} before, {} now.", before.shown(), after.shown()))
}

/// A typing error opens a skill of its own.
fn unknown(skill: &str, known: &[String]) -> String {
    let meant = nearest(skill, known.iter().map(String::as_str).filter(|name| *name != skill));
    let meant = meant.map(|name| format!(" Did you mean {name}?")).unwrap_or_default();
    format!(" No decision of a skill {skill} is known.{meant}")
}
