//! Amounts of US dollars, written as strings because Kubernetes forbids floats in specs.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::scalar::{self, Scalar};

/// The form of an amount in a document: up to 99999 with at most six decimal places.
pub const PATTERN: &str = r"^(0|[1-9]\d{0,4})(\.\d{1,6})?$";
/// Longest amount, in characters.
const LENGTH_MAX: u32 = 12;
const WHOLE_MAX: usize = 5;
const PLACES_MAX: usize = 6;

/// An amount of US dollars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usd {
    text: String,
    micros: Result<u64, String>,
}

impl Usd {
    /// An amount as written in a document.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let rule = "must be US dollars from 0 to 99999 with at most six decimal places, for example \"3\" or \"0.30\"";
        Self { text: text.into(), micros: micros(text).ok_or_else(|| rule.into()) }
    }

    /// The text as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The amount in millionths of a dollar.
    ///
    /// # Errors
    /// What is wrong with the text and how to write it.
    pub fn micros(&self) -> Result<u64, String> {
        self.micros.clone()
    }
}

/// Exact: a float would make sums of many small amounts wrong.
fn micros(text: &str) -> Option<u64> {
    let (whole, places) = text.split_once('.').map_or((text, None), |(whole, places)| (whole, Some(places)));
    let digits = |text: &str, max: usize| (1..=max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let well_formed = digits(whole, WHOLE_MAX)
        && (whole == "0" || !whole.starts_with('0'))
        && places.is_none_or(|places| digits(places, PLACES_MAX));
    let padded = format!("{:0<PLACES_MAX$}", places.unwrap_or_default());
    well_formed.then(|| format!("{whole}{padded}").parse().ok()).flatten()
}

impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match scalar::read(deserializer, "quoted US dollars, for example \"3\"")? {
            Scalar::Text(text) => Self::from_text(&text),
            Scalar::Number(text) => Self { micros: Err(scalar::quote(&text)), text },
        })
    }
}

impl JsonSchema for Usd {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Usd".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({"type": "string", "maxLength": LENGTH_MAX, "pattern": PATTERN})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_exact_to_a_millionth() {
        for (text, micros) in
            [("0", 0), ("3", 3_000_000), ("0.30", 300_000), ("99999.999999", 99_999_999_999), ("0.000001", 1)]
        {
            assert_eq!(Usd::from_text(text).micros(), Ok(micros), "{text}");
        }
        for text in ["", ".", "1.", ".5", "01", "100000", "0.0000001", "-1", "+1", "1e3", "3 ", "$3", "NaN", "٣"] {
            assert!(Usd::from_text(text).micros().is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_unquoted_number_is_shown_quoted() {
        let usd: Usd = serde_json::from_str("3").expect("any scalar is read");
        assert_eq!(usd.micros(), Err("quote it: \"3\"".into()));
    }
}
