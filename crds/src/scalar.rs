//! Numbers that documents write as quoted text, because Kubernetes forbids floats in specs. Any scalar is read, so that a
//! wrong one is reported with its field's path, together with all other errors, and not as the parser's first failure.

use std::fmt;

use serde::{Deserializer, de::Visitor};

/// A scalar as it was written.
pub(crate) enum Scalar {
    /// In quotes, or a word.
    Text(String),
    /// A number without quotes.
    Number(String),
}

/// Reads a scalar; `expected` says what a document should have there.
pub(crate) fn read<'de, D: Deserializer<'de>>(deserializer: D, expected: &'static str) -> Result<Scalar, D::Error> {
    deserializer.deserialize_any(AnyScalar(expected))
}

struct AnyScalar(&'static str);

impl Visitor<'_> for AnyScalar {
    type Value = Scalar;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.into()))
    }
    fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
        Ok(Scalar::Number(number.to_string()))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar::Number(number.to_string()))
    }
    fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
        Ok(Scalar::Number(number.to_string()))
    }
}

/// What is said of a number without quotes.
pub(crate) fn quote(number: &str) -> String {
    format!("quote it: \"{number}\"")
}
