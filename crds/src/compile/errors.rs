//! Collects errors while compilation continues.

use std::fmt::Display;

use crate::{FieldError, FieldErrors};

/// Most errors reported for one policy; the first ones are enough to start fixing it.
const ERRORS_MAX: usize = 100;

#[derive(Default)]
pub(super) struct Errors(Vec<FieldError>);

impl Errors {
    pub(super) fn push(&mut self, error: FieldError) {
        if self.0.len() < ERRORS_MAX && !self.0.contains(&error) {
            self.0.push(error);
        }
    }

    /// Returns the value, or records an error about the field.
    pub(super) fn take<T>(
        &mut self,
        path: impl Into<String>,
        value: impl Display,
        result: Result<T, String>,
    ) -> Option<T> {
        result.map_err(|message| self.push(FieldError::new(path, value, message))).ok()
    }

    /// Records an error about the field unless `holds`.
    pub(super) fn check(
        &mut self,
        path: impl Into<String>,
        value: impl Display,
        holds: bool,
        message: impl Into<String>,
    ) {
        if !holds {
            self.push(FieldError::new(path, value, message));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_field_errors(self) -> FieldErrors {
        FieldErrors(self.0)
    }
}
