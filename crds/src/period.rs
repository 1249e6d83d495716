//! Lengths of time as written in a policy: `90s`, `7d`.

use std::{borrow::Cow, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

/// The form of a length of time: a whole number and one unit.
pub const PATTERN: &str = r"^[1-9]\d{0,4}(ms|s|m|h|d)$";

/// How far back rates, reports and savings look unless someone says otherwise.
pub const USUAL_WINDOW: &str = "7d";

/// A length of time, kept as written.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(transparent)]
pub struct Period(String);

impl Period {
    /// A length of time as written; `duration` checks it.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self(text.into())
    }

    /// The text as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The length of time, more than zero.
    ///
    /// # Errors
    /// How a length of time is written.
    pub fn duration(&self) -> Result<Duration, String> {
        parse(&self.0).ok_or_else(|| {
            "must be a whole number from 1 to 99999 with a unit (ms, s, m, h, d), for example \"60s\"".into()
        })
    }

    /// The length of time, where `0s` is allowed, too.
    ///
    /// # Errors
    /// How a length of time is written.
    pub fn duration_or_zero(&self) -> Result<Duration, String> {
        if self.0 == "0s" { Ok(Duration::ZERO) } else { self.duration().map_err(|e| format!("{e}, or \"0s\"")) }
    }
}

fn parse(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if !(1..=5).contains(&digits) || number.starts_with('0') {
        return None;
    }
    let number: u64 = number.parse().ok()?;
    let milliseconds_per_unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    Some(Duration::from_millis(number * milliseconds_per_unit))
}

impl JsonSchema for Period {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({"type": "string", "maxLength": 7, "pattern": PATTERN})
    }
}

/// Schema of a `Period` that may be `0s`.
pub enum PeriodOrZero {}

impl JsonSchema for PeriodOrZero {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "PeriodOrZero".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({"type": "string", "maxLength": 7, "pattern": format!("{PATTERN}|^0s$")})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_unit() {
        for (text, milliseconds) in
            [("1ms", 1), ("60s", 60_000), ("5m", 300_000), ("1h", 3_600_000), ("7d", 604_800_000)]
        {
            assert_eq!(Period::from_text(text).duration(), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        assert!(Period::from_text("99999d").duration().is_ok());
    }

    #[test]
    fn refuses_every_other_text() {
        for text in ["", "0s", "s", "60", "060s", "1.5h", "-1s", "100000s", "1w", "1 s", "1S", "٣s"] {
            assert!(Period::from_text(text).duration().is_err(), "{text:?}");
        }
    }

    #[test]
    fn zero_only_where_it_is_allowed_and_only_as_0s() {
        assert_eq!(Period::from_text("0s").duration_or_zero(), Ok(Duration::ZERO));
        assert!(Period::from_text("0m").duration_or_zero().is_err());
    }
}
