//! Example outcomes: one skill above the floor, one between, one below the ceil, one never measured.

use brain::{
    entry::{Entry, FinalStatus},
    store::{Store, StoreError},
    verdict::Source,
};

/// The session of every example, so that they can be told apart from real outcomes.
const SESSION: &str = "routing-demo-examples";
const MESSAGE: &str = "example outcome of routing demo --with-examples";
/// Skill, passes, fails.
const OUTCOMES: [(&str, usize, usize); 3] = [("code_review", 19, 1), ("debug", 8, 2), ("retrospective", 5, 5)];

/// Adds the examples to a store that has none. Returns a text per skill that was added.
///
/// # Errors
/// The store failed.
pub async fn add(store: &Store) -> Result<Vec<String>, StoreError> {
    let mut added = vec![];
    for (skill, passes, fails) in OUTCOMES {
        let outcomes =
            std::iter::repeat_n(FinalStatus::Pass, passes).chain(std::iter::repeat_n(FinalStatus::Fail, fails));
        for final_status in outcomes {
            store.append(entry(skill, final_status)).await?;
        }
        added.push(format!("{skill} {passes} pass, {fails} fail"));
    }
    Ok(added)
}

fn entry(skill: &str, final_status: FinalStatus) -> Entry {
    Entry {
        session_id: SESSION.into(),
        skill: skill.into(),
        phase: "outcome".into(),
        final_status,
        message: MESSAGE.into(),
        duration_ms: 0,
        project_root: String::new(),
        source: Source::default(),
        decision_id: None,
        decision: None,
        usage: None,
        review: None,
    }
}
