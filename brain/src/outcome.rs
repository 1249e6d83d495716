//! What a reported outcome changed, in a sentence. No I/O.

use crds::nearest::nearest;

use crate::{
    entry::{Entry, FinalStatus},
    record::{Arm, Record},
    store::{Evidence, ModelRate},
};

/// What was logged, and the rate that it changed: that of the `judged` answer's model, if the decision is known; other
/// reports may change others at the same time. `known` are the skills of which there was evidence; none: this is one.
pub(crate) fn told(
    entry: &Entry,
    judged: Option<&Record>,
    (before, after): (&Evidence, &Evidence),
    known: Option<&[String]>,
) -> String {
    let Entry { skill, source, final_status, .. } = entry;
    let what = match final_status {
        FinalStatus::Retract => "retracted".to_string(),
        status => format!("reported: {}", status.as_str()),
    };
    let mut text = format!("{what} ({}) for {skill}. {}", source.as_str(), changes(skill, judged, before, after));
    if judged.is_none() && entry.decision_id.is_some() {
        text += " The decision is not known, so this counts by itself.";
    }
    if let Some(known) = known.filter(|known| !known.contains(skill)) {
        text += &unknown(skill, known);
    }
    text
}

/// Whether nothing was known of a skill.
pub(crate) fn is_unknown(before: &Evidence) -> bool {
    before.decisions == 0 && before.rate.samples() == 0
}

fn changes(skill: &str, judged: Option<&Record>, before: &Evidence, after: &Evidence) -> String {
    let is_judged = |model: &&ModelRate| match judged {
        Some(record) => (&*model.arm, &model.model) == (record.arm.as_str(), &record.model),
        None => model.arm == Arm::Local.as_str(),
    };
    let models = after.models.iter().chain(&before.models).filter(is_judged);
    let changed: Vec<String> = models.filter_map(|model| change(model, before, after)).collect();
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
