//! The rules about answers that are kept.

use super::errors::Errors;
use crate::{
    FieldError,
    policy::{
        Review,
        review::{KEEP_MAX, NEEDS_A_BRAIN, NOTHING_KEPT, TOO_LONG},
    },
    table::ReviewRules,
};

/// `brain`: whether the policy has one.
pub(super) fn compile(path: &str, given: &Review, brain: bool, errors: &mut Errors) -> Option<ReviewRules> {
    let Review { keep, share } = given;
    if !brain {
        errors.push(FieldError::absent(path, NEEDS_A_BRAIN));
    }
    let time = errors.take(format!("{path}.keep"), keep.text(), keep.duration());
    let part = errors.take(format!("{path}.share"), share.text(), share.value());
    errors.check(format!("{path}.keep"), keep.text(), time.is_none_or(|time| time <= KEEP_MAX), TOO_LONG);
    errors.check(format!("{path}.share"), share.text(), part.is_none_or(|part| part > 0.0), NOTHING_KEPT);
    Some(ReviewRules { keep: time?, share: part? })
}
