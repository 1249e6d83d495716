//! Amounts of CPU, memory and other resources.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, de::Visitor};

/// An amount as Kubernetes writes it: `500m`, `64Mi`, `2`. A bare whole number is accepted, too.
#[derive(Serialize, Clone, Debug, PartialEq, Eq)]
#[serde(transparent)]
pub struct Quantity(pub String);

impl Quantity {
    /// The amount as a number, for comparisons; none: it is not written as an amount.
    #[must_use]
    pub fn amount(&self) -> Option<f64> {
        let text = self.0.trim_start_matches('+');
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let binary = |power: i32| Some(1024_f64.powi(power));
        let decimal = |power: i32| Some(10_f64.powi(power));
        let factor = match unit {
            "" => Some(1.0),
            "n" => decimal(-9),
            "u" => decimal(-6),
            "m" => decimal(-3),
            "k" => decimal(3),
            "M" => decimal(6),
            "G" => decimal(9),
            "T" => decimal(12),
            "P" => decimal(15),
            "E" => decimal(18),
            "Ki" => binary(1),
            "Mi" => binary(2),
            "Gi" => binary(3),
            "Ti" => binary(4),
            "Pi" => binary(5),
            "Ei" => binary(6),
            exponent => decimal(exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
        };
        Some(number.parse::<f64>().ok()? * factor?)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrNumber;
        impl Visitor<'_> for TextOrNumber {
            type Value = Quantity;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an amount, for example \"500m\" or 2")
            }
            fn visit_str<E>(self, text: &str) -> Result<Quantity, E> {
                Ok(Quantity(text.into()))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Quantity, E> {
                Ok(Quantity(number.to_string()))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Quantity, E> {
                Ok(Quantity(number.to_string()))
            }
        }
        deserializer.deserialize_any(TextOrNumber)
    }
}

impl JsonSchema for Quantity {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "x-kubernetes-int-or-string": true,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "minimum": 0,
            "maxLength": 32,
            "pattern": r"^\+?(\d+(\.\d*)?|\.\d+)(([KMGTPE]i)|[numkMGTPE]|([eE][-+]?\d+))?$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_or_a_whole_number_is_an_amount() {
        for (json, amount) in [("\"64Mi\"", "64Mi"), ("2", "2"), ("\"0.5\"", "0.5")] {
            let quantity: Quantity = serde_json::from_str(json).expect(json);
            assert_eq!(quantity, Quantity(amount.into()));
        }
        assert!(serde_json::from_str::<Quantity>("true").is_err());
    }

    #[test]
    fn amounts_compare_as_numbers_whatever_their_unit() {
        let amount = |text: &str| Quantity(text.into()).amount();
        for (text, number) in [
            ("1Gi", 1_073_741_824.0),
            ("1G", 1e9),
            ("0.5Mi", 524_288.0),
            (".5k", 500.0),
            ("+2", 2.0),
            ("1500m", 1.5),
            ("2e3", 2e3),
            ("1E", 1e18),
            ("1Ei", 1_152_921_504_606_846_976.0),
        ] {
            assert_eq!(amount(text), Some(number), "{text}");
        }
        for text in ["", "lots", "1 Gi", "1gi", "-1", "1e", "1.2.3"] {
            assert_eq!(amount(text), None, "{text}");
        }
    }
}
