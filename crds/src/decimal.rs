//! Decimals between 0 and 1, written as strings because Kubernetes forbids floats in specs.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Visitor};

/// The form of a decimal in a document: 0 to 1 with at most four decimal places.
pub const PATTERN: &str = r"^(0(\.\d{1,4})?|1(\.0{1,4})?)$";

/// A number between 0 and 1.
///
/// Any scalar is read, so that a wrong one is reported with its field's path, together with all other errors, and not
/// as the parser's first failure.
#[derive(Clone, Debug, PartialEq)]
pub struct Decimal {
    text: String,
    origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Origin {
    Quoted,
    Unquoted,
    /// Checked by the rules for environment variables (`contract` part 1), which allow more digits.
    Environment,
}

impl Decimal {
    /// A decimal as written in a document; `value` checks it.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self { text: text.into(), origin: Origin::Quoted }
    }

    /// A finite number in `[0, 1]` from the environment, where any such number is allowed.
    #[must_use]
    pub fn from_environment(value: f64) -> Self {
        Self { text: value.to_string(), origin: Origin::Environment }
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
        let well_formed = self.origin == Origin::Environment || is_well_formed(&self.text);
        match self.text.parse::<f64>() {
            Ok(_) if self.origin == Origin::Unquoted => Err(format!("quote it: \"{}\"", self.text)),
            Ok(value) if well_formed => Ok(value),
            _ => Err("must be a decimal from 0 to 1 with at most four decimal places, for example \"0.90\"".into()),
        }
    }
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
        struct Scalar;
        impl Visitor<'_> for Scalar {
            type Value = Decimal;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a quoted decimal, for example \"0.90\"")
            }
            fn visit_str<E>(self, text: &str) -> Result<Decimal, E> {
                Ok(Decimal::from_text(text))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Decimal, E> {
                Ok(Decimal { text: number.to_string(), origin: Origin::Unquoted })
            }
            fn visit_i64<E>(self, number: i64) -> Result<Decimal, E> {
                Ok(Decimal { text: number.to_string(), origin: Origin::Unquoted })
            }
            fn visit_u64<E>(self, number: u64) -> Result<Decimal, E> {
                Ok(Decimal { text: number.to_string(), origin: Origin::Unquoted })
            }
        }
        deserializer.deserialize_any(Scalar)
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
    fn the_environment_may_use_more_digits() {
        assert_eq!(Decimal::from_environment(0.857_142_857).value(), Ok(0.857_142_857));
    }
}
