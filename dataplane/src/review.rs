//! Answers that a policy keeps for review: which ones, and what the brain is sent of them. No I/O.

use std::fmt;

use crds::{policy::review::ANSWER_MAX_BYTES, table::ReviewRules};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    decide::{id_hash, is_in_sample},
    decision::milliseconds,
    decision_log::ROUTING,
};

/// The phase of such an entry.
const PHASE: &str = "review";
/// The lowest of the bits that choose an answer: the hash of an id chooses nothing else.
const CHOSEN_FROM_BIT: u32 = 0;

/// An answer to keep: the arguments of `session_log` that report it.
#[derive(Serialize)]
pub struct Kept {
    pub skill: &'static str,
    phase: &'static str,
    final_status: &'static str,
    /// The decision whose answer it is.
    pub decision_id: Uuid,
    review: Answer,
}

#[derive(Serialize)]
struct Answer {
    answer: String,
    cut: bool,
    keep_ms: u64,
    share: f64,
}

/// Without the answer: it must not reach a log.
impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("decision_id", &self.decision_id).field("bytes", &self.bytes()).finish()
    }
}

impl Kept {
    /// The answer that a decision led to, if the policy keeps it.
    pub fn of(rules: &ReviewRules, decision_id: Uuid, answer: &str) -> Option<Self> {
        let ReviewRules { keep, share } = *rules;
        let chosen = is_in_sample(id_hash(decision_id), CHOSEN_FROM_BIT, share);
        chosen.then(|| {
            let (answer, cut) = shortened(answer);
            let review = Answer { answer, cut, keep_ms: milliseconds(keep), share };
            // As of a decision's entry: it is no outcome of the skill that answered.
            Self { skill: ROUTING, phase: PHASE, final_status: "skip", decision_id, review }
        })
    }

    /// How large the answer is, at most [`ANSWER_MAX_BYTES`].
    pub fn bytes(&self) -> usize {
        self.review.answer.len()
    }
}

/// The beginning that is kept, and whether the end is missing. A NUL, which no database takes, becomes U+FFFD.
fn shortened(answer: &str) -> (String, bool) {
    let end = |text: &str| text.floor_char_boundary(ANSWER_MAX_BYTES);
    let head = &answer[..end(answer)];
    let mut kept = head.replace('\0', "\u{fffd}");
    let fits = kept.len();
    kept.truncate(end(&kept));
    let cut = head.len() < answer.len() || kept.len() < fits;
    (kept, cut)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn rules(share: f64) -> ReviewRules {
        ReviewRules { keep: Duration::from_secs(3600), share }
    }

    #[test]
    fn a_kept_answer_is_an_entry_of_its_own_and_is_never_printed() {
        let id = Uuid::now_v7();
        let kept = Kept::of(&rules(1.0), id, "canary").expect("all are kept");
        assert_eq!(
            json!(kept),
            json!({"skill": "_routing", "phase": "review", "final_status": "skip", "decision_id": id,
                "review": {"answer": "canary", "cut": false, "keep_ms": 3_600_000, "share": 1.0}})
        );
        assert!(!format!("{kept:?}").contains("canary"));
    }

    #[test]
    fn the_share_is_chosen_by_the_id_alone() {
        let ids: Vec<Uuid> = (0..20_000).map(|_| Uuid::now_v7()).collect();
        for share in [0.0001, 0.1, 0.5, 1.0] {
            let chosen = |id: &Uuid| Kept::of(&rules(share), *id, "x").is_some();
            let part = ids.iter().filter(|id| chosen(id)).count() as f64 / ids.len() as f64;
            assert!((part - share).abs() < 0.02, "{share}: {part}");
            assert!(ids.iter().take(100).all(|id| chosen(id) == Kept::of(&rules(share), *id, "other").is_some()));
        }
        let id = Uuid::parse_str("01890000-0000-7000-8000-000000000001").expect("an id");
        assert_eq!(
            [0.94, 0.95].map(|share| Kept::of(&rules(share), id, "x").is_some()),
            [false, true],
            "also replayed"
        );
    }

    #[test]
    fn a_long_answer_is_cut_between_two_characters() {
        let x = |bytes| "x".repeat(bytes);
        for (answer, bytes, cut) in [
            (String::new(), 0, false),
            (x(ANSWER_MAX_BYTES), ANSWER_MAX_BYTES, false),
            (x(ANSWER_MAX_BYTES + 1), ANSWER_MAX_BYTES, true),
            (x(ANSWER_MAX_BYTES - 1) + "é", ANSWER_MAX_BYTES - 1, true),
            (x(ANSWER_MAX_BYTES - 2) + "é", ANSWER_MAX_BYTES, false),
            ("a\0b".into(), 5, false),
            (x(ANSWER_MAX_BYTES - 1) + "\0", ANSWER_MAX_BYTES - 1, true),
        ] {
            let (kept, was_cut) = shortened(&answer);
            assert_eq!((kept.len(), was_cut), (bytes, cut), "of {} bytes", answer.len());
            assert!(!kept.contains('\0'));
        }
    }
}
