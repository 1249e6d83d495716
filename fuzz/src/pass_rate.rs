//! What a brain answers to the question for a pass rate: a rate from 0 to 1, none, or an error that repeats nothing.

use dataplane::received::pass_rate;

use crate::text::{assert_has_no_canary, assert_is_a_line};

/// Longest error, in characters.
const ERROR_MAX: usize = 200;

/// The body.
pub fn check(input: &[u8]) {
    match pass_rate(input) {
        Ok(measured) => {
            let claude = measured.arms.and_then(|arms| arms.claude.pass_rate);
            for rate in measured.pass_rate.into_iter().chain(claude) {
                assert!((0.0..=1.0).contains(&rate), "{rate}");
            }
        }
        Err(error) => {
            assert_is_a_line(&error, ERROR_MAX);
            assert_has_no_canary(&error);
        }
    }
}
