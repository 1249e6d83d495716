//! The price that a record keeps, so that what is reported later does not change with the policy.

use crds::table::TokenPrice;
use serde::Serialize;

/// Millionths in a dollar.
const MICROS: f64 = 1e6;

/// US dollars per million tokens when the call was made.
#[derive(Serialize, Clone, Copy, Debug, PartialEq)]
pub struct PriceAtTheTime {
    /// Of prompts.
    pub input: f64,
    /// Of answers.
    pub output: f64,
}

impl PriceAtTheTime {
    /// As a policy has it.
    #[must_use]
    // At most 10^11 millionths, which an f64 holds exactly.
    #[allow(clippy::cast_precision_loss)]
    pub fn of(price: &TokenPrice) -> Self {
        Self { input: price.input as f64 / MICROS, output: price.output as f64 / MICROS }
    }
}
