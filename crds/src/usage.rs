//! What is believed of the tokens and the cost of a model call: the data plane reports them, and the brain adds them up.

/// Most tokens of one call.
pub const TOKENS_MAX: u32 = 1_000_000_000;
/// Highest cost or price, in US dollars.
pub const USD_MAX: f64 = 100_000.0;
/// Billionths in a dollar: no cost is told more exactly.
pub const NANO: f64 = 1e9;
