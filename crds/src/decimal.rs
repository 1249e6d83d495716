//! Decimals between 0 and 1, written as strings because Kubernetes forbids floats in specs.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::scalar::{self, Scalar};

/// The form of a decimal in a document: 0 to 1 with at most four decimal places.
pub const PATTERN: &str = r"^(0(\.\d{1,4})?|1(\.0{1,4})?)$";

/// A number between 0 and 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Decimal {
    text: String,
    value: Result<f64, String>,
}

impl Decimal {
    /// A decimal as written in a document.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let value = text.parse().ok().filter(|_| is_well_formed(text));
        let rule = "must be a decimal from 0 to 1 with at most four decimal places, for example \"0.90\"";
        Self { text: text.into(), value: value.ok_or_else(|| rule.into()) }
    }

    /// A number that stands for itself, with as many decimal places as it has; see [`is_share`].
    #[must_use]
    pub fn from_number(value: f64) -> Self {
        Self { text: value.to_string(), value: Ok(value) }
    }

    /// The text as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The number, from 0 to 1.
    ///
    /// # Errors
    /// What is wrong with the text and how to write it.
    pub fn value(&self) -> Result<f64, String> {
        self.value.clone()
    }
}

/// Whether a number is a rate or a threshold: finite, from 0 to 1.
#[must_use]
pub fn is_share(number: f64) -> bool {
    (0.0..=1.0).contains(&number)
}

fn is_well_formed(text: &str) -> bool {
    let (whole, places) = text.split_once('.').map_or((text, None), |(whole, places)| (whole, Some(places)));
    let digit_allowed = |digit: u8| if whole == "0" { digit.is_ascii_digit() } else { digit == b'0' };
    matches!(whole, "0" | "1") && places.is_none_or(|p| (1..=4).contains(&p.len()) && p.bytes().all(digit_allowed))
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match scalar::read(deserializer, "a quoted decimal, for example \"0.90\"")? {
            Scalar::Text(text) => Self::from_text(&text),
            Scalar::Number(text) => Self { value: Err(scalar::quote(&text)), text },
        })
    }
}

impl JsonSchema for Decimal {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Decimal".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({"type": "string", "maxLength": 6, "pattern": PATTERN})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_zero_to_one_with_up_to_four_places() {
        for (text, value) in [("0", 0.0), ("1", 1.0), ("0.9", 0.9), ("0.90", 0.9), ("0.1234", 0.1234), ("1.0000", 1.0)]
        {
            assert_eq!(Decimal::from_text(text).value(), Ok(value), "{text}");
        }
    }

    #[test]
    fn refuses_every_other_text() {
        for text in [
            "", "0,9", ".9", "0.", "00.9", "1.1", "2", "-0", "-0.1", "+0.5", "0.12345", "1e-1", "NaN", "inf", " 0.9",
            "90", "0.9\n", "٠.٩",
        ] {
            assert!(Decimal::from_text(text).value().is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_error_about_an_unquoted_number_shows_it_quoted() {
        let decimal: Decimal = serde_json::from_str("0.9").expect("any scalar is read");
        assert_eq!(decimal.value(), Err("quote it: \"0.9\"".into()));
    }

    #[test]
    fn a_number_may_have_more_digits() {
        assert_eq!(Decimal::from_number(0.857_142_857).value(), Ok(0.857_142_857));
    }
}
