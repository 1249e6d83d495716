//! A check of answers, and an answer: white space around an answer changes nothing, and a check always ends.

use crds::{answer_check::AnswerCheck, arguments::PATTERNS_MAX};

use crate::{
    input::{object, two_texts, with_a_large_stack},
    text::assert_is_a_line,
};

/// Longest reason that a check is refused for, in characters.
const REASON_MAX: usize = 2_000;

/// `SCHEMA NUL ANSWER`, or `PATTERN NUL ANSWER`.
pub fn check(input: &[u8]) {
    let Some((rule, answer)) = two_texts(input) else { return };
    with_a_large_stack(|| {
        let mut patterns = PATTERNS_MAX;
        let compiled = match object(rule) {
            Some(schema) => AnswerCheck::by_schema(&schema, &mut patterns),
            None => AnswerCheck::by_pattern(rule, &mut patterns),
        };
        assert!(patterns <= PATTERNS_MAX);
        match compiled {
            Ok(check) => {
                let holds = check.holds_for(answer);
                assert_eq!(holds, check.holds_for(&format!(" \n{answer}\r\n ")), "{answer:?}");
            }
            Err(reasons) => {
                assert!(!reasons.is_empty());
                reasons.iter().for_each(|reason| assert_is_a_line(reason, REASON_MAX));
            }
        }
    });
}
